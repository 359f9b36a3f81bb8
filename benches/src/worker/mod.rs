//! What a worker costs on Kafka: beside a bare consumer, with many live sessions, after kill −9, at half load.

mod bare;
mod beside;
mod feed;
mod ground;
mod play;
mod streams;
mod watched;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use daemon::Clock;
use schemas::topics::{Topic, player_key};
use schemas::{PlayerId, Tenant};

use bare::Arguments as Bare;
pub use bare::{BARE, main as bare_main};
use feed::Feed;
use ground::{Ground, PARTITIONS, World};
use play::Play;
use watched::{Waits, Watched};

use crate::folder::new_folder;
use crate::median::Median;
use crate::numbers::{count, milliseconds, ratio};

/// Figures of the worker on Kafka
#[derive(Parser, Clone, Debug)]
pub struct Arguments {
    /// Events of the topic that is drained
    #[arg(long, value_name = "N", default_value_t = 3_000_000)]
    events: usize,
    /// Events of one of its sessions, the close included
    #[arg(long, value_name = "N", default_value_t = 100)]
    length: usize,
    /// Sessions that are live at once in it
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    live: usize,
    /// How often worker and bare consumer take turns
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: usize,
    /// How long there is a load at a rate, in seconds
    #[arg(long, value_name = "S", default_value_t = 30)]
    seconds: u64,
    /// What to measure [default: all]
    #[arg(long = "part", value_name = "PART", value_enum)]
    parts: Vec<Part>,
    /// Where the log lies meanwhile [default: the folder for temporary files]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// One of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A full topic, beside the bare consumer
    Cost,
    /// What is written to the changelog at a rate: 2,000 and 100,000 live sessions
    Changelog,
    /// 100,000 live sessions of 50 events: memory, and how long they take to be there again after kill −9
    Restore,
    /// Close to report at half of the highest load
    Latency,
    /// Cost of an event with 1,000 to 1,000,000 live sessions
    Growth,
    /// The same topic through a Kafka Streams program: cost, memory, how long it takes to go on after kill −9
    Streams,
}

/// Events of a session where it is asked how the cost grows with their number.
const GROWTH_LENGTH: usize = 20;
/// The flags of every measurement but that of latency.
const EVERY_500_MS: &[&str] = &["--commit-interval", "500ms"];
/// Twice the records that a restore may read again.
const WINDOW: usize = 1_000_000;
/// Over how much log time a full topic's events were received.
const SPAN: Duration = Duration::from_mins(5);

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

/// How a full topic was drained.
struct Drained {
    cpu_s_per_million: f64,
    events_a_second: f64,
    peak_memory: u64,
    changelog: f64,
}

impl Bench<'_> {
    async fn all(&self) -> anyhow::Result<()> {
        let wanted = |part| self.arguments.parts.is_empty() || self.arguments.parts.contains(&part);
        if wanted(Part::Cost) {
            self.cost().await?;
        }
        if wanted(Part::Changelog) {
            self.changelog(2_000, 1.0).await?;
            self.changelog(100_000, 0.1).await?;
        }
        if wanted(Part::Restore) {
            self.restore(100_000, 50).await?;
        }
        if wanted(Part::Latency) {
            let highest = self.together().await?;
            self.latency(highest / 2.0).await?;
        }
        if wanted(Part::Growth) {
            self.growth().await?;
        }
        if wanted(Part::Streams) {
            self.streams().await?;
        }
        Ok(())
    }

    /// In turns, since the machine is not the same from one minute to the next; events a second.
    async fn cost(&self) -> anyhow::Result<()> {
        let Arguments { events, length, live, rounds, .. } = *self.arguments;
        let (mut own, mut bares, mut ratios) = (Median::default(), Median::default(), Median::default());
        for _ in 0..rounds.max(1) {
            let world = self.ground.new_world().await?;
            let bytes = self.full(&world, events, live, Some(length)).await?;
            let drained = self.drain(&world, events, bytes).await?;
            println!("{}", drained.line(&format!("worker, {live} live sessions of {length} events"), events));
            let bare = Bare::new(self.ground.bootstrap(), &world.topic(Topic::Events), PARTITIONS).run().await?;
            let per_million = bare.cpu_s / (count(events) / 1e6);
            println!(
                "{:<44} {:>9} events {:>9.0}/s {per_million:>7.2} CPU-s/M",
                "bare consumer, the same records into types",
                bare.records,
                count(events) / bare.took_s
            );
            own.add(drained.cpu_s_per_million);
            bares.add(per_million);
            ratios.add(drained.cpu_s_per_million / per_million);
        }
        println!("worker {own} CPU-s/M, bare consumer {bares}; ratio {ratios} (aim: 1.5)");
        Ok(())
    }

    /// Fills a world's topic; bytes of what was appended.
    async fn full(&self, world: &World, events: usize, live: usize, length: Option<usize>) -> anyhow::Result<u64> {
        let mut feed = Feed::new(self.ground, world).await?;
        let from_ms = Clock::system().now_ms() - i64::try_from(SPAN.as_millis())?;
        feed.fill(&mut Play::new(seed(), live), events, length, (from_ms, SPAN)).await?;
        Ok(feed.bytes)
    }

    async fn drain(&self, world: &World, events: usize, bytes: u64) -> anyhow::Result<Drained> {
        let state = Watched::begin(self.ground, world, Topic::SessionState, None).await?;
        let (mut process, _) = self.ground.worker(world, EVERY_500_MS).await?;
        let from = process.reading()?;
        let until = self.ground.drained(world, &mut process).await?;
        let peak_memory = process.peak_memory()?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        process.stop().await?;
        Ok(Drained {
            cpu_s_per_million: until.cpu.as_secs_f64() / (count(events) / 1e6),
            events_a_second: count(events) / (until.at - from.at).as_secs_f64(),
            peak_memory,
            changelog: ratio(state.bytes(), bytes),
        })
    }

    async fn changelog(&self, live: usize, each_a_second: f64) -> anyhow::Result<()> {
        let world = self.ground.new_world().await?;
        let mut feed = Feed::new(self.ground, &world).await?;
        let mut play = Play::new(seed(), live);
        // More than what a restore may read again, or nothing of it would have to be written meanwhile.
        let before = WINDOW + 2 * live;
        let from_ms = Clock::system().now_ms() - i64::try_from(SPAN.as_millis())?;
        feed.fill(&mut play, before, None, (from_ms, SPAN)).await?;
        let (mut process, _) = self.ground.worker(&world, EVERY_500_MS).await?;
        self.ground.drained(&world, &mut process).await?;
        let state = Watched::begin(self.ground, &world, Topic::SessionState, None).await?;
        let (before, cpu) = (feed.bytes, process.reading()?.cpu);
        let rate = count(live) * each_a_second;
        let how_long = Duration::from_secs(self.arguments.seconds);
        let made = feed.pace(&mut play, rate, how_long, None, |_| {}).await?;
        let until = self.ground.drained(&world, &mut process).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        println!(
            "{live} live sessions, {made} events at {rate:.0}/s: {:.2} changelog bytes per input byte, {} records; \
             {:.2} CPU-s/M",
            ratio(state.bytes(), feed.bytes - before),
            state.records(),
            until.cpu.saturating_sub(cpu).as_secs_f64() / (count(usize::try_from(made)?) / 1e6),
        );
        process.stop().await
    }

    async fn restore(&self, live: usize, events_each: usize) -> anyhow::Result<()> {
        let world = self.ground.new_world().await?;
        self.full(&world, live * events_each, live, None).await?;
        let (mut process, _) = self.ground.worker(&world, EVERY_500_MS).await?;
        self.ground.drained(&world, &mut process).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        println!(
            "{live} live sessions of {events_each} events: {} MB, at its peak {} MB (aim: below 256)",
            process.memory()? >> 20,
            process.peak_memory()? >> 20
        );
        process.kill().await?;
        let (process, took) = self.ground.worker(&world, EVERY_500_MS).await?;
        println!(
            "after kill −9: restored and ready {:.2} s after it was started again (aim: 5), at its peak {} MB",
            took.as_secs_f64(),
            process.peak_memory()? >> 20
        );
        process.stop().await
    }

    /// Events a second that the load's maker, the broker and the worker carry together on this machine: half of that is
    /// half load, since nothing stands in the way of the worker but its neighbours.
    async fn together(&self) -> anyhow::Result<f64> {
        let world = self.ground.new_world().await?;
        let (mut process, _) = self.ground.worker(&world, &[]).await?;
        let mut feed = Feed::new(self.ground, &world).await?;
        let began = Instant::now();
        let times = (Clock::system().now_ms(), Duration::from_secs(1));
        let mut play = Play::new(seed(), self.arguments.live);
        feed.fill(&mut play, self.arguments.events, Some(self.arguments.length), times).await?;
        let until = self.ground.drained(&world, &mut process).await?;
        process.stop().await?;
        let rate = count(self.arguments.events) / (until.at - began).as_secs_f64();
        println!("load, broker and worker together: {rate:.0} events/s");
        Ok(rate)
    }

    async fn latency(&self, rate: f64) -> anyhow::Result<()> {
        let world = self.ground.new_world().await?;
        let (mut process, _) = self.ground.worker(&world, &[]).await?;
        let (waits, tenant) = (Waits::new()?, Tenant::parse("bench")?);
        let _reports = Watched::begin(self.ground, &world, Topic::Sessions, Some(waits.clone())).await?;
        let mut feed = Feed::new(self.ground, &world).await?;
        let how_long = Duration::from_secs(self.arguments.seconds);
        let mut play = Play::new(seed(), self.arguments.live);
        let made = feed
            .pace(&mut play, rate, how_long, Some(self.arguments.length), |event| {
                if event.closes
                    && let Ok(player) = PlayerId::parse(event.player.as_str())
                {
                    waits.begin(player_key(&tenant, &player).into());
                }
            })
            .await?;
        self.ground.drained(&world, &mut process).await?;
        let until = Instant::now() + Duration::from_secs(10);
        while waits.open() > 0 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let took = waits.took();
        let at = |share| milliseconds(took.value_at_quantile(share));
        println!(
            "close → report at {rate:.0} events/s ({made} events, commit every 200 ms): p50 {:.0} ms, p99 {:.0} ms of {} \
             (aim: 600); {} without a report",
            at(0.5),
            at(0.99),
            took.len(),
            waits.open()
        );
        process.stop().await
    }

    async fn growth(&self) -> anyhow::Result<()> {
        for live in [1_000, 10_000, 100_000, 1_000_000] {
            // Every row has sessions of the same length: only how many are under way at once differs.
            let events = self.arguments.events.max(live * GROWTH_LENGTH);
            let world = self.ground.new_world().await?;
            let bytes = self.full(&world, events, live, Some(GROWTH_LENGTH)).await?;
            let what = format!("{live} live sessions of {GROWTH_LENGTH} events");
            println!("{}", self.drain(&world, events, bytes).await?.line(&what, events));
        }
        Ok(())
    }
}

impl Drained {
    fn line(&self, name: &str, events: usize) -> String {
        format!(
            "{name:<44} {events:>9} events {:>9.0}/s {:>7.2} CPU-s/M  {:.2} changelog bytes/byte  {:>4} MB",
            self.events_a_second,
            self.cpu_s_per_million,
            self.changelog,
            self.peak_memory >> 20,
        )
    }
}

fn seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}
