//! What live sessions hold in memory, and what an event allocates in the machine: counted, so it is the same twice on
//! a busy machine, too.
//!
//! ```text
//! cargo build --release -p feature-worker --example held
//! target/release/examples/held
//! valgrind --tool=callgrind target/release/examples/held     # instructions
//! ```
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use eventlog::{Headers, Record};
use feature_worker::machine::{Command, Input, LiveViews, Machine, PoisonLimit, Settings, Window};
use feature_worker::session::Session;
use schemas::Timestamp;
use schemas::games::{GameSettings, Games};
use uuid::Uuid;

/// When the first event is received, in ms since the epoch.
const BEGIN: i64 = 1_780_000_000_000;
/// Events of each session.
const LENGTH: u64 = 50;
/// Records that the log hands over at once.
const AT_ONCE: u64 = 500;

/// Blocks that were asked for.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
/// Bytes of those that have not been given back.
static HELD: AtomicI64 = AtomicI64::new(0);
/// Blocks that have not been given back.
static BLOCKS: AtomicI64 = AtomicI64::new(0);

struct Counting;

impl Counting {
    fn count(bytes: usize, sign: i64) {
        HELD.fetch_add(sign * i64::try_from(bytes).unwrap_or(i64::MAX), Ordering::Relaxed);
        BLOCKS.fetch_add(sign, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        Self::count(layout.size(), 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        Self::count(layout.size(), -1);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        Self::count(layout.size(), -1);
        Self::count(size, 1);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> anyhow::Result<()> {
    println!("a session itself: {} bytes", size_of::<Session>());
    println!("sessions of {LENGTH} events, a commit every 200 ms, 50,000 events/s of log time\n");
    println!("{:>10} {:>16} {:>16} {:>22}", "live", "bytes a session", "blocks", "allocations an event");
    for sessions in [1_000, 4_000, 16_000] {
        live(sessions)?;
    }
    Ok(())
}

/// Sessions that get an event each in turn.
#[expect(clippy::cast_precision_loss, reason = "figures to print")]
fn live(sessions: u64) -> anyhow::Result<()> {
    let (bytes, blocks) = (HELD.load(Ordering::Relaxed), BLOCKS.load(Ordering::Relaxed));
    let mut machine = Machine::new(settings());
    machine.step(0, Input::Assigned { partition: 0, committed: None });
    machine.step(0, Input::RestoreDone { partition: 0, epoch: 1 });
    let (mut now, mut sent, mut allocations, mut under_way) = (0, 0, 0, false);
    let mut step = |machine: &mut Machine, now, input| {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let commands = machine.step(now, input);
        let commits = commands.iter().any(|command| matches!(command, Command::Commit { .. }));
        allocations += ALLOCATIONS.load(Ordering::Relaxed) - before;
        commits
    };
    while sent < sessions * LENGTH {
        now += 10;
        let records: Vec<Record> = (sent..sent + AT_ONCE).map(|number| record(number, sessions, now)).collect();
        sent += AT_ONCE;
        if std::mem::take(&mut under_way) {
            under_way = step(&mut machine, now, Input::Committed);
        }
        let next_offset = i64::try_from(sent)?;
        under_way |= step(&mut machine, now, Input::Batch { partition: 0, records, next_offset });
        while machine.waits(0) {
            under_way = step(&mut machine, now, Input::Committed);
        }
    }
    // Until nothing is kept for an abort.
    while under_way || machine.partitions().any(|(_, partition)| partition.touched() > 0) {
        now += 200;
        let input = if under_way { Input::Committed } else { Input::Tick };
        under_way = step(&mut machine, now, input);
    }
    let held = (HELD.load(Ordering::Relaxed) - bytes) as f64 / sessions as f64;
    let blocks = (BLOCKS.load(Ordering::Relaxed) - blocks) as f64 / sessions as f64;
    println!("{sessions:>10} {held:>16.0} {blocks:>16.1} {:>22.1}", allocations as f64 / sent as f64);
    Ok(())
}

fn settings() -> Settings {
    Settings {
        games: Games::all(GameSettings::default()),
        commit_interval_ms: 200,
        margin_ms: 60_000,
        live: Some(LiveViews { every_ms: 5_000, rate: 2_000 }),
        poison_limit: PoisonLimit { records: 1_000, within_ms: 60_000 },
        window: Window { records: 500_000, age_ms: 3_600_000 },
        worker: "example".to_owned(),
    }
}

/// The record of that number over all sessions.
fn record(number: u64, sessions: u64, now: i64) -> Record {
    let (place, turn) = (number % sessions, number / sessions);
    let session = Uuid::from_u128(u128::from(place) << 84 | 7 << 76);
    let at = Timestamp::from_ms(BEGIN + now);
    let task = turn % 40 / 4;
    let (kind, more) = match turn % 4 {
        0 => ("task.started", r#","expected_ms":45000"#),
        1 => ("task.attempted", r#","outcome":"failure""#),
        2 => ("task.attempted", r#","outcome":"success""#),
        _ => ("task.completed", ""),
    };
    let id = Uuid::from_u128(u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
    let value = format!(
        r#"{{"v":1,"tenant":"bench","game":"demo","received_at":"{at}","sent_at":"{at}","app_version":"1.4.2","request_id":"r","key_id":"k","gateway":"g","event":{{"event_id":"{id}","session_id":"{session}","player_id":"p-{place}","event_type":"{kind}","timestamp":"{at}","seq":{turn},"data":{{"task_id":"level-{task}"{more}}}}}}}"#
    );
    Record {
        offset: i64::try_from(number).unwrap_or(i64::MAX),
        timestamp_ms: at.ms(),
        key: Bytes::from(format!("bench/{session}")),
        value: Some(value.into()),
        headers: Headers::new(),
    }
}
