//! One membership of the group, from joining to leaving: what the log tells goes into the machine,
//! and what the machine wants is done.

mod obey;
mod stand;
mod stops;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use eventlog::{Committer, EventLog, GroupEvent, GroupOptions, LogError, Membership, Release};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::ask::{Answer, Answers};
use crate::config::OnStop;
use crate::error::WorkerError;
use crate::machine::{Input, Machine, Settings};
use crate::metrics;
use crate::shares::Shares;
use crate::topics::Topics;
use crate::unless_draining;
use stand::Told;

/// How often the machine learns that time goes on.
const TICK: Duration = Duration::from_millis(20);
/// A drain that takes longer leaves the rest to the next owner. With the two below it ends within 25 s.
const DRAIN: Duration = Duration::from_secs(15);
/// So long a commit that a drain has not seen the end of may take to be aborted.
const ABANDON: Duration = Duration::from_secs(4);
/// So long the group is listened to when a commit was fenced: some heartbeats.
const HEED: Duration = Duration::from_secs(4);
/// Leaving the group takes no longer.
const LEAVE: Duration = Duration::from_secs(4);
/// Partitions restored at the same time; each takes memory of its own to read ahead.
const RESTORES: usize = 4;
/// Answers of the log that may wait for the loop, each of a batch at most.
const ANSWERS: usize = 4;

/// What a membership needs.
pub struct Worker {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// Its topics.
    pub topics: Topics,
    /// The group to join.
    pub group: String,
    /// The name to join under.
    pub instance: String,
    /// What its group is told when the process drains.
    pub on_stop: OnStop,
    /// So long may the end of a commit take.
    pub commit_deadline: Duration,
    /// The machine's settings.
    pub settings: Settings,
    /// The process.
    pub shell: daemon::Shell,
    /// Where the worker says that it lives and is ready.
    pub health: daemon::Component,
    /// Where it is told to go on with partitions that have stopped.
    pub resume: tokio::sync::Mutex<daemon::orders::Inbox>,
}

/// One membership.
struct Consumer<'a> {
    worker: &'a Worker,
    machine: Machine,
    membership: Box<dyn Membership>,
    committer: Arc<dyn Committer>,
    answers: Answers,
    /// Where the outcome of a commit goes: nothing that is read stands in its way.
    outcomes: mpsc::Sender<Result<Input, WorkerError>>,
    restores: Arc<Semaphore>,
    shares: Shares,
    /// Reads and commits under way; they end with the membership.
    tasks: JoinSet<()>,
    releases: HashMap<u64, Release>,
    joined: bool,
    announced: bool,
    stopped: bool,
    /// What has been told of how it stands.
    told: Told,
    /// How long the machine has computed since the last commit was begun.
    folding: Duration,
}

/// Joins the group and works until the process drains.
///
/// # Errors
/// [`WorkerError::Rejoin`] when everything is to be dropped and begun anew.
pub async fn work(worker: &Worker) -> Result<(), WorkerError> {
    let options = GroupOptions {
        group: worker.group.clone(),
        instance: worker.instance.clone(),
        topics: vec![worker.topics.events.name.to_string()],
        transactional: true,
        // The gateways' appends are no transactions, but a replay into this topic may be.
        read_committed: true,
        // A stamp tells all.
        headers: false,
        commit_deadline: worker.commit_deadline,
    };
    let joining = worker.log.join(options);
    let Some(membership) = unless_draining(&worker.shell, &worker.health, joining).await else { return Ok(()) };
    let membership = membership?;
    let (answers, answered) = mpsc::channel(ANSWERS);
    let (outcomes, ended) = mpsc::channel(1);
    let mut consumer = Consumer {
        worker,
        machine: Machine::new(worker.settings.clone()),
        committer: membership.committer(),
        membership,
        answers,
        outcomes,
        restores: Arc::new(Semaphore::new(RESTORES)),
        shares: Shares::default(),
        tasks: JoinSet::new(),
        releases: HashMap::new(),
        joined: false,
        announced: false,
        stopped: false,
        told: Told::default(),
        folding: Duration::ZERO,
    };
    match consumer.run(answered, ended).await {
        Err(WorkerError::Fenced(why)) => return Err(consumer.fenced(why).await),
        ended => ended?,
    }
    let leaving = match worker.on_stop {
        OnStop::Leave => consumer.membership.leave(),
        OnStop::Stay => consumer.membership.stay(),
    };
    match tokio::time::timeout(LEAVE, leaving).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "could not leave the group"),
        Err(_) => tracing::warn!("leaving the group took too long; it will miss this worker by time-out"),
    }
    Ok(())
}

impl Consumer<'_> {
    /// Hears, in this order: what became of a commit, time, the group, what was read of the log. Neither of the last
    /// two can keep the other from being heard.
    async fn run(
        &mut self,
        mut answered: mpsc::Receiver<Result<Answer, WorkerError>>,
        mut ended: mpsc::Receiver<Result<Input, WorkerError>>,
    ) -> Result<(), WorkerError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shutdown = self.worker.shell.shutdown.clone();
        let deadline = async {
            shutdown.draining().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::pin!(deadline);
        let mut draining = false;
        // One membership has it at a time.
        let mut resume = self.worker.resume.lock().await;
        while !self.stopped {
            self.worker.health.beat();
            tokio::select! {
                biased;
                () = shutdown.draining(), if !draining => {
                    draining = true;
                    self.step(Input::Drain)?;
                }
                () = &mut deadline => {
                    self.abandon().await;
                    return Ok(());
                }
                Some(outcome) = ended.recv() => self.step(outcome?)?,
                Some(order) = resume.next() => self.resume(order)?,
                _ = tick.tick() => {
                    self.step(Input::Tick)?;
                    self.stand()?;
                }
                event = self.membership.next() => {
                    for input in self.happened(event?)? {
                        self.step(input)?;
                    }
                    if let Ok(answer) = answered.try_recv() {
                        self.answered(answer?)?;
                    }
                }
                Some(answer) = answered.recv() => self.answered(answer?)?,
            }
            self.hold()?;
        }
        Ok(())
    }

    /// The drain has taken too long: what is not committed is the next owner's to do.
    async fn abandon(&mut self) {
        tracing::warn!("the drain took too long; the commit under way is given up");
        if tokio::time::timeout(ABANDON, self.committer.abandon()).await.is_err() {
            tracing::warn!("it could not be aborted in time; the log does so by itself");
        }
        // What they waited for does not come any more.
        self.releases.clear();
    }

    /// Has the log hold back what the machine has no room for, partition by partition; and all of one whose start is
    /// not known yet, for what came before it would be taken for read.
    fn hold(&mut self) -> Result<(), WorkerError> {
        for (number, _) in self.machine.partitions() {
            let held = self.machine.waits(number) || self.shares.is_asked_for(number);
            if self.shares.hold(number, held) {
                match self.membership.hold(&self.worker.topics.events.numbered(number), held) {
                    // It has gone; the group tells so next.
                    Err(LogError::NotFound(_)) => {}
                    outcome => outcome?,
                }
            }
        }
        Ok(())
    }

    fn answered(&mut self, answer: Answer) -> Result<(), WorkerError> {
        match answer {
            Answer::Input(input) => self.step(input),
            Answer::Restored { partition, epoch, committed_at } => {
                self.shares.restored(partition, committed_at, self.worker.shell.clock.now_ms());
                self.step(Input::RestoreDone { partition, epoch })?;
                let found = self.machine.partitions().find(|(number, _)| *number == partition);
                metrics::restored_sessions(found.map_or(0, |(_, partition)| partition.live_sessions()));
                Ok(())
            }
            Answer::Replayed { partition, epoch } => {
                self.shares.replayed(partition, self.worker.shell.clock.now_ms());
                self.step(Input::ReplayDone { partition, epoch })
            }
            Answer::Ends(ends) => {
                self.told.ended(ends);
                Ok(())
            }
            Answer::Oldest { partition, question, offset } => {
                if self.shares.answered(partition, question) {
                    self.fetch_from(partition, offset)
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Why a commit was fenced: another has this worker's name, which the group tells a moment later,
    /// or the cluster took too long over a transaction.
    async fn fenced(mut self, why: String) -> WorkerError {
        let told = async {
            loop {
                if let Err(told) = self.membership.next().await {
                    return told;
                }
                // Where much waits to be read, time would not be looked at.
                tokio::task::yield_now().await;
            }
        };
        match tokio::time::timeout(HEED, told).await {
            Ok(told @ LogError::Invalid(_)) => WorkerError::Fatal(told.to_string()),
            _ => WorkerError::Rejoin(why),
        }
    }

    /// What the group tells, for the machine.
    ///
    /// Where partitions are lost while a commit is under way, everything is begun anew: they may come back
    /// before it ends, and what it commits would then lie behind the state that has been restored. A new
    /// producer fences it.
    fn happened(&mut self, event: GroupEvent) -> Result<Vec<Input>, WorkerError> {
        Ok(match event {
            GroupEvent::Assigned(assignments) => {
                self.joined = true;
                for told in &assignments {
                    self.shares.add(told.partition.partition);
                }
                let assigned = assignments.into_iter();
                assigned
                    .map(|told| Input::Assigned { partition: told.partition.partition, committed: told.committed })
                    .collect()
            }
            GroupEvent::Revoked { lost: true, .. } if self.machine.is_committing() => {
                return Err(WorkerError::Rejoin("partitions were lost while a commit was under way".into()));
            }
            GroupEvent::Revoked { partitions, lost, release } => {
                let token = self.releases.keys().max().map_or(0, |token| token + 1);
                self.releases.insert(token, release);
                let partitions: Vec<i32> = partitions.into_iter().map(|gone| gone.partition).collect();
                for number in &partitions {
                    self.shares.remove(*number);
                }
                tracing::info!(?partitions, lost, "partitions go");
                vec![Input::Revoked { token, partitions, lost }]
            }
            GroupEvent::Records(batch) => {
                metrics::read(&batch.records);
                let partition = batch.partition.partition;
                let first = batch.records.first().map(|record| record.timestamp_ms);
                if let Some(pause) = self.shares.read(partition, first, self.worker.shell.clock.now_ms()) {
                    metrics::handed_over(pause);
                    tracing::info!(partition, pause_ms = pause, "read on after a hand-over");
                }
                vec![Input::Batch { partition, records: batch.records, next_offset: batch.next_offset }]
            }
            GroupEvent::CaughtUp { partition, .. } => vec![Input::CaughtUp { partition: partition.partition }],
        })
    }

    fn step(&mut self, input: Input) -> Result<(), WorkerError> {
        let clock = &self.worker.shell.clock;
        let begun = clock.monotonic();
        let commands = self.machine.step(clock.monotonic_ms(), input);
        self.folding += clock.monotonic().saturating_sub(begun);
        for command in commands {
            self.obey(command)?;
        }
        Ok(())
    }
}
