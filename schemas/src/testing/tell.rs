//! Tells a session event by event: a player who starts tasks, fails, asks, pauses, leaves and comes back.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::value::{data, id};
use super::{CATALOGUE, OWN_TYPES, Style, uuid};
use crate::time::Timestamp;

/// 2026-01-01T00:00:00Z.
const BEGIN_MS: i64 = 1_767_225_600_000;

/// What players do besides their tasks.
const BESIDES: [&str; 6] =
    ["choice.made", "question.answered", "dialogue.viewed", "social.help", "social.turn", "social.message_sent"];

pub(super) struct Teller {
    rng: ChaCha8Rng,
    style: Style,
    session: Uuid,
    player: String,
    numbered: bool,
    at_ms: i64,
    task: Option<String>,
    events: Vec<Value>,
}

impl Teller {
    pub(super) fn new(mut rng: ChaCha8Rng, style: Style) -> Self {
        let session = uuid(&mut rng);
        let player = format!("p-{}", rng.random_range(0..50));
        let at_ms = BEGIN_MS + rng.random_range(0..30 * 86_400_000);
        let numbered = rng.random_bool(0.8);
        Self { rng, style, session, player, numbered, at_ms, task: None, events: Vec::new() }
    }

    pub(super) fn session(mut self) -> Vec<Value> {
        let steps = match self.rng.random_range(0..10) {
            0..2 => self.rng.random_range(1..10),
            2..9 => self.rng.random_range(10..80),
            _ => self.rng.random_range(80..300),
        };
        match self.rng.random_range(0..12) {
            0 => self.tell("session.heartbeat"),
            1..3 => self.anything(),
            _ => self.tell("session.started"),
        }
        // A close as a rule stands last; what comes after it is late, but belongs to the session.
        let closes = self.rng.random_bool(0.7);
        let early = if closes && self.rng.random_bool(0.04) { Some(self.rng.random_range(0..steps)) } else { None };
        for step in 0..steps {
            self.pass();
            if early == Some(step) {
                self.close();
            }
            self.act();
        }
        if self.rng.random_bool(0.08) {
            self.pass();
            self.tell("session.heartbeat");
        }
        if closes && early.is_none() {
            self.pass();
            self.close();
        }
        self.events
    }

    pub(super) fn evidence(mut self) -> Vec<Value> {
        for _ in 0..self.rng.random_range(1..6) {
            self.tell("evidence.recorded");
            self.pass();
        }
        self.events
    }

    /// Lets the client's clock go on, stand, or step back.
    fn pass(&mut self) {
        let rng = &mut self.rng;
        self.at_ms += match rng.random_range(0..100) {
            0..8 => 0,
            8..45 => rng.random_range(1..2_000),
            45..82 => rng.random_range(2_000..20_000),
            82..86 => rng.random_range(998..1_003),
            86..90 => rng.random_range(59_998..60_003),
            90..97 => rng.random_range(60_001..600_000),
            _ => -rng.random_range(1..90_000),
        };
    }

    fn act(&mut self) {
        match self.rng.random_range(0..100) {
            0..12 => {
                self.task = None;
                self.on_task("task.started");
            }
            12..32 => self.on_task("task.attempted"),
            32..44 => {
                let name = BESIDES.choose(&mut self.rng).copied().unwrap_or(BESIDES[0]);
                self.tell(name);
            }
            44..50 => self.on_task("hint.requested"),
            50..54 => self.on_task("strategy.changed"),
            54..57 => self.on_task("task.restarted"),
            57..62 => self.on_task("task.completed"),
            62..64 => self.on_task("task.failed"),
            64..67 => self.on_task("task.abandoned"),
            67..72 => self.away("session.paused", "session.resumed"),
            72..76 => self.away("focus.lost", "focus.gained"),
            76..80 => self.tell("session.heartbeat"),
            80..82 => self.burst(),
            82..85 if self.style.own_types => {
                let name = OWN_TYPES.choose(&mut self.rng).map_or(OWN_TYPES[0].0, |(name, _)| name);
                self.tell(name);
            }
            _ => self.anything(),
        }
    }

    /// On the task at hand as a rule, at times on another.
    fn on_task(&mut self, event_type: &str) {
        if self.task.is_none() || self.rng.random_bool(0.1) {
            self.task = Some(id(&mut self.rng));
        }
        let mut data = data(&mut self.rng, event_type, self.style);
        data.insert("task_id".to_owned(), json!(self.task));
        self.push(event_type, data);
    }

    /// Goes away, and as a rule comes back.
    fn away(&mut self, goes: &str, comes: &str) {
        self.tell(goes);
        if self.rng.random_bool(0.8) {
            self.pass();
            self.tell(comes);
        }
    }

    /// About as many actions within a second as no human makes.
    fn burst(&mut self) {
        for _ in 0..self.rng.random_range(19..24) {
            self.on_task("task.attempted");
            self.at_ms += self.rng.random_range(0..52);
        }
    }

    /// Any type at any time.
    fn anything(&mut self) {
        let fits = |name: &&str| !matches!(*name, "evidence.recorded" | "session.closed");
        let names: Vec<_> = CATALOGUE.iter().map(|entry| entry.name).filter(fits).collect();
        let name = names.choose(&mut self.rng).copied().unwrap_or("session.heartbeat");
        self.tell(name);
    }

    fn close(&mut self) {
        self.tell("session.closed");
        let (unnumbered, untimed) = (self.rng.random_bool(0.25), self.rng.random_bool(0.25));
        if let Some(close) = self.events.last_mut().and_then(Value::as_object_mut) {
            if unnumbered {
                close.remove("seq");
            }
            if untimed && self.style.untimed_close {
                close.remove("timestamp");
            }
        }
    }

    fn tell(&mut self, event_type: &str) {
        let data = data(&mut self.rng, event_type, self.style);
        self.push(event_type, data);
    }

    fn push(&mut self, event_type: &str, data: Map<String, Value>) {
        let mut event = json!({
            "event_id": uuid(&mut self.rng), "session_id": self.session, "player_id": self.player,
            "event_type": event_type, "timestamp": self.timestamp(),
        });
        if self.numbered {
            event["seq"] = self.next_seq().into();
        }
        if !data.is_empty() || self.rng.random_bool(0.3) {
            event["data"] = data.into();
        }
        self.events.push(event);
    }

    /// Without a gap, also after a close that stands without a number.
    fn next_seq(&self) -> usize {
        self.events.iter().filter(|event| event.get("seq").is_some()).count()
    }

    /// The client's clock in one of the spellings of RFC 3339.
    fn timestamp(&mut self) -> String {
        let at = Timestamp::from_ms(self.at_ms);
        let text = at.to_string();
        if !self.style.odd_forms {
            return text;
        }
        match self.rng.random_range(0..30) {
            0 => text.replace('Z', "999Z"),
            1 => text.replace('Z', "z").replace('T', "t"),
            2 => Timestamp::from_ms(self.at_ms + 19_800_000).to_string().replace('Z', "+05:30"),
            3 => Timestamp::from_ms(self.at_ms - 43_200_000).to_string().replace('Z', "-12:00"),
            _ => text,
        }
    }
}
