//! The projector's loop: joins the group, reads what it owns, hands loads to the sink, one at a time.
//!
//! While one load is written the next one gathers, so that a transaction is as large as the flow asks
//! for and a lone record waits a few milliseconds.

use std::sync::Arc;

use daemon::{Component, Shell};
use eventlog::{EventLog, GroupOptions, LogError, Membership};

use crate::backoff::{Backoff, unless_draining};
use crate::config::Config;
use crate::error::StoreError;
use crate::keeper::Keeper;
use crate::member::{End, Member};
use crate::metrics;
use crate::store::Store;
use crate::topics::Topics;
use crate::write::Sink;

/// Runs until the shell tells to drain.
pub(crate) async fn run(config: &Config, log: &Arc<dyn EventLog>, shell: &Shell) -> anyhow::Result<()> {
    let component = shell.health.component("projector");
    let topics = Topics::of(config);
    let mut backoff = Backoff::new(shell, &component);
    let mut announced = false;
    loop {
        // Anew for every membership: tables may have been laid out anew, or the views show others.
        let begun = async {
            let Some(sink) = open(config, log, shell, &component, &topics, &mut backoff).await? else {
                return Ok(None);
            };
            let joined = join(config, &**log, &topics, &mut backoff).await?;
            anyhow::Ok(joined.map(|membership| (sink, membership)))
        };
        let Some((sink, membership)) = unless_draining(shell, &component, begun).await.transpose()?.flatten() else {
            return Ok(());
        };
        component.ready();
        if !announced {
            shell.ready.announce()?;
            announced = true;
        }
        let _keeper = Keeper::start(config, sink.store().clone(), shell);
        let member = Member::new(log, &topics, Arc::new(sink), shell, &component, membership);
        match member.run().await? {
            End::Drained => return Ok(()),
            End::Dropped(why) => {
                metrics::rejoined();
                if !backoff.pause(&why).await {
                    return Ok(());
                }
            }
        }
    }
}

/// Opens tables and topics, waiting for both; none when told to drain meanwhile.
async fn open(
    config: &Config,
    log: &Arc<dyn EventLog>,
    shell: &Shell,
    component: &Component,
    topics: &Topics,
    backoff: &mut Backoff,
) -> anyhow::Result<Option<Sink>> {
    loop {
        let why = match Store::open(config).await {
            Ok(store) => match ready_topics(&**log, topics).await {
                Ok(()) => {
                    let quarantine = topics.quarantine().to_owned();
                    match Sink::open(store, Arc::clone(log), quarantine, shell, component).await {
                        Ok(sink) => return Ok(Some(sink)),
                        Err(error) => waitable(error)?,
                    }
                }
                Err(error) => waitable(error)?,
            },
            Err(error @ StoreError::Away(_)) => {
                metrics::retried(error.sqlstate());
                error.to_string()
            }
            Err(error) => return Err(error.into()),
        };
        if shell.shutdown.is_draining() || !backoff.pause(&why).await {
            return Ok(None);
        }
    }
}

async fn ready_topics(log: &dyn EventLog, topics: &Topics) -> Result<(), LogError> {
    for name in topics.names() {
        log.topic(&name).await?;
    }
    Ok(())
}

/// Why to wait, for an error that may pass by itself.
fn waitable(error: LogError) -> anyhow::Result<String> {
    match error {
        LogError::Unavailable(_) => Ok(error.to_string()),
        LogError::NotFound(name) => Ok(format!("there is no topic {name}: `playledger topics create` makes it")),
        error => Err(error.into()),
    }
}

/// Joins the group; none when told to drain meanwhile.
async fn join(
    config: &Config,
    log: &dyn EventLog,
    topics: &Topics,
    backoff: &mut Backoff,
) -> anyhow::Result<Option<Box<dyn Membership>>> {
    loop {
        let options = GroupOptions {
            group: config.group.clone(),
            instance: config.name(),
            topics: topics.names().iter().map(ToString::to_string).collect(),
            transactional: false,
            // The worker writes in transactions; what it aborted never was.
            read_committed: true,
            headers: true,
            commit_deadline: GroupOptions::COMMIT_DEADLINE,
        };
        let why = match log.join(options).await {
            Ok(membership) => {
                backoff.worked();
                return Ok(Some(membership));
            }
            Err(error @ LogError::Fatal(_)) => error.to_string(),
            Err(error) => waitable(error)?,
        };
        if !backoff.pause(&why).await {
            return Ok(None);
        }
    }
}
