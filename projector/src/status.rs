//! `projector status`: how far the tables follow the log, partition by partition, and what they are.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use chrono::SecondsFormat;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use daemon::Daemon;
use eventlog::{EventLog, OffsetRange, TopicPartition};
use serde_json::json;

use crate::config::Process;
use crate::store::{self, Horizon, Laid, OffsetRow};
use crate::topics::Topics;

/// What the command is told: what a projector is, so that it can share its file and its environment.
#[derive(Args, Clone, Debug)]
struct Asked {
    #[command(flatten)]
    process: Process,
    /// Prints one JSON object in place of the table
    #[arg(long)]
    json: bool,
}

impl Daemon for Asked {
    const NAME: &'static str = "projector status";
    const OPS: &'static str = Process::OPS;
    const ABOUT: &'static str =
        "Prints how far the tables follow the log; takes the flags, the file and the environment of the projector";
}

/// How a partition stands.
#[derive(Debug)]
struct Line {
    partition: TopicPartition,
    /// None where no projector has claimed it yet.
    row: Option<OffsetRow>,
    range: OffsetRange,
    topic_id: String,
}

/// Runs the command by the words behind `status`: 0 done, 1 failed, 2 bad usage.
pub fn main(words: Vec<OsString>) -> ExitCode {
    let line = std::iter::once(OsString::from(Asked::NAME)).chain(words);
    let asked = match daemon::config::load::<Asked>(line, &|name| std::env::var_os(name)) {
        Ok(loaded) => loaded.config,
        Err(stop) => return stop.report(),
    };
    match run(&asked) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do where standard error is gone.
            let _ = writeln!(std::io::stderr(), "projector status: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn run(asked: &Asked) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let Process { config, kafka } = &asked.process;
    let text = runtime.block_on(async {
        let laid = store::laid(config).await?;
        let log: Arc<dyn EventLog> = Arc::new(kafka.open("projector-status")?);
        let lines = lines(&*log, &Topics::of(config), &laid).await?;
        anyhow::Ok(if asked.json { as_json(&laid, &lines).to_string() } else { as_text(&laid, &lines) })
    })?;
    // The log's client may take its time to end; nobody waits for it.
    runtime.shutdown_background();
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

/// All partitions of the topics that a projector reads.
async fn lines(log: &dyn EventLog, topics: &Topics, laid: &Laid) -> anyhow::Result<Vec<Line>> {
    let rows: BTreeMap<(&str, i32), &OffsetRow> =
        laid.offsets.iter().map(|row| ((row.topic.as_str(), row.partition), row)).collect();
    let mut lines = Vec::new();
    for name in topics.names() {
        let topic = log.topic(&name).await.with_context(|| format!("asking for the topic {name}"))?;
        for number in 0..topic.partitions {
            let partition = TopicPartition::new(Arc::clone(&name), number);
            let range = log.offsets(&partition).await.with_context(|| format!("asking where {partition} ends"))?;
            let row = rows.get(&(&*name, number)).copied().cloned();
            lines.push(Line { partition, row, range, topic_id: topic.id.clone() });
        }
    }
    Ok(lines)
}

impl Line {
    /// Offsets that are not in the tables.
    fn lag(&self) -> i64 {
        let next = self.row.as_ref().map_or(self.range.low, |row| row.next_offset);
        (self.range.high - next).max(0)
    }

    /// What a person should know of it; empty where all is well.
    fn note(&self) -> String {
        let OffsetRange { low, high } = self.range;
        match &self.row {
            None => "not claimed yet".to_owned(),
            Some(row) if row.topic_id != self.topic_id => "the topic was made again".to_owned(),
            Some(row) if row.next_offset < low || row.next_offset > high => {
                format!("outside of what the log holds, {low} to {high}")
            }
            Some(_) => String::new(),
        }
    }
}

fn as_text(laid: &Laid, lines: &[Line]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["topic", "partition", "next offset", "end", "lag", "epoch", "note"]);
    for line in lines {
        let of_row =
            |value: fn(&OffsetRow) -> i64| line.row.as_ref().map_or("-".to_owned(), |row| value(row).to_string());
        table.add_row([
            line.partition.topic.to_string(),
            line.partition.partition.to_string(),
            of_row(|row| row.next_offset),
            line.range.high.to_string(),
            line.lag().to_string(),
            of_row(|row| row.epoch),
            line.note(),
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let behind: i64 = lines.iter().map(Line::lag).sum();
    let Laid { schema, generation, server, layout, known, .. } = laid;
    let judged = match layout.cmp(known) {
        std::cmp::Ordering::Less => "older than this projector, which will change it when it starts",
        std::cmp::Ordering::Equal => "as this projector knows it",
        std::cmp::Ordering::Greater => "newer than this projector, which will not write: upgrade it",
    };
    let kept = horizons(&laid.horizons);
    format!(
        "schema     {schema}, generation {generation}\nlayout     {layout}: {judged}\nprojector  {}\nserver     Postgres \
         {server}\nbehind     {behind} offsets in {} partitions\n\n{}{kept}",
        env!("CARGO_PKG_VERSION"),
        lines.len(),
        table.trim_fmt()
    )
}

/// Up to when rows have been removed; nothing where nothing was.
fn horizons(horizons: &[Horizon]) -> String {
    if horizons.is_empty() {
        return String::new();
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["kept of", "model", "from", "days frozen to"]);
    for Horizon { tenant, model, before, frozen_day } in horizons {
        table.add_row([
            if tenant.is_empty() { "nobody".to_owned() } else { tenant.clone() },
            model.clone(),
            before.to_rfc3339_opts(SecondsFormat::Secs, true),
            frozen_day.map_or(String::new(), |day| day.to_string()),
        ]);
    }
    format!("\n\n{}", table.trim_fmt())
}

fn as_json(laid: &Laid, lines: &[Line]) -> serde_json::Value {
    let partitions: Vec<_> = lines
        .iter()
        .map(|line| {
            json!({
                "topic": &*line.partition.topic, "partition": line.partition.partition,
                "next_offset": line.row.as_ref().map(|row| row.next_offset), "end": line.range.high,
                "lag": line.lag(), "epoch": line.row.as_ref().map(|row| row.epoch), "note": line.note(),
            })
        })
        .collect();
    let horizons: Vec<_> = laid
        .horizons
        .iter()
        .map(|Horizon { tenant, model, before, frozen_day }| {
            json!({"tenant": tenant, "model": model, "before": before, "frozen_day": frozen_day})
        })
        .collect();
    json!({
        "schema": laid.schema, "generation": laid.generation, "layout": laid.layout, "known_layout": laid.known,
        "projector": env!("CARGO_PKG_VERSION"), "server": laid.server,
        "lag": lines.iter().map(Line::lag).sum::<i64>(), "partitions": partitions, "horizons": horizons,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(next_offset: Option<i64>, id: &str) -> Line {
        let row = |next_offset| OffsetRow {
            topic: "play.sessions".into(),
            topic_id: id.into(),
            partition: 3,
            next_offset,
            epoch: 7,
        };
        Line {
            partition: TopicPartition::new("play.sessions", 3),
            row: next_offset.map(row),
            range: OffsetRange { low: 10, high: 100 },
            topic_id: "one".into(),
        }
    }

    fn laid(layout: i64) -> Laid {
        let (schema, server) = ("play".to_owned(), "15.14".to_owned());
        let kept = Horizon {
            tenant: "acme".into(),
            model: "sessions".into(),
            before: chrono::DateTime::from_timestamp(1_767_600_000, 0).unwrap(),
            frozen_day: chrono::NaiveDate::from_ymd_opt(2026, 1, 6),
        };
        Laid { schema, generation: 1, layout, known: 7, server, offsets: Vec::new(), horizons: vec![kept] }
    }

    #[test]
    fn a_partition_tells_its_lag_and_what_is_wrong_with_it() {
        let told = |line: Line| (line.lag(), line.note());
        assert_eq!(told(line(Some(90), "one")), (10, String::new()));
        assert_eq!(told(line(None, "one")), (90, "not claimed yet".into()));
        assert_eq!(told(line(Some(90), "two")), (10, "the topic was made again".into()));
        assert_eq!(told(line(Some(9), "one")), (91, "outside of what the log holds, 10 to 100".into()));
        assert_eq!(told(line(Some(101), "one")).0, 0);
    }

    #[test]
    fn the_table_says_where_each_partition_stands_and_which_is_newer() {
        let text = as_text(&laid(8), &[line(Some(90), "one"), line(None, "one")]);
        assert!(text.contains("layout     8: newer than this projector"), "{text}");
        assert!(text.contains("behind     100 offsets in 2 partitions"), "{text}");
        let row: Vec<&str> = text.lines().nth(7).unwrap().split_whitespace().collect();
        assert_eq!(row, ["play.sessions", "3", "90", "100", "10", "7"]);
        let kept: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(kept, ["acme", "sessions", "2026-01-05T08:00:00Z", "2026-01-06"]);
        let json = as_json(&laid(7), &[line(Some(90), "one")]);
        assert_eq!(json["horizons"][0]["before"], json!("2026-01-05T08:00:00Z"));
        assert_eq!((&json["lag"], &json["partitions"][0]["epoch"]), (&json!(10), &json!(7)));
    }
}
