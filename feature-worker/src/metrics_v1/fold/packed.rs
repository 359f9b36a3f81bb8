//! A task as it is held in memory: nearly always small enough for 32 bytes.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tasks::Task;

/// A time or span that is not there.
const NONE: u32 = u32::MAX;

/// A task as it is held in memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Packed {
    Small(Small),
    /// Some number of it is too large for that.
    Large(Box<Task>),
}

/// A task that was mentioned less than 256 times in any way, within 49 days of the session's first.
#[derive(Clone, Debug)]
pub(super) struct Small {
    /// Starts, completions, abandons, attempts, successes, hints, streak, best streak.
    counts: [u8; 8],
    /// In ms: unpaused time at the start, spent, expected; mark and begin of the run since the session's first.
    times: [u32; 5],
    first_try: Option<bool>,
    changed: bool,
}

impl Packed {
    /// Packs a task of a session whose times count from `from`, in ms since the epoch.
    pub(super) fn new(task: Task, from: i64) -> Self {
        Small::new(&task, from).map_or_else(|| Self::Large(Box::new(task)), Self::Small)
    }

    /// The task.
    pub(super) fn task(&self, from: i64) -> Task {
        match self {
            Self::Small(small) => small.task(from),
            Self::Large(task) => (**task).clone(),
        }
    }
}

impl Small {
    fn new(task: &Task, from: i64) -> Option<Self> {
        let counts = [
            task.starts,
            task.completions,
            task.abandons,
            task.attempts,
            task.successes,
            task.hints,
            task.streak,
            task.best_streak,
        ];
        let since = |at: Option<i64>| at.map(|at| at.checked_sub(from)).map_or(Some(None), |since| since.map(Some));
        let expected = task.expected_ms.map(i64::try_from).transpose().ok()?;
        let times = [task.started_unpaused, task.spent_ms, expected, since(task.mark)?, since(task.run_began)?];
        let mut small = Self { counts: [0; 8], times: [NONE; 5], first_try: task.first_try, changed: task.changed };
        for (place, count) in small.counts.iter_mut().zip(counts) {
            *place = count.try_into().ok()?;
        }
        for (place, time) in small.times.iter_mut().zip(times) {
            if let Some(time) = time {
                *place = u32::try_from(time).ok().filter(|time| *time != NONE)?;
            }
        }
        Some(small)
    }

    fn task(&self, from: i64) -> Task {
        let [starts, completions, abandons, attempts, successes, hints, streak, best_streak] =
            self.counts.map(u64::from);
        let [started_unpaused, spent_ms, expected_ms, mark, run_began] =
            self.times.map(|time| (time != NONE).then_some(i64::from(time)));
        Task {
            starts,
            completions,
            abandons,
            attempts,
            successes,
            hints,
            first_try: self.first_try,
            started_unpaused,
            spent_ms,
            expected_ms: expected_ms.map(i64::unsigned_abs),
            mark: mark.map(|since| from + since),
            changed: self.changed,
            run_began: run_began.map(|since| from + since),
            streak,
            best_streak,
        }
    }
}

/// Bytes of a small task.
const SMALL: usize = 8 + 5 * 4 + 1;

impl Serialize for Small {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = [0; SMALL];
        let (counts, rest) = bytes.split_at_mut(8);
        counts.copy_from_slice(&self.counts);
        for (place, time) in rest.as_chunks_mut::<4>().0.iter_mut().zip(self.times) {
            *place = time.to_le_bytes();
        }
        let first_try = self.first_try.map_or(0, |won| 1 + u8::from(won));
        bytes[SMALL - 1] = first_try << 1 | u8::from(self.changed);
        serializer.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for Small {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: &[u8; SMALL] = <&[u8]>::deserialize(deserializer)?.try_into().map_err(D::Error::custom)?;
        let mut small = Self { counts: [0; 8], times: [NONE; 5], first_try: None, changed: false };
        let (counts, rest) = bytes.split_at(8);
        small.counts.copy_from_slice(counts);
        for (place, time) in small.times.iter_mut().zip(rest.as_chunks().0) {
            *place = u32::from_le_bytes(*time);
        }
        let flags = bytes[SMALL - 1];
        small.changed = flags & 1 == 1;
        small.first_try = [None, Some(false), Some(true)].get(usize::from(flags >> 1)).copied().flatten();
        Ok(small)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers of every size, those at the edges of what is packed among them.
    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![0..3_i64, 253..258_i64, i64::from(u32::MAX) - 2..i64::from(u32::MAX) + 2, -3..0_i64, any::<i64>(),]
    }

    fn count() -> impl Strategy<Value = u64> {
        prop_oneof![8 => 0..256_u64, 1 => number().prop_map(i64::unsigned_abs)]
    }

    fn time(from: i64) -> impl Strategy<Value = Option<i64>> {
        prop::option::of(number().prop_map(move |since| from.wrapping_add(since)))
    }

    fn task(from: i64) -> impl Strategy<Value = Task> {
        let times = (time(0), time(0), prop::option::of(count()), time(from), time(from));
        (prop::array::uniform8(count()), times, any::<Option<bool>>(), any::<bool>()).prop_map(
            |(counts, (started_unpaused, spent_ms, expected_ms, mark, run_began), first_try, changed)| {
                let [starts, completions, abandons, attempts, successes, hints, streak, best_streak] = counts;
                Task {
                    starts,
                    completions,
                    abandons,
                    attempts,
                    successes,
                    hints,
                    first_try,
                    started_unpaused,
                    spent_ms,
                    expected_ms,
                    mark,
                    changed,
                    run_began,
                    streak,
                    best_streak,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn a_task_comes_out_as_it_went_in(
            (from, task) in prop_oneof![Just(1_780_000_000_000), Just(0), any::<i64>()]
                .prop_flat_map(|from| (Just(from), task(from)))
        ) {
            prop_assert_eq!(Packed::new(task.clone(), from).task(from), task);
        }
    }

    #[test]
    fn a_task_of_an_hour_is_small() {
        let from = 1_780_000_000_000;
        let task = Task { attempts: 200, mark: Some(from + 3_600_000), expected_ms: Some(90_000), ..Task::default() };
        assert!(matches!(Packed::new(task, from), Packed::Small(_)));
        assert_eq!(size_of::<Packed>(), 32);
    }
}
