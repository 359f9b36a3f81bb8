//! How much work there is at once: requests and bytes of bodies in flight, and how long the log makes
//! them wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Bounds of the work at once.
#[derive(Clone, Copy, Debug)]
pub struct LoadBounds {
    /// Requests that bring events.
    pub requests: usize,
    /// Bytes of their bodies, as they came and decoded.
    pub bytes: usize,
    /// No new ones while the log owes an acknowledgement for so long.
    pub shed_after: Duration,
}

/// The work there is.
#[derive(Debug)]
pub struct Load {
    bounds: LoadBounds,
    requests: AtomicUsize,
    bytes: AtomicUsize,
    oldest_ms: AtomicU64,
}

/// A request's place among those in flight, and what it holds of memory, until it is dropped.
#[derive(Debug)]
pub struct Place {
    load: Arc<Load>,
    bytes: AtomicUsize,
}

/// Why no request is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Too many in flight.
    Requests,
    /// Too many bytes.
    Bytes,
    /// The log is slow.
    Log,
}

impl Full {
    /// The word that stands for it in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests-in-flight",
            Self::Bytes => "bytes-in-flight",
            Self::Log => "log-age",
        }
    }
}

impl Load {
    /// None as yet.
    pub fn new(bounds: LoadBounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            requests: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            oldest_ms: AtomicU64::new(0),
        })
    }

    /// Takes a request that says that its body has `length` bytes; they are held when they arrive, since who
    /// says a length need not send it.
    ///
    /// # Errors
    /// When there is too much to do already.
    pub fn enter(self: &Arc<Self>, length: usize) -> Result<Place, Full> {
        if Duration::from_millis(self.oldest_ms.load(Ordering::Relaxed)) > self.bounds.shed_after {
            return Err(Full::Log);
        }
        if self.bytes().saturating_add(length) > self.bounds.bytes {
            return Err(Full::Bytes);
        }
        let before = self.requests.fetch_add(1, Ordering::Relaxed);
        // Counts itself out again when it is dropped, here too.
        let place = Place { load: Arc::clone(self), bytes: AtomicUsize::new(0) };
        if before < self.bounds.requests { Ok(place) } else { Err(Full::Requests) }
    }

    /// Notes the age of the oldest record that waits for its acknowledgement.
    pub fn note_oldest(&self, age: Duration) {
        self.oldest_ms.store(u64::try_from(age.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Bytes in flight.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Requests in flight.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Place {
    /// Holds so many bytes more.
    ///
    /// # Errors
    /// When there are too many; then these are not held.
    pub fn hold(&self, bytes: usize) -> Result<(), Full> {
        let held = self.load.bytes.fetch_add(bytes, Ordering::Relaxed);
        if held.saturating_add(bytes) > self.load.bounds.bytes {
            self.load.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Full::Bytes);
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.load.bytes.fetch_sub(*self.bytes.get_mut(), Ordering::Relaxed);
        self.load.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load() -> Arc<Load> {
        Load::new(LoadBounds { requests: 2, bytes: 100, shed_after: Duration::from_secs(1) })
    }

    #[test]
    fn places_and_bytes_are_bounded_and_come_back() {
        let load = load();
        assert_eq!(load.enter(101).unwrap_err(), Full::Bytes);
        let (first, second) = (load.enter(60).unwrap(), load.enter(60).unwrap());
        assert_eq!(load.enter(0).unwrap_err(), Full::Requests);
        first.hold(60).unwrap();
        assert_eq!(second.hold(60), Err(Full::Bytes));
        second.hold(40).unwrap();
        drop(first);
        assert_eq!((load.requests(), load.bytes()), (1, 40));
        drop(second);
        assert_eq!((load.requests(), load.bytes()), (0, 0));
    }

    #[test]
    fn a_slow_log_sheds_until_it_has_caught_up() {
        let load = load();
        load.note_oldest(Duration::from_millis(1_001));
        assert_eq!(load.enter(0).unwrap_err(), Full::Log);
        assert_eq!(load.requests(), 0);
        load.note_oldest(Duration::from_secs(1));
        load.enter(0).unwrap();
    }
}
