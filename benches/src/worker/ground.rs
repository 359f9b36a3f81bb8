//! A broker, topics, and workers on them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use eventlog::kafka::{KafkaLog, KafkaOptions};
use eventlog::{EventLog, TopicPartition};
use playledger::topics;
use playledger_tests::kafka::KafkaBroker;
use schemas::topics::Topic;

use crate::daemons::WORKER;
use crate::process::{Process, Reading, program};

/// Partitions of every topic.
pub(super) const PARTITIONS: i32 = 4;

/// How often it is looked how far a worker is.
const LOOK: Duration = Duration::from_millis(20);
/// Who commits nothing for so long is stuck.
const STUCK: Duration = Duration::from_mins(3);

/// One broker.
pub(super) struct Ground {
    broker: KafkaBroker,
    /// Its log, to append to and to look at.
    pub(super) log: Arc<KafkaLog>,
    folder: PathBuf,
    worlds: AtomicUsize,
}

/// Topics of their own, and the group that reads them.
#[derive(Debug)]
pub(super) struct World {
    /// What the topics' names begin with; the group's name, too.
    pub(super) prefix: String,
}

impl World {
    /// A topic's name.
    pub(super) fn topic(&self, topic: Topic) -> Arc<str> {
        topic.name(&self.prefix).into()
    }

    /// All partitions of a topic.
    pub(super) fn partitions(&self, topic: Topic) -> Vec<TopicPartition> {
        let name = self.topic(topic);
        (0..PARTITIONS).map(|number| TopicPartition::new(Arc::clone(&name), number)).collect()
    }
}

impl Ground {
    /// Starts the broker; everything else lies in `folder`.
    ///
    /// # Errors
    /// When a client can't be made.
    pub(super) async fn new(folder: &Path) -> anyhow::Result<Self> {
        let broker = tokio::task::spawn_blocking(|| KafkaBroker::start_own(1, &[])).await?;
        let brokers = broker.bootstrap().to_owned();
        let log = KafkaLog::open(KafkaOptions { brokers, client_id: "bench".into(), ..Default::default() })?;
        Ok(Self { broker, log: Arc::new(log), folder: folder.to_owned(), worlds: AtomicUsize::new(0) })
    }

    /// Where the broker answers.
    pub(super) fn bootstrap(&self) -> &str {
        self.broker.bootstrap()
    }

    /// Where files may lie that its users need.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// New topics, empty.
    ///
    /// # Errors
    /// When the broker does not make them.
    pub(super) async fn new_world(&self) -> anyhow::Result<World> {
        let prefix = format!("world{}.", self.worlds.fetch_add(1, Ordering::Relaxed));
        let checks = self.log.ensure_topics(&topics::specs(&prefix, PARTITIONS, 1)).await?;
        ensure!(!checks.iter().any(topics::is_wrong), "the topics could not be made: {checks:?}");
        Ok(World { prefix })
    }

    /// Starts a worker; gives it when its state is restored, and how long that took.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(super) async fn worker(&self, world: &World, flags: &[&str]) -> anyhow::Result<(Process, Duration)> {
        let name = format!("{}worker", world.prefix);
        let ready = self.folder.join(format!("{name}.ready"));
        if ready.exists() {
            std::fs::remove_file(&ready)?;
        }
        let mut command = program(WORKER)?;
        command.args(["--kafka", self.bootstrap(), "--topic-prefix", &world.prefix, "--group", &world.prefix]);
        command.args(["--instance", "bench", "--ops", "127.0.0.1:0"]).args(flags).arg("--ready-file").arg(&ready);
        let began = Instant::now();
        let mut process = Process::start(command, &name, &self.folder)?;
        process.ready(&ready).await?;
        Ok((process, began.elapsed()))
    }

    /// Waits until a worker has committed all of play.events; what it had used by then.
    ///
    /// # Errors
    /// When it ends or is stuck.
    pub(super) async fn drained(&self, world: &World, process: &mut Process) -> anyhow::Result<Reading> {
        self.committed(world, &world.prefix, 0, process).await
    }

    /// Waits until a group has committed all of play.events but so many records; what its member had used by then.
    ///
    /// # Errors
    /// When it ends or is stuck.
    pub(super) async fn committed(
        &self,
        world: &World,
        group: &str,
        but: i64,
        process: &mut Process,
    ) -> anyhow::Result<Reading> {
        let (mut last, mut since) = (i64::MAX, Instant::now());
        loop {
            let reading = process.reading()?;
            let left = self.left(world, group).await?;
            if left <= but {
                return Ok(reading);
            }
            process.lives()?;
            if left != last {
                (last, since) = (left, Instant::now());
            }
            ensure!(since.elapsed() < STUCK, "{group} stands still, {left} records before the end");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Records of play.events that a group has not committed.
    ///
    /// # Errors
    /// When the broker does not tell.
    pub(super) async fn left(&self, world: &World, group: &str) -> anyhow::Result<i64> {
        let partitions = world.partitions(Topic::Events);
        let committed = self.log.committed(group, &partitions).await?;
        let mut left = 0;
        for (partition, committed) in partitions.iter().zip(&committed) {
            left += (self.log.offsets(partition).await?.high - committed.unwrap_or(0)).max(0);
        }
        Ok(left)
    }

    /// Ends the broker; the workers must have ended.
    pub(super) async fn close(self) {
        drop(self.log);
        let broker = self.broker;
        // Ending it waits for its process.
        let _ = tokio::task::spawn_blocking(move || drop(broker)).await;
    }
}
