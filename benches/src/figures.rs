//! The figures of a run, as they are printed.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::process::Reading;
use crate::up::Up;

/// What one stage did with a load.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Its name.
    pub name: &'static str,
    /// Events of the load.
    pub events: u64,
    /// How long it took.
    pub took: Duration,
    /// Processor time that it used.
    pub cpu: Duration,
    /// Processor time that Postgres used for it; none where it uses no Postgres.
    pub postgres_cpu: Option<Duration>,
    /// The most memory that its process held at once, in bytes.
    pub peak_memory: u64,
}

/// The figures on one log.
#[derive(Debug)]
pub struct OnLog {
    /// Its name.
    pub log: &'static str,
    /// Stage by stage.
    pub stages: Vec<Stage>,
    /// Time from a request of the load to its answer, in µs.
    pub answers: Histogram<u64>,
    /// Requests of the load that were told to come again.
    pub again: u64,
    /// Time from a session's close to its row, in µs.
    pub close_to_row: Histogram<u64>,
}

impl Stage {
    /// A stage between two readings.
    pub fn between(name: &'static str, events: u64, from: Reading, until: Reading, peak_memory: u64) -> Self {
        let (took, cpu) = (until.at - from.at, until.cpu.saturating_sub(from.cpu));
        Self { name, events, took, cpu, postgres_cpu: None, peak_memory }
    }
}

/// The head of the table of stages.
pub const HEAD: &str =
    "log       stage                    events  seconds   events/s  CPU s/M events  Postgres CPU s/M  peak memory";

/// The lines of one log's figures, under [`HEAD`].
pub fn lines(figures: &OnLog) -> Vec<String> {
    figures.stages.iter().map(|stage| line(figures.log, stage)).collect()
}

/// What else is known of one log, in sentences.
pub fn sentences(figures: &OnLog, rate: f64) -> Vec<String> {
    let (log, answers, rows) = (figures.log, &figures.answers, &figures.close_to_row);
    vec![
        format!(
            "{log}: a request was answered within {} (p50), {} (p99), {} (longest of {}); {} told to come again",
            seconds(answers.value_at_quantile(0.5)),
            seconds(answers.value_at_quantile(0.99)),
            seconds(answers.max()),
            answers.len(),
            figures.again
        ),
        format!(
            "{log}: close → row at {rate:.0} events/s: {} (p50), {} (p99), {} (longest of {})",
            seconds(rows.value_at_quantile(0.5)),
            seconds(rows.value_at_quantile(0.99)),
            seconds(rows.max()),
            rows.len()
        ),
    ]
}

/// How local mode started, in a sentence.
pub fn sentence_of_up(up: &Up, players: usize) -> String {
    format!(
        "up --simulate {players} on a new folder: ready after {:.2} s, first row after {:.2} s, {} MB in its process",
        up.ready.as_secs_f64(),
        up.first_row.as_secs_f64(),
        up.peak_memory >> 20
    )
}

#[expect(clippy::cast_precision_loss, reason = "events of a load")]
fn line(log: &str, stage: &Stage) -> String {
    let millions = stage.events as f64 / 1e6;
    let postgres = match stage.postgres_cpu {
        Some(cpu) => format!("{:.2}", cpu.as_secs_f64() / millions),
        None => "-".to_owned(),
    };
    format!(
        "{log:<9} {:<22} {:>8} {:>8.2} {:>10.0} {:>15.2} {postgres:>17} {:>9} MB",
        stage.name,
        stage.events,
        stage.took.as_secs_f64(),
        stage.events as f64 / stage.took.as_secs_f64(),
        stage.cpu.as_secs_f64() / millions,
        stage.peak_memory >> 20
    )
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn seconds(micros: u64) -> String {
    format!("{:.3} s", micros as f64 / 1e6)
}
