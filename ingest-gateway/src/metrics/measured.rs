//! Handles of the metrics that every request moves: looked up when they are first moved, not each time, for a
//! look-up by labels makes a key of them.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::Open;
use super::catalogue::{ANSWER_BYTES, APPEND_SECONDS, BODY_BYTES, EVENTS, IN_FLIGHT, REQUEST_SECONDS, REQUESTS};
use crate::http::calls::{Call, route};
use crate::outcomes::Fate;

/// Statuses that most answers have; others are looked up.
const STATUSES: [u16; 8] = [200, 202, 207, 400, 401, 422, 429, 503];

/// A gateway's handles.
#[derive(Default)]
pub struct Measured {
    /// One a call, and one for paths that are none's.
    routes: [Route; Call::ALL.len() + 1],
    in_flight: OnceLock<Gauge>,
    encoded: OnceLock<Counter>,
    decoded: OnceLock<Counter>,
    appended: OnceLock<Histogram>,
    /// One an outcome.
    events: [OnceLock<Counter>; Fate::ALL.len()],
}

#[derive(Default)]
struct Route {
    seconds: OnceLock<Histogram>,
    bytes: OnceLock<Counter>,
    statuses: [OnceLock<Counter>; STATUSES.len()],
}

impl Measured {
    /// A request came; it counts as open until what is given is dropped.
    pub fn request(&self) -> Open {
        Open::of(self.in_flight.get_or_init(|| gauge!(IN_FLIGHT)).clone())
    }

    /// A request was answered, with a body of so many bytes.
    pub fn answered(&self, call: Option<Call>, status: u16, bytes: u64, took: Duration) {
        let name = route(call);
        let route = &self.routes[call.map_or(Call::ALL.len(), |call| call as usize)];
        let requests = || counter!(REQUESTS, "route" => name, "status" => status.to_string());
        match STATUSES.iter().position(|known| *known == status) {
            Some(place) => route.statuses[place].get_or_init(requests).increment(1),
            None => requests().increment(1),
        }
        route.seconds.get_or_init(|| histogram!(REQUEST_SECONDS, "route" => name)).record(took.as_secs_f64());
        route.bytes.get_or_init(|| counter!(ANSWER_BYTES, "route" => name)).increment(bytes);
    }

    /// A body was read.
    pub fn body(&self, encoded: usize, decoded: usize) {
        self.encoded.get_or_init(|| counter!(BODY_BYTES, "form" => "encoded")).increment(encoded as u64);
        self.decoded.get_or_init(|| counter!(BODY_BYTES, "form" => "decoded")).increment(decoded as u64);
    }

    /// The log acknowledged a request's records.
    pub fn appended(&self, took: Duration) {
        self.appended.get_or_init(|| histogram!(APPEND_SECONDS)).record(took.as_secs_f64());
    }

    /// So many events had that outcome.
    pub fn events(&self, outcome: Fate, count: u64) {
        self.events[outcome as usize].get_or_init(|| counter!(EVENTS, "outcome" => outcome.as_str())).increment(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_and_each_outcome_has_a_place_of_its_own() {
        for (place, call) in Call::ALL.into_iter().enumerate() {
            assert_eq!(call as usize, place, "{call:?}");
        }
        for (place, fate) in Fate::ALL.into_iter().enumerate() {
            assert_eq!(fate as usize, place, "{fate:?}");
        }
    }
}
