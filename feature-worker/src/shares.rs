//! What the loop keeps of each owned partition beside the machine: whether it is held, whether its start is being
//! asked for, and how long it stood still when it came.

use std::collections::HashMap;

/// All owned partitions.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    shares: HashMap<i32, Share>,
    /// Counts questions, so that an answer to an earlier one is known.
    questions: u64,
}

#[derive(Debug, Default)]
struct Share {
    held: bool,
    /// The question for its oldest offset that is under way.
    question: Option<u64>,
    arrival: Option<Arrival>,
}

/// How a partition came. In ms since the epoch.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    /// When whoever had it before committed last.
    committed_at: i64,
    /// When its state had been restored, with the events that it lacked.
    restored_at: i64,
}

impl Shares {
    /// A partition has come.
    pub(crate) fn add(&mut self, partition: i32) {
        self.shares.insert(partition, Share::default());
    }

    /// A partition has gone.
    pub(crate) fn remove(&mut self, partition: i32) {
        self.shares.remove(&partition);
    }

    /// Notes whether a partition is held; true where that is news.
    pub(crate) fn hold(&mut self, partition: i32, held: bool) -> bool {
        self.shares.get_mut(&partition).is_some_and(|share| std::mem::replace(&mut share.held, held) != held)
    }

    /// A number for a question for a partition's oldest offset.
    pub(crate) fn question(&mut self, partition: i32) -> u64 {
        self.questions += 1;
        if let Some(share) = self.shares.get_mut(&partition) {
            share.question = Some(self.questions);
        }
        self.questions
    }

    /// Whether a partition's oldest offset is being asked for.
    pub(crate) fn is_asked_for(&self, partition: i32) -> bool {
        self.shares.get(&partition).is_some_and(|share| share.question.is_some())
    }

    /// Whether an answer is still wanted; it is wanted once.
    pub(crate) fn answered(&mut self, partition: i32, question: u64) -> bool {
        let share = self.shares.get_mut(&partition).filter(|share| share.question == Some(question));
        share.is_some_and(|share| share.question.take().is_some())
    }

    /// A start is known: no answer is waited for.
    pub(crate) fn starts(&mut self, partition: i32) {
        if let Some(share) = self.shares.get_mut(&partition) {
            share.question = None;
        }
    }

    /// A partition's state has been restored, by the wall's clock, and was committed last at `committed_at`.
    pub(crate) fn restored(&mut self, partition: i32, committed_at: Option<i64>, now: i64) {
        if let Some(share) = self.shares.get_mut(&partition) {
            share.arrival = committed_at.map(|committed_at| Arrival { committed_at, restored_at: now });
        }
    }

    /// What a restored partition's state lacked has been read again, by the wall's clock: until now it stood still.
    pub(crate) fn replayed(&mut self, partition: i32, now: i64) {
        if let Some(arrival) = self.shares.get_mut(&partition).and_then(|share| share.arrival.as_mut()) {
            arrival.restored_at = now;
        }
    }

    /// A partition is read, by the wall's clock; of its records, the first one's time, if there are any. How long it
    /// stood still, in ms, if this is the first since it came and something had waited.
    pub(crate) fn read(&mut self, partition: i32, first: Option<i64>, now: i64) -> Option<i64> {
        let Arrival { committed_at, restored_at } = self.shares.get_mut(&partition)?.arrival.take()?;
        // Nobody waited before there was something to be read.
        let begun = committed_at.max(first?);
        (begun <= restored_at).then(|| now.saturating_sub(begun).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_lasts_from_the_last_commit_or_from_what_waited_since() {
        let told = |committed_at, first, now| {
            let mut shares = Shares::default();
            shares.add(3);
            shares.restored(3, committed_at, 1_000);
            let pause = shares.read(3, first, now);
            assert_eq!(shares.read(3, first, now + 1), None, "it is told once");
            pause
        };
        assert_eq!(told(Some(400), Some(300), 1_100), Some(700), "it was behind");
        assert_eq!(told(Some(400), Some(600), 1_100), Some(500), "something came while nobody had it");
        assert_eq!(told(Some(400), Some(1_050), 1_100), None, "nothing had waited");
        assert_eq!(told(Some(400), None, 1_100), None, "nothing was there");
        assert_eq!(told(None, Some(600), 1_100), None, "nobody had it before");
        assert_eq!(told(Some(5_000), Some(600), 1_100), None, "by another host's clock");
    }

    #[test]
    fn what_comes_while_events_are_read_again_has_waited() {
        let mut shares = Shares::default();
        shares.add(3);
        shares.replayed(3, 900);
        shares.restored(3, Some(400), 1_000);
        shares.replayed(3, 4_000);
        assert_eq!(shares.read(3, Some(2_500), 4_100), Some(1_600));
        shares.replayed(3, 5_000);
        assert_eq!(shares.read(3, Some(4_500), 5_100), None, "it is told once");
    }

    #[test]
    fn only_the_newest_question_of_a_partition_that_has_stayed_is_answered() {
        let mut shares = Shares::default();
        shares.add(1);
        let (old, new) = (shares.question(1), shares.question(1));
        assert!(!shares.answered(1, old) && shares.is_asked_for(1));
        assert!(shares.answered(1, new) && !shares.is_asked_for(1) && !shares.answered(1, new));
        let asked = shares.question(1);
        shares.starts(1);
        assert!(!shares.answered(1, asked));
        let asked = shares.question(1);
        shares.remove(1);
        shares.add(1);
        assert!(!shares.answered(1, asked));
        assert!(shares.hold(1, true) && !shares.hold(1, true) && shares.hold(1, false) && !shares.hold(2, true));
    }
}
