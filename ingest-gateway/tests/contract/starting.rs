//! What keeps a gateway from starting is told in a sentence.

use std::sync::Arc;

use daemon::Shell;

use crate::told::event;
use crate::world::{Setting, World, config};

/// Why a gateway does not start beside a running world.
async fn refusal(world: &World, flags: &[&str]) -> String {
    let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let config = config(world.folder.path(), &Setting { flags, ..Default::default() });
    let ended = ingest_gateway::run(config, Arc::clone(&world.log), Shell::detached()).await;
    format!("{:#}", ended.unwrap_err())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let world = World::new().await;
    let address = world.url.trim_start_matches("http://").to_owned();
    let words = refusal(&world, &["--listen", &address]).await;
    assert!(words.contains(&format!("--listen {address}")) && words.contains("in use"), "{words}");
    world.post("/v1/events", &event()).await.accepted();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_broken_file_is_named_with_its_fault() {
    let world = World::new().await;
    let missing = world.folder.path().join("none.toml");
    let words = refusal(&world, &["--credentials", missing.to_str().unwrap()]).await;
    assert!(words.contains("none.toml") && words.contains("playledger keys create"), "{words}");
    let broken = world.folder.path().join("broken.toml");
    std::fs::write(&broken, "[[key]]\nid = \"a\"\nsha256 = \"00\"\ntenant = \"acme\"\ngames = [\"g\"]\nscopes = []\n")
        .unwrap();
    let words = refusal(&world, &["--credentials", broken.to_str().unwrap()]).await;
    assert!(words.contains("key `a`") && words.contains("64 hexadecimal digits"), "{words}");
    std::fs::write(&broken, "[[settings]]\nidle = \"never\"\n").unwrap();
    let words = refusal(&world, &["--games", broken.to_str().unwrap()]).await;
    assert!(words.contains("--games") && words.contains("broken.toml"), "{words}");
    let schemas = world.folder.path().join("bad-schemas");
    std::fs::create_dir(&schemas).unwrap();
    std::fs::write(schemas.join("boss.defeated.json"), "{\"type\": \"objekt\"}").unwrap();
    let words = refusal(&world, &["--schemas", schemas.to_str().unwrap()]).await;
    assert!(words.contains("boss.defeated.json") && words.contains("/type"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_addresses_of_an_earlier_run_are_gone_before_there_are_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).into_os_string();
    std::fs::write(path("credentials.toml"), "").unwrap();
    std::fs::write(path("ready.json"), r#"{"gateway":"127.0.0.1:9"}"#).unwrap();
    // It never gets ready: nobody listens there.
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ingest-gateway"));
    command.args(["--kafka", "127.0.0.1:1", "--listen", "127.0.0.1:0", "--ops", "127.0.0.1:0"]);
    command.arg("--credentials").arg(path("credentials.toml")).arg("--ready-file").arg(path("ready.json"));
    let mut gateway = command.stderr(std::process::Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let gone = async {
        while std::path::Path::new(&path("ready.json")).exists() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), gone).await.expect("the old file is removed");
    gateway.kill().await.unwrap();
}
