//! What came after a gap and waits for it to close.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::Game;
use schemas::record::stamp::RawBuf;
use serde::{Deserialize, Serialize};

use super::tag::Tag;
use crate::cow::Sorted;

/// Events and holes ahead of the fold, by seq.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Buffer {
    waiting: Sorted<u64, Waiting>,
    /// Bytes of the events.
    bytes: usize,
}

/// A buffer as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    waiting: BTreeMap<u64, Waiting>,
    bytes: usize,
}

impl From<Stored> for Buffer {
    fn from(Stored { waiting, bytes }: Stored) -> Self {
        Self { waiting: waiting.into_iter().collect(), bytes }
    }
}

impl From<Buffer> for Stored {
    fn from(Buffer { waiting, bytes }: Buffer) -> Self {
        Self { waiting: waiting.iter().map(|(seq, waiting)| (*seq, waiting.clone())).collect(), bytes }
    }
}

/// What waits under a seq.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Waiting {
    /// An event.
    Event(Arc<Held>),
    /// A refused event's place.
    Hole,
}

/// An event that is kept in its own bytes until its turn comes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Held {
    /// Its offset in play.events.
    #[serde(rename = "o")]
    pub offset: i64,
    /// When it was received, in ms since the epoch.
    #[serde(rename = "r")]
    pub received_at: i64,
    /// Of which game, while nothing else tells.
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub game: Option<Game>,
    /// The request that brought it, while it may still be set aside.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The client's bytes.
    #[serde(rename = "e")]
    pub raw: RawBuf,
    /// Its id.
    #[serde(rename = "i")]
    pub id: uuid::Uuid,
}

impl Held {
    /// The tag of its id.
    pub fn tag(&self) -> Tag {
        Tag::of(self.id)
    }
}

impl Buffer {
    /// What waits under a seq.
    pub fn get(&self, seq: u64) -> Option<&Waiting> {
        self.waiting.get(&seq)
    }

    /// Puts something under a seq; what was there gives way.
    pub fn insert(&mut self, seq: u64, waiting: Waiting) {
        self.bytes += waiting.bytes();
        if let Some(before) = self.waiting.insert(seq, waiting) {
            self.bytes -= before.bytes();
        }
    }

    /// Takes out what waits under a seq.
    pub fn take(&mut self, seq: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&seq)?;
        self.bytes -= waiting.bytes();
        Some(waiting)
    }

    /// Takes out everything, by seq.
    pub fn drain(&mut self) -> impl Iterator<Item = (u64, Waiting)> + use<> {
        let waiting = std::mem::take(self).waiting;
        waiting.iter().map(|(seq, waiting)| (*seq, waiting.clone())).collect::<Vec<_>>().into_iter()
    }

    /// Everything, by seq.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Waiting)> {
        self.waiting.iter().map(|(seq, waiting)| (*seq, waiting))
    }

    /// The events, by seq.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = (u64, &Held)> {
        self.waiting.iter().filter_map(|(seq, waiting)| match waiting {
            Waiting::Event(held) => Some((*seq, &**held)),
            Waiting::Hole => None,
        })
    }

    /// The lowest seq.
    pub fn first(&self) -> Option<u64> {
        self.waiting.iter().next().map(|(seq, _)| *seq)
    }

    /// The highest seq.
    pub fn last(&self) -> Option<u64> {
        self.waiting.iter().next_back().map(|(seq, _)| *seq)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many events and holes wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Bytes of the events.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether more waits than is allowed.
    pub fn exceeds(&self, events: usize, bytes: usize) -> bool {
        self.waiting.len() > events || self.bytes > bytes
    }
}

impl Waiting {
    fn bytes(&self) -> usize {
        match self {
            Self::Event(held) => held.raw.get().len(),
            Self::Hole => 0,
        }
    }
}
