//! Made-up sessions, so many of them live at once: events in turns, each session's at even distances.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use schemas::Timestamp;
use uuid::Uuid;

/// Sessions that take turns.
#[derive(Debug)]
pub(super) struct Play {
    ids: ChaCha8Rng,
    sessions: Vec<Session>,
    turn: usize,
}

/// One of them.
#[derive(Debug)]
struct Session {
    id: Uuid,
    player: u64,
    seq: usize,
}

/// One event.
#[derive(Debug)]
pub(super) struct Event {
    /// Its JSON.
    pub(super) text: String,
    /// Its player, who plays this session only.
    pub(super) player: String,
    /// Whether it closes its session.
    pub(super) closes: bool,
}

impl Play {
    /// So many sessions; plays of different seeds have no id in common.
    pub(super) fn new(seed: u64, live: usize) -> Self {
        let mut play = Self { ids: ChaCha8Rng::seed_from_u64(seed), sessions: Vec::with_capacity(live), turn: 0 };
        for _ in 0..live {
            let session = play.session();
            play.sessions.push(session);
        }
        play
    }

    /// The next event of the session whose turn it is. A session of `length` events is closed by its last one,
    /// and a new one takes its place; without a length none ends.
    pub(super) fn event(&mut self, at_ms: i64, length: Option<usize>) -> Event {
        let turn = self.turn;
        self.turn = (turn + 1) % self.sessions.len();
        let (event_id, at) = (self.id(), Timestamp::from_ms(at_ms));
        let (task, latency) = (self.ids.random_range(0..20), self.ids.random_range(200..20_000));
        let Session { id, player, seq } = &mut self.sessions[turn];
        let (player, number) = (format!("p-{player:x}"), *seq);
        *seq += 1;
        let closes = length == Some(number + 1);
        let what = match number {
            _ if closes => r#""session.closed","data":{"reason":"completed"}"#.to_owned(),
            0 => r#""session.started","data":{"platform":"web","locale":"de-AT"}"#.to_owned(),
            _ if number % 4 == 1 => format!(r#""task.started","data":{{"task_id":"L{task:02}","difficulty":0.4}}"#),
            _ if number % 4 == 3 => format!(r#""task.completed","data":{{"task_id":"L{task:02}","score":0.5}}"#),
            _ => format!(
                r#""task.attempted","data":{{"task_id":"L{task:02}","outcome":"failure","latency_ms":{latency}}}"#
            ),
        };
        let text = format!(
            r#"{{"event_id":"{event_id}","session_id":"{id}","player_id":"{player}","seq":{number},"timestamp":"{at}","event_type":{what}}}"#
        );
        if closes {
            self.sessions[turn] = self.session();
        }
        Event { text, player, closes }
    }

    fn session(&mut self) -> Session {
        Session { id: self.id(), player: self.ids.random(), seq: 0 }
    }

    fn id(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.ids.random()).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn every_event_is_sound_and_every_session_is_whole() {
        let mut play = Play::new(7, 5);
        let mut next: HashMap<Uuid, u64> = HashMap::new();
        let mut closed = 0;
        for number in 0..100 {
            let made = play.event(1_780_000_000_000 + number, Some(10));
            let event = schemas::parse::event(&made.text).unwrap();
            let seq = next.entry(event.session_id).or_default();
            assert_eq!((event.seq, event.is_close()), (Some(*seq), made.closes));
            assert_eq!(event.player_id.as_str(), made.player);
            assert_eq!(made.closes, *seq == 9);
            *seq += 1;
            closed += usize::from(made.closes);
        }
        assert_eq!((next.len(), closed), (10, 10));
    }
}
