//! Every stage of the pipeline, one after the other and then together, on one log after the other.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::database::Database;
use crate::drain::{self, Whole};
use crate::figures::{self, OnLog, Stage};
use crate::folder::new_folder;
use crate::latency::{self, Pace};
use crate::load::{self, Waves};
use crate::process::{Process, Reading};
use crate::send::Gateway;
use crate::usage;
use crate::world::{Kind, Tables, World};
use crate::{figures::HEAD, up};

/// Figures of gateway, worker and projector, each alone and all together
#[derive(Parser, Clone, Debug)]
pub struct Arguments {
    /// Events of the load, at least
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    events: usize,
    /// Events of one request
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    batch: usize,
    /// Connections to the gateway
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = at_least_one)]
    connections: usize,
    /// Events a second while all stages run together
    #[arg(long, value_name = "EV/S", default_value_t = 1_000.0)]
    rate: f64,
    /// Seconds for which they do
    #[arg(long, value_name = "S", default_value_t = 20)]
    seconds: u64,
    /// Simulated players of local mode; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 25)]
    players: usize,
    /// Which logs
    #[arg(long = "log", value_name = "LOG", default_values = ["embedded", "kafka"])]
    logs: Vec<Kind>,
    /// Where logs and tables lie meanwhile [default: the folder for temporary files]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Measures and prints.
///
/// # Errors
/// When a stage fails; nothing is left behind then either.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let home = new_folder(arguments.folder.as_deref())?;
    let waves = Waves::read()?;
    let database = Database::start(&home.path().join("postgres"), &[]).await?;
    let mut found = Vec::new();
    for kind in &arguments.logs {
        let world = World::new(*kind, home.path().join(kind.name()), database.server.url()).await?;
        let figures = on_log(arguments, &waves, &world, &database).await;
        world.close().await;
        found.push(figures?);
    }
    database.stop().await?;
    println!("{HEAD}");
    for line in found.iter().flat_map(figures::lines) {
        println!("{line}");
    }
    println!();
    for sentence in found.iter().flat_map(|figures| figures::sentences(figures, arguments.rate)) {
        println!("{sentence}");
    }
    if arguments.players > 0 {
        let up = up::measure(&home.path().join("up"), arguments.players).await?;
        println!("{}", figures::sentence_of_up(&up, arguments.players));
    }
    Ok(())
}

async fn on_log(arguments: &Arguments, waves: &Waves, world: &World, database: &Database) -> anyhow::Result<OnLog> {
    let sessions = waves.sessions(arguments.events);
    let played = sessions.len();
    let streams = load::streams(sessions, arguments.connections, arguments.batch);

    let (process, gateway) = world.gateway().await?;
    let from = process.reading()?;
    let sent = gateway.send(streams).await?;
    let mut stages = vec![Stage::between("gateway", sent.events, from, process.reading()?, process.peak_memory()?)];
    process.stop().await?;
    say(world, &stages);

    let mut process = world.worker().await?;
    let from = process.reading()?;
    let until = drain::worker(world, &mut process).await?;
    stages.push(Stage::between("worker", sent.events, from, until, process.peak_memory()?));
    process.stop().await?;
    say(world, &stages);

    let whole = Whole { sessions: i64::try_from(played)?, events: i64::try_from(sent.events)? };
    let [plain, with_events] = tables(world.kind);
    for (name, tables) in [("projector", plain), ("projector --event-log", with_events)] {
        stages.push(project(world, database, name, tables, whole).await?);
        say(world, &stages);
    }

    let pace = Pace { rate: arguments.rate, duration: Duration::from_secs(arguments.seconds), first: played };
    let close_to_row = together(waves, world, database, plain, pace, &mut stages).await?;
    Ok(OnLog { log: world.kind.name(), stages, answers: sent.answers, again: sent.again, close_to_row })
}

/// Fills these tables from what the worker wrote.
async fn project(
    world: &World,
    database: &Database,
    name: &'static str,
    tables: Tables,
    whole: Whole,
) -> anyhow::Result<Stage> {
    let mut process = world.projector(tables).await?;
    let (from, postgres) = (process.reading()?, usage::cpu_of_family(database.pid)?);
    let until = drain::projector(&database.pool, tables, whole, &mut process).await?;
    let postgres = usage::cpu_of_family(database.pid)?.saturating_sub(postgres);
    let stage = Stage::between(name, u64::try_from(whole.events)?, from, until, process.peak_memory()?);
    process.stop().await?;
    Ok(Stage { postgres_cpu: Some(postgres), ..stage })
}

/// All three at a moderate rate; adds what each used meanwhile.
async fn together(
    waves: &Waves,
    world: &World,
    database: &Database,
    tables: Tables,
    pace: Pace,
    stages: &mut Vec<Stage>,
) -> anyhow::Result<hdrhistogram::Histogram<u64>> {
    let (gateway_process, gateway): (Process, Gateway) = world.gateway().await?;
    let (worker, projector) = (world.worker().await?, world.projector(tables).await?);
    let processes =
        [("gateway, together", gateway_process), ("worker, together", worker), ("projector, together", projector)];
    let before: Vec<Reading> = processes.iter().map(|(_, process)| process.reading()).collect::<Result<_, _>>()?;
    let close_to_row = latency::close_to_row(waves, &gateway, &database.pool, tables, pace).await?;
    // What the pace asks for; the last session may go a little beyond.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "events of some seconds")]
    let events = (pace.rate * pace.duration.as_secs_f64()) as u64;
    for ((name, process), from) in processes.into_iter().zip(before) {
        stages.push(Stage::between(name, events, from, process.reading()?, process.peak_memory()?));
        process.stop().await?;
    }
    say(world, stages);
    Ok(close_to_row)
}

/// The tables of a log: one schema without a row for every event, one with it.
fn tables(kind: Kind) -> [Tables; 2] {
    let schemas = match kind {
        Kind::Embedded => ["embedded", "embedded_events"],
        Kind::Kafka => ["kafka", "kafka_events"],
    };
    [Tables { schema: schemas[0], event_log: false }, Tables { schema: schemas[1], event_log: true }]
}

/// Tells of the progress on standard error: a run takes minutes.
fn say(world: &World, stages: &[Stage]) {
    if let Some(stage) = stages.last() {
        eprintln!("{}: {} took {:.1} s", world.kind.name(), stage.name, stage.took.as_secs_f64());
    }
}

fn at_least_one(word: &str) -> Result<usize, String> {
    match word.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("must be a whole number above 0".to_owned()),
    }
}
