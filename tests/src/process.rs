//! A program of this workspace as a process: started, ready, signalled, killed, ended by its id.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a program may take to become ready or to end; generous, because machines are shared.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running program. Dropped, it is killed and waited for.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program of this workspace; its log goes to `folder`.
    pub fn start(program: &str, name: &str, arguments: &[String], folder: &Path) -> anyhow::Result<Self> {
        Self::start_within(program, name, arguments, &[], folder)
    }

    /// The same, with these variables in its environment.
    pub fn start_within(
        program: &str,
        name: &str,
        arguments: &[String],
        environment: &[(String, String)],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let lines = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let mut command = Command::new(built(program)?);
        // What the tester's own environment says is not for them: it would point them at other servers.
        std::env::vars_os().map(|(name, _)| name).filter(|name| speaks_to_us(name)).for_each(|name| {
            command.env_remove(name);
        });
        let child = command
            .args(arguments)
            .env("RUST_LOG", "info")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(lines)
            .spawn()
            .with_context(|| format!("starting {program}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Waits for the ready file and gives the addresses in it.
    pub fn ready(&mut self, file: &Path) -> anyhow::Result<BTreeMap<String, String>> {
        let began = Instant::now();
        loop {
            if let Ok(text) = std::fs::read_to_string(file) {
                return Ok(serde_json::from_str(&text)?);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} before it was ready\n{}", self.name, self.last_lines());
            }
            if began.elapsed() > PATIENCE {
                bail!("{} is not ready after {PATIENCE:?}\n{}", self.name, self.last_lines());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The first line that the program prints to its standard output.
    pub fn first_line(&mut self) -> anyhow::Result<String> {
        use std::io::{BufRead as _, BufReader};
        let out = self.child.stdout.take().context("standard output was taken before")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        if line.is_empty() {
            bail!("{} said nothing\n{}", self.name, self.last_lines());
        }
        Ok(line)
    }

    /// Waits until the program ends by itself; its exit status, and what it printed to its standard output.
    pub fn end(&mut self) -> anyhow::Result<(ExitStatus, String)> {
        use std::io::Read as _;
        let mut text = String::new();
        self.child.stdout.take().context("standard output was taken before")?.read_to_string(&mut text)?;
        Ok((self.child.wait()?, text))
    }

    /// The same of one that must succeed; what it printed.
    pub fn output(&mut self) -> anyhow::Result<String> {
        let (status, text) = self.end()?;
        ensure!(status.success(), "{} ended with {status}\n{}", self.name, self.last_lines());
        Ok(text)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill(self.pid(), signal).with_context(|| format!("{signal} to {}", self.name))
    }

    /// kill −9, and waits until it is gone.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Its exit status, if it has ended by itself.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// SIGTERM, and the exit status; within 25 s, as operators count on.
    pub fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if began.elapsed() > Duration::from_secs(25) {
                bail!("{} still drains after 25 s\n{}", self.name, self.last_lines());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Bytes of memory that it holds now (VmRSS).
    pub fn resident_bytes(&self) -> anyhow::Result<u64> {
        let file = format!("/proc/{}/status", self.pid());
        let text = std::fs::read_to_string(&file).with_context(|| file.clone())?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).with_context(|| file.clone())?;
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kilobytes * 1024)
    }

    /// Lines of its log with these words.
    pub fn lines(&self, words: &str) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().filter(|line| line.contains(words)).map(ToOwned::to_owned).collect()
    }

    /// The last lines of its log.
    pub fn last_lines(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An ended process can't be killed again; either way it is waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether our programs go by a variable of this name: their own, and the one that everybody's tools read.
fn speaks_to_us(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("PLAYLEDGER_") || name == "DATABASE_URL" || name == "DATABASE_URL_FILE"
}

/// Where cargo put a program of this workspace: beside the folder of the running test.
fn built(program: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("the test runs outside a target folder")?;
    let path = folder.join(program);
    if !path.exists() {
        bail!("{program} is not built: run `cargo build --workspace --bins` first (scripts/test does)");
    }
    Ok(path)
}
