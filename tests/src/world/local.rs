//! Local mode in one process.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use super::Home;
use crate::client::Client;
use crate::process::Process;
use crate::tables::Tables;

/// Local mode as a process, on a folder of its own. Dropped, it is killed, and nothing of it is left.
#[derive(Debug)]
pub struct Local {
    extra: Vec<String>,
    process: Process,
    /// What it printed when it was ready.
    pub line: ReadyLine,
    /// Last, so that it goes when all that uses it has ended.
    home: Home,
}

/// The line that `playledger up --json` prints.
#[derive(Clone, Debug, Deserialize)]
pub struct ReadyLine {
    /// The gateway's URL.
    pub gateway: String,
    /// The dashboard's URL.
    pub dashboard: String,
    /// The ops port's URL.
    pub ops: String,
    /// The database's URL.
    pub database_url: String,
    /// A key with every scope.
    pub api_key: String,
}

impl Local {
    /// Starts local mode on a new folder.
    pub fn start(extra: &[&str]) -> anyhow::Result<Self> {
        let home = Home::new("data")?;
        let extra: Vec<String> = extra.iter().map(ToString::to_string).collect();
        let (process, line) = up(&home, &extra)?;
        Ok(Self { extra, process, line, home })
    }

    /// kill −9, and up again on the same folder.
    pub fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.restart()
    }

    /// Up again on the same folder; the process must have ended.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        (self.process, self.line) = up(&self.home, &self.extra)?;
        Ok(())
    }

    /// The process itself.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        self.home.data()
    }

    /// A client with its key.
    pub fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.line.api_key)
    }

    /// A reader of its tables.
    pub async fn tables(&self) -> anyhow::Result<Tables> {
        Tables::open(&self.line.database_url).await
    }
}

fn up(home: &Home, extra: &[String]) -> anyhow::Result<(Process, ReadyLine)> {
    let mut arguments: Vec<String> = ["up", "--json", "--listen", "127.0.0.1:0", "--dashboard", "127.0.0.1:0"]
        .into_iter()
        .map(String::from)
        .collect();
    arguments.extend(["--ops".into(), "127.0.0.1:0".into(), "--data".into(), home.data().display().to_string()]);
    arguments.extend_from_slice(extra);
    let mut process = Process::start("playledger", "up", &arguments, home.path())?;
    let line = process.first_line()?;
    let line = serde_json::from_str(&line).with_context(|| line.clone())?;
    Ok((process, line))
}
