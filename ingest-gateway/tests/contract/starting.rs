//! What keeps a gateway from starting is told in a sentence.

use std::sync::Arc;

use daemon::Shell;

use crate::authority::Authority;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_can_not_be_served_is_named_at_the_start_and_by_the_check() {
    let authority = Authority::new();
    let (good, other, ended) = (authority.signs(2), authority.signs(3), authority.signs_ending(4, -60));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) = (file("good.pem", &good.certificate), file("good.key", &good.key));
    let (ended_certificate, ended_key) = (file("ended.pem", &ended.certificate), file("ended.key", &ended.key));
    let other_key = file("other.key", &other.key);
    let missing = folder.path().join("none.pem").to_str().unwrap().to_owned();
    let cases: [(&[&str], &[&str]); 6] = [
        (&["--tls-certificate", &certificate], &["--tls-certificate needs --tls-key"]),
        (&["--tls-key", &key], &["--tls-key needs --tls-certificate"]),
        (&["--tls-certificate", &missing, "--tls-key", &key], &["--tls-certificate", "none.pem", "can't read it"]),
        (&["--tls-certificate", &certificate, "--tls-key", &other_key], &["--tls-key", "other.key", "good.pem"]),
        (&["--tls-certificate", &ended_certificate, "--tls-key", &ended_key], &["ended.pem", "ended at"]),
        (&["--tls-certificate", &key, "--tls-key", &key], &["--tls-certificate", "good.key", "BEGIN CERTIFICATE"]),
    ];
    let world = World::new().await;
    for (flags, expected) in cases {
        let (status, checked) = check(&world, flags).await;
        assert_eq!(status, Some(2), "{checked}");
        for words in [refusal(&world, flags).await, checked] {
            assert!(expected.iter().all(|part| words.contains(part)), "{expected:?} in {words}");
        }
    }
    let (status, words) = check(&world, &["--tls-certificate", &certificate, "--tls-key", &key]).await;
    assert_eq!(status, Some(0), "{words}");
    assert!(!words.contains("BEGIN"), "{words}");
}

/// Exit status and words of `--check-config`.
async fn check(world: &World, flags: &[&str]) -> (Option<i32>, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ingest-gateway"));
    command.args(["--check-config", "--kafka", "127.0.0.1:1", "--credentials"]).arg(world.credentials()).args(flags);
    let output = command.output().await.unwrap();
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}
