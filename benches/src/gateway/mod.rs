//! What a gateway costs on Kafka, beside the bare producer that sends the same records.

mod bare;
mod connections;
mod events;
mod ground;
mod idle;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use daemon::Clock;

use bare::Arguments as Bare;
pub use bare::{BARE, main as bare_main};
use connections::{Pace, Sent, send};
use events::Play;
use ground::{Gateway, Ground, PARTITIONS};

use crate::folder::new_folder;

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

/// One measurement of gateways.
struct Measured {
    events: usize,
    sent: Sent,
    cpu: Duration,
    /// The highest of any of the processes, in bytes.
    peak_memory: u64,
    /// The topics that it went to.
    prefix: String,
}

/// A load and who takes it.
#[derive(Clone, Copy)]
struct Load<'a> {
    events: usize,
    batch: usize,
    bytes: usize,
    connections: usize,
    pace: Pace,
    gateways: usize,
    flags: &'a [&'a str],
}

impl Measured {
    fn cpu_s_per_million(&self) -> f64 {
        self.cpu.as_secs_f64() / (count(self.events) / 1e6)
    }

    fn events_a_second(&self) -> f64 {
        count(self.events) / self.sent.took.as_secs_f64()
    }

    fn line(&self, name: &str) -> String {
        let at = |share| milliseconds(self.sent.answers.value_at_quantile(share));
        format!(
            "{name:<44} {:>9} events {:>9.0}/s {:>7.2} CPU-s/M  p50 {:>6.1} ms  p99 {:>6.1} ms  {:>4} MB",
            self.events,
            self.events_a_second(),
            self.cpu_s_per_million(),
            at(0.5),
            at(0.99),
            self.peak_memory >> 20,
        )
    }
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
        let warm = self.measure(self.load()).await?;
        self.bare(&warm, None).await?;
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

    async fn cost(&self) -> anyhow::Result<()> {
        let measured = self.measure(self.load()).await?;
        println!("{}", measured.line("gateway, batch 100"));
        let bare = self.bare(&measured, None).await?;
        let per_million = bare.cpu_s / (count(measured.events) / 1e6);
        println!(
            "{:<44} {:>9} events {:>9.0}/s {per_million:>7.2} CPU-s/M",
            "bare producer, the same records",
            bare.records,
            count(measured.events) / bare.took_s
        );
        println!("ratio {:.2} (aim: 1.5)", measured.cpu_s_per_million() / per_million);
        let single = Load { batch: 1, events: self.arguments.events / 4, connections: SINGLES, ..self.load() };
        println!("{}", self.measure(single).await?.line("gateway, batch 1 (aim: 25)"));
        Ok(())
    }

    async fn latency(&self) -> anyhow::Result<()> {
        let highest = self.measure(self.load()).await?;
        let rate = highest.events_a_second() / 2.0;
        let half = Load { pace: Pace::Open(rate / 100.0), connections: 256, ..self.load() };
        let half = self.measure(half).await?;
        println!("{}", half.line("gateway at half of the highest load, open loop"));
        let bare = self.bare(&half, Some((rate, 100))).await?;
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
                let measured = self.measure(Load { gateways, flags, ..self.load() }).await?;
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
            let measured = self.measure(Load { events, batch, connections, ..self.load() }).await?;
            println!("{}", measured.line(&format!("batch {batch}, {} bytes", self.arguments.bytes)));
        }
        for bytes in [200, 300, 600, 1_200, 2_400, 4_800, 8_000] {
            let events = (self.arguments.events * 300 / bytes.max(300)).max(1_000);
            let measured = self.measure(Load { events, bytes, ..self.load() }).await?;
            println!("{}", measured.line(&format!("batch 100, {bytes} bytes")));
        }
        Ok(())
    }

    async fn memory(&self) -> anyhow::Result<()> {
        daemon::files::raise_limit();
        let load = Load { events: 1_000_000, flags: &["--header-timeout", "1h"], ..self.load() };
        let (prefix, gateways) = self.start(load).await?;
        let fresh = gateways[0].process.memory()?;
        let idle = idle::open(&gateways[0].address, IDLE).await?;
        let connected = gateways[0].process.memory()?;
        let measured = self.run_load(load, prefix, &gateways).await?;
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

    /// One load on gateways and topics of its own.
    async fn measure(&self, load: Load<'_>) -> anyhow::Result<Measured> {
        let (prefix, gateways) = self.start(load).await?;
        let measured = self.run_load(load, prefix, &gateways).await?;
        stop(gateways).await?;
        Ok(measured)
    }

    async fn start(&self, load: Load<'_>) -> anyhow::Result<(String, Vec<Gateway>)> {
        let prefix = self.ground.new_topics().await?;
        let mut gateways = Vec::new();
        for number in 0..load.gateways {
            gateways.push(self.ground.gateway(&prefix, &format!("gateway{number}"), load.flags).await?);
        }
        Ok((prefix, gateways))
    }

    async fn run_load(&self, load: Load<'_>, prefix: String, gateways: &[Gateway]) -> anyhow::Result<Measured> {
        let seed = u64::from_be_bytes(*uuid::Uuid::new_v4().as_bytes().first_chunk().unwrap_or(&[0; 8]));
        let mut play = Play::new(seed, load.bytes, Clock::system().now_ms());
        let requests = play.requests(load.events / load.batch, load.batch, &gateways[0].address, self.ground.key());
        let addresses: Vec<_> = gateways.iter().map(|gateway| gateway.address.clone()).collect();
        let mut before = Duration::ZERO;
        for gateway in gateways {
            before += gateway.process.reading()?.cpu;
        }
        let sent = send(&addresses, load.connections, requests, load.pace).await?;
        // What comes after the answers belongs to them, too: the tail reads what was appended last.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (mut cpu, mut peak_memory) = (Duration::ZERO, 0);
        for gateway in gateways {
            cpu += gateway.process.reading()?.cpu;
            peak_memory = peak_memory.max(gateway.process.peak_memory()?);
        }
        let events = load.events / load.batch * load.batch;
        Ok(Measured { events, sent, cpu: cpu.saturating_sub(before), peak_memory, prefix })
    }

    async fn bare(&self, measured: &Measured, paced: Option<(f64, usize)>) -> anyhow::Result<bare::Sent> {
        let other = self.ground.new_topics().await?;
        let topics = [&measured.prefix, &other].map(|prefix| format!("{prefix}events"));
        let sent = Bare::new(self.ground.bootstrap(), [&topics[0], &topics[1]], PARTITIONS, paced).run().await?;
        anyhow::ensure!(sent.records == measured.events as u64, "the gateway left {} records", sent.records);
        Ok(sent)
    }
}

async fn stop(gateways: Vec<Gateway>) -> anyhow::Result<()> {
    for gateway in gateways {
        gateway.process.stop().await?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures to be read")]
fn milliseconds(us: u64) -> f64 {
    us as f64 / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "figures to be read")]
fn count(number: usize) -> f64 {
    number as f64
}
