//! The running server: started under a guard, waited for, stopped.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::process::{Child, ChildStdin, Command};

use super::account::Account;
use super::cluster::{USER, last_words};
use super::leftover;
use super::place::Place;
use super::programs::Programs;
use crate::folder::{describe, read_if_there, write_private};

/// Ends the server when this process has gone.
const GUARD: &str = include_str!("guard.sh");
/// The database of the tables.
const DATABASE: &str = "playledger";
/// The port that every other Postgres uses: never taken.
const STANDARD_PORT: u16 = 5432;
/// How long a start may take; longer than any recovery after a kill that was seen.
const START_LIMIT: Duration = Duration::from_mins(2);
/// The log is begun anew at a start when it has grown beyond this.
const LOG_LIMIT: u64 = 8 << 20;

/// A private Postgres that runs.
#[derive(Debug)]
pub struct Server {
    guard: Child,
    /// Closed to stop the server.
    leash: Option<ChildStdin>,
    place: Place,
    url: String,
    /// How long its log was when it started.
    log_before: u64,
}

/// Starts the server on its cluster and makes the database where there is none; `more` are settings beside its own.
pub(super) async fn start(
    place: Place,
    programs: &Programs,
    account: &Account,
    password: &str,
    more: &[&str],
) -> anyhow::Result<Server> {
    for _ in 0..5 {
        let port = free_port(&place)?;
        let mut server = spawn(place.clone(), programs, account, (port, password), more)?;
        match server.wait_until_ready(port, password).await? {
            Start::Ready => {
                write_private(&server.place.home.join("port"), port.to_string().as_bytes())?;
                return Ok(server);
            }
            // Somebody took the port between the look and the start.
            Start::PortTaken => {}
        }
    }
    bail!("no free port for the private Postgres was found on 127.0.0.1: another program takes them all")
}

enum Start {
    Ready,
    PortTaken,
}

impl Server {
    /// Where its tables are, with user and password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Resolves when the server has ended without being asked to; says why, as far as it said so.
    pub async fn ended(&mut self) -> String {
        let status = self.guard.wait().await;
        self.last_words(status.ok())
    }

    /// Stops the server: its clients are sent away, what is committed is on disk.
    ///
    /// # Errors
    /// When it does not end in time; it is then told to end at once.
    pub async fn stop(mut self, patience: Duration) -> anyhow::Result<()> {
        drop(self.leash.take());
        if tokio::time::timeout(patience, self.guard.wait()).await.is_ok() {
            if !self.place.sockets.starts_with(&self.place.home) {
                // Made anew at the next start.
                let _ = std::fs::remove_dir(&self.place.sockets);
            }
            return Ok(());
        }
        if let Some(pid) = leftover::running(&self.place.cluster())? {
            // It recovers at the next start; nothing committed is lost.
            let _ = kill(pid, Signal::SIGQUIT);
        }
        bail!("the private Postgres did not stop within {:.1} s and was told to end at once", patience.as_secs_f64())
    }

    /// The guard's process number.
    #[cfg(test)]
    pub(super) fn guard_pid(&self) -> i32 {
        self.guard.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default()
    }

    async fn wait_until_ready(&mut self, port: u16, password: &str) -> anyhow::Result<Start> {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(port)
            .username(USER)
            .password(password)
            .database("postgres")
            .disable_statement_logging();
        let began = Instant::now();
        loop {
            if let Some(status) = self.guard.try_wait()? {
                let said = self.last_words(Some(status));
                if said.contains("Address already in use") {
                    return Ok(Start::PortTaken);
                }
                bail!("the private Postgres did not start: {said} (all of it in {})", self.place.log.display());
            }
            match PgConnection::connect_with(&options).await {
                Ok(mut connection) => {
                    make_database(&mut connection).await?;
                    connection.close().await.context("leaving the private Postgres")?;
                    return Ok(Start::Ready);
                }
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("28P01") => {
                    bail!(
                        "the private Postgres refuses the password in {}: restore it, or move {} away: the tables are then made anew from the log",
                        self.place.password.display(),
                        self.place.home.display()
                    )
                }
                Err(error) if began.elapsed() > START_LIMIT => {
                    return Err(error)
                        .context(format!("the private Postgres is not ready after {} s", START_LIMIT.as_secs()));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(40)).await,
            }
        }
    }

    /// Why the server ended, as far as its log says.
    fn last_words(&self, status: Option<ExitStatus>) -> String {
        let said = std::fs::read(&self.place.log).unwrap_or_default();
        let before = usize::try_from(self.log_before).unwrap_or(usize::MAX).max(said.len().saturating_sub(4096));
        let said = String::from_utf8_lossy(said.get(before..).unwrap_or_default()).into_owned();
        if said.contains("No space left on device") {
            return format!("the disk under {} is full: make room, then start again", self.place.home.display());
        }
        let telling: Vec<_> = said
            .lines()
            .filter(|line| ["FATAL", "PANIC", "HINT", "could not"].iter().any(|word| line.contains(word)))
            .collect();
        let words = if telling.is_empty() { last_words(&said) } else { last_words(&telling.join("\n")) };
        match status {
            Some(status) => format!("{words} ({status})"),
            None => words,
        }
    }
}

fn spawn(
    place: Place,
    programs: &Programs,
    account: &Account,
    (port, password): (u16, &str),
    more: &[&str],
) -> anyhow::Result<Server> {
    let fresh = std::fs::metadata(&place.log).is_ok_and(|log| log.len() > LOG_LIMIT);
    let log = OpenOptions::new()
        .create(true)
        .write(true)
        .append(!fresh)
        .truncate(fresh)
        .mode(0o600)
        .open(&place.log)
        .map_err(|error| anyhow::anyhow!(describe("can't open Postgres's log", &place.log, &error)))?;
    let log_before = log.metadata().map_or(0, |log| log.len());
    let mut command = account.command("/bin/sh");
    command.args(["-c", GUARD, "playledger-postgres"]).arg(programs.path("postgres"));
    command.arg("-D").arg(place.cluster());
    for setting in settings(&place, port).iter().map(String::as_str).chain(more.iter().copied()) {
        command.arg("-c").arg(setting);
    }
    command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
    let mut guard = Command::from(command).spawn().context("/bin/sh: can't start Postgres's guard")?;
    let leash = guard.stdin.take();
    let url = format!("postgres://{USER}:{password}@127.0.0.1:{port}/{DATABASE}");
    Ok(Server { guard, leash, place, url, log_before })
}

/// What differs from Postgres's own defaults: given at each start, so that they are always those
/// of this build.
fn settings(place: &Place, port: u16) -> Vec<String> {
    // A list's entries stand in quotes: a folder's name may hold commas and spaces.
    let sockets = place.sockets.display().to_string().replace('"', "\"\"");
    [
        "cluster_name=playledger",
        "listen_addresses=127.0.0.1",
        "unix_socket_permissions=0700",
        "logging_collector=off",
        "timezone=UTC",
        "log_timezone=UTC",
        "max_connections=60",
        // One server without replicas: the log is the truth, from which all can be made anew.
        "wal_level=minimal",
        "max_wal_senders=0",
        "max_wal_size=512MB",
        "jit=off",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("port={port}"), format!("unix_socket_directories=\"{sockets}\"")])
    .collect()
}

/// The port of the last start where it is free, so that a kept URL goes on working; else any.
fn free_port(place: &Place) -> anyhow::Result<u16> {
    let last = read_if_there(&place.home.join("port"))?.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let listener = TcpListener::bind(("127.0.0.1", last))
        .or_else(|_| TcpListener::bind(("127.0.0.1", 0)))
        .context("looking for a free port on 127.0.0.1")?;
    let port = listener.local_addr()?.port();
    if port != STANDARD_PORT {
        return Ok(port);
    }
    // Held while the next one is asked for, so that it is another.
    let other = TcpListener::bind(("127.0.0.1", 0)).context("looking for a free port on 127.0.0.1")?;
    Ok(other.local_addr()?.port())
}

async fn make_database(connection: &mut PgConnection) -> anyhow::Result<()> {
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(DATABASE)
        .fetch_one(&mut *connection)
        .await
        .context("looking for the database")?;
    if !there {
        sqlx::query("CREATE DATABASE playledger").execute(connection).await.context("making the database")?;
    }
    Ok(())
}
