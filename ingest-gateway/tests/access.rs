//! The access log: what a line tells, what it never tells, and that nobody waits for it.
//! A test of its own: a SIGHUP and metrics are the whole process's.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![expect(dead_code, reason = "the contract's world has more than is used here")]

#[path = "contract/failing.rs"]
mod failing;
#[path = "contract/promised.rs"]
mod promised;
#[path = "contract/told.rs"]
mod told;
#[path = "contract/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ingest_gateway::credentials::Scope;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, mkfifo};
use reqwest::Method;
use schemas::topics::Topic;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use failing::{Failing, Mode};
use told::{event, with};
use world::{Setting, World};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

struct Log {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Log {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("access.ndjson"), _folder: folder }
    }

    async fn world(&self, flags: &[&str]) -> World {
        self.world_with(flags, Setting::default()).await
    }

    async fn world_with(&self, flags: &[&str], setting: Setting) -> World {
        let path = self.path.to_str().unwrap();
        let mut all: Vec<_> = ["--access-log", path].iter().chain(flags).map(|flag| (*flag).to_owned()).collect();
        all.extend(setting.flags.iter().cloned());
        World::with(Setting { flags: all, ..setting }).await
    }

    /// The line of that request, once it is there.
    async fn line(&self, request_id: &str) -> Value {
        let began = Instant::now();
        loop {
            if let Some(line) = lines(&self.path).into_iter().find(|line| line["request_id"] == request_id) {
                return line;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{request_id} has no line");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // What is being written ends without a newline.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// So many lines of the access log ended so, in the whole process.
fn counted(result: &str) -> f64 {
    let text = recorder().render();
    let name = format!("playledger_gateway_access_log_lines_total{{result=\"{result}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0.0, |value| value.parse().unwrap())
}

fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| PrometheusBuilder::new().install_recorder().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_one_line_that_says_whose_it_was_and_what_became_of_it() {
    let log = Log::new();
    let world = log.world(&[]).await;
    let known = event();
    world.post("/v1/events", &known).await.accepted();
    let other_body = {
        let mut other = known.clone();
        other["data"]["task_id"] = json!("L08");
        other
    };
    let body = json!({"events": [event(), event(), known, other_body, with("seq", json!(-1))]}).to_string();
    let request = world.request(Method::POST, "/v1/batch?results=all").bearer_auth(&world.key);
    let request = request.header("x-request-id", "batch-1").header("traceparent", TRACE);
    let request = request.header("content-type", "application/json").body(body.clone());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 207);
    let answered = answer.bytes().await.unwrap().len();
    let line = log.line("batch-1").await;
    let keys: Vec<_> = line.as_object().unwrap().keys().cloned().collect();
    let mut expected = [
        "time",
        "target",
        "request_id",
        "method",
        "route",
        "status",
        "code",
        "bytes_in",
        "bytes_out",
        "duration_ms",
        "key_id",
        "tenant",
        "game",
        "events",
        "protocol",
        "trace_id",
        "sample_rate",
    ];
    expected.sort_unstable();
    let mut keys = keys;
    keys.sort();
    assert_eq!(keys, expected);
    let told = ["target", "method", "route", "status", "code", "tenant", "game", "protocol", "sample_rate"];
    assert_eq!(
        told.map(|name| line[name].clone()),
        [
            json!("access"),
            json!("POST"),
            json!("/v1/batch"),
            json!(207),
            Value::Null,
            json!("acme"),
            json!("runner"),
            json!("HTTP/1.1"),
            json!(1.0)
        ]
    );
    assert_eq!(line["events"], json!({"accepted": 2, "duplicate": 1, "conflict": 1, "rejected": 1}));
    assert_eq!(
        (line["bytes_in"].as_u64(), line["bytes_out"].as_u64()),
        (Some(body.len() as u64), Some(answered as u64))
    );
    assert_eq!(line["key_id"].as_str(), world.key.split('_').nth(1));
    assert_eq!(line["trace_id"], TRACE[3..35]);
    assert!(line["duration_ms"].as_f64().unwrap() > 0.0);
    assert!(schemas::Timestamp::parse(line["time"].as_str().unwrap()).is_some());

    for (id, method, path, key, expected) in [
        ("none", Method::GET, "/nowhere/p-1207", None, json!([404, "not_found", "none", null])),
        (
            "bad",
            Method::POST,
            "/v1/batch",
            Some("pl_000000000000_x"),
            json!([401, "unauthenticated", "/v1/batch", null]),
        ),
        ("empty", Method::POST, "/v1/events", Some(&*world.key), json!([400, "malformed_json", "/v1/events", "acme"])),
        ("who", Method::GET, "/v1/whoami", Some(&*world.key), json!([200, null, "/v1/whoami", "acme"])),
    ] {
        let mut request = world.request(method, path).header("x-request-id", id);
        if let Some(key) = key {
            request = request.bearer_auth(key);
        }
        request.send().await.unwrap();
        let line = log.line(id).await;
        assert_eq!(json!([line["status"], line["code"], line["route"], line["tenant"]]), expected, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_were_not_taken_and_requests_without_an_answer_have_their_lines() {
    let log = Log::new();
    let failing = Failing::new();
    let world = log.world_with(&[], failing.setting(&[])).await;
    failing.set(Mode::Forgets);
    let request = world.request(Method::POST, "/v1/events").bearer_auth(&world.key);
    let answer = request.header("x-request-id", "forgotten").json(&event()).send().await.unwrap();
    assert_eq!(answer.status(), 503);
    let line = log.line("forgotten").await;
    assert_eq!((&line["code"], &line["events"]), (&json!("log_unavailable"), &json!({"unknown": 1})));

    failing.set(Mode::Silent);
    let body = event().to_string();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nx-request-id: gone\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        world.key,
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(stream);
    let line = log.line("gone").await;
    // On a slow machine the answer may have been given up before the connection was.
    assert!(matches!(
        (line["status"].as_u64(), line["code"].as_str()),
        (Some(499), Some("unanswered")) | (Some(503), _)
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_request_is_in_a_line_but_what_is_meant_to_be() {
    let log = Log::new();
    let world = log.world(&["--trusted-proxy", "127.0.0.1/32", "--access-log-rate", "100000"]).await;
    let publishable = world.publishable_key().await;
    let secrets = [
        &world.key,
        &publishable,
        "s3cr3t-word",
        "p-53cr3t",
        "203.0.113.77",
        "2001:db8::77",
        "q-word",
        "agent-word",
        "cookie-word",
        "body-word",
        "path-word",
        "method-word",
    ];
    let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let mut sent = 0;
    for (client, key) in [(reqwest::Client::new(), &world.key), (http2, &publishable)] {
        for path in [
            "/v1/events",
            "/v1/batch",
            "/v1/sessions/path-word/close",
            "/v1/whoami",
            "/v1/schemas/path-word",
            "/path-word",
            "/livez",
        ] {
            for method in [Method::GET, Method::POST, Method::from_bytes(b"method-word").unwrap(), Method::OPTIONS] {
                let url =
                    format!("{}{path}?key={publishable}&app_version=q-word&player=p-53cr3t&x=203.0.113.77", world.url);
                let mut event = with("player_id", json!("p-53cr3t"));
                event["data"]["note"] = json!("body-word s3cr3t-word 2001:db8::77");
                let request = client.request(method, url).bearer_auth(key).header("x-api-key", key);
                let request = request.header("x-request-id", key).header("user-agent", "agent-word");
                let request =
                    request.header("x-forwarded-for", "203.0.113.77").header("forwarded", "for=\"[2001:db8::77]\"");
                let request = request.header("cookie", "a=cookie-word").header("referer", "https://x/q-word?p-53cr3t");
                let request = request.header("traceparent", "00-s3cr3t-word").header("tracestate", "a=s3cr3t-word");
                request.json(&event).send().await.unwrap();
                sent += 1;
            }
        }
    }
    let began = Instant::now();
    while lines(&log.path).len() < sent {
        assert!(began.elapsed() < Duration::from_secs(20), "{} of {sent}", lines(&log.path).len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let text = std::fs::read_to_string(&log.path).unwrap();
    for secret in secrets {
        // Of a key its public id may stand there; the secret behind it may hold a `_` of its own.
        let secret =
            secret.strip_prefix("pl_").and_then(|key| key.split_once('_')).map_or(secret, |(_, secret)| secret);
        assert!(!text.contains(secret), "{secret} stands in {:?}", text.lines().find(|line| line.contains(secret)));
    }
    for forbidden in ["127.0.0.1", "?", "app_version", "Bearer"] {
        assert!(!text.contains(forbidden), "{forbidden}");
    }
    let methods: std::collections::BTreeSet<_> =
        lines(&log.path).iter().map(|line| line["method"].as_str().unwrap().to_owned()).collect();
    assert!(methods.contains("other") && methods.contains("OPTIONS"), "{methods:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_moved_away_is_opened_again_on_sighup_and_no_line_is_lost() {
    // Whatever comes first: from here on a SIGHUP ends no process.
    let _heard = signal(SignalKind::hangup()).unwrap();
    let log = Log::new();
    let world = log.world(&["--access-log-rate", "100000"]).await;
    let get = async |id: &str| {
        world.request(Method::GET, "/livez").header("x-request-id", id).send().await.unwrap();
    };
    get("before").await;
    log.line("before").await;
    let moved = log.path.with_extension("1");
    std::fs::rename(&log.path, &moved).unwrap();
    get("between").await;
    let began = Instant::now();
    while !lines(&moved).iter().any(|line| line["request_id"] == "between") {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    kill(Pid::this(), Signal::SIGHUP).unwrap();
    let began = Instant::now();
    while !log.path.exists() {
        assert!(began.elapsed() < Duration::from_secs(20), "it is never opened again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    get("after").await;
    log.line("after").await;
    let ids = |path: &Path| {
        lines(path).iter().map(|line| line["request_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(ids(&moved).ends_with(&["before".to_owned(), "between".to_owned()]), "{:?}", ids(&moved));
    assert_eq!(ids(&log.path), ["after"]);
}

/// So many requests over connections that are kept.
async fn flood(world: &World, requests: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (url, share) = (format!("{}/livez", world.url), requests / 8);
        tasks.spawn(async move {
            let client = reqwest::Client::new();
            for _ in 0..share {
                assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_requests_a_sample_is_written_that_stands_for_all() {
    let log = Log::new();
    let mut world = log.world(&["--access-log-rate", "25"]).await;
    flood(&world, 4_000).await;
    // What waits is written before the end.
    world.stop().await;
    let lines = lines(&log.path);
    let mut by_rate = BTreeMap::new();
    let mut stands_for = 0.0;
    for line in &lines {
        let rate = line["sample_rate"].as_f64().unwrap();
        *by_rate.entry(rate.to_string()).or_insert(0) += 1;
        stands_for += 1.0 / rate;
    }
    assert!(lines.len() < 2_000, "{by_rate:?}");
    assert!((2_000.0..8_000.0).contains(&stands_for), "{stands_for} of 4,000: {by_rate:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_no_lines_holds_up_no_request_and_what_is_dropped_is_counted() {
    recorder();
    let log = Log::new();
    mkfifo(&log.path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Opened for both ends: a pipe that nobody reads.
    let mut reader = std::fs::OpenOptions::new().read(true).write(true).open(&log.path).unwrap();
    let mut world = log.world(&["--access-log-rate", "1000000"]).await;
    let before = counted("queue_full");
    // The pipe takes 64 KB, the queue 4,096 lines.
    flood(&world, 6_000).await;
    let dropped = counted("queue_full") - before;
    assert!(dropped > 500.0, "{dropped}");
    world.post("/v1/events", &event()).await.accepted();
    world.stop().await;
    let mut some = [0; 1_024];
    reader.read_exact(&mut some).unwrap();
    assert!(some.starts_with(b"{\"time\":"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_from_the_request_into_every_record_that_it_makes() {
    let log = Log::new();
    let world = log.world(&[]).await;
    let ids = [Uuid::new_v4().to_string(), Uuid::new_v4().to_string()];
    for (id, trace) in [(&ids[0], Some(TRACE)), (&ids[1], None)] {
        let mut request = world.request(Method::POST, "/v1/batch").bearer_auth(&world.key).header("x-request-id", id);
        if let Some(trace) = trace {
            request = request.header("traceparent", trace);
        }
        let refused = with("event_type", json!("no.such_type"));
        request.json(&json!({"events": [event(), refused]})).send().await.unwrap();
    }
    let made = log.line(&ids[1]).await["trace_id"].as_str().unwrap().to_owned();
    assert_eq!(made.len(), 32);
    let mut by_trace = BTreeMap::new();
    for topic in [Topic::Events, Topic::Quarantine] {
        for record in world.records(topic).await {
            let trace = record.headers.text("traceparent").map(ToOwned::to_owned).unwrap();
            *by_trace.entry((topic.name("play."), trace[3..35].to_owned())).or_insert(0) += 1;
            assert!(trace[3..35] != TRACE[3..35] || trace == TRACE, "the caller's as a whole: {trace}");
        }
    }
    let [events, quarantine] = [Topic::Events, Topic::Quarantine].map(|topic| topic.name("play."));
    let sent = TRACE[3..35].to_owned();
    // An event and the hole of the other one; the other one itself.
    let expected = [
        ((events.clone(), sent.clone()), 2),
        ((events, made.clone()), 2),
        ((quarantine.clone(), sent), 1),
        ((quarantine, made), 1),
    ];
    assert_eq!(by_trace, BTreeMap::from(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_flag_nothing_is_written_and_a_place_that_is_none_is_refused() {
    let world = World::new().await;
    world.key(&["runner"], &[Scope::Ingest]);
    world.post("/v1/events", &event()).await.accepted();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_ingest-gateway"));
    command.args([
        "--check-config",
        "--kafka",
        "127.0.0.1:1",
        "--access-log",
        "/nowhere/at/all.ndjson",
        "--credentials",
    ]);
    let output = command.arg(world.credentials()).output().await.unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && words.contains("--access-log /nowhere/at/all.ndjson"), "{words}");
}
