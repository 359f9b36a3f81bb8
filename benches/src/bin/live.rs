//! What an event costs in the worker's machine, one core, in memory: by how many sessions live at once,
//! and by how long they are; and what a restore of them costs.
//!
//! `cargo run --release -p playledger-benches --bin live`; with a number only that of so many that live at once, to be
//! profiled.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use eventlog::{Headers, Record};
use feature_worker::machine::{Command, Input, Machine, Output, PoisonLimit, Restored, Settings, Window};
use playledger_allocator as _;
use playledger_benches::usage::cpu_of_thread;
use schemas::games::{GameSettings, Games};
use schemas::topics::session_key;
use schemas::{Tenant, Timestamp};
use uuid::Uuid;

/// Records that the log hands over at once.
const AT_ONCE: u64 = 500;
/// Time from one handing over to the next, in ms: 50,000 events a second.
const EVERY_MS: i64 = 10;
/// Events that are measured at least.
const LEAST: u64 = 400_000;
/// The window of a worker as it comes.
const WINDOW: usize = 500_000;
/// When the first event is received, in ms since the epoch.
const BEGIN: i64 = 1_780_000_000_000;

fn main() -> anyhow::Result<()> {
    if let Some(sessions) = std::env::args().nth(1) {
        let mut load = Load::new(sessions.parse().context("how many sessions live at once")?, true, WINDOW)?;
        for _ in 0..5 {
            println!("{:.3}", load.run(LEAST)?.cpu_us);
        }
        return Ok(());
    }
    println!("CPU µs an event in the machine, one thread, commits every 200 ms, 50,000 events/s of log time\n");
    println!("{:<44} {:>10} {:>14}", "sessions live at once", "CPU µs", "state B/B read");
    for sessions in [1_000, 10_000, 100_000] {
        for window in [WINDOW, 0] {
            let mut load = Load::new(sessions, true, window)?;
            load.run(sessions * 2)?;
            let told = load.run((sessions * 3).max(LEAST))?;
            let how = if window == 0 { "each written at every commit" } else { "as it comes" };
            println!("{:<44} {:>10.3} {:>14.3}", format!("{sessions}, {how}"), told.cpu_us, told.share);
            if window > 0 {
                load.restore()?;
            }
        }
    }
    println!("\n{:<44} {:>10}", "events that a session has had, of 100 live", "CPU µs");
    for counted in [true, false] {
        for length in [50, 1_000, 10_000, 50_000] {
            let mut load = Load::new(100, counted, WINDOW)?;
            load.run(100 * length)?;
            let told = load.run(LEAST / 2)?;
            let how = if counted { "with seq" } else { "without seq" };
            println!("{:<44} {:>10.3}", format!("{length}, {how}"), told.cpu_us);
        }
    }
    Ok(())
}

/// Sessions that each get an event in turn.
struct Load {
    machine: Machine,
    sessions: u64,
    counted: bool,
    tenant: Tenant,
    sent: u64,
    now: i64,
    under_way: bool,
    state: HashMap<Bytes, Bytes>,
    newest: VecDeque<Record>,
    window: usize,
}

struct Told {
    cpu_us: f64,
    /// Bytes of state for a byte read.
    share: f64,
}

impl Load {
    fn new(sessions: u64, counted: bool, window: usize) -> anyhow::Result<Self> {
        let mut machine = machine(window);
        machine.step(0, Input::Assigned { partition: 0, committed: None });
        machine.step(0, Input::RestoreDone { partition: 0, epoch: 1 });
        Ok(Self {
            machine,
            sessions,
            counted,
            tenant: Tenant::parse("bench")?,
            sent: 0,
            now: 0,
            under_way: false,
            state: HashMap::new(),
            newest: VecDeque::new(),
            window,
        })
    }

    /// So many events more.
    #[expect(clippy::cast_precision_loss, reason = "figures to print")]
    fn run(&mut self, events: u64) -> anyhow::Result<Told> {
        let (mut cpu, mut read, mut written) = (Duration::ZERO, 0, 0);
        let end = self.sent + events;
        while self.sent < end {
            let records: Vec<Record> = (self.sent..(self.sent + AT_ONCE)).map(|number| self.record(number)).collect();
            read += records
                .iter()
                .map(|record| record.key.len() + record.value.as_ref().map_or(0, Bytes::len))
                .sum::<usize>();
            self.newest.extend(records.iter().cloned());
            while self.newest.len() > self.window + 100_000 {
                self.newest.pop_front();
            }
            self.sent += AT_ONCE;
            self.now += EVERY_MS;
            let next_offset = i64::try_from(self.sent)?;
            let mut inputs = vec![Input::Tick, Input::Batch { partition: 0, records, next_offset }];
            if self.under_way {
                // A commit takes as long as it takes to read on a little.
                self.under_way = false;
                inputs.push(Input::Committed);
            }
            while let Some(input) = inputs.pop() {
                let used = cpu_of_thread()?;
                let commands = self.machine.step(self.now, input);
                cpu += cpu_of_thread()?.saturating_sub(used);
                for command in commands {
                    match command {
                        Command::Commit { outputs, .. } => {
                            self.under_way = true;
                            written += self.keep(outputs);
                        }
                        Command::Stop { error } => bail!("the machine stopped: {error:?}"),
                        _ => {}
                    }
                }
            }
            if self.machine.waits(0) {
                // It waits for room: the commit ends first.
                while self.machine.waits(0) {
                    let used = cpu_of_thread()?;
                    let commands = self.machine.step(self.now, Input::Committed);
                    cpu += cpu_of_thread()?.saturating_sub(used);
                    self.under_way = false;
                    for command in commands {
                        if let Command::Commit { outputs, .. } = command {
                            self.under_way = true;
                            written += self.keep(outputs);
                        }
                    }
                }
            }
        }
        Ok(Told { cpu_us: cpu.as_secs_f64() * 1e6 / events as f64, share: written as f64 / read as f64 })
    }

    fn keep(&mut self, outputs: Vec<Output>) -> usize {
        let mut bytes = 0;
        for output in outputs {
            if let Output::State { key, value, .. } = output {
                bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
                match value {
                    Some(value) => drop(self.state.insert(key, value)),
                    None => drop(self.state.remove(&key)),
                }
            }
        }
        bytes
    }

    /// Restores what has been committed into a machine of its own.
    fn restore(&mut self) -> anyhow::Result<()> {
        let mut machine = machine(self.window);
        let record = |(key, value): (&Bytes, &Bytes)| Record {
            offset: 0,
            timestamp_ms: 0,
            key: key.clone(),
            value: Some(value.clone()),
            headers: Headers::new(),
        };
        let records: Vec<Record> = self.state.iter().map(record).collect();
        let states = records.len() - 1;
        machine.step(0, Input::Assigned { partition: 0, committed: None });
        let began = cpu_of_thread()?;
        let records = Restored::of(&records)?;
        machine.step(0, Input::Restored { partition: 0, epoch: 1, records });
        let asked = machine.step(0, Input::RestoreDone { partition: 0, epoch: 1 });
        let decoded = cpu_of_thread()?.saturating_sub(began);
        let stretch = asked.iter().find_map(|command| match command {
            Command::Replay { from, until, .. } => Some(*from..*until),
            _ => None,
        });
        let stretch = stretch.context("nothing is to be read again")?;
        let records: Vec<Record> =
            self.newest.iter().filter(|record| stretch.contains(&record.offset)).cloned().collect();
        let count = records.len();
        let began = cpu_of_thread()?;
        machine.step(0, Input::Replayed { partition: 0, epoch: 1, records });
        machine.step(0, Input::ReplayDone { partition: 0, epoch: 1 });
        let replayed = cpu_of_thread()?.saturating_sub(began);
        println!(
            "  restored: {states} states in {:.2} CPU s, {count} events read again in {:.2} CPU s",
            decoded.as_secs_f64(),
            replayed.as_secs_f64()
        );
        Ok(())
    }

    /// The record of that number over all sessions.
    fn record(&self, number: u64) -> Record {
        let (place, turn) = (number % self.sessions, number / self.sessions);
        let session = Uuid::from_u128(u128::from(place) << 84 | 7 << 76);
        let received = BEGIN + self.now;
        let at = Timestamp::from_ms(received);
        let task = turn % 40 / 4;
        let (kind, data) = match turn % 4 {
            0 => ("task.started", format!(r#"{{"task_id":"level-{task}","expected_ms":45000}}"#)),
            1 => ("task.attempted", format!(r#"{{"task_id":"level-{task}","outcome":"failure"}}"#)),
            2 => ("task.attempted", format!(r#"{{"task_id":"level-{task}","outcome":"success"}}"#)),
            _ => ("task.completed", format!(r#"{{"task_id":"level-{task}"}}"#)),
        };
        let seq = if self.counted { format!(r#""seq":{turn},"#) } else { String::new() };
        let id = Uuid::from_u128(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        let value = format!(
            r#"{{"v":1,"tenant":"bench","game":"demo","received_at":"{at}","sent_at":"{at}","app_version":"1.4.2","request_id":"0198c0de-0000-7000-8000-000000000001","key_id":"0123456789abcdef","gateway":"gateway-1","event":{{"event_id":"{id}","session_id":"{session}","player_id":"p-{place}","event_type":"{kind}","timestamp":"{at}",{seq}"data":{data}}}}}"#
        );
        Record {
            offset: i64::try_from(number).unwrap_or(i64::MAX),
            timestamp_ms: received,
            key: session_key(&self.tenant, session).into(),
            value: Some(value.into()),
            headers: Headers::new(),
        }
    }
}

fn machine(window: usize) -> Machine {
    Machine::new(Settings {
        games: Games::all(GameSettings::default()),
        commit_interval_ms: 200,
        margin_ms: 60_000,
        live: None,
        poison_limit: PoisonLimit { records: 1_000, within_ms: 60_000 },
        window: Window { records: window, age_ms: 3_600_000 },
        worker: "bench".to_owned(),
    })
}
