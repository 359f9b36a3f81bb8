//! One event's way, from a request to a row, on both logs.

use playledger_tests::world::{Daemons, Local};
use serde_json::{Value, json};
use uuid::Uuid;

/// A session of five events and its close, as a client of today sends it.
fn session(session: Uuid) -> Vec<Value> {
    let now = chrono_now();
    let event = |seq: u32, event_type: &str, data: Value| {
        json!({
            "event_id": Uuid::now_v7(), "session_id": session, "player_id": "p-1207", "seq": seq,
            "event_type": event_type, "data": data,
            "timestamp": (now - chrono::TimeDelta::seconds(60 - i64::from(seq) * 10)).to_rfc3339(),
        })
    };
    vec![
        event(0, "session.started", json!({"platform": "web", "locale": "en-GB"})),
        event(1, "task.started", json!({"task_id": "L1"})),
        event(2, "task.attempted", json!({"task_id": "L1", "outcome": "failure"})),
        event(3, "task.attempted", json!({"task_id": "L1", "outcome": "success"})),
        event(4, "task.completed", json!({"task_id": "L1", "stars": 3})),
        event(5, "session.closed", json!({"reason": "completed"})),
    ]
}

#[expect(clippy::disallowed_methods, reason = "a client has a clock of its own")]
fn chrono_now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_sent_over_http_becomes_a_row_on_the_embedded_log() -> anyhow::Result<()> {
    let world = Local::start(&[])?;
    let (client, tables) = (world.client()?, world.tables().await?);
    let id = Uuid::new_v4();
    let (status, answer) =
        client.post(&format!("{}/v1/batch", world.line.gateway), &json!({"events": session(id)})).await?;
    assert_eq!((status, &answer["accepted"]), (202, &json!(6)), "{answer}");
    let row = format!(
        "SELECT count(*) FROM play.sessions WHERE session_id = '{id}' AND tenant = 'local' AND game = 'demo' \
         AND player_id = 'p-1207' AND event_count = 6 AND complete AND status = 'final' AND platform = 'web'"
    );
    tables.wait_for(&row, 1).await?;
    tables.wait_for(&format!("SELECT count(*) FROM play.event_log WHERE session_id = '{id}'"), 6).await?;
    tables.wait_for("SELECT retry_count FROM play.behavioral_features", 1).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_sent_over_http_becomes_a_row_on_kafka_and_every_daemon_drains() -> anyhow::Result<()> {
    let mut world = Daemons::start(&[]).await?;
    let (client, tables) = (world.client()?, world.tables().await?);
    let id = Uuid::new_v4();
    let batch = json!({"events": session(id)});
    let (status, answer) = client.post(&format!("{}/v1/batch", world.gateway), &batch).await?;
    assert_eq!((status, &answer["accepted"]), (202, &json!(6)), "{answer}");
    let (status, answer) = client.post(&format!("{}/v1/batch", world.gateway), &batch).await?;
    assert_eq!((status, &answer["duplicates"]), (202, &json!(6)), "{answer}");
    let row =
        format!("SELECT count(*) FROM play.sessions WHERE session_id = '{id}' AND event_count = 6 AND revision = 1");
    tables.wait_for(&row, 1).await?;
    tables.wait_for("SELECT sum(events)::bigint FROM play.activity_by_minute", 6).await?;
    world.terminate()
}
