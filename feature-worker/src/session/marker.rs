//! What stays of a session after its grace, so that a repeat is known and a straggler gets no second life.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use schemas::Event;
use schemas::Timestamp;
use schemas::record::quarantine::Reason;
use serde::{Deserialize, Serialize};

use super::buffer::Waiting;
use super::ids::Ids;
use super::judge::{Arrival, Verdict};
use super::prefix::{Prefix, extend};
use super::readback::ReadBack;
use super::tag::Tag;
use super::told::Told;
use super::{Cause, Order, Owner, Reported, Session, Terms, Trail};

/// A marker names one empty stretch for so many events that its session told apart…
const STRETCHES: usize = 4;
/// …and at most so many where nothing can fill them: they tell what is late from what is a repeat.
const MOST_GONE: usize = 64;
/// How long a marker stays, in ms of log time.
pub const MARKER_MS: i64 = 32 * 86_400_000;

/// What stays of an evicted session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Whose it was.
    pub owner: Owner,
    /// Whether its events were counted.
    pub order: Order,
    /// One past the highest seq.
    pub next: u64,
    /// Gaps, passed when grace was over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Range<u64>>,
    /// Refused events' places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holes: Vec<Range<u64>>,
    /// Distinct events.
    pub events: u64,
    /// The latest revision.
    pub revision: u64,
    /// Offset of its first record.
    pub first_offset: i64,
    /// Offset of the latest record that took a place.
    pub last_offset: i64,
    /// `received_at` of its first record, in ms.
    pub first_arrival: i64,
    /// Its last event on the client's clock, in ms.
    pub last_timestamp: i64,
    /// Log time when it went, in ms.
    pub last_log_time: i64,
    /// Whether it was a player's session.
    pub play: bool,
    /// What closed it in the absence of a close.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Whether nothing can bring it back: the log no longer holds it, or it outgrew its bounds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// What it was made of, where some of its records in the log took no place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Arc<Known>>,
}

/// What a session was made of: of its records in the log these alone took a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What stands under each seq.
    #[serde(default, skip_serializing_if = "Prefix::is_empty")]
    pub prefix: Prefix,
    /// Its events, where they have no seq.
    #[serde(default, skip_serializing_if = "Ids::is_empty")]
    pub ids: Ids,
    /// Those of them that took their place when they were sent again, by offset.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sent_again: BTreeSet<i64>,
    /// Its closes without seq.
    #[serde(default, skip_serializing_if = "Ids::is_empty")]
    pub closes: Ids,
}

impl Session {
    /// What stays of it; none of a session that had no event: nothing was reported, so it may still begin.
    pub fn marker(&self, whole: &Told, log_time: i64) -> Option<Marker> {
        let owner = Owner::clone(self.owner.as_ref()?);
        let mut skipped = self.prefix.skipped();
        let mut holes = self.prefix.holes();
        let mut next = self.prefix.next();
        let mut gone = self.is_outgrown();
        for (seq, waiting) in self.buffer.iter() {
            if seq > next {
                skipped.push(next..seq);
            }
            if matches!(waiting, Waiting::Hole) {
                extend(&mut holes, seq);
            }
            next = seq + 1;
        }
        gone |= skipped.len() + holes.len() > self.terms.events / STRETCHES;
        if gone {
            blur(&mut skipped, &mut holes);
        }
        Some(Marker {
            owner,
            order: self.order,
            next,
            skipped,
            holes,
            events: whole.event_count(),
            revision: self.reported.revision,
            first_offset: self.trail.first_offset,
            last_offset: self.trail.last_offset,
            first_arrival: self.trail.first_arrival,
            last_timestamp: whole.last_at().unwrap_or(self.trail.last_arrival),
            last_log_time: log_time,
            play: self.play,
            cause: self.cause,
            gone,
            known: (!gone && (self.trail.strays || self.reopened)).then(|| Arc::new(self.known())),
        })
    }

    /// What it is made of.
    fn known(&self) -> Known {
        let mut prefix = self.prefix.clone();
        for (seq, waiting) in self.buffer.iter() {
            prefix.skip_to(seq);
            prefix.push(match waiting {
                Waiting::Event(held) => held.tag(),
                Waiting::Hole => Tag::HOLE,
            });
        }
        let mut closes = Ids::default();
        for id in self.closes.keys() {
            closes.insert(*id, usize::MAX);
        }
        Known { prefix, ids: self.ids.clone(), sent_again: self.sent_again.clone(), closes }
    }

    /// A session that an event brings back to life: the log has yet to tell what it was.
    pub fn reopened(marker: &Marker, arrival: &Arrival<'_>, terms: Arc<Terms>) -> Self {
        let mut session = Self::new(terms, marker.first_offset, marker.first_arrival);
        session.owner = Some(marker.owner.clone().into());
        session.order = marker.order;
        session.prefix = match &marker.known {
            Some(known) => known.prefix.clone(),
            None => Prefix::unread(marker.next, &marker.skipped, &marker.holes),
        };
        session.sent_again = marker.known.as_ref().map(|known| known.sent_again.clone()).unwrap_or_default();
        session.play = marker.play;
        session.cause = marker.cause;
        (session.reopened, session.end) = (true, Some(marker.next));
        session.closed = marker.cause.is_none() && marker.play;
        session.trail = Trail {
            first_offset: marker.first_offset,
            last_offset: marker.last_offset,
            first_arrival: marker.first_arrival,
            last_arrival: arrival.received_at,
            ..Trail::default()
        };
        session.reported =
            Reported { revision: marker.revision, at: marker.last_log_time, is_final: true, ..Reported::default() };
        session.readback = Some(ReadBack::reopening(marker).into());
        session
    }
}

impl Marker {
    /// Judges an event of an evicted session; none where it brings the session back to life.
    pub fn judge(&self, event: &Event<'_>, arrival: &Arrival<'_>) -> Option<Verdict> {
        let late = Verdict::SetAside(Reason::Late);
        let theirs = self.owner.game == *arrival.game && self.owner.player.as_str() == event.player_id.as_str();
        let seq = event.seq.filter(|seq| theirs && self.order == Order::Seq && *seq < self.next);
        let returns = theirs && !self.gone;
        let Some(seq) = seq.filter(|seq| !is_within(&self.skipped, *seq)) else {
            return if arrival.redriven && returns { None } else { Some(late) };
        };
        if is_within(&self.holes, seq) {
            return if returns { None } else { Some(late) };
        }
        let in_time = event.timestamp.is_none_or(|at| at <= Timestamp::from_ms(self.last_timestamp));
        match (in_time, arrival.redriven && returns) {
            (true, _) => Some(Verdict::Repeat),
            (false, true) => None,
            (false, false) => Some(late),
        }
    }

    /// Bytes of its written form, about.
    pub fn weight(&self) -> usize {
        let ranges = self.skipped.len() + self.holes.len();
        512 + 32 * ranges + self.known.as_ref().map_or(0, |known| known.bytes() * 3 / 2)
    }
}

impl Known {
    /// Bytes in memory, at least.
    pub fn bytes(&self) -> usize {
        let ids = self.ids.len() + self.closes.len();
        size_of::<Self>() + self.prefix.len() * size_of::<Tag>() + ids * size_of::<u64>() + self.sent_again.len() * 16
    }
}

/// Where both are more than [`MOST_GONE`] ranges, makes the oldest of them one.
fn blur(skipped: &mut Vec<Range<u64>>, holes: &mut Vec<Range<u64>>) {
    let Some(more) = (skipped.len() + holes.len()).checked_sub(MOST_GONE + 1) else { return };
    let mut ends: Vec<u64> = skipped.iter().chain(&*holes).map(|range| range.end).collect();
    ends.sort_unstable();
    // The one that stands for them counts too.
    let end = ends[more + 1];
    skipped.retain(|range| range.end > end);
    holes.retain(|range| range.end > end);
    skipped.insert(0, 0..end);
}

/// Whether a seq lies in one of the ranges, which are in order.
fn is_within(ranges: &[Range<u64>], seq: u64) -> bool {
    let after = ranges.partition_point(|range| range.start <= seq);
    after.checked_sub(1).is_some_and(|range| ranges[range].contains(&seq))
}
