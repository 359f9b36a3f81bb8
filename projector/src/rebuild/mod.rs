//! Rebuilds the tables from the log beside the live ones, compares the two, and moves the views.
//!
//! `docs/decisions/0018` tells the protocol. What is here drives it; `store/generations` holds its locks.

pub mod command;
mod compare;
mod fill;
mod near;
mod older;
mod only;
mod progress;
mod run;
mod tables;

use std::path::PathBuf;
use std::sync::Arc;

use daemon::Shell;
use eventlog::EventLog;

use crate::config::Config;
use crate::store::generations::{Generations, Role};
use run::Run;

pub use progress::Lines;

/// How to rebuild.
#[derive(Clone, Debug)]
pub struct Options {
    /// Models to make anew from the log, with all others of their topics; the rest is copied. All where empty.
    pub only: Vec<String>,
    /// Compares and never switches.
    pub dry_run: bool,
    /// Switches although the two differ.
    pub accept: bool,
    /// Where the comparison is written; a name of the generations' in the working folder if none.
    pub report: Option<PathBuf>,
    /// So many records are written in one transaction.
    pub load: usize,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The views show this generation now.
    Switched(i64),
    /// The two are equal, and nothing was to be switched.
    Equal,
    /// The two differ, and nothing was switched.
    Different,
    /// It was told to stop; the same command takes it up again.
    Stopped,
}

impl Default for Options {
    fn default() -> Self {
        Self { only: Vec::new(), dry_run: false, accept: false, report: None, load: 2_000 }
    }
}

/// Rebuilds; `lines` takes what a person may want to know meanwhile.
///
/// # Errors
/// When the log or Postgres cannot be used, and when the log has dropped what comes next. What stands by then is taken up
/// again by the next rebuild.
pub async fn rebuild(
    config: &Config,
    log: &Arc<dyn EventLog>,
    shell: &Shell,
    options: &Options,
    lines: Lines,
) -> anyhow::Result<Outcome> {
    Run::begin(config, log, shell, options, lines).await?.rebuild().await
}

/// Moves the views back to the generation that they showed last, once it has caught up.
///
/// # Errors
/// When there is none, and as [`rebuild`].
pub async fn rollback(
    config: &Config,
    log: &Arc<dyn EventLog>,
    shell: &Shell,
    lines: Lines,
) -> anyhow::Result<Outcome> {
    Run::back(config, log, shell, lines).await?.switch().await
}

/// Drops these generations, or all that are not shown; answers which.
///
/// # Errors
/// When one of them is shown or does not exist; then none is dropped.
pub async fn prune(config: &Config, numbers: &[i64]) -> anyhow::Result<Vec<i64>> {
    let generations = Generations::of(config)?;
    let _turn = generations.take_turn().await?;
    let all = generations.all(&mut generations.connect().await?).await?;
    let mut gone = Vec::new();
    for number in numbers {
        match all.iter().find(|generation| generation.number == *number) {
            Some(generation) if generation.role == Role::Shown => {
                anyhow::bail!("the views show generation {number}: it is not dropped")
            }
            Some(_) => gone.push(*number),
            None => anyhow::bail!("there is no generation {number}"),
        }
    }
    if numbers.is_empty() {
        gone.extend(all.iter().filter(|generation| generation.role != Role::Shown).map(|generation| generation.number));
    }
    for number in &gone {
        generations.drop(*number).await?;
    }
    Ok(gone)
}
