//! What one request uses: of its limits, and of what the gateway has room for.

use parking_lot::Mutex;

use super::address::Address;
use super::load::{Full, Place};
use super::standing::{Refusal, Standing};
use crate::problem::{Code, Problem};

/// A request's use of limits.
#[derive(Debug)]
pub struct Meter {
    /// Where the request comes from.
    pub address: Address,
    /// Its place among those in flight, where it brings events.
    place: Option<Place>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tightest: Option<Standing>,
    overflowed: bool,
}

impl Meter {
    /// Of a request from there.
    pub fn new(address: Address, place: Option<Place>) -> Self {
        Self { address, place, state: Mutex::default() }
    }

    /// The same, with a place among the requests in flight.
    pub fn with_place(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }

    /// Notes what a limit said.
    ///
    /// # Errors
    /// As it is.
    pub fn note(&self, taken: Result<Option<Standing>, Refusal>) -> Result<(), Refusal> {
        let (standing, passed) = match taken {
            Ok(None) => return Ok(()),
            Ok(Some(standing)) => (standing, Ok(())),
            Err(refusal) => (refusal.standing, Err(refusal)),
        };
        let mut state = self.state.lock();
        if passed.is_err() || state.tightest.is_none_or(|tightest| standing.is_tighter_than(&tightest)) {
            state.tightest = Some(standing);
        }
        passed
    }

    /// The allowance of which the least is left; what refused the request, if anything did.
    pub fn tightest(&self) -> Option<Standing> {
        self.state.lock().tightest
    }

    /// Holds bytes of its body, as long as the request is under way.
    ///
    /// # Errors
    /// When too many are in flight.
    pub fn hold(&self, bytes: usize) -> Result<(), Problem> {
        let Some(place) = &self.place else { return Ok(()) };
        place.hold(bytes).map_err(|full| {
            self.state.lock().overflowed = true;
            full.into()
        })
    }

    /// Whether there was no room for its body.
    pub fn has_overflowed(&self) -> bool {
        self.state.lock().overflowed
    }
}

impl From<Full> for Problem {
    fn from(full: Full) -> Self {
        let words = match full {
            Full::Requests => "as many requests are under way as may be",
            Full::Bytes => "as many bytes of requests are under way as may be",
            Full::Log => "the log is slow",
        };
        Self::new(Code::Overloaded, format!("the gateway is overloaded: {words}; send the same events again"))
    }
}
