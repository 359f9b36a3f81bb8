//! Reaches the log at start: its topics, an appender, the window of duplicates.

use std::sync::Arc;
use std::time::Duration;

use daemon::Component;
use eventlog::{AppendOptions, EventLog, LogError};
use schemas::topics::Topic;
use tokio::time::sleep;

use crate::config::Config;
use crate::gateway::{Gateway, Link};
use crate::publish::{Target, Targets};
use crate::readback::{self, Ends};
use crate::upkeep;

/// Records and bytes that may wait for the log; beyond, 503 overloaded.
const MAX_WAITING_RECORDS: usize = 200_000;
const MAX_WAITING_BYTES: usize = 64 << 20;
/// Beyond the log's own deadline, before an append's outcome counts as unknown here.
const PATIENCE: Duration = Duration::from_millis(500);
/// Before the log is tried again that could not be reached.
const AGAIN: Duration = Duration::from_secs(1);

/// Tries until it works; the health says why it does not.
///
/// # Errors
/// When a person must act.
pub(crate) async fn reach(
    gateway: &Gateway,
    log: &Arc<dyn EventLog>,
    config: &Config,
    health: &Component,
) -> anyhow::Result<(Link, Ends)> {
    let mut told = None;
    loop {
        let attempted = tokio::select! {
            attempted = attempt(gateway, log, config) => attempted,
            never = upkeep::beat(health) => match never {},
        };
        match attempted {
            Ok(reached) => return Ok(reached),
            Err(error @ (LogError::Invalid(_) | LogError::OutOfRange { .. })) => return Err(error.into()),
            Err(error) => {
                let words = match error {
                    LogError::NotFound(name) => {
                        format!("there is no topic {name}; `playledger topics create` makes it")
                    }
                    error => error.to_string(),
                };
                health.not_ready(&words);
                if told.as_ref() != Some(&words) {
                    tracing::warn!(error = words, "the log can't be used yet; trying again");
                }
                told = Some(words);
                sleep(AGAIN).await;
            }
        }
    }
}

async fn attempt(gateway: &Gateway, log: &Arc<dyn EventLog>, config: &Config) -> Result<(Link, Ends), LogError> {
    let targets = Targets {
        events: target(log, Topic::Events, config).await?,
        quarantine: target(log, Topic::Quarantine, config).await?,
        outcomes: target(log, Topic::Outcomes, config).await?,
    };
    let options = AppendOptions {
        deadline: config.produce_deadline,
        linger: config.linger,
        max_bytes: MAX_WAITING_BYTES,
        max_records: MAX_WAITING_RECORDS,
    };
    let appender = log.appender(options).await?;
    let ends = readback::fill(gateway, &**log, &targets.events, config.dedup_window).await?;
    let deadline = config.produce_deadline + PATIENCE;
    Ok((Link { log: Arc::clone(log), appender, targets, deadline }, ends))
}

async fn target(log: &Arc<dyn EventLog>, topic: Topic, config: &Config) -> Result<Target, LogError> {
    let partitions = log.topic(&topic.name(&config.topic_prefix)).await?.partitions;
    Ok(Target::new(topic, &config.topic_prefix, partitions))
}
