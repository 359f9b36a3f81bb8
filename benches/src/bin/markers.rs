//! What the markers of evicted sessions take in a worker's memory, restored as from its changelog.
//!
//! `cargo run --release -p playledger-benches --bin markers [COUNT]`

use std::time::Duration;

use anyhow::Context as _;
use eventlog::{Headers, Record};
use feature_worker::machine::{Input, Machine, PoisonLimit, Restored, Settings, Window};
use feature_worker::session::marker::Marker;
use feature_worker::session::{Order, Owner};
use feature_worker::state::{self, Position, SessionKey};
use playledger_allocator as _;
use playledger_benches::usage::{cpu_of_thread, memory, peak_memory};
use schemas::games::{GameSettings, Games};
use schemas::{Game, PlayerId, Tenant};
use uuid::Uuid;

/// Partitions of the worker.
const PARTITIONS: i32 = 4;
/// Records that a restore hands over at once.
const AT_ONCE: u64 = 1_000;
/// When the first session went, in ms since the epoch.
const BEGIN: i64 = 1_780_000_000_000;
/// Over how much time they went, in ms: nearly all that a marker stays.
const SPAN: i64 = 31 * 86_400_000;

#[expect(clippy::cast_precision_loss, reason = "figures to print")]
fn main() -> anyhow::Result<()> {
    let count: u64 = std::env::args().nth(1).map_or(Ok(3_000_000), |count| count.parse())?;
    let (tenant, owner_game) = (Tenant::parse("bench")?, Game::parse("demo")?);
    let mut machine = Machine::new(Settings {
        games: Games::all(GameSettings::default()),
        commit_interval_ms: 200,
        margin_ms: 60_000,
        live: None,
        poison_limit: PoisonLimit { records: 1_000, within_ms: 60_000 },
        window: Window { records: 500_000, age_ms: 3_600_000 },
        worker: "bench".to_owned(),
    });
    for partition in 0..PARTITIONS {
        machine.step(0, Input::Assigned { partition, committed: None });
    }
    let pid = std::process::id();
    let before = memory(pid)?;
    let (mut cpu, mut written) = (Duration::ZERO, 0);
    for first in (0..count).step_by(usize::try_from(AT_ONCE)?) {
        let partition = i32::try_from(first / AT_ONCE % 4)?;
        let numbers = first..(first + AT_ONCE).min(count);
        let records: Vec<Record> =
            numbers.map(|number| record(number, count, &tenant, &owner_game)).collect::<anyhow::Result<_>>()?;
        written += records.iter().map(|record| record.value.as_ref().map_or(0, bytes::Bytes::len)).sum::<usize>();
        let used = cpu_of_thread()?;
        let records = Restored::of(&records)?;
        machine.step(0, Input::Restored { partition, epoch: u64::try_from(partition + 1)?, records });
        cpu += cpu_of_thread()?.saturating_sub(used);
    }
    let restored = (memory(pid)?, peak_memory(pid)?);
    let position = Position { log_time: BEGIN + SPAN, next_offset: 0, replay: None, poison: None };
    for partition in 0..PARTITIONS {
        let record =
            Record { key: state::PARTITION_KEY.into(), value: Some(state::encode_partition(&position)?), ..blank() };
        let epoch = u64::try_from(partition + 1)?;
        machine.step(0, Input::Restored { partition, epoch, records: Restored::of(&[record])? });
        machine.step(0, Input::RestoreDone { partition, epoch });
    }
    let kept: usize = machine.partitions().map(|(_, partition)| partition.markers()).sum();
    anyhow::ensure!(kept as u64 == count && machine.is_restored(), "{kept} markers of {count}");
    let store: usize = machine.partitions().map(|(_, partition)| partition.marker_bytes()).sum();
    let each = |bytes: u64| bytes as f64 / count as f64;
    println!("{count} markers in {PARTITIONS} partitions, {:.0} bytes each as they are written", each(written as u64));
    println!("by the store's own account {:>8.1} MB, {:.1} bytes each", store as f64 / 1e6, each(store as u64));
    let (now, peak) = (memory(pid)?, peak_memory(pid)?);
    println!("VmRSS of the process       {:>8.1} MB, {:.1} before", now as f64 / 1e6, before as f64 / 1e6);
    println!(
        "VmHWM of the process       {:>8.1} MB, {:.1} as the last had been read",
        peak as f64 / 1e6,
        restored.1 as f64 / 1e6
    );
    println!("decoded and put in place in {:.2} CPU s", cpu.as_secs_f64());
    Ok(())
}

fn blank() -> Record {
    Record { offset: 0, timestamp_ms: 0, key: bytes::Bytes::new(), value: None, headers: Headers::new() }
}

fn record(number: u64, count: u64, tenant: &Tenant, game: &Game) -> anyhow::Result<Record> {
    let number = i64::try_from(number)?;
    let at = BEGIN + i64::try_from(i128::from(SPAN) * i128::from(number) / i128::from(count)).context("a time")?;
    let timed_out = number % 3 == 0;
    let offset = number * 60 + number % 37;
    let marker = Marker {
        owner: Owner { game: game.clone(), player: PlayerId::parse(format!("player-{}", number % 300_000))? },
        order: Order::Seq,
        next: 50 + number.unsigned_abs() % 100,
        skipped: Vec::new(),
        holes: Vec::new(),
        events: 50 + number.unsigned_abs() % 100,
        revision: 1 + u64::from(timed_out),
        first_offset: offset,
        last_offset: offset + 9_000 + number % 5_000,
        first_arrival: at - 5_400_000 - number % 1_800_000,
        last_timestamp: at - 3_600_000 - number % 20_000,
        last_log_time: at,
        play: true,
        cause: timed_out.then_some(feature_worker::session::Cause {
            reason: schemas::data::CloseReason::Timeout,
            at: at - 3_600_000,
        }),
        gone: false,
        known: None,
    };
    // The time of a v7 id, and chance.
    let random = u128::from(number.unsigned_abs()).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835) >> 50;
    let session = Uuid::from_u128(u128::from(at.unsigned_abs()) << 80 | 7 << 76 | random);
    let key = SessionKey { tenant: tenant.clone(), session };
    Ok(Record { key: key.to_bytes(), value: Some(state::encode_marker(&marker, offset + 20_000)?), ..blank() })
}
