//! Made-up reports: sessions in the order in which they were played, each with three tasks and four pieces of evidence, and
//! revised some times: as when late events come, a revision brings other figures for one task and one piece of evidence.

use std::sync::Arc;

use eventlog::{Headers, NewRecord, TopicPartition};
use schemas::metrics::Metrics;
use schemas::topics;
use serde_json::{Value, json};
use uuid::Uuid;

/// What is made up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reports {
    /// Sessions; each is reported once before any is revised.
    pub(super) sessions: usize,
    /// The first of them: those of two batches have no number in common.
    pub(super) first: usize,
    /// When reports are made, in ms since the epoch.
    pub(super) at_ms: i64,
}

impl Reports {
    /// The report of that number as a record of play.sessions.
    ///
    /// # Errors
    /// Never: numbers are small.
    pub(super) fn record(&self, topic: &Arc<str>, partitions: i32, number: usize) -> anyhow::Result<NewRecord> {
        let session = self.first + number % self.sessions;
        let player = format!("p-{}", session / 8);
        let key = format!("bench/{player}");
        let partition = topics::partition(key.as_bytes(), partitions);
        let value = report(session, number / self.sessions + 1, &player, partition);
        Ok(NewRecord {
            partition: TopicPartition { topic: Arc::clone(topic), partition },
            key: key.into(),
            value: Some(serde_json::to_vec(&value)?.into()),
            headers: Headers::new(),
            timestamp_ms: self.at_ms,
        })
    }
}

/// Over 112 days of four months, so that players come back.
fn report(session: usize, revision: usize, player: &str, partition: i32) -> Value {
    let day = session % 112;
    let at = format!("2026-{:02}-{:02}T{:02}:00:00Z", 1 + day / 28, 1 + day % 28, session % 24);
    let task = |place: usize| {
        json!({"task_id": format!("L{:02}", (session + place * 13) % 40), "starts": 1, "completions": session % 2, "abandons": 0,
               "attempts": 2 + (revision + 2 - place) / 3, "successes": 1, "hints": place, "spent_ms": session * 31 % 90_000, "first_try": false})
    };
    let piece = |place: usize, skill: &str| {
        json!({"skill": skill, "source": "game", "signal": "solved", "ordinal": 0, "successes": 1.0, "opportunities": 2 + (revision + 3 - place) / 4,
               "weight": 0.5, "at": at})
    };
    let metrics = Metrics { event_count: 40, active_ms: 500_000, attempts: 5 + revision as u64, ..Metrics::default() };
    json!({
        "v": 1, "tenant": "bench", "game": if session.is_multiple_of(2) { "demo" } else { "maze" }, "player": player,
        "session": Uuid::from_u128((session as u128) << 64 | 0x8000_0000_0000_0001), "kind": "play", "revision": revision, "status": "final",
        "facts_sha256": format!("{session:032x}{revision:032x}"),
        "facts": {"metrics_version": 1, "close_reason": "completed", "started": at, "ended": at, "complete": true, "idle_ms": 60_000,
                  "platform": "web", "locale": "de-AT", "metrics": metrics, "tasks": [task(0), task(1), task(2)],
                  "evidence": [piece(0, "resilience"), piece(1, "problem_solving"), piece(2, "self_regulation"), piece(3, "empathy")]},
        "provenance": {"partition": partition, "first_offset": session * 40, "last_offset": session * 40 + revision, "repeats": 0,
                       "clock_offset_ms": 12, "started_at": at, "ended_at": at, "app_version": "1.4.2",
                       "session_timeout_ms": 1_800_000, "grace_ms": 3_600_000, "cap_ms": 86_400_000, "worker": "0.1.0", "reported_at": at},
    })
}
