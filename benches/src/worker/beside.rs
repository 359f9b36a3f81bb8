//! Worker and Kafka Streams side by side on the same topic: cost, memory, how they go on after kill −9.

use std::time::{Duration, Instant};

use super::ground::World;
use super::streams::Streams;
use super::{Arguments, Bench, EVERY_500_MS};
use crate::median::Median;
use crate::numbers::count;
use crate::process::Process;

impl Bench<'_> {
    /// The worker and Kafka Streams in turns on the same topic, then each once more with a kill −9 half way.
    pub(super) async fn streams(&self) -> anyhow::Result<()> {
        let Arguments { events, length, live, rounds, .. } = *self.arguments;
        let streams = Streams::build(self.ground.folder()).await?;
        let (mut own, mut theirs, mut shares) = (Median::default(), Median::default(), Median::default());
        for round in 0..rounds.max(1) {
            let world = self.ground.new_world().await?;
            let bytes = self.full(&world, events, live, Some(length)).await?;
            let drained = self.drain(&world, events, bytes).await?;
            println!("{}", drained.line("worker", events));
            let mut process = streams.start(self.ground, &world, &format!("streams-{round}"))?;
            let steady = self.drained_by(&world, &Streams::group(&world), &mut process).await?;
            process.kill().await?;
            own.add(drained.cpu_s_per_million);
            theirs.add(steady);
            shares.add(drained.cpu_s_per_million / steady);
        }
        println!("worker {own} CPU-s/M, Kafka Streams {theirs}; share {shares} (aim: 0.40)");
        let world = self.killed_world().await?;
        let worker = async || Ok(self.ground.worker(&world, EVERY_500_MS).await?.0);
        self.killed("worker", &world, &world.prefix, worker).await?;
        let start = async || streams.start(self.ground, &world, "streams-killed");
        self.killed("Kafka Streams", &world, &Streams::group(&world), start).await
    }

    /// Waits until a group has read all; CPU seconds a million events from the first third of them on, for a Java
    /// program compiles while it reads that.
    async fn drained_by(&self, world: &World, group: &str, process: &mut Process) -> anyhow::Result<f64> {
        let events = self.arguments.events;
        let warm = self.ground.committed(world, group, i64::try_from(events / 3 * 2)?, process).await?;
        let done = self.ground.committed(world, group, 0, process).await?;
        let cpu = |used: Duration, events: usize| used.as_secs_f64() / (count(events) / 1e6);
        let steady = cpu(done.cpu.saturating_sub(warm.cpu), events / 3 * 2);
        println!(
            "{:<44} {events:>9} events {:>9.0}/s {steady:>7.2} CPU-s/M steady, {:.2} with its start  {:>4} MB",
            "Kafka Streams, fifteen numbers",
            count(events / 3 * 2) / (done.at - warm.at).as_secs_f64(),
            cpu(done.cpu, events),
            process.peak_memory()? >> 20,
        );
        Ok(steady)
    }

    async fn killed_world(&self) -> anyhow::Result<World> {
        let Arguments { events, length, live, .. } = *self.arguments;
        let world = self.ground.new_world().await?;
        self.full(&world, events, live, Some(length)).await?;
        Ok(world)
    }

    /// Kills a group's only member when it has committed half; prints how long it took until more was committed.
    async fn killed(
        &self,
        name: &str,
        world: &World,
        group: &str,
        start: impl AsyncFn() -> anyhow::Result<Process>,
    ) -> anyhow::Result<()> {
        let mut process = start().await?;
        self.ground.committed(world, group, i64::try_from(self.arguments.events / 2)?, &mut process).await?;
        process.kill().await?;
        let left = self.ground.left(world, group).await?;
        let began = Instant::now();
        let mut process = start().await?;
        self.ground.committed(world, group, left - 1, &mut process).await?;
        println!(
            "{name}: killed with {left} events left, it committed more {:.2} s after it was started again (aim of the \
             worker: 15)",
            began.elapsed().as_secs_f64()
        );
        process.kill().await
    }
}
