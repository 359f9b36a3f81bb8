//! Writes reports as a projector does, without a log, and prints how long it takes.
//!
//! `cargo run --release -p projector --example reports -- REPORTS SESSIONS [EVERY]`, where `DATABASE_URL` names a server: of all
//! sessions in turn, then of EVERY so manieth (1: all of them), revision after revision. Each report has three tasks and four pieces of evidence, and most are revisions of a session that has a row. At the end it tells which
//! share of each table's updates stayed within the page (HOT), where no index was written.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program to look at, not to run on")]

use std::time::{Duration, Instant};

use eventlog::{Headers, OffsetRange, Record, TopicPartition};
use projector::Config;
use projector::decode::decode;
use projector::load::{Entry, Slice};
use projector::project::project;
use projector::store::{Store, Wanted};
use schemas::topics::Topic;
use serde_json::json;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

const LOAD: u64 = 2_000;

fn report(n: u64, sessions: u64, every: u64) -> Vec<u8> {
    let round = (n / sessions).min(1);
    let told = (n - round * sessions) * if round == 0 { 1 } else { every };
    let (session, revision) = (told % sessions, told / sessions + 1 + round);
    // Sessions come in the order in which they were played, over 112 days.
    let day = session * 112 / sessions;
    let at = format!("2026-{:02}-{:02}T{:02}:00:00Z", 1 + day / 28, 1 + day % 28, session % 24);
    let task = |k: u64| {
        json!({"task_id": format!("L{:02}", (session + k * 13) % 40), "starts": 1, "completions": session % 2, "abandons": 0, "attempts": 2 + revision % 2,
               "successes": 1, "hints": k, "spent_ms": session * 31 % 90_000, "first_try": false})
    };
    let piece = |skill: &str| json!({"skill": skill, "source": "game", "signal": "solved", "ordinal": 0, "successes": 1.0, "opportunities": 2.0, "weight": 0.5, "at": at});
    let metrics = schemas::metrics::Metrics { event_count: 40, active_ms: 500_000, attempts: 6, ..Default::default() };
    json!({
        "v": 1, "tenant": "acme", "game": if session.is_multiple_of(2) { "demo" } else { "maze" }, "player": format!("p-{}", session % (sessions / 8)),
        "session": Uuid::from_u128(u128::from(session) << 64 | 0x8000_0000_0000_0001), "kind": "play", "revision": revision, "status": "final",
        "facts_sha256": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "facts": {"metrics_version": 1, "close_reason": "completed", "started": at, "ended": at, "complete": true, "idle_ms": 60_000,
                  "platform": "web", "locale": "de-AT", "metrics": metrics, "tasks": [task(0), task(1), task(2)],
                  "evidence": [piece("resilience"), piece("problem_solving"), piece("self_regulation"), piece("empathy")]},
        "provenance": {"partition": 2, "first_offset": session * 40, "last_offset": session * 40 + revision - 1, "repeats": 0, "clock_offset_ms": 12,
                       "started_at": at, "ended_at": at, "app_version": "1.4.2", "session_timeout_ms": 1_800_000, "grace_ms": 3_600_000,
                       "cap_ms": 86_400_000, "worker": "0.1.0", "reported_at": at},
    })
    .to_string()
    .into_bytes()
}

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<u64>().unwrap());
    let (reports, sessions) = (numbers.next().unwrap(), numbers.next().unwrap());
    let every = numbers.next().unwrap_or(1);
    let config = Config {
        database_url: std::env::var("DATABASE_URL").unwrap(),
        schema: "play".parse().unwrap(),
        event_log: false,
        games: None,
        sweep_interval: Duration::from_mins(5),
        group: "reports".to_owned(),
        instance: None,
        topic_prefix: "play.".to_owned(),
    };
    let store = Store::open(&config).await.unwrap();
    let partition = TopicPartition::new("play.sessions", 0);
    let range = OffsetRange { low: 0, high: i64::MAX };
    let wanted = Wanted { topic: "play.sessions".into(), topic_id: "one".into(), partition: 0, range, may_skip: false };
    let claim = store.claim(&[wanted]).await.unwrap()[0];
    let mut next = claim.next_offset;
    let (mut written, mut spent, mut last) = (0_u64, Duration::ZERO, Duration::ZERO);
    while written < reports {
        let entries: Vec<Entry> = (written..written + LOAD)
            .map(|n| {
                let offset = i64::try_from(n).unwrap();
                let value = Some(report(n, sessions, every).into());
                let record = Record { offset, timestamp_ms: 0, key: "key".into(), value, headers: Headers::new() };
                let told = decode(Topic::Sessions, &record).unwrap();
                Entry::new(record, told)
            })
            .collect();
        let load =
            [Slice { partition: partition.clone(), epoch: claim.epoch, seen: next, next: next + 2_000, entries }];
        let start = Instant::now();
        let mut transaction = store.begin(&load).await.unwrap();
        let known = transaction.known(&load).await.unwrap();
        transaction.apply(&project(&load, &known)).await.unwrap();
        transaction.commit().await.unwrap();
        spent += start.elapsed();
        next += 2_000;
        written += LOAD;
        if written % 50_000 == 0 {
            let rate = 50_000.0 / spent.saturating_sub(last).as_secs_f64();
            println!("{written} reports, {rate:.0} reports/s over the last 50,000");
            last = spent;
        }
    }
    told_updates(&config.database_url).await;
    println!("{:.0} reports/s in all", f64::from(u32::try_from(written).unwrap()) / spent.as_secs_f64());
}

/// Updates by table as the server counts them, and which share of them was HOT.
async fn told_updates(database: &str) {
    // What a backend has counted it tells when it idles, and at its end.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut connection = PgConnection::connect(database).await.unwrap();
    let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(
        "SELECT relname::text, n_tup_ins, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables
          WHERE schemaname LIKE 'play%' AND n_tup_ins > 0 ORDER BY relname",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    for (table, inserted, updated, hot) in rows {
        let share = if updated == 0 { String::new() } else { format!(", {} % HOT", hot * 100 / updated) };
        println!("{table}: {inserted} inserted, {updated} updated{share}");
    }
}
