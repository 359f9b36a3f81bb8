//! How far the tables are behind the log, for metrics.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use eventlog::TopicPartition;

use crate::ends::Ends;
use crate::metrics::{self, Lag};

/// What is known of one partition.
#[derive(Default)]
struct Line {
    /// Time of the oldest record that waits.
    waiting_since_ms: Option<i64>,
    /// Up to which offset it has been read.
    read_to: i64,
    /// Up to which offset it stands in the tables.
    stands_to: i64,
}

/// How far owned partitions are behind.
#[derive(Default)]
pub(crate) struct Freshness {
    lines: HashMap<TopicPartition, Line>,
    newest_ms: Option<i64>,
}

impl Freshness {
    /// A partition is owned from now on, and stands in the tables up to `next`.
    pub(crate) fn own(&mut self, partition: TopicPartition, next: i64) {
        self.lines.insert(partition, Line { stands_to: next, ..Line::default() });
    }

    pub(crate) fn disown(&mut self, partition: &TopicPartition) {
        self.lines.remove(partition);
    }

    /// Records up to `next` have been read, the oldest of this time.
    pub(crate) fn read(&mut self, partition: &TopicPartition, next: i64, oldest_ms: Option<i64>) {
        if let Some(line) = self.lines.get_mut(partition) {
            line.read_to = line.read_to.max(next);
            line.waiting_since_ms = line.waiting_since_ms.or(oldest_ms);
        }
    }

    /// Records up to `next` stand in the tables, the newest of this time.
    pub(crate) fn stand(&mut self, partition: &TopicPartition, next: i64, newest_ms: Option<i64>) {
        self.newest_ms = self.newest_ms.max(newest_ms);
        if let Some(line) = self.lines.get_mut(partition) {
            line.stands_to = next;
            // What was read since waits from about this time on.
            line.waiting_since_ms = if next >= line.read_to { None } else { newest_ms.or(line.waiting_since_ms) };
        }
    }

    /// Tells the metrics how it stands at this time.
    pub(crate) fn publish(&self, topics: &[Arc<str>], ends: &Ends, now_ms: i64) {
        let mut owned: BTreeMap<&str, Lag> = topics.iter().map(|topic| (&**topic, Lag::default())).collect();
        for (partition, line) in &self.lines {
            let lag = owned.entry(&partition.topic).or_default();
            lag.partitions += 1;
            lag.records += ends.behind(partition, line.stands_to);
            lag.seconds = lag.seconds.max(line.waiting_since_ms.map_or(0.0, |since| seconds(now_ms - since)));
        }
        for (topic, lag) in owned {
            metrics::lag(topic, lag);
        }
        if let Some(newest) = self.newest_ms {
            metrics::newest_age(seconds(now_ms - newest));
        }
    }
}

fn seconds(ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "an age within 2^53 ms")]
    let ms = ms.max(0) as f64;
    ms / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_ends_when_all_that_was_read_stands() {
        let partition = TopicPartition::new("play.sessions", 0);
        let mut freshness = Freshness::default();
        freshness.own(partition.clone(), 3);
        assert_eq!(freshness.lines[&partition].stands_to, 3);
        freshness.read(&partition, 10, Some(1_000));
        freshness.read(&partition, 20, Some(2_000));
        assert_eq!(freshness.lines[&partition].waiting_since_ms, Some(1_000));
        freshness.stand(&partition, 10, Some(1_500));
        assert_eq!(freshness.lines[&partition].waiting_since_ms, Some(1_500));
        freshness.stand(&partition, 20, Some(2_500));
        assert_eq!((freshness.lines[&partition].waiting_since_ms, freshness.newest_ms), (None, Some(2_500)));
    }
}
