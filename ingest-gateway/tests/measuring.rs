//! The gateway's metrics, as a scrape sees them: each of the catalogue's is there with its help, its kind and its
//! labels, and moves when what it tells of happens. A test of its own: metrics are the whole process's.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![expect(dead_code, reason = "the contract's world has more than is used here")]
#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

#[path = "contract/authority.rs"]
mod authority;
#[path = "contract/failing.rs"]
mod failing;
#[path = "contract/promised.rs"]
mod promised;
#[path = "contract/told.rs"]
mod told;
#[path = "contract/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ingest_gateway::metrics::{ALL, Kind};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use authority::Authority;
use failing::{Failing, Mode};
use told::{event, with};
use world::{Setting, World, client};

/// What a scrape told.
struct Scrape {
    text: String,
    /// By name and labels, as they are written.
    values: BTreeMap<String, f64>,
}

impl Scrape {
    fn take(recorder: &PrometheusHandle) -> Self {
        let text = recorder.render();
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        let values = samples.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect();
        Self { text, values }
    }

    /// The sum over all samples of that name whose labels hold all of these.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let is_meant = |key: &str| {
            let (found, rest) = key.split_once('{').unwrap_or((key, ""));
            found == format!("playledger_gateway_{name}")
                && labels.iter().all(|(label, value)| rest.contains(&format!("{label}=\"{value}\"")))
        };
        self.values.iter().filter(|(key, _)| is_meant(key)).map(|(_, value)| value).sum()
    }
}

/// Waits until a scrape shows it.
async fn shows(recorder: &PrometheusHandle, what: &str, seen: impl Fn(&Scrape) -> bool) {
    let began = Instant::now();
    loop {
        let scrape = Scrape::take(recorder);
        if seen(&scrape) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "never seen: {what}\n{}", scrape.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_there_with_its_help_and_moves_with_what_it_tells() {
    let builder = PrometheusBuilder::new().set_buckets(&[0.1, 1.0, 10.0]).unwrap();
    let recorder = builder.install_recorder().unwrap();
    let issuer = "\n[[issuer]]\nname = \"login\"\niss = \"i\"\naud = [\"a\"]\nalgorithm = \"EdDSA\"\n\
                  jwks_url = \"http://127.0.0.1:9/keys\"\ntenant = \"acme\"\ngames = [\"runner\"]\nscopes = [\"ingest\"]\n";
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.ndjson");
    let failing = Failing::new();
    let setting = failing.setting(&["--access-log", log.to_str().unwrap(), "--max-connections-per-address", "8"]);
    let setting = Setting {
        credentials: issuer.to_owned(),
        schemas: vec![("boss.defeated.json".to_owned(), "{}".to_owned())],
        tiers: Some("[tier.tight]\nkey.requests = { per_second = 1, burst = 2 }\n".to_owned()),
        ..setting
    };
    let world = World::with(setting).await;
    requests_are_measured(&recorder, &world).await;
    connections_are_counted(&recorder, &world).await;
    reloads_are_counted(&recorder, &world).await;
    handshakes_are_counted(&recorder).await;
    what_the_log_does_not_take_is_counted(&recorder, &world, &failing).await;
    the_catalogue_is_kept(&recorder);
}

async fn requests_are_measured(recorder: &PrometheusHandle, world: &World) {
    let before = Scrape::take(recorder);
    let first = event();
    let body = json!({"events": [first, event()]}).to_string();
    let answer = world.post_bytes("/v1/batch", body.clone()).await.accepted();
    let mut other = first.clone();
    other["data"]["task_id"] = json!("L08");
    world.post("/v1/batch", &json!({"events": [first, other, event(), with("seq", json!(-1))]})).await;
    let twice = event();
    world.post("/v1/batch", &json!({"events": [twice, twice]})).await.accepted();
    let after = Scrape::take(recorder);
    let grew = |name: &str, labels: &[(&str, &str)]| after.sum(name, labels) - before.sum(name, labels);
    let batches = ("route", "/v1/batch");
    assert_eq!(
        [grew("requests_total", &[batches, ("status", "202")]), grew("requests_total", &[batches, ("status", "207")])],
        [2.0, 1.0]
    );
    assert_eq!([grew("request_seconds_count", &[batches]), grew("append_seconds_count", &[])], [3.0, 3.0]);
    let outcomes = ["accepted", "duplicate", "conflict", "rejected", "shed", "unknown"];
    assert_eq!(outcomes.map(|outcome| grew("events_total", &[("outcome", outcome)])), [4.0, 2.0, 1.0, 1.0, 0.0, 0.0]);
    let hits = ["known", "in_flight", "other_body"];
    assert_eq!(hits.map(|kind| grew("dedup_hits_total", &[("kind", kind)])), [1.0, 1.0, 1.0]);
    let encoded = grew("body_bytes_total", &[("form", "encoded")]);
    let length = f64::from(u32::try_from(body.len()).unwrap());
    assert!(encoded > length && grew("body_bytes_total", &[("form", "decoded")]) >= encoded, "{encoded}");
    let told: f64 = answer.headers["content-length"].to_str().unwrap().parse().unwrap();
    assert!(grew("answer_bytes_total", &[batches]) > told);

    // A tier's limit, refused under its name.
    let tight = world.tier_key("tight").await;
    while world.as_key(&tight, "/v1/whoami").await.status != 429
        && world.post_as(&tight, "/v1/events", &event()).await.status != 429
    {}
    shows(recorder, "a refusal of the tier", |scrape| scrape.sum("refused_total", &[("tier", "tight")]) >= 1.0).await;
    shows(recorder, "keys that are limited", |scrape| scrape.sum("limited_keys", &[]) >= 1.0).await;
    shows(recorder, "ids of the window", |scrape| scrape.sum("dedup_ids", &[]) >= 4.0).await;
    shows(recorder, "what the window covers", |scrape| scrape.sum("dedup_covered_seconds", &[]) > 0.0).await;
    // As long as a gateway appends alone its tail reads nothing.
    let named = ["--instance", "other"].map(str::to_owned).to_vec();
    let mut other = world.beside(&Setting { flags: named, ..Setting::default() }).await;
    other.post("/v1/events", &event()).await.accepted();
    shows(recorder, "the tail's delay", |scrape| scrape.sum("tail_delay_seconds_count", &[]) >= 1.0).await;
    other.stop().await;
    shows(recorder, "lines of the access log", |scrape| {
        scrape.sum("access_log_lines_total", &[("result", "written")]) >= 3.0
    })
    .await;
    shows(recorder, "nothing is left in flight", |scrape| {
        scrape.sum("requests_in_flight", &[]) == 0.0 && scrape.sum("body_bytes_in_flight", &[]) == 0.0
    })
    .await;
    // A body that does not come to its end.
    let mut stream = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{}",
        world.key,
        " ".repeat(100)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    shows(recorder, "a request in flight", |scrape| {
        scrape.sum("requests_in_flight", &[]) >= 1.0 && scrape.sum("body_bytes_in_flight", &[]) >= 100.0
    })
    .await;
}

async fn connections_are_counted(recorder: &PrometheusHandle, world: &World) {
    let before = Scrape::take(recorder);
    let address = world.url.trim_start_matches("http://");
    let mut open = Vec::new();
    for _ in 0..9 {
        open.push(TcpStream::connect(address).await.unwrap());
    }
    shows(recorder, "connections taken and refused", |scrape| {
        scrape.sum("connections_opened_total", &[]) > before.sum("connections_opened_total", &[])
            && scrape.sum("connections_refused_total", &[]) >= 1.0
            && (1.0..=8.0).contains(&scrape.sum("connections", &[]))
    })
    .await;
}

async fn reloads_are_counted(recorder: &PrometheusHandle, world: &World) {
    let reloads = |source: &'static str, result: &'static str| {
        move |scrape: &Scrape| scrape.sum("reloads_total", &[("source", source), ("result", result)]) >= 1.0
    };
    let schema = world.folder.path().join("schemas").join("boss.defeated.json");
    let credentials = std::fs::read_to_string(world.credentials()).unwrap();
    std::fs::write(&schema, "{").unwrap();
    std::fs::write(world.credentials(), "[[key]]\nid = ").unwrap();
    shows(recorder, "a broken schema", reloads("schemas", "failed")).await;
    shows(recorder, "broken credentials", reloads("credentials", "failed")).await;
    shows(recorder, "that both are", |scrape| {
        scrape.sum("schemas_good", &[]) + scrape.sum("credentials_good", &[]) == 0.0
    })
    .await;
    std::fs::write(&schema, "{\"version\": 2}").unwrap();
    std::fs::write(world.credentials(), credentials).unwrap();
    shows(recorder, "sound schemas", reloads("schemas", "good")).await;
    shows(recorder, "sound credentials", |scrape| {
        reloads("credentials", "good")(scrape) && scrape.sum("credentials_good", &[]) == 1.0
    })
    .await;
    shows(recorder, "an issuer without keys", |scrape| {
        scrape.sum("jwks_broken", &[]) == 1.0 && scrape.sum("jwks_fetches_total", &[("result", "failed")]) >= 1.0
    })
    .await;
}

async fn handshakes_are_counted(recorder: &PrometheusHandle) {
    let authority = Authority::new();
    let pair = authority.signs(2);
    let setting = Setting {
        authority: Some(authority.pem()),
        files: vec![("tls.pem".to_owned(), pair.certificate.clone()), ("tls.key".to_owned(), pair.key.clone())],
        flags: vec!["--header-timeout".to_owned(), "1s".to_owned()],
        ..Setting::default()
    };
    let world = World::with(setting.clone()).await;
    let older = client(&setting).tls_version_max(reqwest::tls::Version::TLS_1_2).build().unwrap();
    older.get(format!("{}/livez", world.url)).send().await.unwrap();
    let stranger = reqwest::Client::new().get(format!("{}/livez", world.url)).send().await;
    assert!(stranger.is_err(), "who does not know the authority breaks off");
    reqwest::Client::new().get(world.url.replace("https", "http")).send().await.unwrap();
    let address = world.url.trim_start_matches("https://");
    drop(TcpStream::connect(address).await.unwrap());
    let mut silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
    let shaken = |scrape: &Scrape, result: &str, version: &str| {
        scrape.sum("tls_handshakes_total", &[("result", result), ("version", version)]) >= 1.0
    };
    shows(recorder, "handshakes by result", |scrape| {
        shaken(scrape, "good", "1.2")
            && shaken(scrape, "good", "1.3")
            && ["failed", "timed_out", "plain_http", "closed"].iter().all(|result| shaken(scrape, result, "none"))
            && scrape.sum("tls_handshake_seconds_count", &[]) >= 2.0
    })
    .await;
    let now = f64::from(u32::try_from(daemon::Clock::system().now_ms() / 1_000).unwrap());
    shows(recorder, "when the certificate ends", |scrape| {
        let left = scrape.sum("tls_certificate_expiry_timestamp_seconds", &[]) - now;
        scrape.sum("tls_certificate_good", &[]) == 1.0 && (3_400.0..=3_600.0).contains(&left)
    })
    .await;
    std::fs::write(world.folder.path().join("tls.key"), "").unwrap();
    shows(recorder, "a broken key", |scrape| {
        scrape.sum("reloads_total", &[("source", "tls"), ("result", "failed")]) == 1.0
            && scrape.sum("tls_certificate_good", &[]) == 0.0
    })
    .await;
}

async fn what_the_log_does_not_take_is_counted(recorder: &PrometheusHandle, world: &World, failing: &Failing) {
    failing.set(Mode::Unavailable);
    assert_eq!(world.post("/v1/events", &event()).await.status, 503);
    failing.set(Mode::Forgets);
    assert_eq!(world.post("/v1/events", &event()).await.status, 503);
    shows(recorder, "appends that failed", |scrape| {
        ["unavailable", "unknown"].iter().all(|kind| scrape.sum("append_errors_total", &[("kind", kind)]) >= 1.0)
            && ["shed", "unknown"].iter().all(|kind| scrape.sum("events_total", &[("outcome", kind)]) >= 1.0)
    })
    .await;
    failing.set_oldest(Some(Duration::from_secs(7)));
    shows(recorder, "the age of what waits", |scrape| scrape.sum("queue_oldest_seconds", &[]) >= 7.0).await;
    // Counts go out every ten seconds; with this log nobody knows whether they arrive.
    shows(recorder, "doubtful counts", |scrape| scrape.sum("outcomes_doubtful_total", &[]) >= 1.0).await;
}

fn the_catalogue_is_kept(recorder: &PrometheusHandle) {
    let scrape = Scrape::take(recorder);
    for metric in ALL {
        let name = metric.name;
        assert!(
            scrape.text.contains(&format!("# HELP {name} {}\n", metric.help)),
            "{name} has no help\n{}",
            scrape.text
        );
        let kind = format!("{:?}", metric.kind).to_lowercase();
        assert!(scrape.text.contains(&format!("# TYPE {name} {kind}\n")), "{name} is no {kind}");
        let suffix = if metric.kind == Kind::Histogram { "_count" } else { "" };
        let samples: Vec<_> =
            scrape.values.keys().filter(|key| key.split('{').next() == Some(&format!("{name}{suffix}"))).collect();
        assert!(!samples.is_empty(), "{name} never moved");
        for sample in samples {
            let labels = sample.split_once('{').map_or("", |(_, labels)| labels.trim_end_matches('}'));
            let mut found: Vec<_> =
                labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name).collect();
            found.sort_unstable();
            let mut declared = metric.labels.to_vec();
            declared.sort_unstable();
            assert_eq!(found, declared, "{sample}");
        }
    }
    let undeclared = scrape.values.keys().filter(|key| key.starts_with("playledger_gateway_")).find(|key| {
        let name = key.split('{').next().unwrap();
        let of = |suffix: &str| ALL.iter().any(|metric| Some(metric.name) == name.strip_suffix(suffix));
        !(of("") || of("_count") || of("_sum") || of("_bucket"))
    });
    assert_eq!(undeclared, None);
    for private in ["acme", "p-1207", "127.0.0.1"] {
        assert!(!scrape.text.contains(private), "{private} is in a label");
    }
}
