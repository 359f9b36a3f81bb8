//! What a client is told of its limits, and why it is refused. Pure.

use std::fmt;
use std::io::Write as _;

use http::HeaderValue;

use crate::problem::{Code, Problem};

/// No field's value is longer: the longest name, two numbers, and what stands between them.
const MOST_BYTES: usize = 64;

/// Which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Requests of an address, whoever sends them.
    AddressRequests,
    /// Requests of a key from one address.
    KeyAddressRequests,
    /// Events of a key from one address.
    KeyAddressEvents,
    /// Requests of a key that bring events of one player.
    PlayerRequests,
    /// Events of one player by a key.
    PlayerEvents,
    /// Requests of a key.
    KeyRequests,
    /// Events of a key.
    KeyEvents,
    /// Events of a key that go into the quarantine.
    QuarantineRecords,
    /// Bytes of a key that go into the quarantine.
    QuarantineBytes,
}

impl Limit {
    /// The word that stands for it in headers, metrics and docs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AddressRequests => "address-requests",
            Self::KeyAddressRequests => "key-address-requests",
            Self::KeyAddressEvents => "key-address-events",
            Self::PlayerRequests => "player-requests",
            Self::PlayerEvents => "player-events",
            Self::KeyRequests => "key-requests",
            Self::KeyEvents => "key-events",
            Self::QuarantineRecords => "quarantine-records",
            Self::QuarantineBytes => "quarantine-bytes",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::AddressRequests => "too many requests from this address",
            Self::KeyAddressRequests => "too many requests with this credential from this address",
            Self::KeyAddressEvents => "too many events with this credential from this address",
            Self::PlayerRequests => "too many requests for one player",
            Self::PlayerEvents => "too many events of one player",
            Self::KeyRequests => "too many requests with this credential",
            Self::KeyEvents => "too many events with this credential",
            Self::QuarantineRecords | Self::QuarantineBytes => {
                "too many events of this credential were refused lately: mend what it sends; GET /v1/schemas and `?dry_run=true` help"
            }
        }
    }
}

/// How much of an allowance is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Of which limit.
    pub limit: Limit,
    /// So much can be used at once.
    pub burst: u32,
    /// Seconds in which a burst refills.
    pub window: u32,
    /// So much is left; 0 where a request was refused.
    pub left: u32,
    /// Seconds until it is whole; where a request was refused, until that would pass.
    pub reset: u32,
}

/// A request is over a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is told of that limit.
    pub standing: Standing,
    /// After so many seconds the same request passes, if nothing else comes meanwhile; at least 1.
    pub after: u32,
}

impl Standing {
    /// Whether less of this allowance is left than of the other, in proportion.
    pub fn is_tighter_than(&self, other: &Self) -> bool {
        u64::from(self.left) * u64::from(other.burst) < u64::from(other.left) * u64::from(self.burst)
    }

    /// The value of `RateLimit-Policy`.
    pub fn policy(&self) -> Option<HeaderValue> {
        value(format_args!("\"{}\";q={};w={}", self.limit.as_str(), self.burst, self.window))
    }

    /// The value of `RateLimit`.
    pub fn told(&self) -> Option<HeaderValue> {
        value(format_args!("\"{}\";r={};t={}", self.limit.as_str(), self.left, self.reset))
    }
}

/// Written on the stack first, since every answer has two of them.
fn value(words: fmt::Arguments<'_>) -> Option<HeaderValue> {
    let mut room = [0; MOST_BYTES];
    let mut left = &mut room[..];
    left.write_fmt(words).ok()?;
    let length = MOST_BYTES - left.len();
    HeaderValue::from_bytes(&room[..length]).ok()
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let Refusal { standing, after } = refusal;
        let detail =
            format!("{}; send the same again after {after} s ({})", standing.limit.words(), standing.limit.as_str());
        Self { retry_after: Some(after), ..Self::new(Code::RateLimited, detail) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_read_as_the_draft_writes_them() {
        let standing = Standing { limit: Limit::KeyRequests, burst: 100, window: 10, left: 37, reset: 7 };
        assert_eq!(standing.policy().unwrap(), "\"key-requests\";q=100;w=10");
        assert_eq!(standing.told().unwrap(), "\"key-requests\";r=37;t=7");
        let most = u32::MAX;
        let longest = Standing { limit: Limit::KeyAddressRequests, burst: most, window: most, left: most, reset: most };
        assert_eq!(longest.policy().unwrap(), "\"key-address-requests\";q=4294967295;w=4294967295");
        assert!(standing.is_tighter_than(&Standing { left: 4, burst: 10, ..standing }));
        assert!(!standing.is_tighter_than(&Standing { left: 3, burst: 10, ..standing }));
    }
}
