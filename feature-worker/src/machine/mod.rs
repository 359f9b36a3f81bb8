//! The worker as a state machine: `step(now, input) → commands`.
//!
//! Pure: threads, futures and clocks are below this seam, so that a simulation runs the real thing.
//! Each owned partition folds its records onto an overlay ([`layer`]); a commit takes the overlays
//! of all partitions. While it is under way the next records fold onto a second overlay; an abort
//! drops both and goes back to what was committed.

mod apply;
mod behind;
mod clock;
mod counts;
mod expire;
mod halt;
mod layer;
mod live;
mod markers;
mod measure;
mod message;
mod output;
mod partition;
mod poison;
mod restore;
mod seal;
mod slot;
mod timers;
mod touch;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemas::games::Games;

pub use layer::Window;
pub use live::LiveViews;
pub use measure::Measured;
pub use message::{Command, Input, Restored};
pub use output::{Output, Quarantined};
pub use poison::{Poison, PoisonLimit, Stop};

use halt::Halt;
use layer::Room;
use live::Budget;
pub use partition::Partition;
use restore::Resume;

/// How the machine behaves. Times in ms.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Settings by game.
    pub games: Games,
    /// Time between two commits.
    pub commit_interval_ms: i64,
    /// How late a deadline fires on a drained partition: more than an append may take.
    pub margin_ms: i64,
    /// How often running sessions are shown; none where they are not.
    pub live: Option<LiveViews>,
    /// How much a restore may read again.
    pub window: Window,
    /// How much poison a partition sets aside before it stops.
    pub poison_limit: PoisonLimit,
    /// The worker's build, for provenance.
    pub worker: String,
}

/// The worker.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    partitions: BTreeMap<i32, Partition>,
    /// Counts assignments, so that an answer to an earlier one is known.
    epoch: u64,
    /// When the last commit was begun, by the monotonic clock.
    committed_at: i64,
    commit: CommitState,
    /// What is left to be spent on snapshots.
    live: Budget,
    /// Revocations that wait for a commit, each with its partitions and the assignments that end.
    leaving: Vec<(u64, Vec<(i32, u64)>)>,
    draining: bool,
    /// Whether a drain still writes the sessions that could wait.
    flushing: bool,
    halted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CommitState {
    Idle,
    UnderWay,
}

impl Machine {
    /// A machine that owns nothing.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            partitions: BTreeMap::new(),
            epoch: 0,
            committed_at: i64::MIN / 2,
            commit: CommitState::Idle,
            live: Budget::default(),
            leaving: Vec::new(),
            draining: false,
            flushing: false,
            halted: false,
        }
    }

    /// Takes one step. `now` is the monotonic clock, in ms; it never goes back.
    pub fn step(&mut self, now: i64, input: Input) -> Vec<Command> {
        let mut commands = Vec::new();
        if !self.halted
            && let Err(halt) = self.take(now, input, &mut commands)
        {
            self.halted = true;
            commands.push(Command::Stop { error: Some(halt.to_string()) });
        }
        commands
    }

    /// Whether nothing more of a partition is welcome: some of its records wait already, or the machine drains.
    pub fn waits(&self, partition: i32) -> bool {
        self.draining || self.partitions.get(&partition).is_some_and(Partition::is_behind)
    }

    /// Whether a commit is under way.
    pub fn is_committing(&self) -> bool {
        self.commit == CommitState::UnderWay
    }

    /// Whether every owned partition has its state.
    pub fn is_restored(&self) -> bool {
        self.partitions.values().all(Partition::is_live)
    }

    /// The partitions as they are, for metrics.
    pub fn partitions(&self) -> impl Iterator<Item = (i32, &Partition)> {
        self.partitions.iter().map(|(number, partition)| (*number, partition))
    }

    fn take(&mut self, now: i64, input: Input, commands: &mut Vec<Command>) -> Result<(), Halt> {
        match input {
            Input::Assigned { partition, committed } => {
                self.epoch += 1;
                self.partitions.insert(partition, Partition::new(partition, self.epoch, committed));
                commands.push(Command::Restore { partition, epoch: self.epoch });
            }
            Input::Restored { partition, epoch, records } => {
                if let Some(partition) = self.restoring(partition, epoch) {
                    partition.restore(records);
                }
            }
            Input::RestoreDone { partition: number, epoch } => {
                if let Some(partition) = self.restoring(number, epoch) {
                    commands.push(match partition.restored()? {
                        Resume::Live(offset) => Command::FetchFrom { partition: number, offset },
                        Resume::Behind { from, until } => Command::Replay { partition: number, epoch, from, until },
                    });
                }
            }
            Input::Replayed { partition: number, epoch, records } => {
                if let Some(partition) = self.partitions.get_mut(&number).filter(|known| known.is_replaying(epoch)) {
                    partition.replay(&records, &self.settings)?;
                }
            }
            Input::ReplayDone { partition: number, epoch } => {
                if let Some(partition) = self.partitions.get_mut(&number).filter(|known| known.is_replaying(epoch)) {
                    let offset = partition.replayed();
                    commands.push(Command::FetchFrom { partition: number, offset });
                }
            }
            Input::Batch { partition, records, next_offset } => {
                if !self.draining
                    && let Some(partition) = self.partitions.get_mut(&partition)
                {
                    partition.batch(records, next_offset);
                }
            }
            Input::CaughtUp { partition } => {
                if let Some(partition) = self.partitions.get_mut(&partition) {
                    partition.caught_up();
                }
            }
            Input::ReadBack { partition, epoch, records } => {
                if let Some(partition) = self.partitions.get_mut(&partition).filter(|known| known.epoch() == epoch) {
                    partition.read_back(&records, &self.settings)?;
                }
            }
            Input::Tick => {}
            Input::Committed => {
                self.commit = CommitState::Idle;
                self.partitions.values_mut().for_each(Partition::committed);
            }
            Input::Aborted => {
                // Where nothing can be committed any more, the next owner reads again.
                self.flushing = false;
                self.aborted(commands);
            }
            Input::Revoked { token, partitions, lost } => self.revoked(token, partitions, lost, commands),
            Input::Resume => self.partitions.values_mut().for_each(Partition::resume),
            Input::Drain => (self.draining, self.flushing) = (true, true),
        }
        self.turn(now, commands)
    }

    /// What every step ends with: deadlines, questions to the log, the next commit.
    fn turn(&mut self, now: i64, commands: &mut Vec<Command>) -> Result<(), Halt> {
        if !self.draining {
            self.work(now)?;
        }
        for partition in self.partitions.values_mut().filter(|partition| partition.is_live()) {
            commands.extend(partition.ask());
        }
        if self.commit == CommitState::Idle {
            self.let_go(false, commands);
            self.maybe_commit(now, commands)?;
        }
        if self.draining && self.commit == CommitState::Idle {
            self.let_go(true, commands);
            self.halted = true;
            commands.push(Command::Stop { error: None });
        }
        Ok(())
    }

    /// Applies records and lets time go on: each partition by itself, whichever other waits.
    fn work(&mut self, now: i64) -> Result<(), Halt> {
        let room = Room::of(self.partitions.len(), self.settings.window);
        for partition in self.partitions.values_mut().filter(|partition| partition.is_live()) {
            partition.work(now, &self.settings, room)?;
            partition.tick(now, &self.settings, room)?;
        }
        Ok(())
    }

    fn maybe_commit(&mut self, now: i64, commands: &mut Vec<Command>) -> Result<(), Halt> {
        let room = Room::of(self.partitions.len(), self.settings.window);
        let full = |partition: &Partition| partition.is_behind() && partition.is_full(room);
        let pressed = self.draining || !self.leaving.is_empty() || self.partitions.values().any(full);
        if !pressed && now < self.committed_at.saturating_add(self.settings.commit_interval_ms) {
            return Ok(());
        }
        self.show(now);
        let (mut outputs, mut offsets) = (Vec::new(), Vec::new());
        for (number, partition) in &mut self.partitions {
            if let Some(next) = partition.seal(now, &self.settings, room, &mut outputs, self.flushing)? {
                offsets.push((*number, next));
            }
        }
        if !offsets.is_empty() {
            self.committed_at = now;
            self.commit = CommitState::UnderWay;
            commands.push(Command::Commit { outputs, offsets });
        }
        Ok(())
    }

    fn aborted(&mut self, commands: &mut Vec<Command>) {
        self.commit = CommitState::Idle;
        for (number, partition) in &mut self.partitions {
            partition.roll_back();
            if partition.accepts() {
                commands.push(Command::FetchFrom { partition: *number, offset: partition.position() });
            }
        }
        // What goes is the next owner's to fold again.
        self.let_go(true, commands);
    }

    fn revoked(&mut self, token: u64, partitions: Vec<i32>, lost: bool, commands: &mut Vec<Command>) {
        if lost {
            for number in &partitions {
                self.partitions.remove(number);
            }
            commands.push(Command::Release { token });
            return;
        }
        let mut ending = Vec::new();
        for number in partitions {
            if let Some(partition) = self.partitions.get_mut(&number) {
                partition.leave();
                ending.push((number, partition.epoch()));
            }
        }
        self.leaving.push((token, ending));
    }

    /// Lets revoked partitions go: those of which nothing is left to commit, or all.
    fn let_go(&mut self, all: bool, commands: &mut Vec<Command>) {
        for (token, partitions) in std::mem::take(&mut self.leaving) {
            // One that was forced away and given back meanwhile is another assignment, and stays.
            let of = |(number, epoch): &(i32, u64)| {
                self.partitions.get(number).filter(|partition| partition.epoch() == *epoch)
            };
            let clean = partitions.iter().all(|ending| of(ending).is_none_or(Partition::is_clean));
            if all || clean {
                let gone: Vec<i32> =
                    partitions.iter().filter(|ending| of(ending).is_some()).map(|(number, _)| *number).collect();
                for number in gone {
                    self.partitions.remove(&number);
                }
                commands.push(Command::Release { token });
            } else {
                self.leaving.push((token, partitions));
            }
        }
    }

    fn restoring(&mut self, partition: i32, epoch: u64) -> Option<&mut Partition> {
        self.partitions.get_mut(&partition).filter(|known| known.epoch() == epoch && known.is_restoring())
    }
}
