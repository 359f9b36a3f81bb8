//! The worker's metrics, as a scrape sees them: each of the catalogue's is there with its help, its kind and its labels,
//! and moves when what it tells of happens. Other tests of this process move them too, and always upwards.

use std::sync::atomic::{AtomicBool, Ordering};

use feature_worker::metrics::{ALL, Kind};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use super::faulty::Fault;
use super::poisoned::POISONED;
use super::standing_still::{faulty, partition_of};
use super::*;

/// The sum over all samples of that name whose labels hold this text.
fn sum(scrape: &str, name: &str, label: &str) -> f64 {
    let samples = scrape.lines().filter_map(|line| line.rsplit_once(' '));
    let meant = samples.filter(|(key, _)| {
        let (found, labels) = key.split_once('{').unwrap_or((key, ""));
        found == format!("playledger_worker_{name}") && labels.contains(label)
    });
    meant.map(|(_, value)| value.parse::<f64>().unwrap()).sum()
}

/// Waits until a scrape shows it.
async fn shows(recorder: &PrometheusHandle, name: &str, label: &str, seen: impl Fn(f64) -> bool) {
    let begun = Instant::now();
    loop {
        let scrape = recorder.render();
        if seen(sum(&scrape, name, label)) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{name} {label} never showed it\n{scrape}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_there_with_its_help_and_moves_with_what_it_tells() {
    let builder = PrometheusBuilder::new().set_buckets(&[0.1, 1.0, 10.0]).unwrap();
    let recorder = builder.install_recorder().unwrap();
    let (world, fault) = faulty(Fault::Abort(AtomicBool::new(false))).await;
    let limited = Config { poison_limit: PoisonLimit { records: 2, within_ms: 3_600_000 }, ..world.config("measured") };
    let some = |value: f64| value > 0.0;
    let worker = world.worker_with(limited.clone(), Shell::detached());
    // A broker takes no record of the future.
    let now = worker.0.clock.now_ms() - 5 * 3_600_000;
    let sessions = sessions(9_000, 30);
    for chunk in sessions[..20].concat().chunks(100) {
        world.append(chunk, now).await;
    }
    world.until_final(20).await;
    for name in ["records_total", "input_bytes_total", "state_bytes_total", "applied_total", "partitions", "sessions"] {
        shows(&recorder, name, "", some).await;
    }
    for name in ["batch_records_count", "fold_seconds_count", "commit_seconds_count", "event_age_seconds_count"] {
        shows(&recorder, name, "", some).await;
    }
    shows(&recorder, "reports_total", "final", some).await;
    shows(&recorder, "commits_total", "ok", some).await;
    shows(&recorder, "snapshots_total", "", some).await;
    // What is told again; what waits behind a gap; an abort.
    let Fault::Abort(next) = &*fault else { unreachable!() };
    next.store(true, Ordering::SeqCst);
    let running = &sessions[20..];
    let begun: Vec<Value> = running.iter().flat_map(|session| [session[0].clone(), session[2].clone()]).collect();
    world.append(&begun, now).await;
    world.append(&begun, now).await;
    shows(&recorder, "repeats_total", "", some).await;
    shows(&recorder, "aborts_total", "delivery", some).await;
    shows(&recorder, "commits_total", "aborted", some).await;
    shows(&recorder, "buffered_events", "", some).await;
    shows(&recorder, "buffered_bytes", "", some).await;
    // Their states have been written; what comes now is not, for a while.
    world.append(&running.iter().map(|session| session[3].clone()).collect::<Vec<_>>(), now).await;
    shows(&recorder, "replay_window_records", "", some).await;
    // It dies; the next owner restores, reads again and has stood still.
    worker.1.abort();
    let _ = worker.1.await;
    world.append(&running.iter().map(|session| session[1].clone()).collect::<Vec<_>>(), now).await;
    let worker = world.worker_with(limited, Shell::detached());
    for name in ["restore_seconds_count", "restored_bytes_total", "restored_sessions_total", "handover_seconds_count"] {
        shows(&recorder, name, "", some).await;
    }
    shows(&recorder, "replayed_total", "", some).await;
    shows(&recorder, "replay_seconds_count", "", some).await;
    // A hole; later everything but the last is evicted, and what comes then is late, unless it is sent again.
    world.append_hole(&running[0], now).await;
    shows(&recorder, "holes_total", "", some).await;
    let later = now + 4 * 3_600_000;
    let rest: Vec<Value> = running.iter().flat_map(|session| session[3..].to_vec()).collect();
    world.append(&rest, later).await;
    shows(&recorder, "markers", "", some).await;
    let late = late_event(&sessions[..20], running);
    world.append(std::slice::from_ref(&late), later).await;
    shows(&recorder, "set_aside_total", "late", some).await;
    world.append_again(&late, later).await;
    shows(&recorder, "read_backs_total", "", some).await;
    // Poison stops a partition, and what lies behind it is not read.
    world.append_poison(9, later).await;
    shows(&recorder, "set_aside_total", "poison", some).await;
    shows(&recorder, "stopped_partitions", "", some).await;
    shows(&recorder, "lag_records", "", some).await;
    shows(&recorder, "lag_seconds", "", |value| value >= 0.0).await;
    stop(worker).await;
    the_catalogue_is_kept(&recorder.render());
}

/// A new event of a session that has been evicted, of a partition where log time has gone on.
fn late_event(evicted: &[Vec<Value>], running: &[Vec<Value>]) -> Value {
    let goes_on = |session: &&Vec<Value>| {
        running.iter().any(|other| other.len() > 3 && partition_of(other) == partition_of(session))
            && partition_of(session) != POISONED
    };
    let mut late = evicted.iter().find(goes_on).unwrap().last().unwrap().clone();
    late["event_id"] = json!(uuid::Uuid::new_v4());
    late["event_type"] = json!("session.heartbeat");
    late["seq"] = json!(late["seq"].as_u64().unwrap() + 1);
    late.as_object_mut().unwrap().remove("data");
    late
}

impl World {
    async fn append_hole(&self, session: &[Value], received_at: i64) {
        let hole = json!({"session_id": session[0]["session_id"], "seq": session.len() + 5, "reason": "invalid"});
        self.append_stamp(&session[0], received_at, |stamp| {
            stamp.remove("event");
            stamp.insert("hole".into(), hole);
        })
        .await;
    }

    /// As somebody who mends it sends an event again.
    async fn append_again(&self, event: &Value, received_at: i64) {
        let origin = json!({
            "topic": Topic::Events.name(&self.prefix), "partition": 0, "offset": 1,
            "first_received_at": Timestamp::from_ms(received_at).to_string(), "session_first_offset": 0,
        });
        self.append_stamp(event, received_at, |stamp| drop(stamp.insert("redrive".into(), origin))).await;
    }

    async fn append_stamp(
        &self,
        event: &Value,
        received_at: i64,
        change: impl FnOnce(&mut serde_json::Map<String, Value>),
    ) {
        let mut record = stamped(event, received_at, &self.prefix);
        let mut stamp = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
        change(&mut stamp);
        record.value = Some(Value::Object(stamp).to_string().into());
        let appender = self.log.appender(AppendOptions::default()).await.unwrap();
        appender.append(vec![record]).unwrap().kept().await.unwrap();
    }
}

fn the_catalogue_is_kept(scrape: &str) {
    let samples: Vec<&str> = scrape.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
    for metric in ALL {
        let name = metric.name;
        assert!(scrape.contains(&format!("# HELP {name} {}\n", metric.help)), "{name} has no help\n{scrape}");
        let kind = format!("{:?}", metric.kind).to_lowercase();
        assert!(scrape.contains(&format!("# TYPE {name} {kind}\n")), "{name} is no {kind}");
        let suffix = if metric.kind == Kind::Histogram { "_count" } else { "" };
        let of = format!("{name}{suffix}");
        let found: Vec<_> = samples.iter().filter(|key| key.split('{').next() == Some(&of)).collect();
        assert!(!found.is_empty(), "{name} is not there");
        for sample in found {
            let labels = sample.split_once('{').map_or("", |(_, labels)| labels.trim_end_matches('}'));
            let labels: Vec<_> = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)).collect();
            assert_eq!(labels, metric.labels, "{sample}");
        }
    }
    let undeclared = samples.iter().filter(|key| key.starts_with("playledger_worker_")).find(|key| {
        let name = key.split('{').next().unwrap();
        let of = |suffix: &str| ALL.iter().any(|metric| Some(metric.name) == name.strip_suffix(suffix));
        !(of("") || of("_count") || of("_sum") || of("_bucket"))
    });
    assert_eq!(undeclared, None);
    for private in ["acme", "demo", "p-"] {
        assert!(!samples.iter().any(|sample| sample.contains(&format!("\"{private}"))), "{private} is in a label");
    }
}
