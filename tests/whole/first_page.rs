//! The first page in a real browser, on a running local mode with simulated players.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use playledger_tests::world::Local;

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_work_in_a_browser_while_players_play() -> anyhow::Result<()> {
    let world = Local::start(&["--simulate", "10", "--session-timeout", "20s", "--grace", "5s"])?;
    world.tables().await?.wait_for("SELECT least(count(*), 1) FROM play.sessions", 1).await?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/run.mjs");
    let output = Command::new("node")
        .arg(script)
        .args(["--base", &world.line.dashboard])
        .args(["--gateway", &world.line.gateway, "--key", &world.line.api_key])
        .output()
        .context("node: can't run it; Node.js 20 or newer runs the browser's checks (apt-get install nodejs npm)")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    println!("{said}");
    Ok(())
}
