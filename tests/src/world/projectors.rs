//! Projectors alone, on a real broker and a real Postgres: what they read a test writes itself.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use eventlog::Record;

use super::fleet::Fleet;
use super::names::Names;
use super::{Home, create_topics};
use crate::feed::Feed;
use crate::kafka::KafkaBroker;
use crate::observe;
use crate::process::Process;

/// How long a projector may take to say what it is asked for; machines are shared.
const PATIENCE: Duration = Duration::from_secs(90);
/// Flags of every projector: who is stopped or killed is missed after 3 s.
const FLAGS: [&str; 4] = ["--kafka-set", "session.timeout.ms=3000", "--log-format", "json"];

/// Projectors beside each other on the same topics. Dropped, they end, and nothing of them is left.
#[derive(Debug)]
pub struct Projectors {
    fleet: Fleet,
    partitions: u32,
    /// After the processes, so that its topics go when nobody uses them any more.
    names: Names,
    /// Last, so that it goes when all that uses it has ended.
    home: Home,
}

impl Projectors {
    /// Topics of so many partitions, and no projector as yet.
    pub fn on(broker: KafkaBroker, partitions: u32) -> anyhow::Result<Self> {
        let home = Home::new("data")?;
        let names = Names::new(broker);
        create_topics(&home, &names, partitions, 1)?;
        Ok(Self { fleet: Fleet::of("projector", &home)?, partitions, names, home })
    }

    /// Makes the topics that are not there.
    pub fn create_topics(&self) -> anyhow::Result<()> {
        create_topics(&self.home, &self.names, self.partitions, 1)
    }

    /// Starts a projector of this name, which must not run, that fills the database at `url`.
    pub fn launch(&mut self, name: &str, url: &str) -> anyhow::Result<()> {
        self.launch_with(name, url, &[])
    }

    /// The same with these flags besides.
    pub fn launch_with(&mut self, name: &str, url: &str, flags: &[&str]) -> anyhow::Result<()> {
        let mut arguments = self.places(url);
        let own = ["--group", &self.group(), "--instance", name].map(ToOwned::to_owned);
        arguments.extend(own.into_iter().chain(FLAGS.iter().chain(flags).map(ToString::to_string)));
        self.fleet.launch(name, arguments, &[])
    }

    /// The same, and waits until it is ready.
    pub fn start(&mut self, name: &str, url: &str) -> anyhow::Result<()> {
        self.launch(name, url)?;
        self.ready(name)
    }

    /// Runs `projector` with this command to its end; what it prints.
    pub fn command(&self, command: &[&str], url: &str) -> anyhow::Result<String> {
        self.begin("command", command, url)?.output()
    }

    /// Starts `projector` with this command; what it says goes to the log of that name.
    pub fn begin(&self, name: &str, command: &[&str], url: &str) -> anyhow::Result<Process> {
        let arguments: Vec<_> = command.iter().map(ToString::to_string).chain(self.places(url)).collect();
        Process::start("projector", name, &arguments, self.home.path())
    }

    /// A path in the folder that goes with all of this.
    pub fn path(&self, file: &str) -> PathBuf {
        self.home.path().join(file)
    }

    /// Waits until a projector owns so many partitions of all topics together.
    pub async fn has(&self, name: &str, partitions: u32) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let owned = self.metric(name, "playledger_projector_partitions").await?;
            if (owned - f64::from(partitions)).abs() < 0.5 {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "{name} has {owned} partitions, not {partitions} after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// One who writes a topic.
    pub fn feed(&self, topic: &str) -> anyhow::Result<Feed> {
        Feed::new(self.bootstrap(), &self.topic(topic), i32::try_from(self.partitions)?)
    }

    /// The records of a topic, partition by partition, as a committed reader sees them.
    pub async fn read(&self, name: &str) -> anyhow::Result<Vec<Vec<Record>>> {
        observe::records(self.bootstrap(), &self.topic(name)).await
    }

    /// Whole name of a topic.
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.names.prefix())
    }

    /// Where the broker answers.
    pub fn bootstrap(&self) -> &str {
        self.names.broker().bootstrap()
    }

    /// The name of the projectors' group.
    pub fn group(&self) -> String {
        self.names.group("projector")
    }

    fn places(&self, url: &str) -> Vec<String> {
        let places = ["--kafka", self.bootstrap(), "--topic-prefix", self.names.prefix(), "--database-url", url];
        places.into_iter().map(ToOwned::to_owned).collect()
    }
}

impl Deref for Projectors {
    type Target = Fleet;

    fn deref(&self) -> &Fleet {
        &self.fleet
    }
}

impl DerefMut for Projectors {
    fn deref_mut(&mut self) -> &mut Fleet {
        &mut self.fleet
    }
}
