//! How a session reaches the gateway: in batches, offline for a while, twice, out of order.

use std::sync::Arc;

use rand::Rng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use super::event::{Event, Id, Request};
use super::player::Device;

/// A client sends at most so many events at once.
const LARGEST_BATCH: usize = 200;

/// A request that is due.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// When it is sent, in ms since the simulation's start.
    pub at_ms: i64,
    /// How far the sender's clock is off, in ms.
    pub clock_ms: i64,
    /// Whether it was sent before: its answer was lost.
    pub again: bool,
    /// What is sent.
    pub request: Request,
}

/// Cuts a session's events into requests and says when each is sent.
pub(super) fn deliveries(events: Vec<Event>, device: &Device, rng: &mut ChaCha8Rng) -> Vec<Delivery> {
    let offline = offline_span(&events, device, rng);
    let mut batches: Vec<(i64, Vec<Arc<Event>>)> = Vec::new();
    for event in events.into_iter().map(Arc::new) {
        // The client's clock may be off; its timer is not.
        let happened = event.at_ms - device.clock_ms;
        let tick = (happened / device.flush_ms + 1) * device.flush_ms;
        let sent = match offline {
            Some((from, until)) if (from..until).contains(&tick) => until,
            _ => tick,
        };
        match batches.last_mut() {
            Some((due, batch)) if *due == sent && batch.len() < LARGEST_BATCH => batch.push(event),
            _ => batches.push((sent, vec![event])),
        }
    }
    batches.into_iter().flat_map(|(due, batch)| transmit(due, batch, device, rng)).collect()
}

/// The close call, which goes the same way.
pub(super) fn close(at_ms: i64, request: Request, device: &Device, rng: &mut ChaCha8Rng) -> Vec<Delivery> {
    send(at_ms, request, device, rng)
}

/// When the device is offline during a session, if it is: from and until.
fn offline_span(events: &[Event], device: &Device, rng: &mut ChaCha8Rng) -> Option<(i64, i64)> {
    let (first, last) = (events.first()?.at_ms - device.clock_ms, events.last()?.at_ms - device.clock_ms);
    if last <= first || !rng.random_bool(device.bad_network) {
        return None;
    }
    let from = rng.random_range(first..last);
    // Some come back during the session, some only after it.
    let until =
        if rng.random_bool(0.6) { rng.random_range(from..=last) } else { last + rng.random_range(10_000..900_000) };
    Some((from, until))
}

/// One batch: perhaps shuffled, alone where it holds one event.
fn transmit(due: i64, mut batch: Vec<Arc<Event>>, device: &Device, rng: &mut ChaCha8Rng) -> Vec<Delivery> {
    if rng.random_bool(0.03) {
        batch.shuffle(rng);
    }
    let id = Id { at_ms: due, bits: rng.random() };
    let request = match batch.as_slice() {
        [single] if rng.random_bool(0.5) => Request::Single(Arc::clone(single)),
        _ => Request::Batch { id, events: batch },
    };
    send(due, request, device, rng)
}

/// One request: perhaps late, so that the next ones overtake it, and perhaps twice.
fn send(due: i64, request: Request, device: &Device, rng: &mut ChaCha8Rng) -> Vec<Delivery> {
    let trouble = 0.02 + device.bad_network * 0.2;
    let mut at_ms = due + rng.random_range(20..400);
    if rng.random_bool(trouble) {
        at_ms += rng.random_range(2_000..20_000);
    }
    let first = Delivery { at_ms, clock_ms: device.clock_ms, again: false, request };
    if !rng.random_bool(trouble) {
        return vec![first];
    }
    let again = Delivery { at_ms: at_ms + rng.random_range(800..8_000), again: true, ..first.clone() };
    vec![first, again]
}
