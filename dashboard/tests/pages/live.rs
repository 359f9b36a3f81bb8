//! Open pages are kept up to date, and let go of when the server ends.

use std::time::Duration;

use reqwest::Response;
use tokio::time::timeout;

use crate::rows::{SESSION, closed, running};
use crate::world::World;

/// Reads a stream until what it has told holds `wanted`.
async fn told(stream: &mut Response, wanted: &str) -> String {
    let mut text = String::new();
    let read = async {
        while !text.contains(wanted) {
            let piece = stream.chunk().await.unwrap().expect("the stream goes on");
            text.push_str(&String::from_utf8_lossy(&piece));
        }
    };
    timeout(Duration::from_secs(5), read).await.unwrap_or_else(|_| panic!("never told {wanted:?}"));
    text
}

async fn stream(world: &World, path: &str) -> Response {
    let answer = world.get(path).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    answer
}

#[tokio::test]
async fn an_open_overview_hears_of_a_session_by_itself() {
    let world = World::new().await;
    let mut stream = stream(&world, "/stream?range=1h").await;
    told(&mut stream, "event: fragment").await;
    closed(&world, "acme", SESSION, "p-new").await;
    let text = told(&mut stream, ">p-new<").await;
    assert!(text.contains("event: fragment"));
}

#[tokio::test]
async fn a_page_that_stays_the_same_is_confirmed_from_time_to_time() {
    let world = World::new().await;
    let mut stream = stream(&world, "/stream").await;
    told(&mut stream, "event: tick").await;
}

#[tokio::test]
async fn an_open_session_turns_into_its_report() {
    let world = World::new().await;
    running(&world, SESSION, "p-1").await;
    let mut stream = stream(&world, &format!("/sessions/{SESSION}/stream?tenant=acme")).await;
    told(&mut stream, "This session is still open").await;
    world.run("DELETE FROM play_g1.live_sessions").await;
    closed(&world, "acme", SESSION, "p-1").await;
    told(&mut stream, "4 min 12 s").await;
}

#[tokio::test]
async fn draining_says_goodbye_and_ends_in_time() {
    let mut world = World::new().await;
    let mut open = stream(&world, "/stream").await;
    told(&mut open, "event: fragment").await;
    let ended = async { told(&mut open, "event: bye").await };
    world.shell.shutdown.drain();
    ended.await;
    world.end().await;
}

#[tokio::test]
async fn many_readers_of_one_page_ask_the_database_once() {
    let world = World::new().await;
    closed(&world, "acme", SESSION, "p-1").await;
    let mut lock = world.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE play_g1.players IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    let readers = futures_util::future::join_all((0..40).map(|_| world.page("/")));
    let watch = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
              WHERE application_name = 'playledger-dashboard' AND wait_event_type = 'Lock' AND datname = current_database()",
        )
        .fetch_one(world.pool())
        .await
        .unwrap();
        lock.rollback().await.unwrap();
        waiting
    };
    let (pages, waiting) = tokio::join!(readers, watch);
    assert_eq!(waiting, 1, "one transaction reads for all forty");
    assert!(pages.iter().all(|page| page.contains(">p-1<")));
}

#[tokio::test]
async fn what_takes_too_long_is_given_up_and_said() {
    let world = World::new().await;
    let mut lock = world.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE play_g1.players IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    let (status, words) = world.refusal("/").await;
    assert_eq!(status, reqwest::StatusCode::SERVICE_UNAVAILABLE);
    assert!(words.contains("The database is away"));
    lock.rollback().await.unwrap();
}
