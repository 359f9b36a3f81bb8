//! Many players at once: their requests in the order in which they are sent. Pure: the same seed
//! gives the same requests.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::event::{Event, Id, Request};
use super::network::{self, Delivery};
use super::player::Player;
use super::script::Script;
use super::session::{self, WayOut};

/// Players and what they are about to send. An iterator without end.
#[derive(Debug)]
pub struct Crowd {
    seats: Vec<Seat>,
    /// What comes next: when, which seat; with a request, or none when the seat's next session begins.
    agenda: BinaryHeap<Reverse<Entry>>,
    /// Keeps the agenda's order total.
    entries: u64,
    evidence: bool,
    sessions: u64,
}

#[derive(Debug)]
struct Seat {
    player: Player,
    rng: ChaCha8Rng,
}

#[derive(Debug)]
struct Entry {
    at_ms: i64,
    number: u64,
    seat: usize,
    delivery: Option<Delivery>,
}

impl Crowd {
    /// So many players; with `evidence`, their teachers say a word now and then.
    pub fn new(seed: u64, players: usize, evidence: bool) -> Self {
        let mut crowd = Self { seats: Vec::new(), agenda: BinaryHeap::new(), entries: 0, evidence, sessions: 0 };
        for seat in 0..players {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(u64::try_from(seat).unwrap_or(u64::MAX));
            let player = Player::draw(&mut rng);
            // They come within two minutes; the first at once.
            let arrival = if seat == 0 { 0 } else { rng.random_range(0..120_000) };
            crowd.seats.push(Seat { player, rng });
            crowd.plan(arrival, seat, None);
        }
        crowd
    }

    /// How many sessions have been begun.
    pub fn sessions(&self) -> u64 {
        self.sessions
    }

    fn plan(&mut self, at_ms: i64, seat: usize, delivery: Option<Delivery>) {
        self.entries += 1;
        self.agenda.push(Reverse(Entry { at_ms, number: self.entries, seat, delivery }));
    }

    /// Plays a seat's next session to its end and plans its requests and the session after it.
    fn begin_session(&mut self, start_ms: i64, seat: usize) {
        self.sessions += 1;
        let Seat { player, rng } = &mut self.seats[seat];
        let (planned, end_ms) = play_session(player, rng, start_ms);
        let mut planned = planned;
        if self.evidence && rng.random_bool(0.05) {
            planned.push(word_of_teacher(player, rng, end_ms));
        }
        // Most come back soon, some after a while.
        let rest =
            if rng.random_bool(0.94) { rng.random_range(5_000..60_000) } else { rng.random_range(300_000..1_200_000) };
        for delivery in planned {
            self.plan(delivery.at_ms, seat, Some(delivery));
        }
        self.plan(end_ms + rest, seat, None);
    }
}

impl Iterator for Crowd {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        loop {
            let Reverse(entry) = self.agenda.pop()?;
            match entry.delivery {
                Some(delivery) => return Some(delivery),
                None => self.begin_session(entry.at_ms, entry.seat),
            }
        }
    }
}

fn play_session(player: &mut Player, rng: &mut ChaCha8Rng, start_ms: i64) -> (Vec<Delivery>, i64) {
    let device = player.device.clone();
    let session = Id { at_ms: start_ms, bits: rng.random() };
    let mut script = Script { player, rng, now_ms: start_ms, happened: Vec::new(), coins: 0, score: 0 };
    let (happened, out) = session::play(&mut script);
    let end_ms = script.now_ms;
    let seq = |place: usize| device.counts.then(|| u64::try_from(place).unwrap_or(u64::MAX));
    let mut events: Vec<Event> = happened
        .into_iter()
        .enumerate()
        .map(|(place, happening)| Event {
            id: Id { at_ms: happening.at_ms, bits: rng.random() },
            session,
            player: player.name.clone(),
            seq: seq(place),
            kind: happening.event_type,
            at_ms: happening.at_ms + device.clock_ms,
            data: happening.data,
        })
        .collect();
    let next = seq(events.len());
    let mut call = None;
    if let WayOut::Closed(reason) = out {
        let at_ms = end_ms + device.clock_ms;
        if device.closes_by_call {
            call = Some(Request::Close { session, player: player.name.clone(), reason, seq: next, at_ms });
        } else {
            let data = Some(serde_json::json!({ "reason": reason }));
            let id = Id { at_ms: end_ms, bits: rng.random() };
            events.push(Event {
                id,
                session,
                player: player.name.clone(),
                seq: next,
                kind: "session.closed",
                at_ms,
                data,
            });
        }
    }
    let mut planned = network::deliveries(events, &device, rng);
    if let Some(call) = call {
        planned.extend(network::close(end_ms, call, &device, rng));
    }
    (planned, end_ms)
}

fn word_of_teacher(player: &Player, rng: &mut ChaCha8Rng, at_ms: i64) -> Delivery {
    let at_ms = at_ms + rng.random_range(1_000..30_000);
    let event = Event {
        id: Id { at_ms, bits: rng.random() },
        session: Id { at_ms, bits: rng.random() },
        player: player.name.clone(),
        seq: None,
        kind: "evidence.recorded",
        at_ms,
        data: Some(session::evidence(rng)),
    };
    Delivery { at_ms, clock_ms: 0, again: false, request: Request::Single(event.into()) }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ms, self.number).cmp(&(other.at_ms, other.number))
    }
}
