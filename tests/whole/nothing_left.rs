//! A world takes all of itself with it, and its own check would notice if it did not.

use std::process::{Command, Stdio};
use std::time::Duration;

use playledger_tests::remains::living;
use playledger_tests::world::Local;

#[test]
fn a_process_that_works_in_a_folder_or_names_it_is_found_until_it_ends() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    assert_eq!(living(folder.path()), []);
    let mut within = Command::new("sleep").arg("60").current_dir(folder.path()).spawn()?;
    let mut naming =
        Command::new("sh").args(["-c", "read -r _", "sh"]).arg(folder.path()).stdin(Stdio::piped()).spawn()?;
    let mut started = vec![i32::try_from(within.id())?, i32::try_from(naming.id())?];
    started.sort_unstable();
    let mut found = Vec::new();
    // A process that has only just begun may have no command line as yet.
    for _ in 0..100 {
        found = living(folder.path()).into_iter().map(|process| process.pid).collect();
        found.sort_unstable();
        if found == started {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    for child in [&mut within, &mut naming] {
        child.kill()?;
        child.wait()?;
    }
    assert_eq!(found, started);
    assert_eq!(living(folder.path()), []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_that_is_dropped_while_it_runs_takes_its_postgres_and_its_folder_with_it() -> anyhow::Result<()> {
    let world = Local::start(&[])?;
    let data = world.data().to_path_buf();
    let at_work = living(&data);
    assert!(at_work.iter().any(|process| process.command.contains("postgres")), "{at_work:?}");
    drop(world);
    assert_eq!(living(&data), []);
    assert!(!data.parent().is_some_and(std::path::Path::exists));
    Ok(())
}
