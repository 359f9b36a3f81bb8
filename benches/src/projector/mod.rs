//! The projector on Kafka and Postgres: reports into all read models, and how long one takes to be seen.

mod feed;
mod flow;
mod growth;
mod models;
mod rebuild;
mod reports;
mod widest;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::{Parser, ValueEnum};
use schemas::topics::Topic;
use sqlx::AssertSqlSafe;

use crate::database::Database;
use crate::folder::new_folder;
use crate::process::{Process, Reading};
use crate::usage;
use crate::world::{Kind, PREFIX, Tables, World};
use feed::Ends;

/// The tables that are filled.
const TABLES: Tables = Tables { schema: "play", event_log: false };
/// What a server of its own would have: a cache for the tables that are written, and room for WAL between checkpoints.
const SETTINGS: [&str; 2] = ["shared_buffers=1GB", "max_wal_size=4GB"];
/// How often it is looked how far the tables are.
const LOOK: Duration = Duration::from_millis(20);
/// Tables that stand still for so long are stuck.
const STUCK: Duration = Duration::from_mins(2);
/// Figures of the projector on Kafka and Postgres
#[derive(Parser, Clone, Debug)]
pub struct Arguments {
    /// Reports of the topic that is read
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    reports: usize,
    /// Sessions that they are of
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    sessions: usize,
    /// Stored sessions at which the cost of a report is measured
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [100_000, 1_000_000])]
    grown: Vec<usize>,
    /// How long reports come at a rate, in seconds
    #[arg(long, value_name = "S", default_value_t = 20)]
    seconds: u64,
    /// What to measure [default: all]
    #[arg(long = "part", value_name = "PART", value_enum)]
    parts: Vec<Part>,
    /// Where log and tables lie meanwhile [default: the folder for temporary files]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// One of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A full topic into all read models
    Models,
    /// From a report on the topic to its row, at half of that rate
    Latency,
    /// All of it made anew, beside new reports at a tenth of that rate
    Rebuild,
    /// The widest model alone, beside psql with COPY and INSERT … ON CONFLICT of the same rows
    Widest,
    /// What a report costs by how many sessions are stored; by itself only, since it takes long
    Growth,
}

/// Measures and prints.
///
/// # Errors
/// When a process fails; nothing is left behind then either.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let home = new_folder(arguments.folder.as_deref())?;
    let database = Database::start(&home.path().join("postgres"), &SETTINGS).await?;
    let world = World::new(Kind::Kafka, home.path().join("kafka"), database.server.url()).await?;
    let outcome = Bench { arguments, world: &world, database: &database }.all().await;
    world.close().await;
    database.stop().await?;
    outcome
}

struct Bench<'a> {
    arguments: &'a Arguments,
    world: &'a World,
    database: &'a Database,
}

impl Bench<'_> {
    async fn all(&self) -> anyhow::Result<()> {
        let parts = &self.arguments.parts;
        let asked = |part| parts.is_empty() || parts.contains(&part);
        if parts.contains(&Part::Growth) {
            return self.growth().await;
        }
        if asked(Part::Models) || asked(Part::Latency) || asked(Part::Rebuild) {
            let rate = self.models().await?;
            if asked(Part::Latency) {
                self.latency(rate / 2.0).await?;
            }
            if asked(Part::Rebuild) {
                self.rebuild(rate / 10.0).await?;
            }
        }
        if asked(Part::Widest) {
            self.widest().await?;
        }
        Ok(())
    }

    /// Settings of a projector that fills these tables.
    fn config(&self, schema: &str) -> anyhow::Result<projector::Config> {
        Ok(projector::Config {
            database_url: self.database.server.url().to_owned(),
            schema: schema.parse().map_err(anyhow::Error::msg)?,
            event_log: false,
            games: None,
            group: schema.to_owned(),
            instance: None,
            sweep_interval: Duration::from_mins(5),
            topic_prefix: PREFIX.to_owned(),
        })
    }

    /// Processor time of the whole server so far.
    fn postgres(&self) -> anyhow::Result<Duration> {
        usage::cpu_of_family(self.database.pid)
    }

    /// Waits until the tables have taken in all that was appended; what the projector had used by then.
    async fn projected(&self, process: &mut Process, ends: Ends) -> anyhow::Result<Reading> {
        let (mut last, mut since) = (Ends::default(), Instant::now());
        loop {
            let reading = process.reading()?;
            let done = self.offsets().await?;
            if done == ends {
                return Ok(reading);
            }
            process.lives()?;
            if done != last {
                (last, since) = (done, Instant::now());
            }
            ensure!(since.elapsed() < STUCK, "the tables stand still at {done:?} of {ends:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How far the tables have come in each partition of play.sessions.
    async fn offsets(&self) -> anyhow::Result<Ends> {
        let sql = format!("SELECT partition::int, next_offset FROM {}.offsets WHERE topic = $1", TABLES.schema);
        let rows: Vec<(i32, i64)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(Topic::Sessions.name(PREFIX))
            .fetch_all(&self.database.pool)
            .await?;
        let mut ends = Ends::default();
        for (partition, next) in rows {
            ends[usize::try_from(partition)?] = next;
        }
        Ok(ends)
    }
}
