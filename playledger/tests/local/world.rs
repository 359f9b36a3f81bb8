//! A folder of its own, the command run on it, and what is asked of a running `up`.
#![expect(clippy::unwrap_used, reason = "what a test needs and does not get is its failure")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

/// Longer than a first start and a row take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A folder that goes with the test.
pub(crate) struct World {
    home: tempfile::TempDir,
}

/// An `up` that runs.
pub(crate) struct Up {
    child: Child,
    told: Value,
}

/// A command that has ended.
pub(crate) struct Finished {
    pub(crate) status: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        // Root's Postgres runs under another account, which has to pass through.
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { home }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// What the runs of `up` said, for a failure's message.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.path("up.err")).unwrap_or_default()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A server that a killed `up` left asks for its own end within moments.
        let cluster = self.path("data/postgres/cluster/postmaster.pid");
        let began = Instant::now();
        while cluster.exists() && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(!cluster.exists() || std::thread::panicking(), "a Postgres outlives its test");
    }
}

/// The command with these arguments, on the world's folder.
pub(crate) fn command(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_playledger"));
    command.args(arguments).env("PLAYLEDGER_DATA", world.path("data"));
    for name in ["DATABASE_URL", "PLAYLEDGER_GATEWAY", "PLAYLEDGER_KEY", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The same with a text on standard input.
pub(crate) fn line_of(mut command: Command, input: &str) -> Child {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child
}

/// Anything that runs to its end.
pub(crate) fn finished(command: impl IntoChild) -> Finished {
    let output = command.into_child().wait_with_output().unwrap();
    Finished {
        status: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A command, or one that runs already.
pub(crate) trait IntoChild {
    fn into_child(self) -> Child;
}

impl IntoChild for Command {
    fn into_child(mut self) -> Child {
        self.spawn().unwrap()
    }
}

impl IntoChild for &mut Command {
    fn into_child(self) -> Child {
        self.spawn().unwrap()
    }
}

impl IntoChild for Child {
    fn into_child(self) -> Child {
        self
    }
}

impl Up {
    /// Starts it on free ports and waits for its line.
    pub(crate) fn start(world: &World, more: &[&str]) -> Self {
        let ports = ["up", "--listen", "127.0.0.1:0", "--dashboard", "127.0.0.1:0", "--json"];
        let said = std::fs::File::options().create(true).append(true).open(world.path("up.err")).unwrap();
        let mut child = command(world, &[&ports, more].concat()).stderr(said).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}\n{}", world.said()));
        Self { child, told }
    }

    fn told(&self, name: &str) -> &str {
        self.told[name].as_str().unwrap()
    }

    pub(crate) fn api_key(&self) -> &str {
        self.told("api_key")
    }

    /// HOST:PORT of its gateway.
    pub(crate) fn gateway_address(&self) -> &str {
        self.told("gateway").strip_prefix("http://").unwrap()
    }

    /// SIGTERM; the exit status.
    pub(crate) fn stop(mut self) -> Option<i32> {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM).unwrap();
        self.child.wait().unwrap().code()
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Posts a batch; its answer.
    pub(crate) async fn post(&self, batch: &Value) -> Value {
        self.send(batch).await.json().await.unwrap()
    }

    /// Posts events as a batch; the status.
    pub(crate) async fn post_all(&self, events: &[Value]) -> u16 {
        self.send(&json!({ "events": events })).await.status().as_u16()
    }

    async fn send(&self, batch: &Value) -> reqwest::Response {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{}/v1/batch", self.told("gateway"))).bearer_auth(self.api_key());
        request.header("content-type", "application/json").body(batch.to_string()).send().await.unwrap()
    }

    pub(crate) async fn get_page(&self, path: &str) -> String {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let response = client.get(format!("{}{path}", self.told("dashboard"))).send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.status());
        response.text().await.unwrap()
    }

    /// The status of the first page, asked for by another name.
    pub(crate) async fn page_asked_for(&self, host: &str) -> u16 {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.get(self.told("dashboard")).header("host", host);
        request.send().await.unwrap().status().as_u16()
    }

    /// One number of the tables.
    pub(crate) async fn rows(&self, sql: &'static str) -> i64 {
        self.number(sql).await
    }

    /// Waits until a number of the tables is this one.
    pub(crate) async fn wait_for_rows(&self, sql: &str, wanted: i64) {
        let began = Instant::now();
        loop {
            let found = self.number(sql).await;
            if found == wanted {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{sql}: {found}, not {wanted}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until a session is final with all its events.
    pub(crate) async fn wait_for_final(&self, events: &[Value]) {
        let session = events[0]["session_id"].as_str().unwrap();
        let sql = format!(
            "SELECT coalesce(sum(event_count), 0)::bigint FROM play.sessions WHERE session_id = '{session}' AND status = 'final'"
        );
        self.wait_for_rows(&sql, i64::try_from(events.len()).unwrap()).await;
    }

    async fn number(&self, sql: &str) -> i64 {
        let mut connection = PgConnection::connect(self.told("database_url")).await.unwrap();
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Nothing is left running where a test fails half-way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A whole session of so many events: it starts, beats, and closes.
pub(crate) fn session(events: u64) -> Vec<Value> {
    let session = Uuid::new_v4();
    (0..events)
        .map(|seq| match seq {
            0 => event(session, seq, "session.started", json!({ "platform": "web" })),
            last if last + 1 == events => event(session, seq, "session.closed", json!({ "reason": "completed" })),
            _ => event(session, seq, "checkpoint.reached", json!({ "checkpoint_id": "c" })),
        })
        .collect()
}

/// One event, now.
pub(crate) fn event(session: Uuid, seq: u64, event_type: &str, data: impl serde::Serialize) -> Value {
    let now = schemas::Timestamp::from_ms(daemon::Clock::system().now_ms());
    json!({
        "event_id": Uuid::now_v7(), "session_id": session, "player_id": "p-1207", "seq": seq,
        "event_type": event_type, "timestamp": now, "data": json!(data),
    })
}
