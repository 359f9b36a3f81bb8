//! What stands under each seq that the fold has passed.
//!
//! Of the newest seqs it holds the tag of the event; of older ones only whether there was one
//! ([`Worn`]), and where too many lay empty not even that. So a session costs no more than its bound,
//! whatever comes.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::tag::{Tag, Tags};
use super::worn::Worn;

/// What a stretch takes, counted in tags: in bytes of state and of memory it is less.
const STRETCH: usize = 16;

/// The seqs that the fold has passed, each with the tag of its event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Prefix {
    /// What lies before all runs, its tags forgotten; none as long as there is room.
    #[serde(rename = "w", skip_serializing_if = "Option::is_none")]
    worn: Option<Arc<Worn>>,
    /// In order; what lies between two of them was skipped. There is one where anything is worn.
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
}

/// A prefix as it is stored: the rest follows from the runs.
#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "w", default)]
    worn: Option<Arc<Worn>>,
    runs: Vec<Run>,
    #[serde(rename = "n")]
    events: u64,
    #[serde(rename = "e")]
    span: u64,
}

impl From<Stored> for Prefix {
    fn from(Stored { worn, runs, events, span }: Stored) -> Self {
        let len = runs.iter().map(|run| run.tags.len()).sum();
        Self { worn, runs, events, span, len }
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
    /// An event whose tag is forgotten.
    Forgotten,
    /// No event, or perhaps one: so old that nothing takes the place any more.
    Lost,
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

    /// What it takes to remember it, counted in tags.
    pub fn cost(&self) -> usize {
        self.fresh_cost() + STRETCH * self.worn.as_ref().map_or(0, |worn| worn.voids())
    }

    /// The most that one more event may add to [`Prefix::cost`].
    pub const MOST_COST: usize = STRETCH + 1;

    /// What the tags take, and the gaps between them.
    fn fresh_cost(&self) -> usize {
        self.len + STRETCH * self.runs.len().saturating_sub(1)
    }

    /// Bytes of memory that it holds.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let worn = self.worn.as_ref().map_or(0, |worn| size_of::<Worn>() + worn.voids() * size_of::<(u64, u64)>());
        self.len * size_of::<Tag>() + self.runs.len() * size_of::<Run>() + worn
    }

    /// Whether it has forgotten tags.
    pub fn is_worn(&self) -> bool {
        self.worn.is_some()
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
        if let Some(worn) = self.worn.as_ref().filter(|worn| seq < worn.to()) {
            return if worn.holds(seq) { Place::Forgotten } else { Place::Lost };
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
            self.len += 1;
            run.tags.push(tag);
            let end = run.end();
            if tag != Tag::HOLE {
                self.events += 1;
                self.span = end;
            }
        }
    }

    /// Puts an event, or [`Tag::HOLE`], under the next seq. Where that makes it cost more than two times
    /// `most` tags, it forgets old ones until `most` are left.
    pub fn pass(&mut self, tag: Tag, most: usize) {
        self.push(tag);
        if self.cost() > most.saturating_mul(2) {
            self.wear(most);
        }
    }

    /// Forgets the oldest tags.
    fn wear(&mut self, most: usize) {
        let mut excess = self.fresh_cost().saturating_sub(most);
        let worn = Arc::make_mut(self.worn.get_or_insert_default());
        let mut gone = 0;
        for run in &mut self.runs {
            if excess == 0 {
                break;
            }
            worn.skip_to(run.from);
            let forgotten = run.tags.len().min(excess);
            run.tags.iter().take(forgotten).for_each(|tag| worn.pass(tag));
            self.len -= forgotten;
            run.from += forgotten as u64;
            run.tags = run.tags.after(forgotten);
            // The gap behind it goes too.
            let is_gone = run.tags.is_empty();
            gone += usize::from(is_gone);
            excess = excess.saturating_sub(forgotten + if is_gone { STRETCH } else { 0 });
        }
        self.runs.drain(..gone);
        worn.blur(most / (2 * STRETCH));
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
            Place::Ahead | Place::Event(_) | Place::Forgotten | Place::Lost => return false,
            Place::Hole => self.set(seq, tag),
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
            self.set(seq, Tag::HOLE);
        }
        self.events -= 1;
        self.span = self.highest();
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

    /// The skipped gaps, in order; all that is worn and may be empty among them.
    pub fn skipped(&self) -> Vec<Range<u64>> {
        self.worn.iter().flat_map(|worn| worn.empty()).chain(self.gaps()).collect()
    }

    /// Whether any gap was skipped.
    pub fn has_skipped(&self) -> bool {
        self.worn.as_ref().is_some_and(|worn| worn.has_skipped()) || self.gaps().next().is_some()
    }

    /// The gaps before and between the runs.
    fn gaps(&self) -> impl Iterator<Item = Range<u64>> {
        let begin = self.worn.as_ref().map_or(0, |worn| worn.to());
        let ends = std::iter::once(begin).chain(self.runs.iter().map(Run::end));
        ends.zip(&self.runs).map(|(end, run)| end..run.from).filter(|gap| !gap.is_empty())
    }

    /// The holes that are not worn, in order.
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
