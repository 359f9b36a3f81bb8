//! Workers alone, on a real broker: what they read a test writes itself, and what they wrote it reads.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use eventlog::Record;
use nix::sys::signal::Signal;

use super::names::Names;
use super::{Home, run};
use crate::feed::Feed;
use crate::kafka::KafkaBroker;
use crate::observe;
use crate::process::Process;

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
    all: BTreeMap<String, Worker>,
    flags: Vec<String>,
    partitions: u32,
    http: reqwest::Client,
    /// After the processes, so that its topics go when nobody uses them any more.
    names: Names,
    /// Last, so that it goes when all that uses it has ended.
    home: Home,
}

/// One of them, by its name.
#[derive(Debug, Default)]
struct Worker {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    process: Option<Process>,
    /// The URL of its ops port, once it has been ready.
    ops: String,
}

impl Workers {
    /// Topics, and no worker as yet.
    pub fn on(broker: KafkaBroker, shape: Shape) -> anyhow::Result<Self> {
        let home = Home::new("data")?;
        let names = Names::new(broker);
        let (partitions, copies) = (shape.partitions.to_string(), shape.replication.to_string());
        let place = ["--kafka", names.broker().bootstrap(), "--topic-prefix", names.prefix()];
        run(
            &home,
            &[&["topics", "create", "--partitions", &partitions, "--replication", &copies], &place[..]].concat(),
        )?;
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        Ok(Self { all: BTreeMap::new(), flags: shape.flags, partitions: shape.partitions, http, names, home })
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
        let (ready, group) = (self.ready_file(name).display().to_string(), self.group());
        let own = ["--kafka", kafka, "--topic-prefix", self.names.prefix(), "--group", &group, "--instance", name];
        let told = ["--ops", "127.0.0.1:0", "--ready-file", &ready];
        let flags = self.flags.iter().map(String::as_str);
        let arguments = own.into_iter().chain(told).chain(flags).map(ToOwned::to_owned).collect();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let worker = Worker { arguments, environment, process: None, ops: String::new() };
        self.all.insert(name.to_owned(), worker);
        self.again(name)
    }

    /// Starts a worker as it was started before.
    pub fn again(&mut self, name: &str) -> anyhow::Result<()> {
        let ready = self.ready_file(name);
        if ready.exists() {
            std::fs::remove_file(&ready)?;
        }
        let worker = self.all.get_mut(name).context("no such worker")?;
        let Worker { arguments, environment, process, .. } = worker;
        *process = Some(Process::start_within("feature-worker", name, arguments, environment, self.home.path())?);
        Ok(())
    }

    /// Waits until a worker is ready.
    pub fn ready(&mut self, name: &str) -> anyhow::Result<()> {
        let file = self.ready_file(name);
        let worker = self.all.get_mut(name).context("no such worker")?;
        let addresses = worker.process.as_mut().context("it does not run")?.ready(&file)?;
        worker.ops = format!("http://{}", addresses.get("ops").context("the ready file names no ops port")?);
        Ok(())
    }

    /// Whether a worker has been ready since it was started.
    pub fn is_ready(&self, name: &str) -> bool {
        self.ready_file(name).exists()
    }

    /// kill −9 of a worker.
    pub fn kill(&mut self, name: &str) -> anyhow::Result<()> {
        self.take(name)?.kill()
    }

    /// Starts a worker again, as its supervisor would, that has ended because the log's client hung; whether it had.
    pub fn revive(&mut self, name: &str) -> anyhow::Result<bool> {
        let process = self.all.get_mut(name).and_then(|worker| worker.process.as_mut()).context("it does not run")?;
        let Some(status) = process.ended()? else { return Ok(false) };
        let last = process.last_lines();
        ensure!(last.contains(HANGS), "{name} ended with {status}\n{last}");
        self.again(name)?;
        self.ready(name)?;
        Ok(true)
    }

    /// Sends a worker a signal.
    pub fn signal(&self, name: &str, signal: Signal) -> anyhow::Result<()> {
        self.process(name)?.signal(signal)
    }

    /// SIGTERM to a worker: its exit status, within 25 s.
    pub fn terminate(&mut self, name: &str) -> anyhow::Result<ExitStatus> {
        self.take(name)?.terminate()
    }

    /// SIGTERM to every worker that runs; each must end with 0.
    pub fn terminate_all(&mut self) -> anyhow::Result<()> {
        for (name, worker) in &mut self.all {
            let Some(mut process) = worker.process.take() else { continue };
            let status = process.terminate()?;
            ensure!(status.success(), "{name} ended with {status}\n{}", process.last_lines());
        }
        Ok(())
    }

    /// A worker's process.
    pub fn process(&self, name: &str) -> anyhow::Result<&Process> {
        self.all.get(name).and_then(|worker| worker.process.as_ref()).context("it does not run")
    }

    /// Lines of a worker's log with these words, those of its earlier lives included, as JSON.
    pub fn told(&self, name: &str, words: &str) -> anyhow::Result<Vec<serde_json::Value>> {
        let text = std::fs::read_to_string(self.home.path().join(format!("{name}.log")))?;
        let lines = text.lines().filter(|line| line.contains(words));
        lines.map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }

    /// The sum of all lines of a metric of a worker's page /metrics, whose label it may begin; 0 where it has not been
    /// told yet.
    pub async fn metric(&self, name: &str, metric: &str) -> anyhow::Result<f64> {
        let worker = self.all.get(name).context("no such worker")?;
        let page = self.http.get(format!("{}/metrics", worker.ops)).send().await?.text().await?;
        let lines = page.lines().filter_map(|line| line.strip_prefix(metric));
        let whole = lines.filter(|rest| metric.contains('{') || rest.starts_with([' ', '{']));
        Ok(whole.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() + 0.0)
    }

    /// Waits until a metric of a worker is at least so much.
    pub async fn reaches(&self, name: &str, metric: &str, least: f64) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let found = self.metric(name, metric).await?;
            if found >= least {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "{metric} of {name} is {found} and not {least} after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a worker has so many partitions, and the state of each.
    pub async fn has(&self, name: &str, partitions: u32) -> anyhow::Result<()> {
        let began = Instant::now();
        let url = format!("{}/readyz", self.all.get(name).context("no such worker")?.ops);
        loop {
            let owned = self.metric(name, "playledger_worker_partitions").await?;
            let status = self.http.get(&url).send().await?.status();
            if (owned - f64::from(partitions)).abs() < 0.5 && status.is_success() {
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

    fn take(&mut self, name: &str) -> anyhow::Result<Process> {
        self.all.get_mut(name).and_then(|worker| worker.process.take()).context("it does not run")
    }

    fn ready_file(&self, name: &str) -> PathBuf {
        self.home.path().join(format!("{name}.ready"))
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in self.all.values_mut() {
            let Some(mut process) = worker.process.take() else { continue };
            if std::thread::panicking() {
                eprintln!("{}", process.last_lines());
            } else {
                // Drained, it may leave its group; killed, it would stay a member for a while.
                let _ = process.terminate();
            }
        }
    }
}
