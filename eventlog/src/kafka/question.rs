//! Questions to the cluster that a member's thread asks aside, so that it goes on polling meanwhile.
//!
//! Each question has a short-lived thread of its own; the answer comes back as a command.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::consumer::Member;
use super::membership::spawn;
use super::messages::{Command, MemberLink};
use super::observer::Observer;
use crate::{Assignment, LogError, OffsetRange, TopicPartition};

/// So long is asked for the committed offsets of new partitions.
const COMMITTED_DEADLINE: Duration = Duration::from_secs(30);
/// Pause before they are asked for again.
const PAUSE: Duration = Duration::from_millis(100);
/// A question whose answer can be done without.
const LOOK: Duration = Duration::from_secs(1);

/// What the cluster answered.
pub(super) enum Found {
    /// Where the group's commits stand in what was assigned, or why that cannot be known.
    Committed { assignment: u64, outcome: Result<Vec<Assignment>, String> },
    /// What a partition holds; none where the cluster did not say.
    Range { partition: TopicPartition, epoch: u64, range: Option<OffsetRange> },
}

impl Member {
    /// Asks where the group's commits stand in what has just been assigned.
    pub(super) fn ask_committed(&self, partitions: Vec<TopicPartition>) -> ControlFlow<()> {
        let asking = Asking {
            link: Arc::clone(&self.link),
            observer: Arc::clone(&self.observer),
            group: self.group.clone(),
            progress: partitions.iter().filter(|partition| self.progress.contains(*partition)).cloned().collect(),
        };
        let assignment = self.assignments;
        self.aside(move || {
            let outcome = asking.committed(&partitions);
            asking.link.command(Command::Found(Found::Committed { assignment, outcome }));
        })
    }

    /// Asks what a partition holds.
    pub(super) fn ask_range(&self, partition: TopicPartition, epoch: u64) -> ControlFlow<()> {
        let (link, observer) = (Arc::clone(&self.link), Arc::clone(&self.observer));
        self.aside(move || {
            let range = observer.range(&partition, LOOK).ok();
            link.command(Command::Found(Found::Range { partition, epoch, range }));
        })
    }

    fn aside(&self, ask: impl FnOnce() + Send + 'static) -> ControlFlow<()> {
        match spawn("log-question", ask) {
            Ok(()) => ControlFlow::Continue(()),
            Err(failed) => self.end(failed),
        }
    }

    /// Takes an answer.
    pub(super) fn found(&mut self, found: Found) -> ControlFlow<()> {
        match found {
            Found::Committed { assignment, outcome: Ok(assigned) } => self.tell_assigned(assignment, assigned),
            Found::Committed { assignment, outcome: Err(reason) } => {
                if self.slots.iter().any(|slot| slot.assignment == assignment) {
                    return self.fail(reason);
                }
            }
            Found::Range { partition, epoch, range } => self.looked(&partition, epoch, range),
        }
        ControlFlow::Continue(())
    }
}

/// What it takes to ask for committed offsets.
struct Asking {
    link: Arc<MemberLink>,
    observer: Arc<Observer>,
    group: String,
    /// Of which partitions something is known to be committed.
    progress: HashSet<TopicPartition>,
}

impl Asking {
    /// Where the group's commits stand; asked again while the cluster cannot say, or says that there is none where
    /// there was one before.
    fn committed(&self, partitions: &[TopicPartition]) -> Result<Vec<Assignment>, String> {
        let until = Instant::now() + COMMITTED_DEADLINE;
        loop {
            let reason = match self.observer.committed(&self.group, partitions) {
                Ok(found) => match self.assignments(partitions, found) {
                    Ok(assignments) => return Ok(assignments),
                    Err(reason) => reason,
                },
                Err(LogError::Unavailable(reason)) => reason,
                Err(error) => return Err(format!("the group's offsets cannot be read: {error}")),
            };
            if Instant::now() >= until || self.link.has_ended() {
                return Err(format!("the group's offsets cannot be read for {COMMITTED_DEADLINE:?}: {reason}"));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn assignments(&self, partitions: &[TopicPartition], found: Vec<Option<i64>>) -> Result<Vec<Assignment>, String> {
        let read = |(partition, committed): (&TopicPartition, Option<i64>)| {
            if committed.is_none() && self.progress.contains(partition) {
                return Err(format!("{partition} had a committed offset and now has none"));
            }
            Ok(Assignment { partition: partition.clone(), committed })
        };
        partitions.iter().zip(found).map(read).collect()
    }
}
