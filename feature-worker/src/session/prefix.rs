//! What stands under each seq that the fold has passed.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::tag::{Tag, Tags};

/// The seqs that the fold has passed, each with the tag of its event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefix {
    /// In order; what lies between two of them was skipped.
    runs: Vec<Run>,
    /// Seqs under which an event stands.
    #[serde(rename = "n")]
    events: u64,
    /// One past the highest seq under which an event stands; 0 without events.
    #[serde(rename = "e")]
    span: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    #[serde(rename = "f")]
    from: u64,
    #[serde(rename = "t")]
    tags: Tags,
}

/// What stands under a seq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The fold has not come so far.
    Ahead,
    /// An event of this tag.
    Event(Tag),
    /// A refused event's place, passed.
    Hole,
    /// A gap that the fold has skipped.
    Skipped,
}

impl Prefix {
    /// The prefix of an evicted session: what its marker knows of it, without tags.
    pub fn unread(next: u64, skipped: &[Range<u64>], holes: &[Range<u64>]) -> Self {
        let mut prefix = Self::default();
        let mut gaps = skipped.iter().peekable();
        let mut seq = 0;
        while seq < next {
            if let Some(gap) = gaps.next_if(|gap| gap.start <= seq) {
                seq = gap.end;
                continue;
            }
            prefix.skip_to(seq);
            let is_hole = holes.iter().any(|hole| hole.contains(&seq));
            prefix.push(if is_hole { Tag::HOLE } else { Tag::UNREAD });
            seq += 1;
        }
        prefix
    }

    /// The seq that the fold waits for.
    pub fn next(&self) -> u64 {
        self.runs.last().map_or(0, Run::end)
    }

    /// Seqs under which an event stands.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// One past the highest seq under which an event stands; 0 without events.
    pub fn span(&self) -> u64 {
        self.span
    }

    /// Seqs that are remembered one by one.
    pub fn len(&self) -> usize {
        self.runs.iter().map(|run| run.tags.0.len()).sum()
    }

    /// Stretches that are remembered: one more than gaps were skipped.
    pub fn stretches(&self) -> usize {
        self.runs.len()
    }

    /// Whether the fold has passed nothing.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// What stands under a seq.
    pub fn at(&self, seq: u64) -> Place {
        if seq >= self.next() {
            return Place::Ahead;
        }
        match self.slot(seq).map(|(run, index)| self.runs[run].tags.0[index]) {
            None => Place::Skipped,
            Some(Tag::HOLE) => Place::Hole,
            Some(tag) => Place::Event(tag),
        }
    }

    /// Puts an event, or [`Tag::HOLE`], under the next seq.
    pub fn push(&mut self, tag: Tag) {
        if self.runs.is_empty() {
            self.runs.push(Run { from: 0, tags: Tags::default() });
        }
        if let Some(run) = self.runs.last_mut() {
            run.tags.0.push(tag);
            let end = run.end();
            if tag != Tag::HOLE {
                self.events += 1;
                self.span = end;
            }
        }
    }

    /// Goes on at `seq`: what lies between is skipped.
    pub fn skip_to(&mut self, seq: u64) {
        if seq > self.next() {
            self.runs.push(Run { from: seq, tags: Tags::default() });
        }
    }

    /// Puts an event in the place of a hole or into a skipped gap; false elsewhere.
    pub fn fill(&mut self, seq: u64, tag: Tag) -> bool {
        match self.at(seq) {
            Place::Ahead | Place::Event(_) => return false,
            Place::Hole => self.set(seq, tag),
            Place::Skipped => self.put_into_gap(seq, tag),
        }
        self.events += 1;
        self.span = self.span.max(seq + 1);
        true
    }

    /// Puts an event into a skipped gap; runs that now touch become one.
    fn put_into_gap(&mut self, seq: u64, tag: Tag) {
        let after = self.runs.partition_point(|run| run.from < seq);
        let before = after.checked_sub(1).filter(|before| self.runs[*before].end() == seq);
        let at = before.unwrap_or_else(|| {
            self.runs.insert(after, Run { from: seq, tags: Tags::default() });
            after
        });
        self.runs[at].tags.0.push(tag);
        if self.runs.get(at + 1).is_some_and(|next| next.from == seq + 1) {
            let next = self.runs.remove(at + 1);
            self.runs[at].tags.0.extend(next.tags.0);
        }
    }

    /// Takes a filled place back to the hole, or the part of a skipped gap, that it was.
    pub fn unfill(&mut self, seq: u64, was_skipped: bool) {
        let Some((run, index)) = self.slot(seq) else { return };
        if self.runs[run].tags.0[index] == Tag::HOLE {
            return;
        }
        if was_skipped {
            let after = self.runs[run].tags.0.split_off(index + 1);
            self.runs[run].tags.0.pop();
            if !after.is_empty() {
                self.runs.insert(run + 1, Run { from: seq + 1, tags: Tags(after) });
            }
            if self.runs[run].tags.0.is_empty() {
                self.runs.remove(run);
            }
        } else {
            self.set(seq, Tag::HOLE);
        }
        self.events -= 1;
        self.span = self.highest();
    }

    /// Names the event under a seq that was unread.
    pub fn set(&mut self, seq: u64, tag: Tag) {
        if let Some((run, index)) = self.slot(seq) {
            self.runs[run].tags.0[index] = tag;
        }
    }

    /// One past the highest seq under which an event stands.
    fn highest(&self) -> u64 {
        let last = |run: &Run| run.tags.0.iter().rposition(|tag| *tag != Tag::HOLE).map(|at| run.from + at as u64 + 1);
        self.runs.iter().rev().find_map(last).unwrap_or(0)
    }

    /// The skipped gaps, in order.
    pub fn skipped(&self) -> Vec<Range<u64>> {
        let ends = std::iter::once(0).chain(self.runs.iter().map(Run::end));
        ends.zip(&self.runs).map(|(end, run)| end..run.from).filter(|gap| !gap.is_empty()).collect()
    }

    /// Whether any gap was skipped.
    pub fn has_skipped(&self) -> bool {
        let ends = std::iter::once(0).chain(self.runs.iter().map(Run::end));
        ends.zip(&self.runs).any(|(end, run)| end < run.from)
    }

    /// The holes, in order.
    pub fn holes(&self) -> Vec<Range<u64>> {
        let mut holes: Vec<Range<u64>> = Vec::new();
        let placed = self.runs.iter().flat_map(|run| (run.from..).zip(&run.tags.0));
        for (seq, _) in placed.filter(|(_, tag)| **tag == Tag::HOLE) {
            extend(&mut holes, seq);
        }
        holes
    }

    fn slot(&self, seq: u64) -> Option<(usize, usize)> {
        let run = self.runs.partition_point(|run| run.from <= seq).checked_sub(1)?;
        let index = usize::try_from(seq - self.runs[run].from).ok()?;
        (index < self.runs[run].tags.0.len()).then_some((run, index))
    }
}

impl Run {
    fn end(&self) -> u64 {
        self.from + self.tags.0.len() as u64
    }
}

/// Adds a seq above all others to ranges in order.
pub fn extend(ranges: &mut Vec<Range<u64>>, seq: u64) {
    match ranges.last_mut().filter(|last| last.end == seq) {
        Some(last) => last.end += 1,
        None => ranges.push(seq..seq + 1),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// Ranges as pairs, for comparison.
    fn pairs(ranges: &[Range<u64>]) -> Vec<(u64, u64)> {
        ranges.iter().map(|range| (range.start, range.end)).collect()
    }

    fn tag(n: u128) -> Tag {
        Tag::of(Uuid::from_u128(n))
    }

    #[test]
    fn every_passed_seq_is_remembered_as_what_it_was() {
        let mut prefix = Prefix::default();
        prefix.push(tag(1));
        prefix.push(Tag::HOLE);
        prefix.skip_to(10);
        prefix.push(tag(2));
        assert_eq!(prefix.next(), 11);
        assert_eq!((prefix.events(), prefix.span(), prefix.len()), (2, 11, 3));
        assert_eq!(prefix.at(0), Place::Event(tag(1)));
        assert_eq!(prefix.at(1), Place::Hole);
        assert_eq!(prefix.at(9), Place::Skipped);
        assert_eq!(prefix.at(10), Place::Event(tag(2)));
        assert_eq!(prefix.at(11), Place::Ahead);
        assert_eq!(pairs(&prefix.skipped()), [(2, 10)]);
        assert_eq!(pairs(&prefix.holes()), [(1, 2)]);
        let text = serde_json::to_string(&prefix).unwrap();
        assert_eq!(serde_json::from_str::<Prefix>(&text).unwrap(), prefix);
    }

    #[test]
    fn a_prefix_may_begin_with_a_gap() {
        let mut prefix = Prefix::default();
        prefix.skip_to(3);
        prefix.push(tag(1));
        assert_eq!(pairs(&prefix.skipped()), [(0, 3)]);
        assert_eq!(prefix.at(0), Place::Skipped);
        assert!(prefix.has_skipped());
    }

    #[test]
    fn holes_and_skipped_gaps_can_be_filled() {
        let mut prefix = Prefix::default();
        prefix.push(Tag::HOLE);
        prefix.skip_to(4);
        prefix.push(tag(1));
        assert!(prefix.fill(0, tag(2)));
        assert!(prefix.fill(2, tag(3)));
        assert!(!prefix.fill(4, tag(4)));
        assert!(!prefix.fill(5, tag(4)));
        assert_eq!(prefix.at(0), Place::Event(tag(2)));
        assert_eq!(prefix.at(2), Place::Event(tag(3)));
        assert_eq!(pairs(&prefix.skipped()), [(1, 2), (3, 4)]);
        assert_eq!((prefix.events(), prefix.stretches()), (3, 3));
        prefix.unfill(0, false);
        assert_eq!(prefix.at(0), Place::Hole);
        assert_eq!(prefix.events(), 2);
    }

    #[test]
    fn what_filled_a_gap_can_be_taken_out_again() {
        for order in [[3, 4, 5], [4, 5, 3], [5, 4, 3]] {
            let mut prefix = Prefix::default();
            prefix.push(tag(0));
            prefix.skip_to(6);
            prefix.push(tag(6));
            let before = prefix.clone();
            let mut steps = Vec::new();
            for seq in order {
                steps.push(prefix.clone());
                prefix.fill(seq, tag(1));
            }
            for (seq, step) in order.into_iter().zip(steps).rev() {
                prefix.unfill(seq, true);
                assert_eq!(prefix, step);
            }
            assert_eq!(prefix, before);
        }
    }

    #[test]
    fn a_gap_that_is_filled_leaves_one_stretch() {
        for order in [[3, 4, 5, 6], [6, 5, 4, 3], [4, 6, 3, 5]] {
            let mut prefix = Prefix::default();
            (0..3).for_each(|n| prefix.push(tag(n)));
            prefix.skip_to(7);
            prefix.push(tag(7));
            for seq in order {
                assert!(prefix.fill(seq, tag(seq.into())));
            }
            assert_eq!((prefix.stretches(), prefix.len(), prefix.next(), prefix.span()), (1, 8, 8, 8));
            assert!((0..8).all(|seq| prefix.at(seq) == Place::Event(tag(seq.into()))));
        }
    }

    #[test]
    fn a_marker_gives_its_prefix_back() {
        let mut prefix = Prefix::default();
        prefix.push(tag(1));
        prefix.push(Tag::HOLE);
        prefix.skip_to(5);
        prefix.push(tag(2));
        let unread = Prefix::unread(prefix.next(), &prefix.skipped(), &prefix.holes());
        assert_eq!(unread.skipped(), prefix.skipped());
        assert_eq!(unread.holes(), prefix.holes());
        assert_eq!((unread.next(), unread.events(), unread.span()), (6, 2, 6));
        assert_eq!(unread.at(0), Place::Event(Tag::UNREAD));
    }
}
