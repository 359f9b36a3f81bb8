//! A marker in few bytes.
//!
//! An entry is its length, two bytes of flags, the session's id, numbers, the player's name. Times and
//! offsets are written as distances: those of the sessions that end one after the other lie close together.

use schemas::data::CloseReason;
use schemas::{Game, PlayerId};
use uuid::Uuid;

use super::aside::{Aside, is_aside, ranges, ranges_of};
use crate::session::marker::Marker;
use crate::session::{Cause, Order, Owner};
use crate::varint::{self, Reader};

/// Longest entry, in bytes: its length is one of them.
pub(super) const LONGEST: usize = u8::MAX as usize;

const LENGTH_AT: usize = 0;
const FLAGS_AT: usize = 1;
const CAUSE_AT: usize = 2;
const SESSION_AT: usize = 3;
const NUMBERS_AT: usize = SESSION_AT + 16;

const DEAD: u8 = 1;
const ORDER: u8 = 0b110;
const ORDER_SHIFT: u32 = 1;
const PLAY: u8 = 1 << 3;
const GONE: u8 = 1 << 4;
const RANGES: u8 = 1 << 5;
const ASIDE: u8 = 1 << 6;
const PLAYER_IS_UUID: u8 = 1 << 7;

/// Beside the cause: as many events as seqs.
const WHOLE: u8 = 1 << 3;
const CAUSE: u8 = 0b111;

const ORDERS: [Order; 3] = [Order::Open, Order::Seq, Order::Log];
const REASONS: [CloseReason; 5] =
    [CloseReason::Completed, CloseReason::Abandoned, CloseReason::Error, CloseReason::Timeout, CloseReason::TooLong];

/// From where the times and offsets of some entries are reckoned.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Base {
    pub(super) time: i64,
    pub(super) offset: i64,
    /// From a session's last event to its end: grace for the most part.
    pub(super) rest: i64,
}

/// An entry, to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a>(&'a [u8]);

impl Base {
    /// For entries that follow this marker's.
    pub(super) fn of(marker: &Marker) -> Self {
        Self {
            time: marker.last_log_time,
            offset: marker.first_offset,
            rest: marker.last_log_time.wrapping_sub(marker.last_timestamp),
        }
    }
}

/// Writes a marker; what was in `out` gives way.
pub(super) fn pack(out: &mut Vec<u8>, base: Base, session: Uuid, name: u64, marker: &Marker) {
    out.clear();
    let ranges = ranges_of(marker);
    let has_ranges = !marker.skipped.is_empty() || !marker.holes.is_empty();
    let is_aside = is_aside(marker, &ranges);
    let player = marker.owner.player.as_str();
    let uuid = as_uuid(player);
    let flag = |holds: bool, flag: u8| if holds { flag } else { 0 };
    let order = ORDERS.iter().position(|order| *order == marker.order).unwrap_or(0).to_le_bytes()[0];
    out.push(0);
    out.push(
        order << ORDER_SHIFT
            | flag(marker.play, PLAY)
            | flag(marker.gone, GONE)
            | flag(has_ranges && !is_aside, RANGES)
            | flag(is_aside, ASIDE)
            | flag(uuid.is_some(), PLAYER_IS_UUID),
    );
    let place = |cause: &Cause| REASONS.iter().position(|reason| *reason == cause.reason);
    let cause = marker.cause.as_ref().and_then(place).map_or(0, |place| place.to_le_bytes()[0] + 1);
    out.push(cause | flag(marker.events == marker.next, WHOLE));
    out.extend_from_slice(session.as_bytes());
    varint::put_from(out, base.time, marker.last_log_time);
    varint::put(out, name);
    varint::put_from(out, base.offset, marker.first_offset);
    varint::put(out, marker.last_offset.wrapping_sub(marker.first_offset).cast_unsigned());
    varint::put(out, marker.last_log_time.wrapping_sub(marker.first_arrival).cast_unsigned());
    varint::put_from(out, marker.last_log_time.wrapping_sub(base.rest), marker.last_timestamp);
    varint::put(out, marker.next);
    if marker.events != marker.next {
        varint::put(out, marker.events);
    }
    varint::put(out, marker.revision);
    if let Some(cause) = marker.cause {
        varint::put_from(out, marker.last_log_time, cause.at);
    }
    if has_ranges && !is_aside {
        out.extend_from_slice(&ranges);
    }
    match &uuid {
        Some(uuid) => out.extend_from_slice(uuid.as_bytes()),
        None => out.extend_from_slice(player.as_bytes()),
    }
    out[LENGTH_AT] = out.len().to_le_bytes()[0];
}

impl<'a> Entry<'a> {
    /// The entry that begins there.
    pub(super) fn at(bytes: &'a [u8], at: usize) -> Self {
        let length = usize::from(bytes[at + LENGTH_AT]);
        Self(&bytes[at..at + length])
    }

    pub(super) fn len(self) -> usize {
        self.0.len()
    }

    /// Whether it was taken out.
    pub(super) fn is_dead(self) -> bool {
        self.flags() & DEAD != 0
    }

    /// Whether something of it is kept aside.
    pub(super) fn has_aside(self) -> bool {
        self.flags() & ASIDE != 0
    }

    pub(super) fn session(self) -> Uuid {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.0[SESSION_AT..NUMBERS_AT]);
        Uuid::from_bytes(bytes)
    }

    /// Log time when the session went, in ms.
    pub(super) fn last_log_time(self, base: Base) -> i64 {
        self.numbers().number_from(base.time)
    }

    /// The number of its tenant's game.
    pub(super) fn name(self) -> u64 {
        let mut numbers = self.numbers();
        numbers.number();
        numbers.number()
    }

    /// The marker.
    pub(super) fn unpack(self, base: Base, game: &Game, aside: Option<&Aside>) -> Marker {
        let (flags, cause_flags) = (self.flags(), self.0[CAUSE_AT]);
        let mut numbers = self.numbers();
        let last_log_time = numbers.number_from(base.time);
        numbers.number();
        let first_offset = numbers.number_from(base.offset);
        let last_offset = first_offset.wrapping_add(numbers.number().cast_signed());
        let first_arrival = last_log_time.wrapping_sub(numbers.number().cast_signed());
        let last_timestamp = numbers.number_from(last_log_time.wrapping_sub(base.rest));
        let next = numbers.number();
        let events = if cause_flags & WHOLE == 0 { numbers.number() } else { next };
        let revision = numbers.number();
        let reason = usize::from(cause_flags & CAUSE).checked_sub(1).and_then(|place| REASONS.get(place));
        let cause = reason.map(|reason| Cause { reason: *reason, at: numbers.number_from(last_log_time) });
        let aside = aside.cloned().unwrap_or_default();
        let (mut skipped, mut holes) = (aside.skipped, aside.holes);
        if flags & RANGES != 0 {
            (skipped, holes) = (ranges(&mut numbers), ranges(&mut numbers));
        }
        let player = player(numbers.rest(), flags & PLAYER_IS_UUID != 0);
        let order = ORDERS.get(usize::from((flags & ORDER) >> ORDER_SHIFT)).copied().unwrap_or(Order::Open);
        Marker {
            owner: Owner { game: game.clone(), player },
            order,
            next,
            skipped,
            holes,
            events,
            revision,
            first_offset,
            last_offset,
            first_arrival,
            last_timestamp,
            last_log_time,
            play: flags & PLAY != 0,
            cause,
            gone: flags & GONE != 0,
            known: aside.known,
        }
    }

    fn flags(self) -> u8 {
        self.0[FLAGS_AT]
    }

    fn numbers(self) -> Reader<'a> {
        Reader::new(&self.0[NUMBERS_AT..])
    }
}

/// Marks the entry that begins there as taken out.
pub(super) fn kill(bytes: &mut [u8], at: usize) {
    bytes[at + FLAGS_AT] |= DEAD;
}

/// A name that is an id in its one usual form.
fn as_uuid(name: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(name).ok()?;
    let mut usual = Uuid::encode_buffer();
    (uuid.hyphenated().encode_lower(&mut usual) == name).then_some(uuid)
}

#[expect(clippy::expect_used, reason = "the same bytes were a player's name when they were packed")]
fn player(bytes: &[u8], is_uuid: bool) -> PlayerId<'static> {
    let name = if is_uuid {
        Uuid::from_slice(bytes).map(|uuid| uuid.to_string()).unwrap_or_default()
    } else {
        String::from_utf8_lossy(bytes).into_owned()
    };
    PlayerId::parse(name).expect("a player's name")
}
