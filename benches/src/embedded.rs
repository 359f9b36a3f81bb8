//! The daemons on the embedded log, each as a process of its own, so that each can be measured alone.
//!
//! Their own programs run on Kafka, and local mode runs all of them in one process; this is the same
//! `run()` on a file that the processes share.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use daemon::{Daemon, Shell};
use eventlog::EventLog;
use eventlog::embedded::EmbeddedLog;

/// A daemon's settings, and where the log is.
#[derive(Args, Clone, Debug)]
struct OnFile<C: Args> {
    /// The embedded log's file
    #[arg(long, value_name = "FILE")]
    log_file: PathBuf,
    #[command(flatten)]
    config: C,
}

impl Daemon for OnFile<ingest_gateway::Config> {
    const NAME: &'static str = "ingest-gateway";
    const OPS: &'static str = "127.0.0.1:0";
    const ABOUT: &'static str = "The gateway on the embedded log";
}

impl Daemon for OnFile<feature_worker::Config> {
    const NAME: &'static str = "feature-worker";
    const OPS: &'static str = "127.0.0.1:0";
    const ABOUT: &'static str = "The worker on the embedded log";
}

impl Daemon for OnFile<projector::Config> {
    const NAME: &'static str = "projector";
    const OPS: &'static str = "127.0.0.1:0";
    const ABOUT: &'static str = "The projector on the embedded log";
}

/// Runs the daemon under whose name this program was started; none under any other name.
pub fn daemon_named(program: &OsStr) -> Option<ExitCode> {
    match Path::new(program).file_name()?.to_str()? {
        "ingest-gateway" => Some(daemon::start(async |OnFile { log_file, config }, shell| {
            on_file(&log_file, async |log| ingest_gateway::run(config, log, shell).await).await
        })),
        "feature-worker" => Some(daemon::start(async |OnFile { log_file, config }, shell| {
            on_file(&log_file, async |log| feature_worker::run(config, log, shell).await).await
        })),
        "projector" => Some(daemon::start(async |OnFile { log_file, config }, shell: Shell| {
            on_file(&log_file, async |log| projector::run(config, log, shell).await).await
        })),
        _ => None,
    }
}

async fn on_file(file: &Path, run: impl AsyncFnOnce(Arc<dyn EventLog>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let log = EmbeddedLog::open(file).await?;
    let outcome = run(Arc::new(log.clone())).await;
    log.close().await;
    outcome
}
