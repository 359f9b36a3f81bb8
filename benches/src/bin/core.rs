//! Figures of the pure parts on real play, one core, in memory: reading events, folding them, and
//! the worker's whole machine, from a record of play.events to the records that it commits.
//!
//! `cargo run --release -p playledger-benches --bin core`

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use eventlog::Record;
use feature_worker::encode;
use feature_worker::machine::{Command, Input, LiveViews, Machine, Output, PoisonLimit, Settings, Window};
use feature_worker::metrics_v1::fold::{Bounds, Fold};
use feature_worker::topics::{Named, Topics};
use playledger_allocator as _;
use playledger_benches::load::{Session, Waves, batch, streams};
use playledger_benches::stamped::Stamper;
use playledger_benches::usage::cpu_of_thread;
use schemas::Event;
use schemas::games::{GameSettings, Games};
use schemas::record::stamp::{Names, Stamp};
use schemas::topics::Topic;

/// Events of the load: five times what was recorded.
const EVENTS: usize = 50_000;
/// Records that the log hands over at once.
const AT_ONCE: usize = 500;
/// Each figure is measured for at least so long.
const AT_LEAST: Duration = Duration::from_secs(2);
/// What the worker's core is to reach on one core.
const AIM: f64 = 1_000_000.0;
/// When the load was received, in ms since the epoch.
const RECEIVED_MS: i64 = 1_780_000_000_000;

fn main() -> anyhow::Result<()> {
    let sessions = Waves::read()?.sessions(EVENTS);
    let texts: Vec<&str> = sessions.iter().flat_map(|session| &session.events).map(String::as_str).collect();
    let bytes = texts.iter().map(|text| text.len()).sum::<usize>() / texts.len();
    println!(
        "real play: {} events of {} sessions, {bytes} bytes each; one thread, in memory\n",
        texts.len(),
        sessions.len()
    );
    println!("{:<52} {:>12} {:>12} {:>10}", "", "events/s", "events/CPU s", "CPU µs");
    gateway(&texts)?;
    let core = parse_and_fold(&sessions, &texts)?;
    machine(sessions)?;
    let verdict = if core >= AIM { "met" } else { "missed" };
    println!("\naim: {AIM:.0} events/s parsed and folded on one core: {verdict}, by CPU time {core:.0}");
    Ok(())
}

/// What the gateway does with an event before the log.
fn gateway(texts: &[&str]) -> anyhow::Result<()> {
    let owned: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    let bodies: Vec<Bytes> = owned.chunks(100).map(|events| batch(events).body).collect();
    measure(
        "batch of 100: split, scan, fingerprints",
        texts.len(),
        || (),
        |()| {
            for body in &bodies {
                black_box(schemas::envelope::batch(black_box(body)).is_ok());
            }
        },
    )?;
    measure(
        "one event by itself: scan, fingerprint",
        texts.len(),
        || (),
        |()| {
            for text in texts {
                black_box(schemas::body::fingerprint(black_box(text)));
            }
        },
    )?;
    Ok(())
}

/// What the worker does with an event, without its session's state: events per CPU second.
fn parse_and_fold(sessions: &[Session], texts: &[&str]) -> anyhow::Result<f64> {
    let parse = measure(
        "JSON → judged event",
        texts.len(),
        || (),
        |()| {
            for text in texts {
                black_box(schemas::parse::event(black_box(text)).is_ok());
            }
        },
    )?;
    let dom = measure(
        "  the same JSON into a DOM, to compare",
        texts.len(),
        || (),
        |()| {
            for text in texts {
                black_box(serde_json::from_str::<serde_json::Value>(black_box(text)).is_ok());
            }
        },
    )?;
    println!("  the judged event takes {:.2} of the DOM's time", dom / parse);
    let events: Vec<Event<'_>> = texts.iter().filter_map(|text| schemas::parse::event(text).ok()).collect();
    ensure!(events.len() == texts.len(), "some of the events are not sound");
    let played: Vec<&[Event<'_>]> = events.chunk_by(|one, next| one.session_id == next.session_id).collect();
    let idle_ms = GameSettings::default().idle_ms;
    measure(
        "judged event → fold",
        texts.len(),
        || (),
        |()| {
            for session in &played {
                let mut fold = Fold::default();
                session.iter().for_each(|event| fold.apply(black_box(event), idle_ms, Bounds::default()));
                black_box(fold.event_count());
            }
        },
    )?;
    measure(
        "JSON → judged event → fold",
        texts.len(),
        || (),
        |()| {
            for session in sessions {
                let mut fold = Fold::default();
                for text in &session.events {
                    if let Ok(event) = schemas::parse::event(black_box(text)) {
                        fold.apply(&event, idle_ms, Bounds::default());
                    }
                }
                black_box(fold.event_count());
            }
        },
    )
}

/// The worker's whole machine: stamps, sessions out of each other's way, reports, counts, state.
fn machine(sessions: Vec<Session>) -> anyhow::Result<()> {
    let played = sessions.len();
    let records = stamped(sessions)?;
    let batches: Vec<Vec<Record>> = records.chunks(AT_ONCE).map(<[Record]>::to_vec).collect();
    let outputs = feed(batches.clone())?;
    let reports = outputs.iter().filter(|output| matches!(output, Output::Report(_))).count();
    ensure!(reports >= played, "{reports} reports of {played} sessions");
    let topics = topics();
    measure(
        "record → stamp",
        records.len(),
        || (),
        |()| {
            for record in &records {
                black_box(record.value.as_deref().is_some_and(|value| Stamp::parse(black_box(value)).is_ok()));
            }
        },
    )?;
    let mut names = Names::default();
    measure(
        "record → stamp, skimmed",
        records.len(),
        || (),
        |()| {
            for record in &records {
                black_box(
                    record.value.as_deref().is_some_and(|value| Stamp::skim(black_box(value), &mut names).is_ok()),
                );
            }
        },
    )?;
    measure(
        "record → session → report (the worker's machine)",
        records.len(),
        || batches.clone(),
        |batches| {
            black_box(feed(batches).is_ok());
        },
    )?;
    measure(
        "  and its outputs as records",
        records.len(),
        || batches.clone(),
        |batches| {
            if let Ok(outputs) = feed(batches) {
                black_box(encode::records(outputs, &topics, RECEIVED_MS).is_ok());
            }
        },
    )?;
    println!("  {reports} reports and {} other outputs, {} records in one read", outputs.len() - reports, AT_ONCE);
    Ok(())
}

/// Feeds a machine until it has committed everything; what it committed.
fn feed(batches: Vec<Vec<Record>>) -> anyhow::Result<Vec<Output>> {
    let mut machine = Machine::new(Settings {
        games: Games::all(GameSettings::default()),
        commit_interval_ms: 200,
        margin_ms: 60_000,
        live: Some(LiveViews { every_ms: 5_000, rate: 2_000 }),
        poison_limit: PoisonLimit { records: 1_000, within_ms: 60_000 },
        window: Window { records: 500_000, age_ms: 3_600_000 },
        worker: "bench".to_owned(),
    });
    let (began, mut committed, mut next_offset) = (Instant::now(), Vec::new(), 0);
    let mut step = |machine: &mut Machine, input: Input| -> anyhow::Result<Vec<Command>> {
        let now = i64::try_from(began.elapsed().as_millis())?;
        let mut rest = Vec::new();
        for command in machine.step(now, input) {
            match command {
                // The log takes it at once.
                Command::Commit { outputs, .. } => {
                    committed.extend(outputs);
                    rest.extend(machine.step(now, Input::Committed));
                }
                Command::Stop { error: Some(error) } => anyhow::bail!("the machine stopped: {error}"),
                other => rest.push(other),
            }
        }
        Ok(rest)
    };
    let asked = step(&mut machine, Input::Assigned { partition: 0, committed: None })?;
    let epoch = asked.iter().find_map(|command| match command {
        Command::Restore { epoch, .. } => Some(*epoch),
        _ => None,
    });
    step(&mut machine, Input::RestoreDone { partition: 0, epoch: epoch.context("the machine restores nothing")? })?;
    for records in batches {
        next_offset += i64::try_from(records.len())?;
        step(&mut machine, Input::Batch { partition: 0, records, next_offset })?;
    }
    step(&mut machine, Input::Drain)?;
    Ok(committed)
}

/// The load as it lies in play.events: many sessions at once.
fn stamped(sessions: Vec<Session>) -> anyhow::Result<Vec<Record>> {
    let stamper = Stamper::new()?;
    let mut records: Vec<Record> = Vec::new();
    for request in streams(sessions, 1, 100).into_iter().flatten() {
        let request = schemas::envelope::batch(&request.body).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        for raw in &request.events {
            let offset = i64::try_from(records.len())?;
            records.push(Record { offset, ..stamper.record(raw.raw, RECEIVED_MS)? });
        }
    }
    Ok(records)
}

fn topics() -> Topics {
    let named = |topic: Topic| Named { name: Arc::from(topic.name("play.")), partitions: 4 };
    Topics {
        events: named(Topic::Events),
        state: named(Topic::SessionState),
        sessions: named(Topic::Sessions),
        live: named(Topic::Live),
        activity: named(Topic::Activity),
        quarantine: named(Topic::Quarantine),
    }
}

/// Prints how fast `run` goes through `events` events, over as many passes as it takes; what
/// `prepare` does is not counted. Gives events per second of processor time, which a machine that
/// is shared with others falsifies less than wall time.
#[expect(clippy::cast_precision_loss, reason = "figures to print")]
fn measure<T>(
    what: &str,
    events: usize,
    mut prepare: impl FnMut() -> T,
    mut run: impl FnMut(T),
) -> anyhow::Result<f64> {
    run(prepare());
    let (mut wall, mut cpu, mut passes) = (Duration::ZERO, Duration::ZERO, 0_usize);
    while wall < AT_LEAST {
        let prepared = prepare();
        let (began, used) = (Instant::now(), cpu_of_thread()?);
        run(prepared);
        cpu += cpu_of_thread()?.saturating_sub(used);
        wall += began.elapsed();
        passes += 1;
    }
    let events = (events * passes) as f64;
    let (by_wall, by_cpu) = (events / wall.as_secs_f64(), events / cpu.as_secs_f64());
    println!("{what:<52} {by_wall:>12.0} {by_cpu:>12.0} {:>10.3}", 1e6 / by_cpu);
    Ok(by_cpu)
}
