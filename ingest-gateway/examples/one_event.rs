//! What a request with one event costs the gateway in allocations, and under callgrind in instructions: sockets,
//! limits, metrics and access log as in life, a log that acknowledges at once.
//!
//! ```text
//! cargo build --release -p ingest-gateway --example one_event
//! target/release/examples/one_event
//! valgrind --tool=callgrind target/release/examples/one_event 1000 1000
//! ```
//!
//! Arguments: requests to begin with, requests that are counted. Instructions a request are the difference between
//! two runs that count differently many, divided by the difference.
#![expect(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use clap::{Args as _, FromArgMatches as _};
use daemon::{Clock, Shell};
use eventlog::embedded::EmbeddedLog;
use eventlog::{
    AppendError, AppendOptions, Appender, Backlog, Cleanup, EventLog, GroupOptions, LogError, Membership, NewRecord,
    OffsetRange, Pending, ReadRequest, Reader, TopicCheck, TopicInfo, TopicPartition, TopicSpec,
};
use ingest_gateway::Config;
use ingest_gateway::credentials::Scope;
use ingest_gateway::keys::{self, NewKey};
use schemas::topics::Topic;
use schemas::{Tenant, Timestamp};
use uuid::Uuid;

/// Limits that are counted like any other and never met.
const TIERS: &str = r"
[tier.bench]
address = { requests = { per_second = 1_000_000_000 }, events = { per_second = 1_000_000_000 } }
player = { requests = { per_second = 1_000_000_000 }, events = { per_second = 1_000_000_000 } }
key = { requests = { per_second = 1_000_000_000 }, events = { per_second = 1_000_000_000 } }
";

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
/// Allocations of at least so much.
const LARGE: usize = 1_024;
static LARGE_ONES: AtomicU64 = AtomicU64::new(0);

/// The system's allocator, counting.
struct Counting;

impl Counting {
    fn count(bytes: usize) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
        LARGE_ONES.fetch_add(u64::from(bytes >= LARGE), Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(size);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> anyhow::Result<()> {
    let mut counts = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let before = counts.next().transpose()?.unwrap_or(2_000);
    let counted = counts.next().transpose()?.unwrap_or(10_000);
    daemon::telemetry::init(Some(daemon::telemetry::LogFormat::Json));
    let _recorder = daemon::ops::install_recorder()?;
    let folder = tempfile::tempdir()?;
    let key = settings(folder.path())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let log = EmbeddedLog::open(folder.path().join("log.sqlite")).await?;
        log.ensure_topics(&specs()).await?;
        let shell = Shell::detached();
        let log: Arc<dyn EventLog> = Arc::new(Prompt(Arc::new(log)));
        let running = tokio::spawn(ingest_gateway::run(config(folder.path())?, log, shell.clone()));
        let address = loop {
            ensure!(!running.is_finished(), "the gateway ended");
            match shell.ready.addresses().get("gateway") {
                Some(address) if shell.health.readiness().ok => break *address,
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        tokio::task::spawn_blocking(move || drive(address, &key, before, counted)).await??;
        shell.shutdown.drain();
        running.await?
    })
}

/// Sends requests one after the other over one connection, and prints what those that count took.
fn drive(address: SocketAddr, key: &str, before: u64, counted: u64) -> anyhow::Result<()> {
    let mut client = Client::new(address, key)?;
    for _ in 0..before {
        client.request()?;
    }
    let counters = || [&ALLOCATIONS, &BYTES, &LARGE_ONES].map(|counter| counter.load(Ordering::Relaxed));
    let start = counters();
    for _ in 0..counted {
        client.request()?;
    }
    let end = counters();
    let hundredths = |place: usize| (end[place] - start[place]) * 100 / counted.max(1);
    let [allocations, bytes, large] = [0, 1, 2].map(|place| {
        let hundredths = hundredths(place);
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    });
    println!(
        "a request: {allocations} allocations of {bytes} bytes together, {large} of them of {LARGE} bytes or more"
    );
    Ok(())
}

/// A connection, and the request that goes over it with ever new ids.
struct Client {
    socket: TcpStream,
    request: Vec<u8>,
    /// Where the event's id stands in it.
    id_at: usize,
    sent: u64,
    answer: Box<[u8; 4_096]>,
}

impl Client {
    fn new(address: SocketAddr, key: &str) -> anyhow::Result<Self> {
        let id = Uuid::nil().to_string();
        let (session, now) = (Uuid::new_v4(), Timestamp::from_ms(Clock::system().now_ms()));
        let body = format!(
            "{{\"event_id\":\"{id}\",\"session_id\":\"{session}\",\"player_id\":\"p-1207\",\"seq\":0,\
             \"event_type\":\"task.started\",\"timestamp\":\"{now}\",\"data\":{{\"task_id\":\"L07\"}}}}"
        );
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let request = head + &body;
        let id_at = request.find(&id).context("the request holds its event's id")?;
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, request: request.into_bytes(), id_at, sent: 0, answer: Box::new([0; 4_096]) })
    }

    fn request(&mut self) -> anyhow::Result<()> {
        self.sent += 1;
        let id = Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0000 | u128::from(self.sent));
        id.hyphenated().encode_lower(&mut self.request[self.id_at..]);
        self.socket.write_all(&self.request)?;
        // An answer of this size comes in one piece.
        let read = self.socket.read(&mut self.answer[..])?;
        let answer = &self.answer[..read];
        ensure!(answer.starts_with(b"HTTP/1.1 202"), "not accepted: {}", String::from_utf8_lossy(answer));
        Ok(())
    }
}

fn settings(folder: &Path) -> anyhow::Result<String> {
    std::fs::write(folder.join("tiers.toml"), TIERS)?;
    let new = NewKey {
        tenant: Tenant::parse("bench")?,
        games: vec!["waves".to_owned()],
        environment: None,
        publishable: false,
        scopes: vec![Scope::Ingest],
        tier: Some("bench".to_owned()),
        expires_at: None,
    };
    Ok(keys::create(&folder.join("credentials.toml"), &new, Timestamp::from_ms(Clock::system().now_ms()))?.key)
}

fn config(folder: &Path) -> anyhow::Result<Config> {
    let path = |name: &str| folder.join(name).display().to_string();
    let flags = ["gateway", "--listen", "127.0.0.1:0", "--dedup", "local", "--address-requests", "1000000000"];
    let mut line: Vec<String> = flags.map(str::to_owned).into();
    // Few lines, so that a slow run does not write more of them than a fast one.
    line.extend(["--access-log-rate", "1", "--access-log"].map(str::to_owned));
    line.push(path("access.ndjson"));
    line.extend(["--tiers".to_owned(), path("tiers.toml"), "--credentials".to_owned(), path("credentials.toml")]);
    let command = Config::augment_args(clap::Command::new("gateway"));
    Ok(Config::from_arg_matches(&command.try_get_matches_from(line)?)?)
}

fn specs() -> Vec<TopicSpec> {
    let spec = |topic: Topic| TopicSpec {
        name: topic.name("play."),
        partitions: 4,
        replication: 1,
        cleanup: Cleanup::Delete { retention: None },
        max_message_bytes: topic.max_message_bytes(),
    };
    Topic::ALL.into_iter().map(spec).collect()
}

/// A log whose appender keeps nothing and acknowledges at once.
struct Prompt(Arc<dyn EventLog>);

#[async_trait]
impl EventLog for Prompt {
    async fn ensure_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        self.0.ensure_topics(specs).await
    }

    async fn check_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        self.0.check_topics(specs).await
    }

    async fn topic(&self, name: &str) -> Result<TopicInfo, LogError> {
        self.0.topic(name).await
    }

    async fn offsets(&self, partition: &TopicPartition) -> Result<OffsetRange, LogError> {
        self.0.offsets(partition).await
    }

    async fn offset_at(&self, partition: &TopicPartition, timestamp_ms: i64) -> Result<Option<i64>, LogError> {
        self.0.offset_at(partition, timestamp_ms).await
    }

    async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>, LogError> {
        self.0.committed(group, partitions).await
    }

    async fn appender(&self, _: AppendOptions) -> Result<Arc<dyn Appender>, LogError> {
        Ok(Arc::new(PromptAppender))
    }

    async fn join(&self, options: GroupOptions) -> Result<Box<dyn Membership>, LogError> {
        self.0.join(options).await
    }

    async fn read(&self, request: ReadRequest) -> Result<Box<dyn Reader>, LogError> {
        self.0.read(request).await
    }
}

struct PromptAppender;

#[async_trait]
impl Appender for PromptAppender {
    fn append(&self, records: Vec<NewRecord>) -> Result<Pending, AppendError> {
        let (settle, pending) = Pending::new();
        // Who waits for it holds it already.
        let _ = settle.send(Ok(vec![0; records.len()]));
        Ok(pending)
    }

    async fn flush(&self, _: Duration) -> Result<(), AppendError> {
        Ok(())
    }

    fn backlog(&self) -> Backlog {
        Backlog::default()
    }
}
