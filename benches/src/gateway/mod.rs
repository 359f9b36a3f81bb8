//! What a gateway costs on Kafka, beside the bare producer that sends the same records.

mod bare;
mod connections;
mod events;
mod ground;
mod idle;
mod measure;

use std::path::PathBuf;

pub use bare::{BARE, main as bare_main};
use clap::{Parser, ValueEnum};
use connections::Pace;
use ground::Ground;
use measure::{Load, stop};

use crate::folder::new_folder;
use crate::median::Median;
use crate::numbers::{count, milliseconds};

/// Figures of the gateway on Kafka
#[derive(Parser, Clone, Debug)]
pub struct Arguments {
    /// Events of each measurement
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    events: usize,
    /// Bytes of an event
    #[arg(long, value_name = "BYTES", default_value_t = 300)]
    bytes: usize,
    /// Connections that send answer by answer
    #[arg(long, value_name = "N", default_value_t = 32)]
    connections: usize,
    /// How often gateway and bare producer take turns for their cost
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// What to measure [default: all]
    #[arg(long = "part", value_name = "PART", value_enum)]
    parts: Vec<Part>,
    /// Where the log lies meanwhile [default: the folder for temporary files]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Connections that send single events: as many as keep the gateway busy, each waiting for its answer.
const SINGLES: usize = 512;
/// Connections that do nothing while memory is measured.
const IDLE: usize = 10_000;

/// One of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A batch of 100 beside the bare producer, and single events
    Cost,
    /// The tail: with and without it; 1, 2 and 4 gateways under one load
    Tail,
    /// Time to the answer at half of the highest load
    Latency,
    /// Memory with a million ids and 10,000 connections
    Memory,
    /// Batches of 1 to 1,000, events of 200 bytes to 8 KB
    Sweep,
}

/// Measures and prints.
///
/// # Errors
/// When a process fails; nothing is left behind then either.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let home = new_folder(arguments.folder.as_deref())?;
    let ground = Ground::new(home.path()).await?;
    let outcome = Bench { arguments, ground: &ground }.all().await;
    ground.close().await;
    outcome
}

struct Bench<'a> {
    arguments: &'a Arguments,
    ground: &'a Ground,
}

impl Bench<'_> {
    async fn all(&self) -> anyhow::Result<()> {
        // A broker that has just been started is slow, and takes from the gateway what it uses itself.
        let warm = self.ground.measure(self.load()).await?;
        self.ground.bare(&warm, None).await?;
        let wanted = |part| self.arguments.parts.is_empty() || self.arguments.parts.contains(&part);
        if wanted(Part::Cost) {
            self.cost().await?;
        }
        if wanted(Part::Latency) {
            self.latency().await?;
        }
        if wanted(Part::Tail) {
            self.tail().await?;
        }
        if wanted(Part::Sweep) {
            self.sweep().await?;
        }
        if wanted(Part::Memory) {
            self.memory().await?;
        }
        Ok(())
    }

    fn load(&self) -> Load<'static> {
        Load {
            events: self.arguments.events,
            batch: 100,
            bytes: self.arguments.bytes,
            connections: self.arguments.connections,
            pace: Pace::AnswerByAnswer,
            gateways: 1,
            flags: &[],
        }
    }

    /// In turns, since the machine is not the same from one minute to the next.
    async fn cost(&self) -> anyhow::Result<()> {
        let single = Load { batch: 1, events: self.arguments.events / 4, connections: SINGLES, ..self.load() };
        let (mut batches, mut bares) = (Median::default(), Median::default());
        let (mut ratios, mut singles) = (Median::default(), Median::default());
        for _ in 0..self.arguments.rounds.max(1) {
            let measured = self.ground.measure(self.load()).await?;
            println!("{}", measured.line("gateway, batch 100"));
            let bare = self.ground.bare(&measured, None).await?;
            let per_million = bare.cpu_s / (count(measured.events) / 1e6);
            println!(
                "{:<44} {:>9} events {:>9.0}/s {per_million:>7.2} CPU-s/M",
                "bare producer, the same records",
                bare.records,
                count(measured.events) / bare.took_s
            );
            batches.add(measured.cpu_s_per_million());
            bares.add(per_million);
            ratios.add(measured.cpu_s_per_million() / per_million);
            let measured = self.ground.measure(single).await?;
            println!("{}", measured.line("gateway, batch 1"));
            singles.add(measured.cpu_s_per_million());
        }
        println!("batch 100: gateway {batches} CPU-s/M, bare producer {bares}; ratio {ratios} (aim: 1.5)");
        println!("batch 1: gateway {singles} CPU-s/M (aim: 25)");
        Ok(())
    }

    async fn latency(&self) -> anyhow::Result<()> {
        let highest = self.ground.measure(self.load()).await?;
        let rate = highest.events_a_second() / 2.0;
        let half = Load { pace: Pace::Open(rate / 100.0), connections: 256, ..self.load() };
        let half = self.ground.measure(half).await?;
        println!("{}", half.line("gateway at half of the highest load, open loop"));
        let bare = self.ground.bare(&half, Some((rate, 100))).await?;
        let (own, broker) = (half.sent.answers.value_at_quantile(0.99), bare.p99_us);
        println!(
            "bare producer at the same rate: acknowledged after p50 {:.1} ms, p99 {:.1} ms; the gateway's p99 is {:.1} ms above (aim: 25)",
            milliseconds(bare.p50_us),
            milliseconds(broker),
            milliseconds(own) - milliseconds(broker)
        );
        Ok(())
    }

    async fn tail(&self) -> anyhow::Result<()> {
        for gateways in [1, 2, 4] {
            let mut cost = Vec::new();
            for (how, flags) in [("local", &["--dedup", "local"][..]), ("shared", &[])] {
                let measured = self.ground.measure(Load { gateways, flags, ..self.load() }).await?;
                println!("{}", measured.line(&format!("{gateways} gateways together, --dedup {how}")));
                cost.push(measured.cpu_s_per_million());
            }
            println!("the tail: {:.2} CPU-s per million events read by each", (cost[1] - cost[0]) / count(gateways));
        }
        Ok(())
    }

    async fn sweep(&self) -> anyhow::Result<()> {
        for batch in [1, 10, 100, 1_000] {
            let (events, connections) = match batch {
                1 => (self.arguments.events / 4, SINGLES),
                10 => (self.arguments.events, SINGLES / 4),
                _ => (self.arguments.events, self.arguments.connections),
            };
            let measured = self.ground.measure(Load { events, batch, connections, ..self.load() }).await?;
            println!("{}", measured.line(&format!("batch {batch}, {} bytes", self.arguments.bytes)));
        }
        for bytes in [200, 300, 600, 1_200, 2_400, 4_800, 8_000] {
            let events = (self.arguments.events * 300 / bytes.max(300)).max(1_000);
            let measured = self.ground.measure(Load { events, bytes, ..self.load() }).await?;
            println!("{}", measured.line(&format!("batch 100, {bytes} bytes")));
        }
        Ok(())
    }

    async fn memory(&self) -> anyhow::Result<()> {
        daemon::files::raise_limit();
        let load = Load { events: 1_000_000, flags: &["--header-timeout", "1h"], ..self.load() };
        let (prefix, gateways) = self.ground.start(load).await?;
        let fresh = gateways[0].process.memory()?;
        let idle = idle::open(&gateways[0].address, IDLE).await?;
        let connected = gateways[0].process.memory()?;
        let measured = self.ground.run_load(load, prefix, &gateways).await?;
        println!("{}", measured.line(&format!("1,000,000 ids, {IDLE} idle connections")));
        println!(
            "memory {} MB fresh, {} MB with the connections, {} MB at the end, {} MB at its peak (aim: below 256)",
            fresh >> 20,
            connected >> 20,
            gateways[0].process.memory()? >> 20,
            measured.peak_memory >> 20
        );
        idle::still_open(&idle)?;
        drop(idle);
        stop(gateways).await
    }
}
