//! Bytes that go to play.session-state for each byte that is read: counted, so the same on any machine.

use super::*;
use crate::state::SessionKey;

/// Events of a session, its close included.
const EVENTS: u64 = 50;
/// Time between two commits, in ms.
const COMMIT: i64 = 500;

/// A load: so many sessions live at once, each with an event every so many ms; one that ends gives way
/// to another.
struct Load {
    sessions: u64,
    every: i64,
    window: usize,
}

/// What it came to, in bytes.
#[derive(Default)]
struct Volume {
    read: usize,
    written: usize,
    events: u64,
    live: usize,
    shown: usize,
}

impl Load {
    /// Sends each live session so many events, and counts.
    fn run(&self, events: u64) -> Volume {
        // Sessions are evicted while it runs, so that markers count as well.
        let games = GameSettings { grace_ms: 2 * MINUTE, ..GameSettings::default() };
        let window = Window { records: self.window, age_ms: HOUR };
        let mut machine = Machine::new(Settings { games: Games::all(games), window, ..settings() });
        let mut volume = Volume::default();
        machine.step(0, Input::Assigned { partition: 0, committed: None });
        machine.step(0, Input::RestoreDone { partition: 0, epoch: 1 });
        let (total, mut sent) = (self.sessions * events, 0);
        let (mut now, mut offset) = (0, 0);
        while sent < total {
            now += COMMIT;
            // As many as fall due until then, the sessions in turn.
            let due = total.min(u64::try_from(now).unwrap() * self.sessions / u64::try_from(self.every).unwrap());
            let records: Vec<Record> = (sent..due).map(|number| self.record(number, now)).collect();
            volume.read +=
                records.iter().map(|record| record.key.len() + record.value.as_ref().unwrap().len()).sum::<usize>();
            sent = due;
            offset = i64::try_from(sent).unwrap().max(offset);
            volume.take(&mut machine, now, Input::Batch { partition: 0, records, next_offset: offset });
            volume.take(&mut machine, now, Input::Tick);
        }
        volume.events = sent;
        volume.live = machine.partitions().map(|(_, partition)| partition.live_sessions()).sum();
        volume
    }

    /// The record of that number over all sessions.
    fn record(&self, number: u64, now: i64) -> Record {
        let (place, turn) = (number % self.sessions, number / self.sessions);
        // They are at different ages, so that each commit sees some begin and some end.
        let age = turn + place % EVENTS;
        let (life, seq) = (age / EVENTS, age % EVENTS);
        let seq = if life == 0 { seq - place % EVENTS } else { seq };
        let session = uuid::Uuid::from_u128(u128::from(place) << 84 | u128::from(life) | 7 << 76);
        let at = Timestamp::from_ms(BEGIN + now);
        let (kind, data) = match (age % EVENTS, seq % 5) {
            (49, _) => ("session.closed", r#"{"reason":"completed"}"#.to_owned()),
            (_, 0) => ("task.started", format!(r#"{{"task_id":"level-{}","expected_ms":45000}}"#, seq / 10)),
            (_, 3) => ("task.completed", format!(r#"{{"task_id":"level-{}"}}"#, seq / 10)),
            (_, 4) => ("session.heartbeat", "{}".to_owned()),
            (_, turn) => (
                "task.attempted",
                format!(
                    r#"{{"task_id":"level-{}","outcome":"{}"}}"#,
                    seq / 10,
                    if turn == 1 { "failure" } else { "success" }
                ),
            ),
        };
        let id = uuid::Uuid::from_u128(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        let value = format!(
            r#"{{"v":1,"tenant":"acme","game":"demo","received_at":"{at}","sent_at":"{at}","app_version":"1.4.2","request_id":"0198c0de-0000-7000-8000-000000000001","key_id":"0123456789abcdef","gateway":"gateway-1","event":{{"event_id":"{id}","session_id":"{session}","player_id":"p-{place}","event_type":"{kind}","timestamp":"{at}","seq":{seq},"data":{data}}}}}"#
        );
        let tenant = schemas::Tenant::parse("acme").unwrap();
        Record {
            offset: i64::try_from(number).unwrap(),
            timestamp_ms: BEGIN + now,
            key: SessionKey { tenant, session }.to_bytes(),
            value: Some(value.into()),
            headers: Headers::new(),
        }
    }

    fn tell(&self, name: &str, events: u64) -> f64 {
        let volume = self.run(events);
        assert!(volume.live as u64 >= self.sessions, "{} live", volume.live);
        #[expect(clippy::cast_precision_loss, reason = "a ratio to print")]
        let share = volume.written as f64 / volume.read as f64;
        println!(
            "{name}: {} live sessions, an event each {} s, window of {} records: {} events of {} bytes, {share:.3} bytes of state a byte read, {} snapshots",
            self.sessions,
            self.every / 1_000,
            self.window,
            volume.events,
            volume.read as u64 / volume.events,
            volume.shown,
        );
        share
    }
}

impl Volume {
    /// A step, every commit of which is kept at once.
    fn take(&mut self, machine: &mut Machine, now: i64, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for command in machine.step(now, input) {
                match command {
                    Command::Commit { outputs, .. } => {
                        for output in outputs {
                            match output {
                                Output::State { key, value, .. } => {
                                    self.written += key.len() + value.as_ref().map_or(0, Bytes::len);
                                }
                                Output::Live(_) => self.shown += 1,
                                _ => {}
                            }
                        }
                        inputs.push_back(Input::Committed);
                    }
                    Command::Stop { error } => panic!("{error:?}"),
                    _ => {}
                }
            }
        }
    }
}

/// The aims: what a byte read may cost at most.
const FEW: f64 = 0.3;
const MANY: f64 = 1.0;
const DEFAULT_WINDOW: usize = 500_000;

#[test]
fn states_of_few_busy_sessions_take_less_than_a_third_of_what_is_read() {
    // A quarter of the load and of the window comes to the same.
    let load = |window| Load { sessions: 500, every: SECOND, window };
    assert!(load(DEFAULT_WINDOW / 4).tell("few", 110) <= FEW);
    assert!(load(0).tell("few, each written at every commit", 30) > FEW);
}

#[test]
fn states_of_many_quiet_sessions_take_less_than_what_is_read() {
    // A fiftieth of the load and of the window comes to the same.
    let load = |window| Load { sessions: 2_000, every: 10 * SECOND, window };
    assert!(load(DEFAULT_WINDOW / 50).tell("many", 60) <= MANY);
    assert!(load(0).tell("many, each written at every commit", 15) > MANY);
}

#[test]
#[ignore = "the same in full: minutes in a build without optimisation"]
fn the_full_loads_meet_the_aims() {
    assert!(Load { sessions: 2_000, every: SECOND, window: DEFAULT_WINDOW }.tell("few, in full", 500) <= FEW);
    assert!(Load { sessions: 100_000, every: 10 * SECOND, window: DEFAULT_WINDOW }.tell("many, in full", 60) <= MANY);
}
