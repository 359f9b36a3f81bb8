//! What these tests do to a cluster, and ask of it, besides starting and stopping it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::postgres::{Cluster, run};

impl Cluster {
    /// Kills it, as a power cut would, and waits until nothing of it is left: its successor asks for its process.
    pub(super) fn kill(&self) {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let pid = text.lines().next().unwrap_or_default();
        let script = r#"others=$(ps -o pid= --ppid "$1"); kill -9 "$1"
            for each in $1 $others; do while kill -0 "$each" 2>/dev/null; do sleep 0.05; done; done"#;
        run(Command::new("sh").args(["-c", script, "kill", pid]));
    }

    /// Whether it takes connections.
    pub(super) fn answers(&self) -> bool {
        let mut ask = self.program("pg_isready");
        ask.args(["-q", "-h"]).arg(&self.folder).stdin(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// What it has logged.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}
