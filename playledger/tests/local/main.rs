//! Local mode as a real process: started, used, stopped, killed, taken up again.

mod sending;
mod stub;
mod world;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use world::{Up, World, command, event, finished, line_of};

/// SIGTERM has to be done within this.
const STOP_LIMIT: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_a_stop_and_a_kill() {
    let world = World::new();
    let up = Up::start(&world, &[]);
    let first = world::session(6);
    assert_eq!(up.post_all(&first).await, 202);
    up.wait_for_final(&first).await;
    let key = up.api_key().to_owned();
    let began = Instant::now();
    assert_eq!(up.stop(), Some(0), "{}", world.said());
    assert!(began.elapsed() < STOP_LIMIT, "{:?}", began.elapsed());

    let up = Up::start(&world, &[]);
    assert_eq!(up.api_key(), key);
    up.wait_for_final(&first).await;
    // Known from before the stop: success, and no second effect.
    let again = up.post(&json!({ "events": first })).await;
    assert_eq!(again["duplicates"], 6, "{again}");
    let second = world::session(9);
    assert_eq!(up.post_all(&second).await, 202);
    up.kill();

    let up = Up::start(&world, &[]);
    up.wait_for_final(&second).await;
    assert_eq!(up.rows("SELECT count(*) FROM play.sessions").await, 2);
    assert_eq!(up.rows("SELECT sum(event_count)::bigint FROM play.sessions").await, 15);
    assert_eq!(up.rows("SELECT count(*) FROM play.event_log").await, 15);
    assert_eq!(up.stop(), Some(0), "{}", world.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_folder_serves_the_other_commands_and_refuses_a_second_up() {
    let world = World::new();
    let up = Up::start(&world, &[]);

    let refused = finished(command(&world, &["up", "--listen", "127.0.0.1:0", "--dashboard", "127.0.0.1:0"]));
    assert_eq!(refused.status, Some(1));
    assert!(refused.err.contains("another `playledger up`"), "{}", refused.err);
    assert!(!refused.err.contains("panicked"), "{}", refused.err);
    // Its ports are held by the first one: that is not what is wrong.
    let (taken, free) = (up.gateway_address(), "127.0.0.1:0");
    let refused = finished(command(&world, &["up", "--listen", taken, "--dashboard", free]));
    assert_eq!(refused.status, Some(1));
    assert!(refused.err.contains("another `playledger up`"), "{}", refused.err);

    let page = up.get_page("/").await;
    assert!(page.contains("<html") || page.contains("<!doctype html"), "{page}");

    let played = finished(command(
        &world,
        &["simulate", "--players", "8", "--seed", "5", "--rate", "200", "--for", "4s", "--json"],
    ));
    assert_eq!(played.status, Some(0), "{}", played.err);
    let told: Value = serde_json::from_str(&played.out).unwrap();
    let count = |name: &str| told[name].as_u64().unwrap();
    assert!(count("accepted") > 100, "{told}");
    assert_eq!(count("accepted") + count("duplicates"), count("events"), "{told}");
    let accepted = i64::try_from(count("accepted")).unwrap();
    up.wait_for_rows("SELECT count(*) FROM play.event_log", accepted).await;

    let running = finished(command(&world, &["doctor", "--json"]));
    assert_eq!(running.status, Some(0), "{}", running.out);
    assert!(running.out.contains("\"local mode\"") && running.out.contains("runs on"), "{}", running.out);
    assert_eq!(up.stop(), Some(0), "{}", world.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_sent_with_its_bad_lines_named_and_taken_up_where_it_was_left() {
    let world = World::new();
    let up = Up::start(&world, &[]);
    let file = world.path("events.ndjson");
    let mut lines: Vec<String> = world::session(40).iter().map(Value::to_string).collect();
    lines[3] = "{\"event_id\":".into();
    let mut wrong = event(uuid::Uuid::new_v4(), 0, "task.attempted", json!({ "task_id": "L1", "outcome": "maybe" }));
    wrong["player_id"] = "p-1".into();
    lines[7] = wrong.to_string();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let path = file.to_str().unwrap();

    let dry = finished(command(&world, &["send", path, "--dry-run"]));
    assert_eq!(dry.status, Some(1), "{}", dry.err);
    assert_eq!(up.rows("SELECT count(*) FROM play.event_log").await, 0);

    let sent = finished(command(&world, &["send", path, "--batch", "10"]));
    assert_eq!(sent.status, Some(1), "{}", sent.err);
    let told: Vec<Value> = sent.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let at = |line: u64| told.iter().find(|not| not["line"] == line).unwrap();
    assert_eq!(told.len(), 2, "{}", sent.out);
    assert_eq!(at(4)["code"], "malformed_json");
    assert!(at(8)["reason"].as_str().unwrap().contains("/data/outcome"), "{}", sent.out);
    up.wait_for_rows("SELECT count(*) FROM play.event_log", 38).await;
    assert!(!world.path("events.ndjson.playledger-progress").exists());

    // Whole again, all of it is known: success. From a pipe as well.
    lines.remove(7);
    lines.remove(3);
    let piped = finished(line_of(command(&world, &["send", "-"]), &lines.join("\n")));
    assert_eq!(piped.status, Some(0), "{}", piped.err);
    assert!(piped.err.contains("38 duplicates"), "{}", piped.err);
    assert_eq!(up.stop(), Some(0), "{}", world.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_send_goes_on_where_it_was_and_nothing_counts_twice() {
    let world = World::new();
    let up = Up::start(&world, &[]);
    let file = world.path("many.ndjson");
    let sessions: Vec<_> = (0..60).map(|_| world::session(50)).collect();
    let lines: Vec<String> = sessions.iter().flatten().map(Value::to_string).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let send = ["send", file.to_str().unwrap(), "--batch", "10"];

    let mut first = command(&world, &send).spawn().unwrap();
    let began = Instant::now();
    while !world.path("many.ndjson.playledger-progress").exists() && began.elapsed() < STOP_LIMIT {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    first.kill().unwrap();
    assert!(!first.wait().unwrap().success(), "the file was sent before it could be interrupted");

    let second = finished(command(&world, &send));
    assert_eq!(second.status, Some(0), "{}", second.err);
    assert!(second.err.contains("going on after line"), "{}", second.err);
    up.wait_for_rows("SELECT count(*) FROM play.sessions WHERE status = 'final'", 60).await;
    assert_eq!(up.rows("SELECT sum(event_count)::bigint FROM play.sessions").await, 3_000);
    assert_eq!(up.rows("SELECT count(*) FROM play.event_log").await, 3_000);
    assert_eq!(up.stop(), Some(0), "{}", world.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_log_is_refused_and_the_schema_that_is_advised_is_filled_from_it() {
    let world = World::new();
    let up = Up::start(&world, &[]);
    let first = world::session(3);
    assert_eq!(up.post_all(&first).await, 202);
    up.wait_for_final(&first).await;
    assert_eq!(up.stop(), Some(0), "{}", world.said());
    std::fs::remove_dir_all(world.path("data/log")).unwrap();

    let ports = ["--listen", "127.0.0.1:0", "--dashboard", "127.0.0.1:0"];
    let refused = finished(command(&world, &[&["up"], &ports[..]].concat()));
    assert_eq!(refused.status, Some(1));
    assert!(refused.err.contains("another --schema"), "{}", refused.err);

    let up = Up::start(&world, &["--schema", "anew", "--host", "play.lan"]);
    let second = world::session(3);
    assert_eq!(up.post_all(&second).await, 202);
    up.wait_for_rows("SELECT count(*) FROM anew.sessions WHERE status = 'final'", 1).await;
    assert_eq!(up.rows("SELECT count(*) FROM play.sessions").await, 1);
    let session = second[0]["session_id"].as_str().unwrap();
    assert!(up.get_page("/").await.contains(session));
    for (host, status) in [("play.lan", 200), ("rebound.example", 421)] {
        assert_eq!(up.page_asked_for(host).await, status, "{host}");
    }
    assert_eq!(up.stop(), Some(0), "{}", world.said());
}

#[test]
fn what_keeps_up_from_starting_is_told_in_a_sentence() {
    let world = World::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = finished(command(&world, &["up", "--listen", &address]));
    assert_eq!(refused.status, Some(1));
    assert!(refused.err.contains("--listen 127.0.0.1:0"), "{}", refused.err);

    let refused = finished(command(&world, &["up", "--listen", "nowhere"]));
    assert_eq!(refused.status, Some(2), "{}", refused.err);
    assert!(refused.err.contains("--listen nowhere"), "{}", refused.err);

    let refused = finished(command(&world, &["up", "--host", "http://play.lan"]));
    assert_eq!(refused.status, Some(2), "{}", refused.err);
    assert!(refused.err.contains("--host"), "{}", refused.err);

    let refused = finished(command(&world, &["up", "--session-timeout", "0s"]));
    assert_eq!(refused.status, Some(2), "{}", refused.err);
    assert!(refused.err.contains("session-timeout"), "{}", refused.err);

    let refused = finished(command(
        &world,
        &[
            "up",
            "--database-url",
            "postgres://me:secret@127.0.0.1:1/x",
            "--listen",
            "127.0.0.1:0",
            "--dashboard",
            "127.0.0.1:0",
        ],
    ));
    assert_eq!(refused.status, Some(1));
    assert!(refused.err.contains("--database-url") && !refused.err.contains("secret"), "{}", refused.err);

    let newer = world.path("newer");
    std::fs::create_dir(&newer).unwrap();
    let layout = r#"{"layout":999,"id":"0198c0de-0000-7000-8000-000000000001","log":"embedded","made_by":"9.0.0"}"#;
    std::fs::write(newer.join("layout.json"), layout).unwrap();
    let free = ["--listen", "127.0.0.1:0", "--dashboard", "127.0.0.1:0"];
    let refused = finished(command(&world, &[&["up", "--data", newer.to_str().unwrap()], &free[..]].concat()));
    assert_eq!(refused.status, Some(1));
    assert!(refused.err.contains("newer Playledger"), "{}", refused.err);
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let world = World::new();
    let looked = finished(command(&world, &["doctor", "--json"]).env("DATABASE_URL", ""));
    assert!(!looked.out.contains("Postgres server"), "{}", looked.out);
    let refused = finished(command(&world, &["simulate"]).env("PLAYLEDGER_GATEWAY", "").env("PLAYLEDGER_KEY", ""));
    assert!(refused.err.contains("no local mode runs"), "{}", refused.err);
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let world = World::new();
    for arguments in [&["doctor"][..], &["completions", "bash"], &["--help"]] {
        let mut child = command(&world, arguments).spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!said.contains("panicked"), "{said}");
        assert!(ended.status.code().is_some(), "{:?}", ended.status);
    }
}
