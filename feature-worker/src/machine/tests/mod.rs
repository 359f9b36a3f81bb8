//! A small log in memory around the machine, one partition.

mod arrival;
mod beyond;
mod bounds;
mod brought_back;
mod closing;
mod commits;
mod early;
mod events;
mod holes;
mod lazy;
mod lifecycle;
mod live;
mod poison;
mod property;
mod reach;
mod setting_aside;
mod speed;
mod upgrade;
mod versions;
mod volume;
mod waiting;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use eventlog::{Headers, Record};
use schemas::Timestamp;
use schemas::games::{GameSettings, Games};
use schemas::record::activity::Activity;
use schemas::record::live::Live;
use schemas::report::Report;
use schemas::topics::Topic;
use serde_json::{Value, json};

use super::{Command, Input, LiveViews, Machine, Output, PoisonLimit, Quarantined, Restored, Settings, Window};
pub(super) use events::{attempt, close, event, event_at, expected};

/// 2026-01-05T08:00:00Z: when the tests begin, on every clock.
pub(super) const BEGIN: i64 = 1_767_600_000_000;
pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const MARGIN: i64 = 60 * SECOND;
pub(super) const SESSION: &str = "8f14e45f-0000-4000-8000-000000000001";

/// What becomes of the next commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Kept,
    Aborted,
    /// It stays under way until told otherwise.
    Open,
}

type UnderWay = (Vec<Output>, Vec<(i32, i64)>);

pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) machine: Machine,
    /// The monotonic clock.
    pub(super) now: i64,
    pub(super) fate: Fate,
    events: Vec<Record>,
    fetched: Option<i64>,
    under_way: Option<UnderWay>,
    /// Whether the log's answers are held back.
    pub(super) slow: bool,
    held_back: VecDeque<Input>,
    /// The first offset that the log still has.
    pub(super) low: i64,
    /// How often the log was asked.
    pub(super) asked: usize,
    /// How often events were read again to restore.
    pub(super) replayed: usize,
    pub(super) state: BTreeMap<Bytes, Bytes>,
    pub(super) committed: Option<i64>,
    pub(super) reports: Vec<Report>,
    pub(super) live: Vec<Live>,
    pub(super) gone: usize,
    pub(super) activity: Vec<Activity>,
    pub(super) quarantine: Vec<Quarantined>,
    pub(super) commits: usize,
    /// Outputs of the largest commit, and the bytes of the one of most bytes.
    pub(super) largest: usize,
    pub(super) heaviest: usize,
    /// Why it stopped; empty after a drain.
    pub(super) stopped: Option<String>,
    pub(super) released: Vec<u64>,
    batch: usize,
}

pub(super) fn settings() -> Settings {
    Settings {
        games: Games::all(GameSettings::default()),
        commit_interval_ms: 200,
        margin_ms: MARGIN,
        live: Some(LiveViews { every_ms: 5 * SECOND, rate: 2_000 }),
        window: Window { records: 20, age_ms: HOUR },
        poison_limit: PoisonLimit { records: 1_000, within_ms: MINUTE },
        worker: "test".into(),
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(settings())
    }

    pub(super) fn with(settings: Settings) -> Self {
        let mut world = Self {
            machine: Machine::new(settings.clone()),
            settings,
            now: 0,
            fate: Fate::Kept,
            events: Vec::new(),
            fetched: None,
            under_way: None,
            slow: false,
            held_back: VecDeque::new(),
            low: 0,
            asked: 0,
            replayed: 0,
            state: BTreeMap::new(),
            committed: None,
            reports: Vec::new(),
            live: Vec::new(),
            gone: 0,
            activity: Vec::new(),
            quarantine: Vec::new(),
            commits: 0,
            largest: 0,
            heaviest: 0,
            stopped: None,
            released: Vec::new(),
            batch: usize::MAX,
        };
        world.step(Input::Assigned { partition: 0, committed: None });
        world
    }

    /// Hands records over so many at a time.
    pub(super) fn by(mut self, batch: usize) -> Self {
        self.batch = batch;
        self
    }

    /// The process dies and another takes over: only what was committed is left.
    pub(super) fn crash(&mut self, settings: Settings) {
        self.machine = Machine::new(settings.clone());
        self.settings = settings;
        self.under_way = None;
        self.held_back.clear();
        self.fetched = None;
        self.step(Input::Assigned { partition: 0, committed: self.committed });
    }

    /// The log takes what was put out last, and the process dies before it hears of it.
    pub(super) fn crash_after_commit(&mut self, settings: Settings) {
        if let Some((outputs, offsets)) = self.under_way.take() {
            self.keep(outputs, &offsets);
        }
        self.crash(settings);
    }

    /// Appends an event as the gateway would.
    pub(super) fn put(&mut self, event: &Value, received_at: i64) {
        self.put_stamped(event, received_at, &json!({}));
    }

    pub(super) fn put_stamped(&mut self, event: &Value, received_at: i64, more: &Value) {
        let mut stamp = stamp(received_at);
        stamp["event"] = event.clone();
        stamp.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.put_raw(event["session_id"].as_str().unwrap_or("?"), stamp.to_string(), received_at);
    }

    pub(super) fn put_hole(&mut self, seq: u64, received_at: i64) {
        let mut stamp = stamp(received_at);
        stamp["hole"] = json!({"session_id": SESSION, "seq": seq, "reason": "invalid"});
        self.put_raw(SESSION, stamp.to_string(), received_at);
    }

    pub(super) fn put_raw(&mut self, session: &str, value: String, timestamp_ms: i64) {
        self.events.push(Record {
            offset: i64::try_from(self.events.len()).unwrap(),
            timestamp_ms,
            key: format!("acme/{session}").into(),
            value: Some(value.into()),
            headers: Headers::new(),
        });
    }

    /// Hands over all that is there, as far as it is welcome, and lets a commit happen.
    pub(super) fn run(&mut self) {
        while !self.machine.waits(0)
            && let Some(from) = self.fetched.and_then(|from| usize::try_from(from).ok())
        {
            let records: Vec<Record> = self.events.iter().skip(from).take(self.batch).cloned().collect();
            let Some(last) = records.last() else { break };
            let next_offset = last.offset + 1;
            self.fetched = Some(next_offset);
            self.step(Input::Batch { partition: 0, records, next_offset });
            if self.stopped.is_some() {
                return;
            }
        }
        if self.is_read() {
            self.step(Input::CaughtUp { partition: 0 });
        }
        self.wait(200);
    }

    /// Whether all that is there was handed over.
    pub(super) fn is_read(&self) -> bool {
        self.fetched.is_some_and(|from| usize::try_from(from).is_ok_and(|from| from >= self.events.len()))
    }

    /// The log answers what it was asked while it was slow; it is no longer.
    pub(super) fn answer(&mut self) {
        self.slow = false;
        while let Some(answer) = self.held_back.pop_front() {
            self.step(answer);
        }
    }

    /// Lets time go on while nothing comes.
    pub(super) fn wait(&mut self, ms: i64) {
        let end = self.now + ms;
        while self.now < end {
            self.now = (self.now + (ms / 20).max(200)).min(end);
            self.step(Input::Tick);
        }
    }

    pub(super) fn settle(&mut self, fate: Fate) {
        let (outputs, offsets) = self.under_way.take().expect("a commit is under way");
        self.fate = fate;
        self.commit(outputs, offsets);
    }

    pub(super) fn step(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for command in self.machine.step(self.now, input) {
                match command {
                    Command::Restore { partition, epoch } => {
                        let state: Vec<Record> = self.state.iter().map(|(key, value)| record(key, value)).collect();
                        let records = Restored::of(&state).unwrap();
                        inputs.push_back(Input::Restored { partition, epoch, records });
                        inputs.push_back(Input::RestoreDone { partition, epoch });
                    }
                    Command::Replay { partition, epoch, from, until } => {
                        self.replayed += 1;
                        let asked = |record: &&Record| (from..until).contains(&record.offset);
                        let records: Vec<Record> = self.events.iter().filter(asked).cloned().collect();
                        for records in records.chunks(7) {
                            inputs.push_back(Input::Replayed { partition, epoch, records: records.to_vec() });
                        }
                        inputs.push_back(Input::ReplayDone { partition, epoch });
                    }
                    Command::FetchFrom { partition: 0, offset } => self.fetched = Some(offset.unwrap_or(0)),
                    Command::FetchFrom { .. } => {}
                    Command::ReadBack { partition, epoch, from, until, sessions } => {
                        self.asked += 1;
                        let keys: Vec<_> = sessions.iter().map(crate::state::SessionKey::to_bytes).collect();
                        let from = from.max(self.low);
                        let asked =
                            |record: &&Record| (from..until).contains(&record.offset) && keys.contains(&record.key);
                        let records = self.events.iter().filter(asked).cloned().collect();
                        let answer = Input::ReadBack { partition, epoch, records };
                        if self.slow { &mut self.held_back } else { &mut inputs }.push_back(answer);
                    }
                    Command::Commit { outputs, offsets } => self.commit(outputs, offsets),
                    Command::Release { token } => self.released.push(token),
                    Command::Stop { error } => self.stopped = Some(error.unwrap_or_default()),
                }
            }
        }
    }

    fn commit(&mut self, outputs: Vec<Output>, offsets: Vec<(i32, i64)>) {
        match self.fate {
            Fate::Open => {
                self.under_way = Some((outputs, offsets));
                return;
            }
            Fate::Aborted => {
                self.fate = Fate::Kept;
                return self.step(Input::Aborted);
            }
            Fate::Kept => {}
        }
        self.keep(outputs, &offsets);
        self.step(Input::Committed);
    }

    /// What a commit puts out stands in the log.
    fn keep(&mut self, outputs: Vec<Output>, offsets: &[(i32, i64)]) {
        self.commits += 1;
        self.largest = self.largest.max(outputs.len());
        self.heaviest = self.heaviest.max(outputs.iter().map(bytes).sum());
        self.committed = offsets.iter().find(|(number, _)| *number == 0).map(|(_, next)| *next).or(self.committed);
        for output in outputs {
            match output {
                Output::Report(report) => self.reports.push(*report),
                Output::Live(live) => self.live.push(*live),
                Output::Gone(_) => self.gone += 1,
                Output::Activity(counts) => self.activity.push(counts),
                Output::Quarantine(aside) => self.quarantine.push(*aside),
                Output::State { key, value: Some(value), .. } => drop(self.state.insert(key, value)),
                Output::State { key, value: None, .. } => drop(self.state.remove(&key)),
            }
        }
    }

    /// The latest report of the session.
    pub(super) fn report(&self) -> &Report {
        self.reports.last().expect("no report")
    }

    pub(super) fn applied(&self) -> u64 {
        self.activity.iter().flat_map(|counts| counts.applied.values()).sum()
    }

    pub(super) fn repeats(&self) -> u64 {
        self.activity.iter().map(|counts| counts.repeats).sum()
    }

    pub(super) fn set_aside(&self, reason: &str) -> u64 {
        self.activity.iter().filter_map(|counts| counts.set_aside.get(reason)).sum()
    }

    /// What the quarantine holds, by reason.
    pub(super) fn reasons(&self) -> Vec<&'static str> {
        self.quarantine.iter().map(|aside| aside.reason.as_str()).collect()
    }
}

/// Bytes of what weighs; fails where the log would refuse it.
fn bytes(output: &Output) -> usize {
    let (bytes, topic) = match output {
        Output::Report(report) => (serde_json::to_vec(report).unwrap().len(), Topic::Sessions),
        Output::State { value, .. } => (value.as_ref().map_or(0, Bytes::len), Topic::SessionState),
        Output::Quarantine(aside) => (aside.raw.len(), Topic::Quarantine),
        Output::Live(_) | Output::Gone(_) | Output::Activity(_) => return 0,
    };
    assert!(bytes < topic.max_message_bytes() as usize, "{bytes} bytes to {topic:?}");
    bytes
}

fn record(key: &Bytes, value: &Bytes) -> Record {
    Record { offset: 0, timestamp_ms: 0, key: key.clone(), value: Some(value.clone()), headers: Headers::new() }
}

fn stamp(received_at: i64) -> Value {
    json!({
        "v": 1, "tenant": "acme", "game": "demo", "received_at": Timestamp::from_ms(received_at).to_string(),
        "request_id": "req_1", "key_id": "k1", "gateway": "g1",
    })
}
