//! A history: what comes into the log, and what befalls the workers, moment by moment.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use eventlog::simulated::Fault;
use uuid::Uuid;

/// Everything that happens, and how the log behaves meanwhile. The same history always goes the same way.
#[derive(Clone, Debug)]
pub struct History {
    pub seed: u64,
    /// The file of games, in the folder of these tests.
    pub games: &'static str,
    pub partitions: i32,
    /// The log's calls take up to so long.
    pub latency: Duration,
    /// Markers come up to so late.
    pub marking: Duration,
    /// Most entries of a batch.
    pub batch: usize,
    /// In the order of their moments.
    pub steps: Vec<Step>,
}

impl History {
    /// The usual file of games.
    pub const GAMES: &'static str = "games.toml";
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub struct Step {
    /// Since the beginning, in ms of the workers' clock.
    pub at: u64,
    pub action: Action,
}

#[derive(Clone, Debug)]
pub enum Action {
    /// A gateway appends a record.
    Append(Arrival),
    /// The gateways' clock is so much further from here on, in ms: hours in which nobody played.
    Jump(i64),
    /// A process of this name starts, unless it lives.
    Start(usize),
    /// It is killed.
    Kill(usize),
    /// It is told to drain.
    Drain(usize),
    /// It stands still for so long.
    Freeze(usize, Duration),
    /// Something is to befall it.
    Arm(usize, Fault),
    /// Its reads beside the group are slow.
    Slow(usize, Duration),
    /// The changelog is compacted, as far as chance has it.
    Compact,
}

/// A record of play.events on its way.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub session: Uuid,
    pub what: What,
    /// So long before the append it was received, in ms.
    pub lag: i64,
    pub game: &'static str,
    /// It was sent again out of the quarantine.
    pub redriven: bool,
}

#[derive(Clone, Debug)]
pub enum What {
    /// An event in the client's bytes.
    Event(Arc<str>),
    /// A refused event's place.
    Hole(u64),
    /// Bytes that are no record.
    Garbage,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6} ms  ", self.at)?;
        match &self.action {
            Action::Append(arrival) => arrival.fmt(f),
            Action::Jump(ms) => write!(f, "the gateways' clock goes on by {ms} ms"),
            Action::Start(worker) => write!(f, "w{worker} starts"),
            Action::Kill(worker) => write!(f, "w{worker} is killed"),
            Action::Drain(worker) => write!(f, "w{worker} drains"),
            Action::Freeze(worker, time) => write!(f, "w{worker} stands still for {time:?}"),
            Action::Arm(worker, fault) => {
                write!(f, "w{worker} at its {}th {:?}: {:?}", fault.skip + 1, fault.at, fault.effect)
            }
            Action::Slow(worker, time) => write!(f, "w{worker} reads slower by {time:?}"),
            Action::Compact => f.write_str("play.session-state is compacted"),
        }
    }
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session = &self.session.to_string()[..8];
        match &self.what {
            What::Event(raw) => {
                let event: serde_json::Value = serde_json::from_str(raw).unwrap_or_default();
                let word = |name: &str| event[name].as_str().unwrap_or("?").to_owned();
                write!(f, "{session} {} {}", word("event_type"), &word("event_id")[..8])?;
                match event["seq"].as_u64() {
                    Some(seq) => write!(f, " seq {seq}")?,
                    None => f.write_str(" without seq")?,
                }
                write!(f, " of {}/{}", self.game, word("player_id"))?;
            }
            What::Hole(seq) => write!(f, "{session} hole under seq {seq}")?,
            What::Garbage => write!(f, "{session} garbage")?,
        }
        write!(f, ", received {} ms before{}", self.lag, if self.redriven { ", sent again" } else { "" })
    }
}
