//! A Postgres cluster of the test process's own; each test gets a database of its own in it.
//!
//! `DATABASE_URL` names a server to use in its place. A guard process, which outlives even a killed
//! test process, stops the cluster and removes its folder.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};

/// Whether commits reach the disk: needed only where the server is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fsync {
    On,
    Off,
}

/// A cluster in a folder of its own, on a socket of its own.
pub(crate) struct Cluster {
    pub(crate) folder: PathBuf,
    programs: PathBuf,
    guard: Child,
}

/// A database of one test.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) pool: PgPool,
}

/// A new database on the process's shared server.
pub(crate) async fn database() -> Database {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    let given = std::env::var("DATABASE_URL").ok();
    let shared = SHARED.get_or_init(|| given.is_none().then(|| Cluster::start(Fsync::Off)));
    let server = shared.as_ref().map_or_else(|| given.unwrap_or_default(), |cluster| cluster.url("postgres"));
    Database::create(&server).await
}

impl Database {
    /// Makes a database beside the one that `server` names.
    pub(crate) async fn create(server: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("projector_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let options: PgConnectOptions = server.parse().unwrap();
        let mut connection = options.connect().await.unwrap();
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        let url = options.database(&name).to_url_lossy().to_string();
        let pool = PgPoolOptions::new().max_connections(3).connect_lazy(&url).unwrap();
        Self { url, pool }
    }
}

impl Cluster {
    /// Makes and starts a cluster.
    pub(crate) fn start(fsync: Fsync) -> Self {
        Self::start_with(fsync, &std::env::temp_dir(), "")
    }

    /// The same in a folder of its own below `place`, with these lines of settings.
    pub(crate) fn start_with(fsync: Fsync, place: &Path, settings: &str) -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("projector-pg-").tempdir_in(place).unwrap().keep();
        let cluster = Self { guard: guard(&folder), folder, programs };
        if nix_root() {
            run(Command::new("chown").arg("postgres").arg(&cluster.folder));
        }
        let data = cluster.data();
        run(cluster.program("initdb").arg("-D").arg(&data).args([
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--no-sync",
        ]));
        let socket = cluster.folder.display();
        let settings = format!(
            "{settings}\nlisten_addresses = ''\nunix_socket_directories = '{socket}'\nfsync = {}\nshared_buffers = 64MB\n",
            if fsync == Fsync::On { "on" } else { "off" }
        );
        let file = data.join("postgresql.auto.conf");
        std::fs::write(&file, settings).unwrap();
        cluster.restart();
        cluster
    }

    /// Address of a database in it.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.display())
    }

    /// Starts it (again).
    pub(crate) fn restart(&self) {
        run(self
            .program("pg_ctl")
            .arg("-D")
            .arg(self.data())
            .arg("-l")
            .arg(self.folder.join("log"))
            .args(["-w", "start"]));
    }

    /// Stops it at once, as a crash would: nothing is flushed.
    pub(crate) fn crash(&self) {
        run(self.program("pg_ctl").arg("-D").arg(self.data()).args(["-m", "immediate", "-w", "stop"]));
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A program of Postgres, run as a user that it accepts: it refuses root.
    pub(crate) fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        if nix_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(path);
            command
        } else {
            Command::new(path)
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
        assert!(!self.folder.exists(), "{} was left behind", self.folder.display());
    }
}

/// Waits for the end of its input, that is of the test process, then stops the cluster and cleans up.
fn guard(folder: &Path) -> Child {
    let script = r#"trap '' INT TERM HUP
        cat >/dev/null
        pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" && while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
        rm -rf "$1""#;
    let guard = Command::new("sh").args(["-c", script, "guard"]).arg(folder).stdin(Stdio::piped()).spawn();
    guard.unwrap()
}

/// The newest Postgres on this machine.
fn programs() -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    match found.pop() {
        Some((_, bin)) => bin,
        None => panic!(
            "these tests need Postgres 15 or newer: apt-get install postgresql, or name a server in DATABASE_URL"
        ),
    }
}

fn nix_root() -> bool {
    let mut user = String::new();
    std::fs::File::open("/proc/self/status").and_then(|mut file| file.read_to_string(&mut user)).unwrap();
    user.lines().any(|line| line.starts_with("Uid:\t0\t"))
}

pub(crate) fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
