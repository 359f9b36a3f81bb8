//! Real play as load: the sessions of `tests/data/waves.ndjson`, over and over, each time under new
//! ids and with a close.

use std::collections::VecDeque;
use std::path::Path;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use uuid::Uuid;

/// Sessions that one connection plays at the same time.
const AT_ONCE: usize = 64;
/// So many events of a session come in a row before those of the next one.
const IN_A_ROW: usize = 10;

/// The sessions that were really played.
#[derive(Debug)]
pub struct Waves {
    sessions: Vec<Vec<Line>>,
}

/// One event as its text, and what in it differs from one playing to the next.
#[derive(Debug)]
struct Line {
    text: String,
    event_id: String,
    session_id: String,
    player_id: String,
    timestamp: String,
}

/// A session to be sent, its events in the order of its record.
#[derive(Debug)]
pub struct Session {
    /// Its id.
    pub id: Uuid,
    /// Its events as JSON, the close last.
    pub events: Vec<String>,
}

/// The body of one request.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What POST /v1/batch takes.
    pub body: Bytes,
    /// How many events it holds.
    pub events: usize,
}

#[derive(Deserialize)]
struct Told {
    event_id: String,
    session_id: String,
    player_id: String,
    timestamp: String,
}

impl Waves {
    /// Reads them.
    ///
    /// # Errors
    /// When the file is absent or is not what it should be.
    pub fn read() -> anyhow::Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/waves.ndjson");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mut lines = Vec::new();
        for line in text.lines() {
            let Told { event_id, session_id, player_id, timestamp } = serde_json::from_str(line)?;
            lines.push(Line { text: line.to_owned(), event_id, session_id, player_id, timestamp });
        }
        ensure!(!lines.is_empty(), "{}: holds no events", path.display());
        let mut sessions: Vec<Vec<Line>> = Vec::new();
        for line in lines {
            match sessions.last_mut() {
                Some(session) if session.last().is_some_and(|last| last.session_id == line.session_id) => {
                    session.push(line);
                }
                _ => sessions.push(vec![line]),
            }
        }
        Ok(Self { sessions })
    }

    /// The texts of all events, as they were recorded.
    pub fn texts(&self) -> Vec<&str> {
        self.sessions.iter().flatten().map(|line| line.text.as_str()).collect()
    }

    /// Playing `number` of a session: its ids follow from the number. At most so many events, at least
    /// two, the last of them a close.
    pub fn session(&self, number: usize, most: usize) -> Session {
        let lines = &self.sessions[number % self.sessions.len()];
        let mut ids = ChaCha8Rng::seed_from_u64(u64::try_from(number).unwrap_or(u64::MAX));
        let mut new_id = || uuid::Builder::from_random_bytes(ids.random()).into_uuid();
        let id = new_id();
        let lines = &lines[..lines.len().min(most.max(2) - 1)];
        let mut events = Vec::with_capacity(lines.len() + 1);
        for line in lines {
            let text = line.text.replacen(&line.event_id, &new_id().to_string(), 1);
            let text = text.replacen(&line.session_id, &id.to_string(), 1);
            let player = format!("\"player_id\":\"{}", line.player_id);
            events.push(text.replacen(&player, &format!("{player}-{number}"), 1));
        }
        if let Some(last) = lines.last() {
            events.push(format!(
                r#"{{"event_id":"{}","session_id":"{id}","player_id":"{}-{number}","seq":{},"event_type":"session.closed","timestamp":"{}","data":{{"reason":"completed"}}}}"#,
                new_id(),
                last.player_id,
                lines.len(),
                last.timestamp
            ));
        }
        Session { id, events }
    }

    /// Whole sessions of at least so many events together.
    pub fn sessions(&self, events: usize) -> Vec<Session> {
        let (mut sessions, mut made) = (Vec::new(), 0);
        while made < events {
            let session = self.session(sessions.len(), usize::MAX);
            made += session.events.len();
            sessions.push(session);
        }
        sessions
    }
}

/// Requests of so many events each, for several connections: each connection has its own sessions,
/// many at once, and sends each one's events in order.
pub fn streams(sessions: Vec<Session>, connections: usize, batch: usize) -> Vec<Vec<Batch>> {
    let mut shares: Vec<VecDeque<std::vec::IntoIter<String>>> = (0..connections).map(|_| VecDeque::new()).collect();
    for (number, session) in sessions.into_iter().enumerate() {
        shares[number % connections].push_back(session.events.into_iter());
    }
    shares.into_iter().map(|share| requests(share, batch)).collect()
}

/// The request that carries these events.
pub fn batch(events: &[String]) -> Batch {
    let mut body = String::from(r#"{"app_version":"1.4.2","events":["#);
    body.push_str(&events.join(","));
    body.push_str("]}");
    Batch { body: body.into(), events: events.len() }
}

fn requests(mut waiting: VecDeque<std::vec::IntoIter<String>>, size: usize) -> Vec<Batch> {
    let (mut playing, mut gathered, mut made) = (VecDeque::new(), Vec::new(), Vec::new());
    loop {
        while playing.len() < AT_ONCE
            && let Some(next) = waiting.pop_front()
        {
            playing.push_back(next);
        }
        let Some(mut session) = playing.pop_front() else { break };
        gathered.extend(session.by_ref().take(IN_A_ROW.min(size - gathered.len())));
        if session.len() > 0 {
            playing.push_back(session);
        }
        if gathered.len() >= size {
            made.push(batch(&gathered));
            gathered.clear();
        }
    }
    if !gathered.is_empty() {
        made.push(batch(&gathered));
    }
    made
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn every_playing_is_sound_has_ids_of_its_own_and_a_close() {
        let waves = Waves::read().unwrap();
        let mut ids = HashSet::new();
        for number in [0, 1, 49, 98] {
            let session = waves.session(number, 40);
            assert!(session.events.len() <= 40);
            for (seq, text) in (0_u64..).zip(&session.events) {
                let event = schemas::parse::event(text).unwrap();
                assert!(ids.insert(event.event_id), "an id comes twice");
                assert_eq!((event.session_id, event.seq), (session.id, Some(seq)));
                assert!(event.player_id.as_str().ends_with(&format!("-{number}")));
            }
            assert!(schemas::parse::event(session.events.last().unwrap()).unwrap().is_close());
        }
    }

    #[test]
    fn streams_hold_every_event_once_and_each_session_in_order() {
        let sessions = Waves::read().unwrap().sessions(20_000);
        let total: usize = sessions.iter().map(|session| session.events.len()).sum();
        let streams = streams(sessions, 3, 100);
        assert_eq!(streams.iter().flatten().map(|batch| batch.events).sum::<usize>(), total);
        for stream in streams {
            let mut next: HashMap<Uuid, u64> = HashMap::new();
            for batch in &stream {
                let read = schemas::envelope::batch(&batch.body).unwrap();
                assert_eq!(read.events.len(), batch.events);
                for raw in &read.events {
                    let event = raw.judge().unwrap();
                    let next = next.entry(event.session_id).or_default();
                    assert_eq!(event.seq, Some(*next));
                    *next += 1;
                }
            }
        }
    }
}
