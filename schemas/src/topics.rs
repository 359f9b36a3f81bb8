//! The topics: names, keys, partitions, how long they are kept. In one place.

use std::fmt::Write;
use std::time::Duration;

use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::id::{Game, PlayerId, Tenant};

const DAY: Duration = Duration::from_hours(24);

/// One of Playledger's topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// What games sent: the source of truth.
    Events,
    /// Session reports.
    Sessions,
    /// Snapshots of running sessions.
    Live,
    /// What the worker did, by minute.
    Activity,
    /// The worker's state; same partitions as [`Topic::Events`].
    SessionState,
    /// What was refused.
    Quarantine,
    /// What became of what gateways received.
    Outcomes,
}

/// How a topic's old records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All, for so long; for ever if none.
    For(Option<Duration>),
    /// The newest of each key; tombstones for `tombstones`.
    Newest {
        /// How long a tombstone stays readable: longer than the longest restore.
        tombstones: Duration,
        /// Age after which even the newest goes.
        at_most: Option<Duration>,
    },
}

impl Topic {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Events,
        Self::Sessions,
        Self::Live,
        Self::Activity,
        Self::SessionState,
        Self::Quarantine,
        Self::Outcomes,
    ];

    /// Its name behind the configured prefix.
    pub fn name(self, prefix: &str) -> String {
        let name = match self {
            Self::Events => "events",
            Self::Sessions => "sessions",
            Self::Live => "live",
            Self::Activity => "activity",
            Self::SessionState => "session-state",
            Self::Quarantine => "quarantine",
            Self::Outcomes => "outcomes",
        };
        format!("{prefix}{name}")
    }

    /// How its old records go.
    pub fn kept(self) -> Kept {
        match self {
            Self::Events | Self::Sessions => Kept::For(None),
            Self::Live => Kept::Newest { tombstones: DAY, at_most: Some(DAY) },
            Self::SessionState => Kept::Newest { tombstones: DAY, at_most: None },
            Self::Activity | Self::Outcomes => Kept::For(Some(30 * DAY)),
            Self::Quarantine => Kept::For(Some(90 * DAY)),
        }
    }

    /// The largest record that it takes, in bytes.
    pub const fn max_message_bytes(self) -> u32 {
        match self {
            Self::Quarantine | Self::SessionState | Self::Sessions => 4 << 20,
            _ => 1 << 20,
        }
    }
}

/// Key of a session's records: events, live snapshots, state.
pub fn session_key(tenant: &Tenant, session: Uuid) -> String {
    let mut key = String::with_capacity(tenant.as_str().len() + 1 + Hyphenated::LENGTH);
    write_session_key(&mut key, tenant, session);
    key
}

/// Writes what [`session_key`] gives to where it is wanted, which must not fail.
pub fn write_session_key(into: &mut impl Write, tenant: &Tenant, session: Uuid) {
    let mut id = Uuid::encode_buffer();
    let id = session.as_hyphenated().encode_lower(&mut id);
    for part in [tenant.as_str(), "/", id] {
        // As the caller says.
        let _ = into.write_str(part);
    }
}

/// Key of a player's records: reports.
pub fn player_key(tenant: &Tenant, player: &PlayerId<'_>) -> String {
    format!("{tenant}/{player}")
}

/// Key of a game's records: activity, quarantine.
pub fn game_key(tenant: &Tenant, game: &Game) -> String {
    format!("{tenant}/{game}")
}

/// The partition of a key among `partitions`: murmur2 as Kafka's Java clients compute it, so that
/// other clients key the same way.
///
/// Without partitions the answer is 0.
pub fn partition(key: &[u8], partitions: i32) -> i32 {
    let positive = i32::from_ne_bytes((murmur2(key) & 0x7fff_ffff).to_ne_bytes());
    positive.checked_rem(partitions).unwrap_or(0)
}

/// `MurmurHash2`, 32 bits, with Kafka's seed (Austin Appleby, public domain).
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    // Java's length is an int; keys here are short.
    let mut hash = SEED ^ u32::try_from(key.len()).unwrap_or(u32::MAX);
    let (words, rest) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that Kafka's own `Utils.murmur2` is tested with.
    #[test]
    fn keys_fall_where_java_clients_put_them() {
        let cases: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in cases {
            assert_eq!(i32::from_ne_bytes(murmur2(key).to_ne_bytes()), hash);
        }
    }
}
