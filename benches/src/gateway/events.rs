//! Made-up play of a given size, so that what an event costs can be set against how large it is.

use std::fmt::Write as _;

use bytes::Bytes;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use uuid::Uuid;

/// Events of a session that come in a row before those of the next one.
const IN_A_ROW: usize = 10;

/// An attempt has about so many bytes at least; smaller events are heartbeats.
const LEAST_ATTEMPT: usize = 270;

/// Makes events, none of them twice within a run.
#[derive(Debug)]
pub(super) struct Play {
    ids: ChaCha8Rng,
    bytes: usize,
    session: Uuid,
    player: u32,
    seq: usize,
    now_ms: i64,
}

impl Play {
    /// Events of about so many bytes each; two plays of different seeds have no id in common.
    pub(super) fn new(seed: u64, bytes: usize, now_ms: i64) -> Self {
        Self { ids: ChaCha8Rng::seed_from_u64(seed), bytes, session: Uuid::nil(), player: 0, seq: 0, now_ms }
    }

    /// The next event's JSON.
    fn event(&mut self) -> String {
        if self.seq.is_multiple_of(IN_A_ROW) {
            self.session = self.id();
            self.player = self.ids.random_range(0..100_000);
            self.seq = 0;
        }
        let (id, at) = (self.id(), schemas::Timestamp::from_ms(self.now_ms));
        if self.bytes < LEAST_ATTEMPT {
            self.seq += 1;
            return format!(
                r#"{{"event_id":"{id}","session_id":"{}","player_id":"p-{:05}","seq":{},"event_type":"session.heartbeat","timestamp":"{at}"}}"#,
                self.session,
                self.player,
                self.seq - 1,
            );
        }
        let mut text = format!(
            r#"{{"event_id":"{id}","session_id":"{}","player_id":"p-{:05}","seq":{},"event_type":"task.attempted","timestamp":"{at}","data":{{"task_id":"L{:02}","outcome":"failure","latency_ms":{}"#,
            self.session,
            self.player,
            self.seq,
            self.ids.random_range(0..99),
            self.ids.random_range(200..20_000),
        );
        self.seq += 1;
        // What a game adds of its own: small objects, as a trail of positions.
        if text.len() + r#","trail":[]}}"#.len() < self.bytes {
            text.push_str(r#","trail":["#);
            let mut first = true;
            while text.len() + r#"{"x":123,"y":-12.5},]}}"#.len() <= self.bytes {
                if !std::mem::take(&mut first) {
                    text.push(',');
                }
                let (x, y) = (self.ids.random_range(100..999), self.ids.random_range(10..99));
                let _ = write!(text, r#"{{"x":{x},"y":-{y}.5}}"#);
            }
            text.push(']');
        }
        text.push_str("}}");
        text
    }

    fn id(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.ids.random()).into_uuid()
    }

    /// Whole HTTP requests of `batch` events each, for a gateway at `host` under `key`.
    pub(super) fn requests(&mut self, count: usize, batch: usize, host: &str, key: &str) -> Vec<Bytes> {
        (0..count).map(|_| self.request(batch, host, key)).collect()
    }

    fn request(&mut self, batch: usize, host: &str, key: &str) -> Bytes {
        let events: Vec<_> = (0..batch).map(|_| self.event()).collect();
        let (path, body) = match &*events {
            [event] => ("/v1/events", event.clone()),
            events => ("/v1/batch", format!(r#"{{"app_version":"1.4.2","events":[{}]}}"#, events.join(","))),
        };
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_sound_and_of_the_size_asked_for() {
        for bytes in [200, 300, 1_000, 8_000] {
            let mut play = Play::new(1, bytes, 1_700_000_000_000);
            for _ in 0..30 {
                let text = play.event();
                schemas::parse::event(&text).unwrap();
                assert!(text.len() <= bytes + 10 && text.len() + 40 > bytes, "{}: {text}", text.len());
            }
        }
    }
}
