//! The fold: a session's metrics, one event at a time, in the order of the record.
//!
//! What METRICS.md defines over whole lists is kept here as running sums, so that a session costs
//! memory for its tasks and nothing for its length. [`crate::metrics_v1::oracle`] holds the whole-list form that
//! this one is tested against. All sums are integers; a ratio is formed once, at the end.

mod bounds;
mod each;
mod evidence;
mod facts;
mod packed;
mod play;
mod ratio;
mod tasks;
#[cfg(test)]
mod tests;
mod time;

use schemas::data::Data;
use schemas::event::Event;
use serde::{Deserialize, Serialize};

pub use bounds::{Bounds, PIECE_BYTES};
pub use ratio::ratio;

use crate::cow::Row;
use evidence::Recorded;
use play::Play;
use tasks::Tasks;
use time::{Mark, Time};

/// The metrics of a session, as far as its record has been folded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    #[serde(rename = "t")]
    time: Time,
    #[serde(rename = "k", default, skip_serializing_if = "Tasks::is_empty")]
    tasks: Tasks,
    #[serde(rename = "p", default, skip_serializing_if = "Play::is_empty")]
    play: Play,
    #[serde(rename = "e", default, skip_serializing_if = "Row::is_empty")]
    evidence: Row<Recorded>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    started: Option<Started>,
    /// A bound was reached.
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// What session.started told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Started {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    platform: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<String>,
}

impl Fold {
    /// Takes in the next event of the record. `idle_ms` is the session's idle threshold.
    ///
    /// A session.closed without a time takes that of the event before it.
    pub fn apply(&mut self, event: &Event<'_>, idle_ms: i64, bounds: Bounds) {
        let at = self.time.apply(event.timestamp.map(schemas::Timestamp::ms), mark(event), idle_ms);
        if event.is_action() {
            self.play.action(at);
        }
        match &event.data {
            Data::SessionStarted(told) if self.started.is_none() => {
                let kept = |text: &Option<schemas::Text<'_>>| {
                    text.as_ref().map(|text| bounds::cut(text, bounds.text_bytes).to_owned())
                };
                let texts = [&told.platform, &told.locale, &told.device];
                self.truncated |= texts.into_iter().flatten().any(|text| text.len() > bounds.text_bytes);
                let [platform, locale, device] = texts.map(kept);
                self.started = Some(Started { platform, locale, device });
            }
            Data::EvidenceRecorded(told) => {
                if self.evidence.len() < bounds.evidence {
                    self.evidence.push(Recorded::new(told, at));
                } else {
                    self.truncated = true;
                }
            }
            data => {
                self.play.count(data);
                let kept = self.tasks.apply(data, at, self.time.unpaused_ms(), &bounds);
                self.truncated |= !kept;
            }
        }
    }

    /// Distinct events folded.
    pub fn event_count(&self) -> u64 {
        self.time.events()
    }

    /// Tasks and pieces of evidence that it remembers one by one.
    pub fn parts(&self) -> usize {
        self.tasks.each.len() + self.evidence.len()
    }

    /// Time of the first event on the client's clock, in ms since the epoch; none before the first that has one.
    pub fn first_at(&self) -> Option<i64> {
        self.time.first()
    }

    /// The latest time seen on the client's clock, in ms since the epoch; none before the first.
    pub fn last_at(&self) -> Option<i64> {
        self.time.last()
    }

    /// Active time so far, in ms.
    pub fn active_ms(&self, idle_ms: i64) -> i64 {
        self.time.ended(idle_ms).active_ms()
    }
}

/// What an event does to time: most end a gap, a heartbeat does not, some begin or end being away.
fn mark(event: &Event<'_>) -> Mark {
    match event.data {
        Data::SessionHeartbeat => Mark::Heartbeat,
        Data::SessionPaused => Mark::Pause,
        Data::SessionResumed => Mark::Resume,
        Data::FocusLost => Mark::FocusLost,
        Data::FocusGained => Mark::FocusGained,
        _ if event.is_action() => Mark::Action,
        _ => Mark::Other,
    }
}
