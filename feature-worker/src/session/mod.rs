//! One session: the fold over the gap-free prefix of its record, and what waits behind a gap.
//!
//! Pure. Arrival order, repetition and gaps are settled here ([`judge`]), closing and grace in
//! [`life`], what is left after eviction in [`marker`], what is asked of the log in [`readback`], and
//! how a session is made from it again in [`rebuild`].

mod begin;
pub mod buffer;
mod close;
pub mod ids;
pub mod judge;
pub mod life;
pub mod marker;
mod place;
pub mod prefix;
pub mod readback;
pub mod rebuild;
pub mod rest;
mod shared;
pub mod tag;
pub mod terms;
pub mod told;
mod worn;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemas::data::CloseReason;
use schemas::{Game, PlayerId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use buffer::{Buffer, Held};
use ids::Ids;
use prefix::Prefix;
use readback::ReadBack;
use told::{Context, Told, Unreadable};

pub use terms::Terms;

/// One live session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// What held when its first record came.
    #[serde(with = "shared::terms")]
    pub terms: Arc<Terms>,
    /// Whose it is; none before the first event that is no close.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Arc<Owner>>,
    /// Whether its events are counted.
    pub order: Order,
    /// What the fold has passed.
    #[serde(default, skip_serializing_if = "Prefix::is_empty")]
    pub prefix: Prefix,
    /// The ids of a session without seq.
    #[serde(default, skip_serializing_if = "Ids::is_empty")]
    pub ids: Ids,
    /// The record so far.
    pub told: Told,
    /// What waits behind a gap.
    #[serde(default, skip_serializing_if = "Buffer::is_empty")]
    pub buffer: Buffer,
    /// Closes that came before any event, in the order of the log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub early: Vec<Held>,
    /// Closes without seq: they stand after all others, by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub closes: BTreeMap<Uuid, Held>,
    /// Closes with a seq, and where each stands.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ends: BTreeMap<Uuid, u64>,
    /// What is asked of the log, while it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readback: Option<Box<ReadBack>>,
    /// Whether a player's event was among them: a session without is of kind `evidence`.
    pub play: bool,
    /// Whether any close was among them.
    pub closed: bool,
    /// What closed it in the absence of a close.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Whether it was evicted once and brought back to life: it takes nothing new but what is sent again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reopened: bool,
    /// Offsets of events without seq that took their place when they were sent again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sent_again: BTreeSet<i64>,
    /// One past the highest seq that it takes, unless one beyond is sent again; none before its cap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u64>,
    /// How it came about.
    pub trail: Trail,
    /// What has been reported of it.
    pub reported: Reported,
}

/// Whose session it is: the first event tells, a close never does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The game.
    pub game: Game,
    /// The player's pseudonym.
    #[serde(deserialize_with = "owned_player")]
    pub player: PlayerId<'static>,
}

/// Whether a session's events are counted: the first event tells, a close never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// No event as yet.
    Open,
    /// In the order of seq.
    Seq,
    /// In the order of the log.
    Log,
}

/// What closed a session in the absence of a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// [`CloseReason::Timeout`] or [`CloseReason::TooLong`].
    pub reason: CloseReason,
    /// The deadline that passed, in ms of log time.
    pub at: i64,
}

/// How a session's record came about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trail {
    /// Offset of its first record.
    pub first_offset: i64,
    /// Offset of the latest record that took a place.
    pub last_offset: i64,
    /// `received_at` of its first record, in ms.
    pub first_arrival: i64,
    /// The latest `received_at` of a record that took a place, in ms.
    pub last_arrival: i64,
    /// Records that told again what was known.
    #[serde(default)]
    pub repeats: u64,
    /// Whether a record of it took no place: the log alone does not tell what it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strays: bool,
    /// Smallest `received_at` − `sent_at` over its requests, in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew_ms: Option<i64>,
    /// The client's version, as the first record that has one told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_version: Option<Arc<str>>,
}

/// What has been reported of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// The latest revision; 0 before the first.
    pub revision: u64,
    /// When, in ms of log time.
    pub at: i64,
    /// Whether it was final.
    pub is_final: bool,
    /// Whether something has come since.
    pub pending: bool,
    /// Whether a snapshot of it stands in play.live.
    pub live: bool,
}

impl Session {
    /// A session of which nothing has come but word that there will be one.
    pub fn new(terms: Arc<Terms>, offset: i64, received_at: i64) -> Self {
        Self {
            terms,
            owner: None,
            order: Order::Open,
            prefix: Prefix::default(),
            ids: Ids::default(),
            told: Told::default(),
            buffer: Buffer::default(),
            early: Vec::new(),
            closes: BTreeMap::new(),
            ends: BTreeMap::new(),
            readback: None,
            play: false,
            closed: false,
            cause: None,
            reopened: false,
            sent_again: BTreeSet::new(),
            end: None,
            trail: Trail {
                first_offset: offset,
                last_offset: offset,
                first_arrival: received_at,
                last_arrival: received_at,
                ..Trail::default()
            },
            reported: Reported::default(),
        }
    }

    /// The record with all that is known: over the gaps, closes without seq at the end.
    ///
    /// # Errors
    /// When a kept event can't be read again.
    pub fn whole(&self, context: &Context<'_>) -> Result<Told, Unreadable> {
        let mut told = self.told.clone();
        let Some(owner) = &self.owner else { return Ok(told) };
        for held in self.buffer.events().map(|(_, held)| held).chain(self.closes.values()) {
            told.apply(&told::reread(&held.raw)?, &owner.game, self.terms.fold, context);
        }
        Ok(told)
    }

    /// Whether the record so far is the whole record: nothing waits behind a gap or at the end.
    pub fn is_whole(&self) -> bool {
        self.buffer.is_empty() && self.closes.is_empty()
    }

    /// Distinct seqs of its events and the highest of them + 1; none without seq.
    pub fn seqs(&self) -> Option<(u64, u64)> {
        (self.order == Order::Seq).then(|| {
            let (mut events, mut span) = (self.prefix.events(), self.prefix.span());
            for (seq, _) in self.buffer.events() {
                events += 1;
                span = seq + 1;
            }
            (events, span)
        })
    }

    /// One past the highest seq of an event or hole.
    pub fn reach(&self) -> u64 {
        let asked = self.readback.as_ref().filter(|_| self.order == Order::Seq).and_then(|readback| readback.last());
        self.buffer.last().max(asked).map_or(0, |seq| seq + 1).max(self.prefix.next())
    }

    /// Whether no seq up to the highest event or hole lacks an event; none without seq.
    pub fn complete(&self) -> Option<bool> {
        self.seqs().map(|(events, _)| events == self.reach())
    }

    /// Whether an event has told whose it is, and whether one has told what held for the game: both go by
    /// the settings of the day.
    pub fn whose(&self) -> (bool, bool) {
        (self.owner.is_some(), self.told.rules.is_some())
    }

    /// Whether it has outgrown its bound of events: it has forgotten old ones, or soon will. It goes on, and says
    /// so; the log is not asked any more what it was.
    pub fn is_outgrown(&self) -> bool {
        self.prefix.is_worn() || self.ids.is_worn() || self.remembered() > self.terms.most_remembered()
    }

    /// What it takes to remember its places, counted in tags: with what waits, so that it is the same however
    /// long the log takes.
    fn remembered(&self) -> usize {
        let next = self.prefix.next();
        let asked = self.readback.as_ref().filter(|_| self.order == Order::Seq);
        self.prefix.cost() + self.buffer.len() + asked.map_or(0, |readback| readback.ahead(next))
    }
}

fn owned_player<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<PlayerId<'static>, D::Error> {
    PlayerId::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}
