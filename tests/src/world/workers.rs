//! Workers alone, on a real broker: what they read a test writes itself, and what they wrote it reads.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use anyhow::ensure;
use eventlog::Record;

use super::fleet::Fleet;
use super::names::Names;
use super::{Home, create_topics};
use crate::feed::Feed;
use crate::kafka::KafkaBroker;
use crate::observe;

/// How long a worker may take to say what it is asked for; machines are shared.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a worker says that ends because of that.
const HANGS: &str = "the log's client hangs over a commit";

/// What a world of workers is like.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Partitions of every topic.
    pub partitions: u32,
    /// Copies of every partition.
    pub replication: u32,
    /// Flags of every worker.
    pub flags: Vec<String>,
}

/// Workers beside each other on the same topics. Dropped, they end, and nothing of them is left.
#[derive(Debug)]
pub struct Workers {
    fleet: Fleet,
    flags: Vec<String>,
    partitions: u32,
    /// After the processes, so that its topics go when nobody uses them any more.
    names: Names,
    /// Last, so that it goes when all that uses it has ended.
    home: Home,
}

impl Workers {
    /// Topics, and no worker as yet.
    pub fn on(broker: KafkaBroker, shape: Shape) -> anyhow::Result<Self> {
        let home = Home::new("data")?;
        let names = Names::new(broker);
        create_topics(&home, &names, shape.partitions, shape.replication)?;
        let fleet = Fleet::of("feature-worker", &home)?;
        Ok(Self { fleet, flags: shape.flags, partitions: shape.partitions, names, home })
    }

    /// Starts a worker of this name and waits until it is ready.
    pub fn start(&mut self, name: &str) -> anyhow::Result<()> {
        self.launch(name, None, &[])?;
        self.ready(name)
    }

    /// Starts a worker of this name, which must not run, in this environment. It reaches the broker at `kafka`, where
    /// that is named.
    pub fn launch(&mut self, name: &str, kafka: Option<&str>, environment: &[(&str, &str)]) -> anyhow::Result<()> {
        let kafka = kafka.unwrap_or(self.names.broker().bootstrap());
        let group = self.group();
        let own = ["--kafka", kafka, "--topic-prefix", self.names.prefix(), "--group", &group, "--instance", name];
        let flags = self.flags.iter().map(String::as_str);
        let arguments = own.into_iter().chain(flags).map(ToOwned::to_owned).collect();
        self.fleet.launch(name, arguments, environment)
    }

    /// Starts a worker again, as its supervisor would, that has ended because the log's client hung; whether it had.
    pub fn revive(&mut self, name: &str) -> anyhow::Result<bool> {
        let process = self.fleet.process_mut(name)?;
        let Some(status) = process.ended()? else { return Ok(false) };
        let last = process.last_lines();
        ensure!(last.contains(HANGS), "{name} ended with {status}\n{last}");
        self.again(name)?;
        self.ready(name)?;
        Ok(true)
    }

    /// Waits until a worker has so many partitions, and the state of each.
    pub async fn has(&self, name: &str, partitions: u32) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let owned = self.metric(name, "playledger_worker_partitions").await?;
            let (status, _) = self.readiness(name).await?;
            if (owned - f64::from(partitions)).abs() < 0.5 && status == 200 {
                return Ok(());
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "{name} has {owned} partitions, /readyz is {status} after {PATIENCE:?}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// One who writes play.events.
    pub fn feed(&self) -> anyhow::Result<Feed> {
        Feed::new(self.bootstrap(), &self.topic("events"), i32::try_from(self.partitions)?)
    }

    /// The records of a topic, partition by partition, as a committed reader sees them.
    pub async fn read(&self, name: &str) -> anyhow::Result<Vec<Vec<Record>>> {
        observe::records(self.bootstrap(), &self.topic(name)).await
    }

    /// Where each partition of play.events ends, and where the group stands in it.
    pub async fn standing(&self) -> anyhow::Result<Vec<(i64, Option<i64>)>> {
        observe::standing(self.bootstrap(), &self.topic("events"), &self.group()).await
    }

    /// Whole name of a topic.
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.names.prefix())
    }

    /// Where the broker answers.
    pub fn bootstrap(&self) -> &str {
        self.names.broker().bootstrap()
    }

    /// The name of the workers' group.
    pub fn group(&self) -> String {
        self.names.group("worker")
    }

    /// The broker.
    pub fn broker(&self) -> &KafkaBroker {
        self.names.broker()
    }

    /// A folder of this world's own.
    pub fn folder(&self) -> &std::path::Path {
        self.home.path()
    }
}

impl Deref for Workers {
    type Target = Fleet;

    fn deref(&self) -> &Fleet {
        &self.fleet
    }
}

impl DerefMut for Workers {
    fn deref_mut(&mut self) -> &mut Fleet {
        &mut self.fleet
    }
}
