//! Which offsets of play.events this gateway appended itself: of those its window knows already, and the tail
//! need not bring them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use eventlog::NewRecord;
use parking_lot::Mutex;

/// So many stretches that lie apart are remembered of a partition. What is forgotten is read from the log.
const MOST: usize = 65_536;

/// Own offsets, partition by partition. Until [`Own::begin`] nothing is remembered.
#[derive(Debug, Default)]
pub struct Own(OnceLock<Partitions>);

#[derive(Debug)]
struct Partitions {
    topic: Arc<str>,
    spans: Vec<Mutex<Spans>>,
}

/// Own offsets of one partition.
#[derive(Debug, Default)]
struct Spans {
    /// All below is known, whoever appended it.
    known: i64,
    /// Own stretches beyond, by their first offset, apart from each other, with the offset past their last.
    ahead: BTreeMap<i64, i64>,
}

impl Own {
    /// Remembers from here on; `known` has an offset for each of the topic's partitions, below which all is known.
    pub fn begin(&self, topic: Arc<str>, known: &[i64]) {
        let spans = known.iter().map(|&known| Mutex::new(Spans { known, ahead: BTreeMap::new() })).collect();
        // Called once, where the tail begins.
        let _ = self.0.set(Partitions { topic, spans });
    }

    /// Where records are to go: the partition of each, none where that is nothing to remember.
    pub fn places(&self, records: &[NewRecord]) -> Vec<Option<i32>> {
        let Some(Partitions { topic, .. }) = self.0.get() else { return Vec::new() };
        let place = |record: &NewRecord| (record.partition.topic == *topic).then_some(record.partition.partition);
        records.iter().map(place).collect()
    }

    /// These records were appended, at these offsets.
    pub fn kept(&self, places: &[Option<i32>], offsets: &[i64]) {
        let mut last: Option<(i32, Range<i64>)> = None;
        for (place, &offset) in places.iter().zip(offsets) {
            let Some(partition) = *place else { continue };
            match &mut last {
                Some((same, run)) if *same == partition && run.end == offset => run.end += 1,
                _ => self.add(last.replace((partition, offset..offset + 1))),
            }
        }
        self.add(last);
    }

    fn add(&self, run: Option<(i32, Range<i64>)>) {
        let Some((partition, run)) = run else { return };
        if let Some(spans) = self.0.get().and_then(|own| own.spans.get(index(partition))) {
            spans.lock().add(run);
        }
    }

    /// How far each partition is known without a gap.
    pub fn known(&self) -> Vec<i64> {
        self.0.get().map_or_else(Vec::new, |own| own.spans.iter().map(|spans| spans.lock().known).collect())
    }

    /// All below these offsets, one a partition, is known now. True where some of it was not this gateway's own.
    pub fn pass(&self, offsets: &[i64]) -> bool {
        let Some(own) = self.0.get() else { return false };
        // Each of them has to be passed: no short cut.
        own.spans.iter().zip(offsets).fold(false, |strange, (spans, offset)| spans.lock().pass(*offset) | strange)
    }

    /// Of a partition nothing is known any more but that what lies below an offset is gone.
    pub fn start_again(&self, partition: i32, low: i64) {
        if let Some(spans) = self.0.get().and_then(|own| own.spans.get(index(partition))) {
            *spans.lock() = Spans { known: low, ahead: BTreeMap::new() };
        }
    }

    /// The own ones among a partition's offsets, in order.
    pub fn within(&self, partition: i32, offsets: Range<i64>) -> Vec<Range<i64>> {
        let spans = self.0.get().and_then(|own| own.spans.get(index(partition)));
        spans.map_or_else(Vec::new, |spans| spans.lock().within(&offsets))
    }
}

/// A partition's place; one that none can have for what is none.
fn index(partition: i32) -> usize {
    usize::try_from(partition).unwrap_or(usize::MAX)
}

impl Spans {
    fn add(&mut self, run: Range<i64>) {
        let Range { mut start, mut end } = run;
        if end <= self.known {
            return;
        }
        if let Some((&before, until)) = self.ahead.range(..=start).next_back()
            && *until >= start
        {
            (start, end) = (before, end.max(*until));
        }
        while let Some((&next, &until)) = self.ahead.range(start..).next().filter(|(next, _)| **next <= end) {
            self.ahead.remove(&next);
            end = end.max(until);
        }
        self.ahead.insert(start, end);
        self.settle();
        if self.ahead.len() > MOST {
            self.ahead.pop_first();
        }
    }

    /// True where something below was not own.
    fn pass(&mut self, offset: i64) -> bool {
        let mut strange = false;
        while self.known < offset {
            match self.ahead.first_key_value() {
                Some((&start, _)) if start <= self.known => self.settle(),
                Some((&start, _)) => (self.known, strange) = (start.min(offset), true),
                None => (self.known, strange) = (offset, true),
            }
        }
        self.settle();
        strange
    }

    /// What follows on what is known is known.
    fn settle(&mut self) {
        while let Some(first) = self.ahead.first_entry().filter(|first| *first.key() <= self.known) {
            self.known = self.known.max(first.remove());
        }
    }

    fn within(&self, offsets: &Range<i64>) -> Vec<Range<i64>> {
        let known = (self.known > offsets.start).then(|| offsets.start..self.known.min(offsets.end));
        let before = self.ahead.range(..offsets.start).next_back();
        let ahead = before.into_iter().chain(self.ahead.range(offsets.clone()));
        let ahead = ahead.map(|(start, end)| (*start).max(offsets.start)..(*end).min(offsets.end));
        known.into_iter().chain(ahead.filter(|run| !run.is_empty())).collect()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use eventlog::{Headers, TopicPartition};
    use proptest::prelude::*;

    use super::*;

    fn own(known: &[i64]) -> Own {
        let own = Own::default();
        own.begin("events".into(), known);
        own
    }

    fn kept(own: &Own, topic: &str, offsets: impl IntoIterator<Item = (i32, i64)>) {
        let (partitions, offsets): (Vec<i32>, Vec<i64>) = offsets.into_iter().unzip();
        let record = |partition| NewRecord {
            partition: TopicPartition::new(topic, partition),
            key: Bytes::new(),
            value: None,
            headers: Headers::default(),
            timestamp_ms: 0,
        };
        own.kept(&own.places(&partitions.into_iter().map(record).collect::<Vec<_>>()), &offsets);
    }

    #[test]
    fn what_was_appended_in_any_order_is_known_as_far_as_it_has_no_gap() {
        let own = own(&[10, 0]);
        kept(&own, "events", [(0, 12), (0, 13), (1, 0), (0, 11)]);
        assert_eq!(own.known(), [10, 1]);
        assert_eq!(own.within(0, 0..100), [0..10, 11..14]);
        kept(&own, "events", [(0, 10)]);
        assert_eq!(own.known(), [14, 1]);
        kept(&own, "quarantine", [(0, 14)]);
        kept(&own, "events", [(7, 0), (-1, 0)]);
        assert_eq!(own.known(), [14, 1]);
    }

    #[test]
    fn what_lies_between_own_offsets_is_anothers() {
        let own = own(&[0]);
        kept(&own, "events", (0..5).chain(6..9).map(|offset| (0, offset)));
        assert!(!own.pass(&[5]));
        assert!(own.pass(&[7]), "5 is another's");
        assert_eq!(own.known(), [9], "own ones need not be passed");
        assert!(!own.pass(&[3]));
        assert!(own.pass(&[12]));
        assert_eq!(own.known(), [12]);
        own.start_again(0, 4);
        assert_eq!(own.known(), [4]);
    }

    #[test]
    fn before_it_begins_nothing_is_remembered() {
        let own = Own::default();
        kept(&own, "events", [(0, 0)]);
        assert!(own.known().is_empty() && !own.pass(&[7]) && own.within(0, 0..9).is_empty());
    }

    proptest! {
        #[test]
        fn it_knows_what_a_set_of_offsets_knows(
            steps in prop::collection::vec((any::<bool>(), 0_i64..60, 1_i64..6), 0..60),
        ) {
            let mut spans = Spans::default();
            let (mut passed, mut kept) = (0, std::collections::BTreeSet::new());
            for (adds, at, length) in steps {
                let strange = |kept: &std::collections::BTreeSet<i64>, below: &i64| {
                    (passed..*below).any(|offset| !kept.contains(&offset))
                };
                if adds {
                    spans.add(at..at + length);
                    kept.extend(at..at + length);
                } else {
                    prop_assert_eq!(spans.pass(at), strange(&kept, &at));
                    kept.extend(passed..at);
                    passed = passed.max(at);
                }
                let known = (0..70).find(|offset| !kept.contains(offset)).unwrap();
                prop_assert_eq!(spans.known, known);
                passed = passed.max(known);
                let within: Vec<i64> = spans.within(&(5..50)).into_iter().flatten().collect();
                prop_assert_eq!(within, kept.iter().copied().filter(|offset| (5..50).contains(offset)).collect::<Vec<_>>());
            }
        }
    }
}
