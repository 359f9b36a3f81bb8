//! All parts together: built, watched, stopped in the order in which events flow.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use daemon::{Component, Health, Shell, ops};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::deadline::Deadline;
use super::log::{self, Log};
use super::part::{Ended, Part};
use super::{Arguments, key, settings};
use crate::folder::{Folder, Running};
use crate::postgres::{self, Server};

/// How often the parts are asked how they are.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// A start that takes longer than this says what it waits for, and again after as long.
const SAY_AFTER: Duration = Duration::from_secs(10);
/// How long the private Postgres may take to stop, and the log before it, where the deadline leaves
/// them as much.
const POSTGRES_PATIENCE: Duration = Duration::from_secs(4);
const LOG_PATIENCE: Duration = Duration::from_secs(2);

/// Everything that runs.
pub(super) struct House {
    /// In the order in which they stop: first whoever takes events in.
    parts: Vec<Part>,
    ends: mpsc::UnboundedReceiver<Ended>,
    log: Log,
    /// The private one; none where the tables are elsewhere.
    postgres: Option<Server>,
    mirror: JoinHandle<()>,
    running: Running,
}

impl House {
    /// Opens the log, starts Postgres and all parts.
    ///
    /// # Errors
    /// A sentence: what can't be opened or started.
    pub(super) async fn build(
        arguments: &Arguments,
        folder: &Folder,
        shell: &Shell,
        recorder: PrometheusHandle,
    ) -> anyhow::Result<Self> {
        let api_key = key::take_up(folder, shell.clock.now_ms())?;
        let (log, postgres) = tokio::try_join!(log::open(arguments, folder, &shell.clock), tables(arguments, folder))?;
        let database_url = match (&postgres, &arguments.database_url) {
            (Some(private), _) => private.url().to_owned(),
            (None, named) => named.clone().unwrap_or_default(),
        };
        let ops = ops::serve(&arguments.ops, recorder, shell).await?;
        let (tell, ends) = mpsc::unbounded_channel();
        let parts = start_parts(arguments, folder, shell, &log, &database_url, &tell)?;
        let mirror = tokio::spawn(mirror(healths(&parts, &shell.health)));
        let running = Running {
            gateway: String::new(),
            dashboard: String::new(),
            ops: url(ops),
            database_url,
            api_key,
            data: folder.path().display().to_string(),
        };
        Ok(Self { parts, ends, log, postgres, mirror, running })
    }

    /// Waits until every part is ready; then all addresses are known.
    ///
    /// # Errors
    /// When a part ends instead.
    pub(super) async fn ready(&mut self) -> anyhow::Result<Running> {
        let mut waited = Duration::ZERO;
        loop {
            let waiting = self.waiting();
            if waiting.is_empty() {
                return self.addresses();
            }
            tokio::select! {
                failure = self.failure() => return Err(failure),
                () = tokio::time::sleep(ASK_EVERY) => waited += ASK_EVERY,
            }
            if waited >= SAY_AFTER {
                waited = Duration::ZERO;
                tracing::warn!("still starting: {}", waiting.join("; "));
            }
        }
    }

    /// Resolves when a part has ended without being told to: why. Cancel safe.
    pub(super) async fn failure(&mut self) -> anyhow::Error {
        let Self { ends, postgres, .. } = self;
        let postgres = async {
            match postgres {
                Some(server) => server.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            said = postgres => anyhow!("the private Postgres ended: {said}; start again: nothing acknowledged is lost"),
            ended = ends.recv() => match ended {
                Some(Ended { name, outcome: Err(error) }) => error.context(format!("the {name} ended")),
                Some(Ended { name, outcome: Ok(()) }) => anyhow!("the {name} ended by itself"),
                None => anyhow!("all parts ended"),
            },
        }
    }

    /// Stops all: the gateway first, so that what was acknowledged is in the log; Postgres last.
    pub(super) async fn stop(self, deadline: Deadline) {
        self.mirror.abort();
        for part in self.parts {
            part.stop(deadline).await;
        }
        if tokio::time::timeout(deadline.within(LOG_PATIENCE), self.log.close()).await.is_err() {
            tracing::warn!("the log did not close in time; what was acknowledged is in it");
        }
        if let Some(server) = self.postgres
            && let Err(error) = server.stop(deadline.within(POSTGRES_PATIENCE)).await
        {
            tracing::warn!("{error:#}");
        }
    }

    /// What is still waited for, by part.
    fn waiting(&self) -> Vec<String> {
        self.parts.iter().filter_map(|part| Some(format!("{}: {}", part.name, part.waits_for()?))).collect()
    }

    fn addresses(&self) -> anyhow::Result<Running> {
        let at = |what: &'static str| {
            let found = self.parts.iter().find_map(|part| part.address(what));
            found.map(url).with_context(|| format!("the {what} is ready and told no address"))
        };
        Ok(Running { gateway: at("gateway")?, dashboard: at("dashboard")?, ..self.running.clone() })
    }
}

/// The private Postgres; none where the tables are elsewhere.
async fn tables(arguments: &Arguments, folder: &Folder) -> anyhow::Result<Option<Server>> {
    match &arguments.database_url {
        Some(url) => match postgres::reach(url).await {
            Ok(_) => Ok(None),
            Err(words) => Err(anyhow!("--database-url: {words}")),
        },
        None => Ok(Some(postgres::start(folder).await?)),
    }
}

/// Starts the daemons, in the order in which they will stop.
fn start_parts(
    arguments: &Arguments,
    folder: &Folder,
    shell: &Shell,
    log: &Log,
    database_url: &str,
    ends: &mpsc::UnboundedSender<Ended>,
) -> anyhow::Result<Vec<Part>> {
    let instance = settings::instance(folder);
    let gateway = settings::gateway(arguments, folder, &instance)?;
    let worker = settings::worker(arguments, &instance)?;
    let projector = settings::projector(arguments, database_url, &instance)?;
    let dashboard = settings::dashboard(arguments, database_url)?;
    let seconds = Duration::from_secs;
    let log = || Arc::clone(&log.shared);
    let clock = &shell.clock;
    Ok(vec![
        Part::start("gateway", seconds(7), clock, ends, |shell| ingest_gateway::run(gateway, log(), shell)),
        Part::start("worker", seconds(4), clock, ends, |part| {
            // The process has one ops port, for the orders of all parts.
            feature_worker::run(worker, log(), Shell { orders: shell.orders.clone(), ..part })
        }),
        Part::start("projector", seconds(3), clock, ends, |shell| projector::run(projector, log(), shell)),
        Part::start("dashboard", seconds(1), clock, ends, |shell| dashboard::run(dashboard, shell)),
    ])
}

/// Each part's own health, and its line in the process's.
fn healths(parts: &[Part], process: &Health) -> Vec<(Health, Component)> {
    parts.iter().map(|part| (part.shell.health.clone(), process.component(part.name))).collect()
}

/// Carries the health of the parts over to the process's, which the ops port shows.
async fn mirror(healths: Vec<(Health, Component)>) {
    loop {
        for (own, line) in &healths {
            let verdict = own.readiness();
            if verdict.ok && !verdict.parts.is_empty() {
                line.ready();
            } else {
                let words: Vec<_> = verdict.parts.iter().map(|(name, word)| format!("{name} {word}")).collect();
                line.not_ready(if words.is_empty() { "starting".to_owned() } else { words.join(", ") });
            }
            if own.liveness().ok {
                line.beat();
            }
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// The URL of an address; one that means all addresses is reached by this machine's own.
fn url(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}
