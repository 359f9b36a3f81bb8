//! Topics: what they should be like, what they are, what they hold.

use std::time::Duration;

/// What a topic should be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its whole name.
    pub name: String,
    /// Number of partitions; for life.
    pub partitions: i32,
    /// Copies of each partition; the embedded log has one whatever stands here.
    pub replication: i32,
    /// How long a record is kept.
    pub cleanup: Cleanup,
    /// The largest record that it takes, in bytes.
    pub max_message_bytes: u32,
}

/// What becomes of old records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// Dropped when older than this; kept for ever if none.
    Delete {
        /// Age after which a record may go.
        retention: Option<Duration>,
    },
    /// Only the newest of each key is kept; tombstones go after `tombstones`.
    Compact {
        /// How long a tombstone stays readable.
        tombstones: Duration,
        /// Age after which even the newest of a key may go; for ever if none.
        retention: Option<Duration>,
    },
}

/// A topic as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// Differs from that of a topic of the same name that was deleted and made again.
    pub id: String,
    /// Number of partitions.
    pub partitions: i32,
}

/// How a topic stands against its spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicCheck {
    /// The topic's name.
    pub name: String,
    /// What was found.
    pub state: TopicState,
}

/// What was found of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicState {
    /// It is as it should be.
    Matches,
    /// It was made now.
    Created,
    /// It does not exist.
    Missing,
    /// It exists and differs: one sentence a difference, with both values.
    Differs(Vec<String>),
}

/// The offsets that a partition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetRange {
    /// Offset of the oldest record still there.
    pub low: i64,
    /// One past the last offset given out, those of open transactions included.
    pub high: i64,
}
