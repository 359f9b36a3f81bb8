//! Several processes, kill −9, full disks, foreign and damaged files.

use std::process::{Command, Stdio};

use sqlx::{ConnectOptions, Connection};

use super::*;
use crate::AppendError;

/// Names the file to the process that is killed.
const VICTIM: &str = "EVENTLOG_VICTIM_FILE";

#[tokio::test]
async fn others_append_and_read_beside_us_and_offsets_stay_dense() {
    let world = World::with_partitions(1).await;
    let beside = world.beside().await;
    let stretch = Stretch { partition: at(0), from: 0, until: Some(200) };
    let mut reader = world.log.read(ReadRequest { stretches: vec![stretch], read_committed: true }).await.unwrap();
    let write = |log: EmbeddedLog| async move {
        for n in 0..100 {
            append(&log, vec![record(0, "k", &n.to_string(), n)]).await;
        }
    };
    let reading = async {
        let mut offsets = Vec::new();
        while let Some(batch) = reader.next().await.unwrap() {
            offsets.extend(batch.records.iter().map(|r| r.offset));
        }
        offsets
    };
    let ((), (), offsets) = tokio::join!(write(world.log.clone()), write(beside), reading);
    assert_eq!(offsets, (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_topic_made_by_another_process_is_found() {
    let world = World::with_partitions(1).await;
    let beside = world.beside().await;
    beside.ensure_topics(&[spec("u", 3, Cleanup::Delete { retention: None })]).await.unwrap();
    assert_eq!(world.log.topic("u").await.unwrap().partitions, 3);
}

/// Not a test of its own: the process that the next one kills. Prints each acknowledged offset.
#[tokio::test]
async fn victim() {
    let Some(path) = std::env::var_os(VICTIM) else { return };
    let log = EmbeddedLog::open(path).await.unwrap();
    let appender = log.appender(prompt()).await.unwrap();
    loop {
        let offsets = appender.append((0..20).map(|n| record(0, "k", "v", n)).collect()).unwrap().kept().await.unwrap();
        println!("kept {}", offsets.last().unwrap());
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let world = World::with_partitions(1).await;
    for round in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["embedded::tests::trouble::victim", "--exact", "--nocapture"])
            .env(VICTIM, world.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(300 + 150 * round)).await;
        child.kill().unwrap();
        let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let kept = output.lines().filter_map(|line| line.strip_prefix("kept ")).next_back();
        let kept: i64 = kept.expect("the victim got something done").parse().unwrap();
        let high = world.log.offsets(&at(0)).await.unwrap().high;
        assert!(high > kept, "acknowledged up to {kept}, there up to {high}");
        let read = read_all(&world.log, 0).await;
        assert_eq!(read.iter().map(|r| r.offset).collect::<Vec<_>>(), (0..high).collect::<Vec<_>>());
        assert_eq!(high % 20, 0, "a batch is there whole or not at all");
    }
}

#[tokio::test]
async fn without_room_nothing_is_written_and_it_goes_on_when_there_is_some() {
    let retention = Some(Duration::from_secs(1));
    let options = Options { max_file_bytes: Some(2 << 20), ..Options::default() };
    let world = World::with_topic(spec("t", 1, Cleanup::Delete { retention }), options).await;
    let value = "x".repeat(1_000);
    let appender = world.log.appender(prompt()).await.unwrap();
    let batch = || (0..200).map(|n| record(0, "k", &value, n)).collect::<Vec<_>>();
    let mut kept = 0;
    let refused = loop {
        match appender.append(batch()).unwrap().kept().await {
            Ok(_) => kept += 200,
            Err(error) => break error,
        }
    };
    assert!(matches!(&refused, AppendError::Unavailable(why) if why.contains("no room")), "{refused:?}");
    assert!(kept >= 1_000, "{kept}");
    assert_eq!(read_all(&world.log, 0).await.len(), usize::try_from(kept).unwrap(), "what was kept can be read");
    world.log.maintain(1_000_000).await.unwrap();
    assert_eq!(appender.append(batch()).unwrap().kept().await.unwrap()[0], kept, "the refused batch took no offsets");
}

#[tokio::test]
async fn behind_a_lock_appends_end_at_their_deadline_and_were_not_written() {
    let world = World::with_partitions(1).await;
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(world.path()).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let options = AppendOptions { deadline: Duration::from_millis(200), ..prompt() };
    let appender = world.log.appender(options).await.unwrap();
    let started = std::time::Instant::now();
    let outcome = appender.append(vec![record(0, "a", "1", 1)]).unwrap().kept().await;
    assert!(matches!(outcome, Err(AppendError::Unavailable(_))), "{outcome:?}");
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    assert_eq!(append(&world.log, vec![record(0, "b", "2", 2)]).await, [0]);
}

#[tokio::test]
async fn after_it_was_closed_everything_says_so() {
    let world = World::with_partitions(1).await;
    let appender = world.log.appender(prompt()).await.unwrap();
    let mut member = join(&world.log, "one").await;
    assigned(&mut member).await;
    assert!(matches!(next(&mut member).await, GroupEvent::CaughtUp { .. }));
    let (waiting, ()) = tokio::join!(member.next(), world.log.close());
    assert!(matches!(appender.append(vec![record(0, "a", "1", 1)]), Err(AppendError::Unavailable(_))));
    let commit = crate::Commit { outputs: vec![], offsets: vec![(at(0), 0)] };
    assert!(matches!(member.committer().commit(commit).await, Err(crate::CommitError::Fatal(_))));
    let said = [
        waiting.err().map(|e| e.to_string()),
        world.log.offsets(&at(0)).await.err().map(|e| e.to_string()),
        world.log.maintain(0).await.err().map(|e| e.to_string()),
        world.log.truncate(&at(0), 0).await.err().map(|e| e.to_string()),
    ];
    for said in said {
        assert!(said.as_ref().is_some_and(|said| said.contains("has been closed")), "{said:?}");
    }
}

#[tokio::test]
async fn files_that_are_not_ours_are_left_alone_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| EmbeddedLog::open(folder.path().join(name));
    let said = |result: Result<EmbeddedLog, LogError>| result.err().expect("it must not open").to_string();
    std::fs::write(folder.path().join("text"), "certainly no database, and long enough to be looked at".repeat(99))
        .unwrap();
    assert!(said(open("text").await).contains("nor any SQLite file"));
    assert!(said(open("no/such/folder").await).contains("folder must exist"));
    let foreign = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("foreign"));
    let mut foreign = foreign.create_if_missing(true).connect().await.unwrap();
    sqlx::query("CREATE TABLE mine (x)").execute(&mut foreign).await.unwrap();
    foreign.close().await.unwrap();
    let before = std::fs::read(folder.path().join("foreign")).unwrap();
    assert!(said(open("foreign").await).contains("another program"));
    assert_eq!(std::fs::read(folder.path().join("foreign")).unwrap(), before);
}

#[tokio::test]
async fn a_newer_layout_is_refused_with_what_to_do() {
    let world = World::with_partitions(1).await;
    world.log.close().await;
    let mut raw = sqlx::sqlite::SqliteConnectOptions::new().filename(world.path()).connect().await.unwrap();
    sqlx::query("PRAGMA user_version = 99").execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    let error = EmbeddedLog::open(world.path()).await.err().expect("it must not open");
    assert!(matches!(&error, LogError::Invalid(why) if why.contains("newer build")), "{error}");
}

#[tokio::test]
async fn records_that_rotted_are_never_handed_out() {
    let world = World::with_partitions(1).await;
    append(&world.log, vec![record(0, "a", "1", 1)]).await;
    let mut raw = sqlx::sqlite::SqliteConnectOptions::new().filename(world.path()).connect().await.unwrap();
    sqlx::query("UPDATE chunk SET payload = zeroblob(length(payload))").execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    let stretch = Stretch { partition: at(0), from: 0, until: None };
    let mut reader = world.log.read(ReadRequest { stretches: vec![stretch], read_committed: true }).await.unwrap();
    assert!(matches!(reader.next().await, Err(LogError::Invalid(why)) if why.contains("damaged")));
}
