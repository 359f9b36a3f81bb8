//! The one place that reads a clock.
//!
//! Wall time is read once and carried on by the clock that counts since the machine's boot, so that
//! a step of the host's clock moves nothing here, and a machine that slept is not behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that never steps back. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Wall time when the clock was made.
    start_ms: i64,
    source: Source,
    /// What is added to the host's wall clock, and to its clock since boot: nothing but in tests.
    wall_moved_ms: AtomicI64,
    boot_moved_ms: AtomicI64,
}

/// What carries a clock on from its start.
#[derive(Debug)]
enum Source {
    Host {
        /// Since the machine's boot, when the clock was made.
        boot: Duration,
        began: Instant,
    },
    /// The runtime's own time.
    Runtime { began: tokio::time::Instant },
}

impl Clock {
    /// A clock set by the host's, now.
    pub fn system() -> Self {
        Self::of_host(0)
    }

    /// The clock of a host whose own is so many milliseconds ahead: for tests of clocks that disagree.
    pub fn ahead_by(ms: i64) -> Self {
        Self::of_host(ms)
    }

    /// A clock that starts at `start_ms` and goes by the time of the runtime in which it is made: where that
    /// is paused, as in a simulation, so is the clock. Its host's clock is the real one all the same.
    pub fn of_runtime(start_ms: i64) -> Self {
        let inner = Inner {
            start_ms,
            source: Source::Runtime { began: tokio::time::Instant::now() },
            wall_moved_ms: AtomicI64::new(0),
            boot_moved_ms: AtomicI64::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    fn of_host(ahead_ms: i64) -> Self {
        let began = Instant::now();
        let inner = Inner {
            start_ms: host_ms().saturating_add(ahead_ms),
            source: Source::Host { boot: since_boot().unwrap_or_default(), began },
            wall_moved_ms: AtomicI64::new(ahead_ms),
            boot_moved_ms: AtomicI64::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Milliseconds since the epoch: the host's clock when this one was made, carried on from there.
    pub fn now_ms(&self) -> i64 {
        let Inner { start_ms, source, boot_moved_ms, .. } = &*self.inner;
        let passed = match source {
            Source::Host { boot, began } => {
                since_boot().map_or_else(|| began.elapsed(), |now| now.saturating_sub(*boot))
            }
            Source::Runtime { began } => began.elapsed(),
        };
        start_ms.saturating_add(millis(passed)).saturating_add(boot_moved_ms.load(Ordering::Relaxed))
    }

    /// Milliseconds since this clock was made, less what the machine slept: for what must not depend
    /// on wall time at all.
    pub fn monotonic_ms(&self) -> i64 {
        millis(self.monotonic())
    }

    /// As [`Clock::monotonic_ms`], to the nanosecond: to measure what takes less.
    pub fn monotonic(&self) -> Duration {
        match &self.inner.source {
            Source::Host { began, .. } => began.elapsed(),
            Source::Runtime { began } => began.elapsed(),
        }
    }

    /// What the host's clock says now, in milliseconds since the epoch. It may step: to be compared
    /// with [`Clock::now_ms`], never to be stamped with.
    pub fn host_ms(&self) -> i64 {
        host_ms().saturating_add(self.inner.wall_moved_ms.load(Ordering::Relaxed))
    }

    /// Steps the host's clock, as this clock sees it: for tests.
    pub fn step_host(&self, ms: i64) {
        self.inner.wall_moved_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Lets the machine sleep, as this clock sees it: for tests.
    pub fn sleep_host(&self, ms: i64) {
        self.inner.boot_moved_ms.fetch_add(ms, Ordering::Relaxed);
        self.step_host(ms);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place that reads the host's clock")]
fn host_ms() -> i64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO))
}

/// Time since the machine's boot, sleep included; none where the system does not tell.
fn since_boot() -> Option<Duration> {
    use nix::time::{ClockId, clock_gettime};
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const SINCE_BOOT: ClockId = ClockId::CLOCK_BOOTTIME;
    // macOS counts sleep here; elsewhere it is the best there is.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const SINCE_BOOT: ClockId = ClockId::CLOCK_MONOTONIC;
    clock_gettime(SINCE_BOOT).ok().map(Duration::from)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;

    fn apart_ms(clock: &Clock) -> i64 {
        (clock.now_ms() - clock.host_ms()).abs()
    }

    #[test]
    fn a_step_of_the_hosts_clock_moves_nothing() {
        let clock = Clock::system();
        assert!(apart_ms(&clock) < MINUTE);
        let before = clock.now_ms();
        clock.step_host(-HOUR);
        assert!((before..before + MINUTE).contains(&clock.now_ms()));
        assert!(apart_ms(&clock) > HOUR - MINUTE, "and can be seen");
    }

    #[test]
    fn a_machine_that_slept_is_not_behind() {
        let clock = Clock::system();
        let monotonic = clock.monotonic_ms();
        clock.sleep_host(HOUR);
        assert!(apart_ms(&clock) < MINUTE);
        assert!(clock.monotonic_ms() < monotonic + MINUTE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_of_the_runtime_goes_by_its_time_alone() {
        let clock = Clock::of_runtime(HOUR);
        tokio::time::advance(Duration::from_hours(5)).await;
        assert_eq!((clock.now_ms(), clock.monotonic_ms()), (6 * HOUR, 5 * HOUR));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn time_is_carried_by_the_clock_that_counts_sleep() {
        // The kernel tells the same clock here, in seconds.
        let told = std::fs::read_to_string("/proc/uptime").unwrap();
        let told: f64 = told.split(' ').next().unwrap().parse().unwrap();
        assert!((since_boot().unwrap().as_secs_f64() - told).abs() < 1.0);
    }
}
