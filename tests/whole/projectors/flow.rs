//! Records as workers and gateways write them, at a steady pace: reports and their revisions, some told again, some
//! late, and counts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::ensure;
use playledger_tests::feed::Feed;
use playledger_tests::world::Projectors;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemas::metrics::Metrics;
use serde_json::{Value, json};
use uuid::Uuid;

use super::PATIENCE;

const PLAYERS: u64 = 60;
/// Between two handfuls of records, where they come fast.
pub(super) const FAST: Duration = Duration::from_millis(10);
/// The same where what is tried takes longer than the records of that time.
pub(super) const SLOW: Duration = Duration::from_millis(80);

/// A writer of records. Dropped, it stops.
pub(super) struct Flow {
    feeds: Arc<Feeds>,
    stop: Arc<AtomicBool>,
    writer: Option<JoinHandle<anyhow::Result<()>>>,
}

struct Feeds {
    sessions: Feed,
    activity: Feed,
    outcomes: Feed,
}

/// How much was written, by topic.
pub(super) struct Sent {
    reports: u64,
    counts: u64,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} reports and {} counts written", self.reports, self.counts)
    }
}

impl Flow {
    /// Begins to write a handful of records at a time.
    pub(super) fn begin(world: &Projectors, seed: u64, pause: Duration) -> anyhow::Result<Self> {
        let feed = |topic| world.feed(topic);
        let feeds = Feeds { sessions: feed("sessions")?, activity: feed("activity")?, outcomes: feed("outcomes")? };
        let (feeds, stop) = (Arc::new(feeds), Arc::<AtomicBool>::default());
        let writer = std::thread::spawn({
            let (feeds, stop) = (Arc::clone(&feeds), Arc::clone(&stop));
            move || write(&feeds, &stop, seed, pause)
        });
        Ok(Self { feeds, stop, writer: Some(writer) })
    }

    /// Waits until so many more reports have been written.
    pub(super) async fn sends(&self, more: u64) -> anyhow::Result<()> {
        let (until, began) = (self.feeds.sessions.sent() + more, Instant::now());
        while self.feeds.sessions.sent() < until {
            ensure!(began.elapsed() < PATIENCE, "{} of {until} reports are written", self.feeds.sessions.sent());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Stops, and waits until the broker has all of it.
    pub(super) async fn end(mut self) -> anyhow::Result<Sent> {
        self.stop.store(true, Ordering::Relaxed);
        match self.writer.take().map(JoinHandle::join) {
            Some(Ok(wrote)) => wrote?,
            _ => anyhow::bail!("the writer crashed"),
        }
        let reports = self.feeds.sessions.flush().await?;
        let counts = self.feeds.activity.flush().await? + self.feeds.outcomes.flush().await?;
        Ok(Sent { reports, counts })
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(writer) = self.writer.take() {
            // A crash there has been told by its own words.
            let _ = writer.join();
        }
    }
}

fn write(feeds: &Feeds, stop: &AtomicBool, seed: u64, pause: Duration) -> anyhow::Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut revisions: Vec<u64> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..random.random_range(1..8) {
            let known = revisions.len();
            let session = if known > 0 && random.random_bool(0.4) { random.random_range(0..known) } else { known };
            if session == known {
                revisions.push(0);
            }
            let newest = &mut revisions[session];
            // Some are told again, or late.
            let revision =
                if *newest > 0 && random.random_bool(0.2) { random.random_range(1..=*newest) } else { *newest + 1 };
            *newest = (*newest).max(revision);
            let (player, value) = report(seed, session as u64, revision);
            send(&feeds.sessions, &format!("acme/{player}"), &value)?;
        }
        let minute = format!("2026-01-05T08:{:02}:00Z", random.random_range(0..60));
        let applied = json!({"task.started": random.random_range(1..9), "choice.made": 2});
        let activity = json!({"v": 1, "tenant": "acme", "game": "demo", "minute": minute, "applied": applied,
                              "repeats": 1, "holes": 0, "set_aside": {"late": 1}});
        send(&feeds.activity, "acme/demo", &activity)?;
        if random.random_bool(0.3) {
            let told = json!({"v": 1, "gateway": "g-1", "at": minute, "kind": "counts", "tenant": "acme", "game": "demo",
                              "minute": minute, "outcomes": {"accepted": random.random_range(1..50)}});
            send(&feeds.outcomes, "g-1", &told)?;
        }
        std::thread::sleep(pause);
    }
    Ok(())
}

fn send(feed: &Feed, key: &str, value: &Value) -> anyhow::Result<()> {
    feed.raw_now(key.as_bytes(), Some(value.to_string().as_bytes())).map(drop)
}

/// A player, and what one of their sessions is told to be in this revision: always the same.
pub(super) fn report(seed: u64, session: u64, revision: u64) -> (String, Value) {
    let player = format!("p-{}", session % PLAYERS);
    let mut facts = ChaCha8Rng::seed_from_u64(seed << 40 ^ session << 12 ^ revision);
    let metrics = Metrics {
        duration_ms: 600_000,
        active_ms: facts.random_range(1..600_000),
        attempts: 2,
        event_count: facts.random_range(1..100),
        ..Metrics::default()
    };
    let tasks: Vec<Value> = (0..facts.random_range(0..4))
        .map(|n| {
            json!({"task_id": format!("L{n}"), "starts": 1, "completions": 1, "abandons": 0,
                   "attempts": facts.random_range(1..9), "successes": 1, "hints": 0,
                   "spent_ms": facts.random_range(1..90_000), "first_try": false})
        })
        .collect();
    let pieces: Vec<Value> = (0..facts.random_range(0..4))
        .map(|n| {
            json!({"skill": "resilience", "source": "game", "signal": "recovered", "ordinal": n, "successes": 1.0,
                   "opportunities": 2.0, "weight": 0.5, "at": "2026-01-05T08:10:00Z"})
        })
        .collect();
    let day = facts.random_range(1..25);
    let (started, ended) = (format!("2026-01-{day:02}T08:00:00Z"), format!("2026-01-{day:02}T08:10:00Z"));
    let id = Uuid::from_u64_pair(seed, session);
    let value = json!({
        "v": 1, "tenant": "acme", "game": "demo", "player": player, "session": id, "kind": "play",
        "revision": revision, "status": "final", "facts_sha256": "ab12",
        "facts": {
            "metrics_version": 1, "close_reason": "completed", "started": started, "ended": ended, "complete": true,
            "flags": [], "idle_ms": 60_000, "platform": "web", "locale": "de-AT", "device": "tablet",
            "metrics": metrics, "tasks": tasks, "evidence": pieces,
        },
        "provenance": {
            "partition": 2, "first_offset": session, "last_offset": session + 40, "repeats": 7, "clock_offset_ms": 0,
            "started_at": started, "ended_at": ended, "app_version": "1.4.2", "session_timeout_ms": 1_800_000,
            "grace_ms": 3_600_000, "cap_ms": 86_400_000, "worker": "0.1.0", "reported_at": "2026-02-05T09:00:00Z",
        },
    });
    (player, value)
}
