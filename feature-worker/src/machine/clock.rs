//! Log time of a partition that has been read to its end: it goes on by the monotonic clock alone.

use super::Settings;
use super::halt::Halt;
use super::layer::Room;
use super::partition::{Partition, Phase};

impl Partition {
    /// All that the log has was handed in.
    pub(super) fn caught_up(&mut self) {
        self.caught_up = true;
    }

    /// All that was handed in has been applied.
    pub(super) fn finished(&mut self, now: i64) {
        if std::mem::take(&mut self.caught_up) {
            self.drained_at.get_or_insert(now);
        }
    }

    /// Records have come: log time goes by them again.
    pub(super) fn flowing(&mut self) {
        (self.drained_at, self.caught_up) = (None, false);
    }

    /// Log time as it goes on while the partition is drained.
    pub(super) fn running_log_time(&self, now: i64) -> i64 {
        let since = self.drained_at.map_or(0, |at| now.saturating_sub(at).max(0));
        if self.log_time == i64::MIN { i64::MIN } else { self.log_time.saturating_add(since) }
    }

    /// Lets deadlines fire that time alone has passed.
    pub(super) fn tick(&mut self, now: i64, settings: &Settings, room: Room) -> Result<(), Halt> {
        if self.phase == Phase::Live && self.drained_at.is_some() && self.log_time > i64::MIN {
            let fires = self.running_log_time(now).saturating_sub(settings.margin_ms);
            if fires > self.log_time {
                self.fire(fires, settings, room)?;
            }
        }
        Ok(())
    }
}
