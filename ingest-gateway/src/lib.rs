//! Takes events over HTTP, judges them, appends them to the log.
//!
//! An event's way: `http` (socket to [`intake`] and [`submission`]) → [`judge`] → [`ingest`] with [`dedup`] →
//! [`publish`] → [`carry`] (append, wait, count) → [`answer`]. Pure, that is without clock, log, file or
//! socket: `answer`, `close`, `cloudevents`, `credentials`, `dedup`, `intake`, `judge`, `looks`, `openapi`, `outcomes`,
//! `own`, `problem`, `publish`, `skew`, `submission`, `tls::certificate`, `whoami` and `whose`.

pub mod access;
pub mod answer;
pub mod append;
mod carried;
pub mod carry;
pub mod claims;
pub mod close;
pub mod cloudevents;
pub mod config;
pub mod cors;
pub mod credentials;
pub mod credentials_file;
pub mod decode;
pub mod dedup;
pub mod documents;
mod drain;
mod dry;
pub mod gateway;
pub mod http;
pub mod ingest;
pub mod intake;
pub mod judge;
pub mod jwks;
pub mod keys;
pub mod limits;
mod looks;
pub mod metrics;
pub mod openapi;
pub mod outcomes;
pub mod own;
pub mod peers;
pub mod problem;
pub mod publish;
mod reach;
mod readback;
pub mod report;
pub mod schemas_folder;
pub mod skew;
pub mod submission;
mod tail;
pub mod tls;
pub mod types;
mod upkeep;
pub mod watched;
mod whoami;
pub mod whose;

use std::sync::Arc;

use anyhow::Context as _;
use daemon::Shell;
use eventlog::EventLog;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use config::Config;

use crate::config::Dedup;
use crate::cors::Origins;
use crate::credentials_file::CredentialsFile;
use crate::dedup::{Bounds, Window};
use crate::gateway::{Gateway, Parts};
use crate::limits::connections::Connections;
use crate::schemas_folder::SchemasFolder;
use crate::upkeep::Healths;

/// Runs a gateway until the shell says to drain; returns when every request in flight has its answer.
///
/// # Errors
/// When it can't start: keys, schemas or address; or when the log needs a person.
pub async fn run(config: Config, log: Arc<dyn EventLog>, shell: Shell) -> anyhow::Result<()> {
    metrics::describe();
    let health = shell.health.component("ingest-gateway");
    let clock = shell.health.component("clock");
    clock.ready();
    let gateway = build(&config, &shell)?;
    let tls = config.tls.open(shell.clock.clone())?;
    let listener = TcpListener::bind(&config.listen)
        .await
        .with_context(|| format!("--listen {}: can't listen there (port 0 takes a free one)", config.listen))?;
    shell.ready.listening("gateway", listener.local_addr()?);
    let stop = CancellationToken::new();
    let bounds = http::listener::Bounds { header_timeout: config.header_timeout, connections: config.max_connections };
    let bounds = bounds.within(daemon::files::limit());
    let addresses = Connections::new(config.limits.max_connections_per_address, config.limits.trust());
    let stopping = stop.clone().cancelled_owned();
    let served =
        http::listener::serve(listener, Arc::clone(&gateway), bounds, addresses, tls.clone(), stopping, drain::HANG_UP);
    let served = AbortOnDropHandle::new(tokio::spawn(served));
    let _watched = AbortOnDropHandle::new(tokio::spawn(gateway.credentials.clone().watch()));
    let _reopening = AbortOnDropHandle::new(tokio::spawn(gateway.access.clone().reopen_on_hangup()));
    let _tls_watched = tls.map(|tls| AbortOnDropHandle::new(tokio::spawn(tls.watch())));
    let _types_watched = AbortOnDropHandle::new(tokio::spawn(gateway.types.clone().watch()));

    tokio::select! {
        // Whatever is under way when the process has to end at once is left unanswered.
        () = shell.shutdown.ending() => return Ok(()),
        ended = work(&gateway, &config, &log, &shell, Healths { gateway: &health, clock: &clock }) => ended?,
    }
    health.not_ready("draining");
    tokio::select! {
        () = shell.shutdown.ending() => {}
        () = drain::drain(&gateway) => {
            stop.cancel();
            // A panic there has been told by the runtime; nothing is left to do.
            let _ = served.await;
            gateway.access.finish().await;
        }
    }
    Ok(())
}

/// All that can fail without the log.
fn build(config: &Config, shell: &Shell) -> anyhow::Result<Arc<Gateway>> {
    let window_ms = i64::try_from(config.dedup_window.as_millis()).context("--dedup-window is too long")?;
    let bounds = Bounds { window_ms, ids: config.dedup_ids };
    if let Some(file) = &config.games {
        // Nothing of it concerns the gateway yet; a broken file is told by every daemon alike.
        let text =
            std::fs::read_to_string(file).with_context(|| format!("--games {}: can't read it", file.display()))?;
        schemas::games::Games::parse(&text, schemas::games::GameSettings::default())
            .with_context(|| format!("--games {}", file.display()))?;
    }
    Ok(Gateway::new(Parts {
        name: config.name(),
        body_timeout: config.body_timeout,
        origins: Origins::new(&config.cors_origins),
        clock: shell.clock.clone(),
        health: shell.health.clone(),
        credentials: CredentialsFile::open(config.credentials.clone())?,
        types: SchemasFolder::open(config.schemas.as_deref())?,
        limits: config.limits.open()?,
        access: config.access.open()?,
        window: Window::new(bounds, shell.clock.monotonic_ms()),
    }))
}

/// Reaches the log, is ready, and goes on until it has to drain.
async fn work(
    gateway: &Arc<Gateway>,
    config: &Config,
    log: &Arc<dyn EventLog>,
    shell: &Shell,
    healths: Healths<'_>,
) -> anyhow::Result<()> {
    let (link, ends) = tokio::select! {
        () = shell.shutdown.draining() => return Ok(()),
        reached = reach::reach(gateway, log, config, healths.gateway) => reached?,
    };
    tokio::select! {
        () = report::started(gateway, &link) => {}
        never = upkeep::beat(healths.gateway) => match never {},
    }
    gateway.open(link);
    let Ok(link) = gateway.link() else { return Ok(()) };
    let _tail = (config.dedup == Dedup::Shared).then(|| {
        let asked = peers::ask(Arc::clone(gateway), Arc::clone(log), link.targets.events.clone(), link.deadline);
        let tail = tail::follow(Arc::clone(gateway), Arc::clone(log), Arc::clone(&link.appender), ends);
        (AbortOnDropHandle::new(tokio::spawn(tail)), AbortOnDropHandle::new(tokio::spawn(asked)))
    });
    healths.gateway.ready();
    shell.ready.announce().context("--ready-file: can't write it")?;
    tokio::select! {
        () = shell.shutdown.draining() => {}
        () = upkeep::run(gateway, link, healths) => {}
    }
    Ok(())
}
