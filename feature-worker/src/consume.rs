//! One membership of the group, from joining to leaving: what the log tells goes into the machine,
//! and what the machine wants is done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use eventlog::{
    Commit, CommitError, Committer, EventLog, GroupEvent, GroupOptions, LogError, Membership, Release, TopicPartition,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::ask::{self, Answers, Lacking, Question};
use crate::encode;
use crate::error::WorkerError;
use crate::machine::{Command, Input, Machine, Output, Settings};
use crate::metrics::{self, Tally};
use crate::topics::Topics;

/// How often the machine learns that time goes on.
const TICK: Duration = Duration::from_millis(20);
/// A drain that takes longer leaves the rest to the next owner.
const DRAIN: Duration = Duration::from_secs(15);
/// How often the metrics are told how the worker stands.
const STANDING_MS: i64 = 1_000;
/// So long the group is listened to when a commit was fenced: some heartbeats.
const HEED: Duration = Duration::from_secs(4);
/// Leaving the group takes no longer.
const LEAVE: Duration = Duration::from_secs(5);

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
    /// The machine's settings.
    pub settings: Settings,
    /// The process.
    pub shell: daemon::Shell,
    /// Where the worker says that it lives and is ready.
    pub health: daemon::Component,
}

/// One membership.
struct Consumer<'a> {
    worker: &'a Worker,
    machine: Machine,
    membership: Box<dyn Membership>,
    committer: Arc<dyn Committer>,
    answers: Answers,
    /// Reads and commits under way; they end with the membership.
    tasks: JoinSet<()>,
    releases: HashMap<u64, Release>,
    joined: bool,
    announced: bool,
    stopped: bool,
    /// When the metrics were told last.
    told_at: i64,
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
    };
    let membership = worker.log.join(options).await?;
    let (answers, mut answered) = mpsc::channel(64);
    let mut consumer = Consumer {
        worker,
        machine: Machine::new(worker.settings.clone()),
        committer: membership.committer(),
        membership,
        answers,
        tasks: JoinSet::new(),
        releases: HashMap::new(),
        joined: false,
        announced: false,
        stopped: false,
        told_at: i64::MIN / 2,
    };
    match consumer.run(&mut answered).await {
        Err(WorkerError::Fenced(why)) => return Err(consumer.fenced(why).await),
        ended => ended?,
    }
    match tokio::time::timeout(LEAVE, consumer.membership.leave()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "could not leave the group"),
        Err(_) => tracing::warn!("leaving the group took too long; it will miss this worker by time-out"),
    }
    Ok(())
}

impl Consumer<'_> {
    async fn run(&mut self, answered: &mut mpsc::Receiver<Result<Input, WorkerError>>) -> Result<(), WorkerError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let shutdown = self.worker.shell.shutdown.clone();
        let deadline = async {
            shutdown.draining().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::pin!(deadline);
        let mut draining = false;
        while !self.stopped {
            self.worker.health.beat();
            tokio::select! {
                biased;
                () = shutdown.draining(), if !draining => {
                    draining = true;
                    self.step(Input::Drain).await?;
                }
                () = &mut deadline => {
                    tracing::warn!("the drain took too long; what is not committed is the next owner's to do");
                    return Ok(());
                }
                Some(answer) = answered.recv() => self.step(answer?).await?,
                _ = tick.tick() => {
                    self.step(Input::Tick).await?;
                    self.stand()?;
                }
                event = self.membership.next(), if !draining && self.machine.wants_records() => {
                    for input in self.happened(event?)? {
                        self.step(input).await?;
                    }
                }
            }
        }
        Ok(())
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
                let partitions = partitions.into_iter().map(|gone| gone.partition).collect();
                tracing::info!(?partitions, lost, "partitions go");
                vec![Input::Revoked { token, partitions, lost }]
            }
            GroupEvent::Records(batch) => {
                metrics::read(&batch.records);
                let partition = batch.partition.partition;
                vec![Input::Batch { partition, records: batch.records, next_offset: batch.next_offset }]
            }
            GroupEvent::CaughtUp { partition, .. } => vec![Input::CaughtUp { partition: partition.partition }],
        })
    }

    async fn step(&mut self, input: Input) -> Result<(), WorkerError> {
        let now = self.worker.shell.clock.monotonic_ms();
        for command in self.machine.step(now, input) {
            self.obey(command).await?;
        }
        Ok(())
    }

    async fn obey(&mut self, command: Command) -> Result<(), WorkerError> {
        match command {
            Command::Restore { partition, epoch } => {
                let (log, state) = (Arc::clone(&self.worker.log), self.worker.topics.state.numbered(partition));
                let clock = self.worker.shell.clock.clone();
                self.tasks.spawn(ask::restore(log, state, epoch, clock, self.answers.clone()));
            }
            Command::Replay { partition, epoch, from, until } => {
                let events = self.worker.topics.events.numbered(partition);
                let lacking = Lacking { events, epoch, from, until };
                let (log, clock) = (Arc::clone(&self.worker.log), self.worker.shell.clock.clone());
                self.tasks.spawn(ask::replay(log, lacking, clock, self.answers.clone()));
            }
            Command::FetchFrom { partition, offset } => {
                let events = self.worker.topics.events.numbered(partition);
                let offset = match offset {
                    Some(offset) => offset,
                    None => self.worker.log.offsets(&events).await?.low,
                };
                match self.membership.fetch_from(&events, offset) {
                    // It has gone since; the group tells so next.
                    Err(LogError::NotFound(_)) => tracing::debug!(%events, "no longer owned"),
                    outcome => outcome?,
                }
            }
            Command::ReadBack { partition, epoch, from, until, sessions } => {
                let events = self.worker.topics.events.numbered(partition);
                let question = Question { events, epoch, from, until, sessions };
                self.tasks.spawn(ask::read_back(Arc::clone(&self.worker.log), question, self.answers.clone()));
            }
            Command::Commit { outputs, offsets } => self.commit(outputs, offsets),
            Command::Release { token } => drop(self.releases.remove(&token)),
            Command::Stop { error: None } => self.stopped = true,
            Command::Stop { error: Some(error) } => return Err(WorkerError::Fatal(error)),
        }
        Ok(())
    }

    fn commit(&mut self, outputs: Vec<Output>, offsets: Vec<(i32, i64)>) {
        let events = &self.worker.topics.events;
        let offsets = offsets.into_iter().map(|(number, next)| (events.numbered(number), next)).collect();
        let committer = Arc::clone(&self.committer);
        let (topics, clock) = (self.worker.topics.clone(), self.worker.shell.clock.clone());
        let answers = self.answers.clone();
        self.tasks.spawn(async move {
            let answer = commit(outputs, offsets, committer.as_ref(), &topics, &clock).await;
            // Nobody listens any more where the membership has ended.
            let _ = answers.send(answer).await;
        });
    }

    fn tell(&self) {
        let (mut partitions, mut sessions, mut markers, mut lag_ms, mut behind) = (0, 0, 0, 0, 0);
        let now = self.worker.shell.clock.now_ms();
        for (_, partition) in self.machine.partitions() {
            partitions += 1;
            sessions += partition.live_sessions();
            markers += partition.markers();
            lag_ms = lag_ms.max(partition.lag_ms(now));
            behind += partition.behind();
        }
        metrics::standing(partitions, sessions, markers, lag_ms);
        metrics::behind(behind);
    }

    /// Tells how the worker stands, to health and metrics.
    fn stand(&mut self) -> Result<(), WorkerError> {
        while let Some(ended) = self.tasks.try_join_next() {
            // It will not answer, and a commit that does not answer would wait for ever.
            ended.map_err(|error| WorkerError::Rejoin(format!("a task of the worker ended: {error}")))?;
        }
        let now = self.worker.shell.clock.monotonic_ms();
        if now >= self.told_at + STANDING_MS {
            self.told_at = now;
            self.tell();
        }
        match (self.joined, self.machine.is_restored()) {
            (true, true) => {
                self.worker.health.ready();
                if !std::mem::replace(&mut self.announced, true)
                    && let Err(error) = self.worker.shell.ready.announce()
                {
                    tracing::error!(%error, "--ready-file: can't write it");
                }
            }
            (true, false) => self.worker.health.not_ready("restoring state"),
            (false, _) => self.worker.health.not_ready("joining the group"),
        }
        Ok(())
    }
}

async fn commit(
    outputs: Vec<Output>,
    offsets: Vec<(TopicPartition, i64)>,
    committer: &dyn Committer,
    topics: &Topics,
    clock: &daemon::Clock,
) -> Result<Input, WorkerError> {
    let tally = Tally::of(&outputs);
    let records = encode::records(outputs, topics, clock.now_ms());
    let outputs = records.map_err(|error| WorkerError::Fatal(format!("an output can't be written: {error}")))?;
    let begun = clock.monotonic_ms();
    let outcome = committer.commit(Commit { outputs, offsets }).await;
    let took = Duration::from_millis((clock.monotonic_ms() - begun).unsigned_abs());
    match outcome {
        Ok(()) => {
            metrics::commit("ok", took);
            metrics::committed(&tally);
            Ok(Input::Committed)
        }
        Err(CommitError::Aborted(why)) => {
            metrics::commit("aborted", took);
            tracing::warn!(why, "commit aborted: going back to what was committed");
            Ok(Input::Aborted)
        }
        Err(error) => {
            metrics::commit("failed", took);
            Err(error.into())
        }
    }
}
