//! What a prefix still knows of places whose tags it has forgotten: which of them hold no event.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::tag::Tag;

/// The oldest places of a prefix, without tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Worn {
    /// One past the highest of them.
    #[serde(rename = "t")]
    to: u64,
    /// Below it events are not told from empty places any more.
    #[serde(rename = "b", default, skip_serializing_if = "is_zero")]
    blurred: u64,
    /// Places without an event above that, in order: refused ones, and skipped gaps.
    #[serde(rename = "v", default, skip_serializing_if = "Vec::is_empty")]
    voids: Vec<(u64, u64)>,
    /// Whether a gap was skipped.
    #[serde(rename = "s", default, skip_serializing_if = "std::ops::Not::not")]
    skipped: bool,
}

impl Worn {
    /// One past the highest place.
    pub(super) fn to(&self) -> u64 {
        self.to
    }

    /// Stretches without an event that are told apart.
    pub(super) fn voids(&self) -> usize {
        self.voids.len()
    }

    /// Whether a gap was skipped.
    pub(super) fn has_skipped(&self) -> bool {
        self.skipped
    }

    /// Whether an event certainly stands under a seq.
    pub(super) fn holds(&self, seq: u64) -> bool {
        let after = self.voids.partition_point(|void| void.0 <= seq);
        let is_void = after.checked_sub(1).is_some_and(|before| seq < self.voids[before].1);
        (self.blurred..self.to).contains(&seq) && !is_void
    }

    /// Stretches of which it does not know that they hold events, in order.
    pub(super) fn empty(&self) -> impl Iterator<Item = Range<u64>> {
        let blurred = Some(0..self.blurred).filter(|range| !range.is_empty());
        blurred.into_iter().chain(self.voids.iter().map(|(from, to)| *from..*to))
    }

    /// Takes in a skipped gap up to `to`, if there is one.
    pub(super) fn skip_to(&mut self, to: u64) {
        if to > self.to {
            self.skipped = true;
            self.void(to);
        }
    }

    /// Takes in the next place, and forgets the tag.
    pub(super) fn pass(&mut self, tag: Tag) {
        if tag == Tag::HOLE {
            self.void(self.to + 1);
        } else {
            self.to += 1;
        }
    }

    /// Where there are more stretches without an event than `most`, tells the older half apart no longer.
    pub(super) fn blur(&mut self, most: usize) {
        if self.voids.len() > most {
            let gone = self.voids.len() - most / 2;
            self.blurred = self.voids[gone - 1].1;
            self.voids.drain(..gone);
        }
    }

    fn void(&mut self, to: u64) {
        match self.voids.last_mut().filter(|last| last.1 == self.to) {
            Some(last) => last.1 = to,
            None => self.voids.push((self.to, to)),
        }
        self.to = to;
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_held_an_event_is_told_from_what_did_not_until_it_is_blurred() {
        let mut worn = Worn::default();
        let event = Tag::of(uuid::Uuid::from_u128(1));
        for tag in [event, Tag::HOLE, Tag::HOLE, event] {
            worn.pass(tag);
        }
        worn.skip_to(6);
        for tag in [Tag::HOLE, event, event, Tag::HOLE, event] {
            worn.pass(tag);
        }
        let held = |worn: &Worn| (0..12).filter(|seq| worn.holds(*seq)).collect::<Vec<_>>();
        assert_eq!(held(&worn), [0, 3, 7, 8, 10]);
        assert_eq!((worn.to(), worn.voids(), worn.has_skipped()), (11, 3, true));
        assert!(worn.empty().eq([1..3, 4..7, 9..10]), "a hole that follows on a gap makes it longer");
        worn.blur(3);
        assert_eq!(held(&worn), [0, 3, 7, 8, 10]);
        worn.blur(2);
        assert_eq!(held(&worn), [7, 8, 10]);
        assert!(worn.empty().eq([0..7, 9..10]));
        let text = serde_json::to_string(&worn).unwrap();
        assert_eq!(serde_json::from_str::<Worn>(&text).unwrap(), worn);
        worn.blur(0);
        assert_eq!(held(&worn), [10]);
    }
}
