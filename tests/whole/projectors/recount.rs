//! What every table should hold, by the plainest of means, from what lies in the topics.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, ensure};
use eventlog::Record;
use playledger_tests::observe;
use playledger_tests::tables::Tables;
use playledger_tests::world::Projectors;
use serde_json::{Value, json};

/// What was compared.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Rows by table.
    rows: BTreeMap<&'static str, usize>,
}

impl Counted {
    /// Tables compared.
    pub(super) fn tables(&self) -> usize {
        self.rows.len()
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rows equal to their recount: {:?}", self.rows)
    }
}

/// How many offsets of a topic are not in the rows as yet.
pub(super) async fn behind(world: &Projectors, tables: &Tables, topic: &str) -> anyhow::Result<i64> {
    let ends = observe::standing(world.bootstrap(), topic, "nobody").await?;
    let sum: i64 = ends.iter().map(|(end, _)| end).sum();
    let partitions = i64::try_from(ends.len())?;
    let rows = tables.number(&format!("SELECT count(*) FROM play.offsets WHERE topic = '{topic}'")).await?;
    ensure!(rows == partitions, "{rows} partitions are claimed");
    let sql = format!("SELECT sum(next_offset)::bigint FROM play.offsets WHERE topic = '{topic}'");
    Ok(sum - tables.number(&sql).await?)
}

/// Compares each table with its recount.
pub(super) async fn recount(world: &Projectors, tables: &Tables) -> anyhow::Result<Counted> {
    let newest = newest(&world.read("sessions").await?);
    let mut counted = Counted::default();
    let mut same = async |table: &'static str, sql: &str, mut expected: Vec<Value>| {
        expected.sort_by_key(Value::to_string);
        let mut found = tables.rows(sql).await?;
        found.sort_by_key(Value::to_string);
        if let Some((found, expected)) = found.iter().zip(&expected).find(|(found, expected)| found != expected) {
            anyhow::bail!("{table}: {found} and not {expected}");
        }
        ensure!(found.len() == expected.len(), "{table}: {} rows and not {}", found.len(), expected.len());
        counted.rows.insert(table, found.len());
        anyhow::Ok(())
    };
    let sessions = newest.values().map(|report| {
        json!({"session_id": report["session"], "player_id": report["player"], "revision": report["revision"],
               "event_count": report["facts"]["metrics"]["event_count"],
               "first_offset": report["provenance"]["first_offset"]})
    });
    same(
        "sessions",
        "SELECT session_id, player_id, revision, event_count, first_offset FROM play.sessions",
        sessions.collect(),
    )
    .await?;
    let metrics = newest.values().map(|report| {
        json!({"session_id": report["session"], "revision": report["revision"],
               "active_ms": report["facts"]["metrics"]["active_ms"]})
    });
    same("session_metrics", "SELECT session_id, revision, active_ms FROM play.session_metrics", metrics.collect())
        .await?;
    let tasks = each(&newest, "tasks", |report, task| {
        json!({"session_id": report["session"], "task_id": task["task_id"], "attempts": task["attempts"],
               "spent_ms": task["spent_ms"]})
    });
    same("session_tasks", "SELECT session_id, task_id, attempts, spent_ms FROM play.session_tasks", tasks).await?;
    let mut by_task: BTreeMap<&str, i64> = BTreeMap::new();
    for task in newest.values().flat_map(|report| report["facts"]["tasks"].as_array().into_iter().flatten()) {
        *by_task.entry(text(&task["task_id"])).or_default() += number(&task["attempts"]);
    }
    let stats = by_task.iter().map(|(task, attempts)| json!({"task_id": task, "attempts": attempts}));
    same("task_stats", "SELECT task_id, attempts FROM play.task_stats", stats.collect()).await?;
    let pieces = each(
        &newest,
        "evidence",
        |report, piece| json!({"session_id": report["session"], "revision": report["revision"], "ordinal": piece["ordinal"]}),
    );
    same("skill_evidence", "SELECT session_id, revision, ordinal FROM play.skill_evidence", pieces).await?;
    same("players", PLAYERS, players(&newest)).await?;
    same("daily_players", "SELECT day, active, new FROM play.daily_players", days(&newest)).await?;
    let activity = counts(&world.read("activity").await?, "applied")?;
    same("activity_by_minute", &by_minute("activity_by_minute", "event_type"), activity).await?;
    let outcomes = counts(&world.read("outcomes").await?, "outcomes")?;
    same("outcomes", &by_minute("outcomes", "outcome"), outcomes).await?;
    same("quarantine", QUARANTINE, quarantine(&world.read("quarantine").await?)).await?;
    Ok(counted)
}

const PLAYERS: &str = "SELECT player_id, sessions, events, active_ms, extract(epoch FROM first_seen)::bigint AS first,
    extract(epoch FROM last_seen)::bigint AS last FROM play.players";
const QUARANTINE: &str = "SELECT partition, \"offset\", reason, origin_topic, origin_partition, origin_offset,
    octet_length(raw) AS bytes FROM play.quarantine";

fn by_minute(table: &str, word: &str) -> String {
    format!("SELECT extract(epoch FROM minute)::bigint AS minute, {word} AS word, events FROM play.{table}")
}

/// The newest report of each session; what is none is left out.
fn newest(partitions: &[Vec<Record>]) -> BTreeMap<String, Value> {
    let mut newest: BTreeMap<String, Value> = BTreeMap::new();
    for record in partitions.iter().flatten() {
        let parsed = record.value.as_deref().and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        let Some(report) = parsed.filter(|value| value["facts"].is_object()) else { continue };
        let known = newest.entry(text(&report["session"]).to_owned()).or_insert_with(|| report.clone());
        if number(&report["revision"]) > number(&known["revision"]) {
            *known = report;
        }
    }
    newest
}

fn each(newest: &BTreeMap<String, Value>, list: &str, row: impl Fn(&Value, &Value) -> Value) -> Vec<Value> {
    let rows = |report: &Value| {
        report["facts"][list].as_array().into_iter().flatten().map(|one| row(report, one)).collect::<Vec<_>>()
    };
    newest.values().flat_map(rows).collect()
}

fn players(newest: &BTreeMap<String, Value>) -> Vec<Value> {
    let mut players: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for report in newest.values() {
        players.entry(text(&report["player"])).or_default().push(report);
    }
    let row = |(player, reports): (&str, Vec<&Value>)| {
        let sum = |name: &str| reports.iter().map(|report| number(&report["facts"]["metrics"][name])).sum::<i64>();
        let times = |name: &str| reports.iter().map(|report| seconds(&report["provenance"][name])).collect::<Vec<_>>();
        json!({"player_id": player, "sessions": reports.len(), "events": sum("event_count"),
               "active_ms": sum("active_ms"), "first": times("started_at").iter().min(),
               "last": times("ended_at").iter().max()})
    };
    players.into_iter().map(row).collect()
}

/// Active and new players of each day.
fn days(newest: &BTreeMap<String, Value>) -> Vec<Value> {
    let mut played: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for report in newest.values() {
        let (day, who) = (&text(&report["provenance"]["started_at"])[..10], text(&report["player"]));
        played.entry(day).or_default().push(who);
        let known = first.entry(who).or_insert(day);
        *known = (*known).min(day);
    }
    let row = |(day, mut players): (&str, Vec<&str>)| {
        players.sort_unstable();
        players.dedup();
        let new = players.iter().filter(|player| first[**player] == day).count();
        json!({"day": day, "active": players.len(), "new": new})
    };
    played.into_iter().map(row).collect()
}

/// Sums by minute and word of what records count in this member.
fn counts(partitions: &[Vec<Record>], member: &str) -> anyhow::Result<Vec<Value>> {
    let mut sums: BTreeMap<(i64, String), i64> = BTreeMap::new();
    for record in partitions.iter().flatten() {
        let Ok(value) = serde_json::from_slice::<Value>(record.value.as_deref().unwrap_or_default()) else { continue };
        let Some(counts) = value[member].as_object() else { continue };
        for (word, count) in counts {
            *sums.entry((seconds(&value["minute"]), word.clone())).or_default() += number(count);
        }
    }
    ensure!(!sums.is_empty(), "nothing was counted");
    Ok(sums
        .into_iter()
        .map(|((minute, word), events)| json!({"minute": minute, "word": word, "events": events}))
        .collect())
}

fn quarantine(partitions: &[Vec<Record>]) -> Vec<Value> {
    let row = |(partition, record): (usize, &Record)| {
        let header = |name: &str| record.headers.text(name).map(ToOwned::to_owned);
        let place = |name: &str| header(name).and_then(|text| text.parse::<i64>().ok());
        json!({"partition": partition, "offset": record.offset, "reason": header("reason"),
               "origin_topic": header("origin_topic"), "origin_partition": place("origin_partition"),
               "origin_offset": place("origin_offset"), "bytes": record.value.as_ref().map_or(0, bytes::Bytes::len)})
    };
    partitions
        .iter()
        .enumerate()
        .flat_map(|(at, records)| records.iter().map(move |each| (at, each)))
        .map(row)
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn seconds(value: &Value) -> i64 {
    let time = chrono::DateTime::parse_from_rfc3339(text(value)).context("a time");
    time.map(|time| time.timestamp()).unwrap_or_default()
}
