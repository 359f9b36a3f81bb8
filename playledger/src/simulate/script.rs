//! What a player does in a session, written down with its times.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::player::Player;

/// A silence longer than this holds heartbeats.
const HEARTBEAT_MS: i64 = 30_000;

/// Something that happened, on the simulation's clock.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Happening {
    /// When, in ms since the simulation's start.
    pub at_ms: i64,
    /// The event's type.
    pub event_type: &'static str,
    /// Its data, where it has any.
    pub data: Option<Value>,
}

/// A session being played.
pub(super) struct Script<'a> {
    /// Who plays.
    pub player: &'a mut Player,
    /// Their luck.
    pub rng: &'a mut ChaCha8Rng,
    /// The time now.
    pub now_ms: i64,
    /// What has happened.
    pub happened: Vec<Happening>,
    /// What the player has of the game's currency.
    pub coins: i64,
    /// The score of this session.
    pub score: i64,
}

impl Script<'_> {
    /// Writes down an event.
    pub(super) fn tell(&mut self, event_type: &'static str, data: Value) {
        let data = (!data.is_null()).then_some(data);
        self.happened.push(Happening { at_ms: self.now_ms, event_type, data });
    }

    /// Lets time pass; the client sends heartbeats meanwhile.
    pub(super) fn pass(&mut self, ms: i64) {
        let until = self.now_ms + ms.max(1);
        let mut beat = self.happened.last().map_or(self.now_ms, |last| last.at_ms) + HEARTBEAT_MS;
        while beat < until {
            self.happened.push(Happening { at_ms: beat, event_type: "session.heartbeat", data: None });
            beat += HEARTBEAT_MS;
        }
        self.now_ms = until;
    }

    /// Lets a time between two bounds pass.
    pub(super) fn pass_between(&mut self, from_ms: i64, to_ms: i64) {
        let ms = self.rng.random_range(from_ms..to_ms);
        self.pass(ms);
    }

    /// Whether something of this probability happens.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability.clamp(0.0, 1.0))
    }

    /// One of several, by chance.
    pub(super) fn any<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.random_range(0..of.len())]
    }

    /// What may come between any two actions: a lapse of focus, a pause.
    pub(super) fn interlude(&mut self) {
        if self.chance(self.player.distraction) {
            let cause = self.any(&["blur", "background", "distraction"]);
            self.tell("focus.lost", json!({ "cause": cause }));
            self.pass_between(2_000, 50_000);
            // Some clients miss the way back; the next action shows it all the same.
            if self.chance(0.92) {
                self.tell("focus.gained", json!({ "cause": cause }));
                self.pass_between(300, 2_000);
            }
        } else if self.chance(0.01) {
            let reason = self.any(&["user", "menu", "system"]);
            self.tell("session.paused", json!({ "reason": reason }));
            self.pass_between(5_000, 100_000);
            self.tell("session.resumed", json!({ "reason": reason }));
            self.pass_between(300, 2_000);
        }
    }
}
