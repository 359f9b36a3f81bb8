//! The command `doctor`: what is missing or wrong on this machine, and what to do.

mod checks;
mod servers;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::folder;
use crate::output::data;

/// Settings of `doctor`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// The folder of local mode [default: the one that `up` uses]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Looks at a Kafka cluster too
    #[arg(long, value_name = "HOST:PORT[,…]")]
    kafka: Option<String>,
    /// Looks at a Postgres server too
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// One JSON object a finding
    #[arg(long)]
    json: bool,
}

/// What was found of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub what: &'static str,
    /// How it is.
    pub state: State,
    /// What was found, in words.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// Works, and is worth knowing.
    Note,
    /// Has to be mended.
    Bad,
}

impl Finding {
    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, state: State::Ok, found: found.into(), advice: None }
    }

    fn note(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what, state: State::Note, found: found.into(), advice: Some(advice.into()) }
    }

    fn bad(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what, state: State::Bad, found: found.into(), advice: Some(advice.into()) }
    }

    fn words(&self) -> String {
        let mark = match self.state {
            State::Ok => "ok  ",
            State::Note => "note",
            State::Bad => "BAD ",
        };
        let advice = self.advice.as_ref().map(|advice| format!("\n       → {advice}"));
        format!("{mark} {}: {}{}", self.what, self.found, advice.unwrap_or_default())
    }
}

/// Looks at everything: status 0 when nothing has to be mended.
///
/// # Errors
/// When the findings can't be printed.
pub async fn command(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let path = arguments.data.unwrap_or_else(folder::default_path);
    let mut findings = vec![checks::version()];
    findings.extend(checks::postgres_programs(&path));
    findings.extend(checks::data_folder(&path));
    findings.extend(checks::ports(&path));
    findings.extend(checks::left_clusters());
    if let Some(brokers) = &arguments.kafka {
        findings.extend(servers::kafka(brokers).await);
    }
    if let Some(url) = &arguments.database_url {
        findings.push(servers::database(url).await);
    }
    for finding in &findings {
        data(&if arguments.json { serde_json::to_string(finding)? } else { finding.words() })?;
    }
    let bad = findings.iter().any(|finding| finding.state == State::Bad);
    Ok(if bad { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
