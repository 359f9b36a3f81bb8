//! The projector's metrics, as a scrape sees them: each of the catalogue's is there with its help, its kind and its
//! labels. Other tests of this process move them too.

use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusBuilder;
use projector::metrics::{ALL, Kind};
use schemas::topics::Topic;
use serde_json::json;

use crate::records::{activity, report};
use crate::whole::Pipeline;
use crate::world::Given;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_there_with_its_help_its_kind_and_its_labels() {
    let recorder = PrometheusBuilder::new().set_buckets(&[0.1, 1.0, 10.0]).unwrap().install_recorder().unwrap();
    let pipeline = Pipeline::embedded().await;
    let running = pipeline.start("measured");
    pipeline.append_reports(0..20).await;
    pipeline.append(Topic::Sessions, vec![Given::bytes(b"{")]).await;
    pipeline.append(Topic::Activity, vec![Given::json(&activity(&json!({"task.started": 1})))]).await;
    pipeline.append(Topic::Sessions, vec![Given::json(&report(uuid::Uuid::from_u128(3), 2))]).await;
    pipeline.until("SELECT count(*) FROM play.quarantine", 1).await;
    let begun = Instant::now();
    let (mut scrape, mut fault) = (String::new(), Some(String::new()));
    // Some are told once a second only.
    while fault.is_some() && begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(100)).await;
        scrape = recorder.render();
        fault = ALL.iter().find_map(|metric| fault_of(metric, &scrape));
    }
    assert_eq!(fault, None, "\n{scrape}");
    running.stop().await;

    let samples = scrape.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0));
    let undeclared = samples.filter(|key| key.starts_with("playledger_projector_")).find(|key| {
        let name = key.split('{').next().unwrap();
        let of = |suffix: &str| ALL.iter().any(|metric| Some(metric.name) == name.strip_suffix(suffix));
        !(of("") || of("_count") || of("_sum") || of("_bucket"))
    });
    assert_eq!(undeclared, None);
    let value = |of: &str| {
        let line = scrape.lines().find_map(|line| line.strip_prefix(of)).unwrap_or_else(|| panic!("{of}\n{scrape}"));
        line.trim().parse::<f64>().unwrap()
    };
    assert!(value("playledger_projector_records_total{topic=\"play.sessions\"}") >= 22.0);
    assert!(value("playledger_projector_rows_total{table=\"sessions\"}") >= 20.0);
    assert!(value("playledger_projector_refused_total{reason=\"poison\"}") >= 1.0);
    for private in ["acme", "demo", "p-"] {
        assert!(!scrape.contains(&format!("\"{private}")), "{private} is in a label");
    }
}

/// What is wrong with a metric in a scrape.
fn fault_of(metric: &projector::metrics::Metric, scrape: &str) -> Option<String> {
    let name = metric.name;
    if !scrape.contains(&format!("# HELP {name} {}\n", metric.help)) {
        return Some(format!("{name} has no help"));
    }
    let kind = format!("{:?}", metric.kind).to_lowercase();
    if !scrape.contains(&format!("# TYPE {name} {kind}\n")) {
        return Some(format!("{name} is no {kind}"));
    }
    let of = format!("{name}{}", if metric.kind == Kind::Histogram { "_count" } else { "" });
    let samples = scrape.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0));
    let found: Vec<&str> = samples.filter(|key| key.split('{').next() == Some(&of)).collect();
    if found.is_empty() {
        return Some(format!("{name} is not there"));
    }
    found.into_iter().find_map(|sample| {
        let labels = sample.split_once('{').map_or("", |(_, labels)| labels.trim_end_matches('}'));
        let labels: Vec<_> = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)).collect();
        (labels != metric.labels).then(|| format!("{sample} has other labels than {:?}", metric.labels))
    })
}
