//! What stands under each seq that the fold has passed.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::tag::{Tag, Tags};

/// The seqs that the fold has passed, each with the tag of its event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Prefix {
    /// In order; what lies between two of them was skipped.
    runs: Vec<Run>,
    /// Seqs under which an event stands.
    #[serde(rename = "n")]
    events: u64,
    /// One past the highest seq under which an event stands; 0 without events.
    #[serde(rename = "e")]
    span: u64,
    /// Seqs of all runs.
    #[serde(skip)]
    len: usize,
    /// Stretches of holes within the runs.
    #[serde(skip)]
    hole_stretches: usize,
}

/// A prefix as it is stored: the rest follows from the runs.
#[derive(Deserialize)]
struct Stored {
    runs: Vec<Run>,
    #[serde(rename = "n")]
    events: u64,
    #[serde(rename = "e")]
    span: u64,
}

impl From<Stored> for Prefix {
    fn from(Stored { runs, events, span }: Stored) -> Self {
        let len = runs.iter().map(|run| run.tags.len()).sum();
        let hole_stretches = runs.iter().map(|run| run.tags.hole_stretches()).sum();
        Self { runs, events, span, len, hole_stretches }
    }
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
        let mut holes = holes.iter().peekable();
        let mut seq = 0;
        while seq < next {
            if let Some(gap) = gaps.next_if(|gap| gap.start <= seq) {
                seq = gap.end;
                continue;
            }
            while holes.next_if(|hole| hole.end <= seq).is_some() {}
            prefix.skip_to(seq);
            let is_hole = holes.peek().is_some_and(|hole| hole.contains(&seq));
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
        self.len
    }

    /// Stretches of refused events' places.
    pub fn hole_stretches(&self) -> usize {
        self.hole_stretches
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
        match self.slot(seq).and_then(|(run, index)| self.runs[run].tags.get(index)) {
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
            self.hole_stretches += usize::from(tag == Tag::HOLE && run.tags.last() != Some(Tag::HOLE));
            self.len += 1;
            run.tags.push(tag);
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
            Place::Hole => {
                // It is taken out of its stretch, of which one, two or none are left.
                self.hole_stretches = self.hole_stretches + self.holes_beside(seq) - 1;
                self.set(seq, tag);
            }
            Place::Skipped => self.put_into_gap(seq, tag),
        }
        self.events += 1;
        self.span = self.span.max(seq + 1);
        true
    }

    /// Puts an event into a skipped gap; runs that now touch become one.
    fn put_into_gap(&mut self, seq: u64, tag: Tag) {
        self.len += 1;
        let after = self.runs.partition_point(|run| run.from < seq);
        let before = after.checked_sub(1).filter(|before| self.runs[*before].end() == seq);
        let at = before.unwrap_or_else(|| {
            self.runs.insert(after, Run { from: seq, tags: Tags::default() });
            after
        });
        self.runs[at].tags.push(tag);
        if self.runs.get(at + 1).is_some_and(|next| next.from == seq + 1) {
            let next = self.runs.remove(at + 1);
            self.runs[at].tags.append(&next.tags);
        }
    }

    /// Takes a filled place back to the hole, or the part of a skipped gap, that it was.
    pub fn unfill(&mut self, seq: u64, was_skipped: bool) {
        let Some((run, index)) = self.slot(seq) else { return };
        if self.runs[run].tags.get(index) == Some(Tag::HOLE) {
            return;
        }
        if was_skipped {
            self.len -= 1;
            let (before, after) = self.runs[run].tags.around(index);
            self.runs[run].tags = before;
            if !after.is_empty() {
                self.runs.insert(run + 1, Run { from: seq + 1, tags: after });
            }
            if self.runs[run].tags.is_empty() {
                self.runs.remove(run);
            }
        } else {
            self.hole_stretches = self.hole_stretches + 1 - self.holes_beside(seq);
            self.set(seq, Tag::HOLE);
        }
        self.events -= 1;
        self.span = self.highest();
    }

    /// How many of its two neighbours are holes.
    fn holes_beside(&self, seq: u64) -> usize {
        let beside = [seq.checked_sub(1), Some(seq + 1)];
        beside.into_iter().flatten().filter(|seq| self.at(*seq) == Place::Hole).count()
    }

    /// Names the event under a seq that was unread.
    pub fn set(&mut self, seq: u64, tag: Tag) {
        if let Some((run, index)) = self.slot(seq) {
            self.runs[run].tags.set(index, tag);
        }
    }

    /// One past the highest seq under which an event stands.
    fn highest(&self) -> u64 {
        let last =
            |run: &Run| (run.from..run.end()).rev().zip(run.tags.iter().rev()).find(|(_, tag)| *tag != Tag::HOLE);
        self.runs.iter().rev().find_map(last).map_or(0, |(seq, _)| seq + 1)
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
        let placed = self.runs.iter().flat_map(|run| (run.from..).zip(run.tags.iter()));
        for (seq, _) in placed.filter(|(_, tag)| *tag == Tag::HOLE) {
            extend(&mut holes, seq);
        }
        holes
    }

    fn slot(&self, seq: u64) -> Option<(usize, usize)> {
        let run = self.runs.partition_point(|run| run.from <= seq).checked_sub(1)?;
        let index = usize::try_from(seq - self.runs[run].from).ok()?;
        (index < self.runs[run].tags.len()).then_some((run, index))
    }
}

impl Run {
    fn end(&self) -> u64 {
        self.from + self.tags.len() as u64
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
mod tests;
