//! Lives a history through: the real workers on a simulated log, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use daemon::{Clock, Shell};
use eventlog::simulated::{Cluster, Defects, Options, SimulatedLog};
use eventlog::{
    AppendOptions, Appender, Cleanup, EventLog, GroupOptions, NewRecord, Record, TopicPartition, TopicSpec,
};
use feature_worker::Config;
use feature_worker::config::{LiveEvery, OnStop};
use feature_worker::machine::PoisonLimit;
use schemas::topics::{Kept, Topic};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::content::Content;
use super::history::{Action, History, Step};
use super::stamp;

/// Log time without an event after which a session is closed, in ms.
pub const TIMEOUT: u64 = 500;
/// How long a closed session waits, in ms.
pub const GRACE: u64 = 500;
/// How late deadlines fire on a drained partition, in ms: longer than a member may be unheard of and still own it.
pub const MARGIN: u64 = 400;
/// What the names of all topics begin with.
pub const PREFIX: &str = "play.";
/// 2026-01-05T08:00:00Z: when every history begins.
const BEGIN: i64 = 1_767_600_000_000;
/// In ms.
const HOUR: i64 = 3_600_000;
/// Within this time after its last step a history has come to an end, in ms.
const PATIENCE: u64 = 60_000;
/// How often each worker is told to go on where poison has stopped it.
const RESUMED: Duration = Duration::from_millis(150);
/// The group of the workers.
const GROUP: &str = "workers";

/// What stands between a worker and the simulated log: nothing, or a planted bug.
pub type Between = dyn Fn(SimulatedLog) -> Arc<dyn EventLog> + Send + Sync;

/// How a history is lived through.
#[derive(Clone)]
pub struct Ways {
    pub between: Arc<Between>,
    pub defects: Defects,
}

impl Default for Ways {
    fn default() -> Self {
        Self { between: Arc::new(|log| Arc::new(log)), defects: Defects::default() }
    }
}

/// What a history leaves behind.
///
/// # Errors
/// A worker that ended with an error, or a history that comes to no end.
pub fn live(history: &History, ways: &Ways) -> Result<Content, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async { World::begin(history, ways).await.live(history).await })
}

/// What one worker makes of events that lie in the log before it starts.
///
/// # Errors
/// As [`live`].
pub fn replay(history: &History, events: &[Vec<Record>]) -> Result<Content, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let ways = Ways::default();
    let only = History { steps: vec![Step { at: 0, action: Action::Start(0) }], ..history.clone() };
    runtime.block_on(async {
        let world = World::begin(&only, &ways).await;
        for (number, records) in (0_i32..).zip(events) {
            let partition = TopicPartition::new(Topic::Events.name(PREFIX), number);
            let again = records.iter().map(|record| NewRecord {
                partition: partition.clone(),
                key: record.key.clone(),
                value: record.value.clone(),
                headers: record.headers.clone(),
                timestamp_ms: record.timestamp_ms,
            });
            let pending = world.appender.append(again.collect()).map_err(|error| error.to_string())?;
            pending.kept().await.map_err(|error| error.to_string())?;
        }
        world.live(&only).await
    })
}

/// The log, and what runs on it.
struct World<'a> {
    cluster: Arc<Cluster>,
    /// Sees the log as it is: nothing befalls it.
    observer: SimulatedLog,
    appender: Arc<dyn Appender>,
    partitions: i32,
    games: &'static str,
    ways: &'a Ways,
    workers: Vec<Worker>,
    began: Instant,
    /// How far the gateways' clock is ahead, in ms.
    jumped: i64,
}

/// A process.
struct Worker {
    name: usize,
    log: SimulatedLog,
    shell: Shell,
    task: JoinHandle<anyhow::Result<()>>,
    /// Tells it now and then to go on.
    _operator: JoinSet<()>,
}

impl<'a> World<'a> {
    async fn begin(history: &History, ways: &'a Ways) -> Self {
        let cluster = Cluster::open(Options {
            seed: history.seed,
            latency: history.latency,
            marking: history.marking,
            batch: history.batch,
            session_timeout: Duration::from_millis(150),
            transaction_timeout: Duration::from_millis(250),
            revoke_patience: Duration::from_millis(800),
            beat: Duration::from_millis(30),
            defects: ways.defects,
        });
        let observer = cluster.client("observer");
        let specs: Vec<TopicSpec> = Topic::ALL.iter().map(|topic| spec(*topic, history.partitions)).collect();
        observer.ensure_topics(&specs).await.expect("topics");
        let options = AppendOptions { linger: Duration::ZERO, ..AppendOptions::default() };
        let appender = observer.appender(options).await.expect("an appender");
        let (partitions, games) = (history.partitions, history.games);
        Self {
            cluster,
            observer,
            appender,
            partitions,
            games,
            ways,
            workers: Vec::new(),
            began: Instant::now(),
            jumped: 0,
        }
    }

    async fn live(mut self, history: &History) -> Result<Content, String> {
        for step in &history.steps {
            tokio::time::sleep_until(self.began + Duration::from_millis(step.at)).await;
            self.act(&step.action).await?;
        }
        let last = self.began.elapsed();
        for worker in &self.workers {
            worker.log.heal();
        }
        self.see_to_a_worker().await?;
        tokio::time::sleep(Duration::from_millis(TIMEOUT + GRACE + MARGIN + 300)).await;
        let mut content = Content::read(&self.observer, GROUP, self.partitions).await;
        while let Some(open) = content.open() {
            self.check_workers().await?;
            self.see_to_a_worker().await?;
            if self.began.elapsed() > last + Duration::from_millis(PATIENCE) {
                return Err(format!("it comes to no end: {open}"));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            content = Content::read(&self.observer, GROUP, self.partitions).await;
        }
        self.stop().await?;
        Ok(Content::read(&self.observer, GROUP, self.partitions).await)
    }

    /// Starts a worker where none is left. One that still drains has its name until it has ended.
    async fn see_to_a_worker(&mut self) -> Result<(), String> {
        if self.workers.iter().any(Worker::is_alive) { Ok(()) } else { self.start(0).await }
    }

    async fn act(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Append(arrival) => {
                let received_at = self.now_ms() + self.jumped - arrival.lag;
                let record = stamp::record(arrival, received_at, self.partitions);
                let pending = self.appender.append(vec![record]).map_err(|error| error.to_string())?;
                drop(pending.kept().await.map_err(|error| error.to_string())?);
            }
            Action::Jump(ms) => self.jumped += ms,
            Action::Start(name) => self.start(*name).await?,
            Action::Kill(name) => {
                for worker in self.workers.iter().filter(|worker| worker.name == *name) {
                    worker.log.kill();
                    worker.task.abort();
                }
            }
            Action::Drain(name) => self.of(*name).for_each(|worker| worker.shell.shutdown.drain()),
            Action::Freeze(name, time) => self.of(*name).for_each(|worker| worker.log.freeze(*time)),
            Action::Arm(name, fault) => self.of(*name).for_each(|worker| worker.log.arm(*fault)),
            Action::Slow(name, by) => self.of(*name).for_each(|worker| worker.log.slow_reads(*by)),
            Action::Compact => {
                let now_ms = self.now_ms();
                self.cluster.clean(&Topic::SessionState.name(PREFIX), now_ms, false);
            }
        }
        Ok(())
    }

    fn of(&self, name: usize) -> impl Iterator<Item = &Worker> {
        self.workers.iter().filter(move |worker| worker.name == name && worker.is_alive())
    }

    /// Starts a process, unless one of this name lives. A dead one's tasks go with it.
    async fn start(&mut self, name: usize) -> Result<(), String> {
        self.check_workers().await?;
        if self.of(name).next().is_some() {
            return Ok(());
        }
        self.workers.retain(|worker| {
            let goes = worker.name == name;
            if goes {
                worker.task.abort();
            }
            !goes
        });
        let log = self.cluster.client(&format!("w{name}"));
        // No two hosts agree on the time of day.
        let ahead = [0, HOUR, -HOUR][name % 3];
        let shell = Shell { clock: Clock::of_runtime(self.now_ms() + ahead), ..Shell::detached() };
        let millis = Duration::from_millis;
        let config = Config {
            topic_prefix: PREFIX.into(),
            group: GROUP.into(),
            instance: Some(format!("w{name}")),
            // One that stays when it is told to drain, one that leaves.
            on_stop: [None, Some(OnStop::Leave)][name % 2],
            games: Some([env!("CARGO_MANIFEST_DIR"), "tests/simulation", self.games].iter().collect()),
            session_timeout: millis(TIMEOUT),
            grace: millis(GRACE),
            idle: Duration::from_mins(1),
            commit_interval: millis(60),
            commit_deadline: GroupOptions::COMMIT_DEADLINE,
            late_margin: millis(MARGIN),
            // One that writes every state, one that soon does, one that puts it off as long as it may.
            replay_window: [0, 40, 500_000][name % 3],
            replay_age: [Duration::from_hours(1), millis(TIMEOUT)][name % 2],
            // One that no poison stops, two that the second piece of it does until they are told to go on.
            poison_limit: PoisonLimit { records: [0, 1, 1][name % 3], within_ms: HOUR },
            // One that shows all, one that can't keep up, one that shows nothing.
            live_every: [LiveEvery::Every(millis(20)), LiveEvery::Every(millis(100)), LiveEvery::Off][name % 3],
            live_rate: [10_000, 3, 1][name % 3],
        };
        let task = tokio::spawn(feature_worker::run(config, (self.ways.between)(log.clone()), shell.clone()));
        let mut operator = JoinSet::new();
        let orders = shell.orders.clone();
        operator.spawn(async move {
            loop {
                tokio::time::sleep(RESUMED).await;
                // Refused where it has stopped, or ended.
                drop(orders.give("resume").await);
            }
        });
        self.workers.push(Worker { name, log, shell, task, _operator: operator });
        Ok(())
    }

    /// Nobody may end but who was killed or told to drain.
    async fn check_workers(&mut self) -> Result<(), String> {
        for worker in &mut self.workers {
            if worker.task.is_finished() && !worker.log.is_dead() && !worker.shell.shutdown.is_draining() {
                return Err(match (&mut worker.task).await {
                    Ok(Err(error)) => format!("w{} ended: {error:#}", worker.name),
                    Err(panic) => format!("w{} ended: {panic}", worker.name),
                    Ok(Ok(())) => format!("w{} ended by itself", worker.name),
                });
            }
        }
        Ok(())
    }

    /// Drains all that live; each has to end well.
    async fn stop(&mut self) -> Result<(), String> {
        self.check_workers().await?;
        for worker in self.workers.iter().filter(|worker| worker.is_alive()) {
            worker.shell.shutdown.drain();
        }
        for worker in self.workers.drain(..) {
            if worker.log.is_dead() {
                worker.task.abort();
                continue;
            }
            match tokio::time::timeout(Duration::from_secs(25), worker.task).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => return Err(format!("w{} ended: {error:#}", worker.name)),
                Ok(Err(panic)) => return Err(format!("w{} ended: {panic}", worker.name)),
                Err(_) => return Err(format!("w{} does not drain", worker.name)),
            }
        }
        Ok(())
    }

    /// The hosts' time of day, in ms since the epoch.
    fn now_ms(&self) -> i64 {
        BEGIN + i64::try_from(self.began.elapsed().as_millis()).unwrap_or(0)
    }
}

impl Worker {
    fn is_alive(&self) -> bool {
        !self.log.is_dead() && !self.task.is_finished()
    }
}

fn spec(topic: Topic, partitions: i32) -> TopicSpec {
    let cleanup = match topic.kept() {
        Kept::For(retention) => Cleanup::Delete { retention },
        // Shorter than in production, longer than the longest restore here.
        Kept::Newest { at_most, .. } => Cleanup::Compact { tombstones: Duration::from_secs(2), retention: at_most },
    };
    TopicSpec {
        name: topic.name(PREFIX),
        partitions: if matches!(topic, Topic::Events | Topic::SessionState | Topic::Sessions) { partitions } else { 1 },
        replication: 1,
        cleanup,
        max_message_bytes: topic.max_message_bytes(),
    }
}
