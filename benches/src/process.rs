//! A stage as a process of its own: started, ready, measured, told to drain.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::usage;

/// How long a stage may take to become ready: generous, because machines are shared.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long it may drain.
const DRAIN: Duration = Duration::from_secs(30);

/// A running stage. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: u32,
    child: Child,
    log: PathBuf,
}

/// What a stage has used up to some moment.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// When.
    pub at: Instant,
    /// Its processor time so far.
    pub cpu: Duration,
}

impl Process {
    /// Starts a program; its log goes to a file in `folder` under `name`.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(command: Command, name: &str, folder: &Path) -> anyhow::Result<Self> {
        Self::start_logging(command, name, folder, "warn,rdkafka=error")
    }

    /// As [`Process::start`], with this much in its log.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start_logging(mut command: Command, name: &str, folder: &Path, level: &str) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let lines = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        command.env("RUST_LOG", level).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(lines);
        let child = command.kill_on_drop(true).spawn().with_context(|| format!("starting {name}"))?;
        let pid = child.id().with_context(|| format!("{name} ended at once"))?;
        Ok(Self { name: name.to_owned(), pid, child, log })
    }

    /// Waits for the ready file and gives its text.
    ///
    /// # Errors
    /// When the stage ends first or takes too long; with the end of its log.
    pub async fn ready(&mut self, file: &Path) -> anyhow::Result<String> {
        let began = Instant::now();
        loop {
            if let Ok(text) = std::fs::read_to_string(file) {
                return Ok(text);
            }
            self.lives()?;
            ensure!(began.elapsed() < PATIENCE, "{} is not ready after {PATIENCE:?}\n{}", self.name, self.last_lines());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The first line that it prints to its standard output.
    ///
    /// # Errors
    /// When it ends without one or takes too long; with the end of its log.
    pub async fn first_line(&mut self) -> anyhow::Result<String> {
        let out = self.child.stdout.take().context("standard output was taken before")?;
        let mut line = String::new();
        tokio::time::timeout(PATIENCE, BufReader::new(out).read_line(&mut line)).await??;
        ensure!(!line.is_empty(), "{} said nothing\n{}", self.name, self.last_lines());
        Ok(line)
    }

    /// Fails when it has ended.
    ///
    /// # Errors
    /// With the end of its log.
    pub fn lives(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("{} ended with {status}\n{}", self.name, self.last_lines()),
            None => Ok(()),
        }
    }

    /// What it has used so far.
    ///
    /// # Errors
    /// When it has ended.
    pub fn reading(&self) -> anyhow::Result<Reading> {
        Ok(Reading { at: Instant::now(), cpu: usage::cpu(self.pid)? })
    }

    /// The most memory that it has held at once, in bytes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn peak_memory(&self) -> anyhow::Result<u64> {
        usage::peak_memory(self.pid)
    }

    /// The memory that it holds now, in bytes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn memory(&self) -> anyhow::Result<u64> {
        usage::memory(self.pid)
    }

    /// SIGTERM; then it must end well.
    ///
    /// # Errors
    /// When it does not; with the end of its log.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        kill(Pid::from_raw(i32::try_from(self.pid)?), Signal::SIGTERM).with_context(|| self.name.clone())?;
        let status = tokio::time::timeout(DRAIN, self.child.wait()).await;
        let status = status.with_context(|| format!("{} still drains after {DRAIN:?}", self.name))??;
        ensure!(status.success(), "{} ended with {status}\n{}", self.name, self.last_lines());
        Ok(())
    }

    /// kill −9.
    ///
    /// # Errors
    /// When it has ended by itself.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.with_context(|| self.name.clone())
    }

    fn last_lines(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

/// This program again, under the name of another: see [`crate::daemons`].
///
/// # Errors
/// When this program's file is gone.
pub fn program(name: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg0(name);
    Ok(command)
}
