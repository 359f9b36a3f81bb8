//! The daemons as processes of their own out of one program, on either log, so that each can be
//! measured alone and one build is enough.
//!
//! What runs is their own `run()` in the shell that their own programs start; on the embedded log,
//! where local mode has all of them in one process, the processes share its file.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use daemon::{Daemon, Shell};
use eventlog::EventLog;
use eventlog::embedded::EmbeddedLog;
use eventlog::kafka::KafkaFlags;

use crate::{gateway, worker};

/// Names of the programs that this one can be.
pub const GATEWAY: &str = "ingest-gateway";
/// See [`GATEWAY`].
pub const WORKER: &str = "feature-worker";
/// See [`GATEWAY`].
pub const PROJECTOR: &str = "projector";
/// See [`GATEWAY`].
pub const PLAYLEDGER: &str = "playledger";

/// A daemon's settings, and the file of the log that it runs on.
#[derive(Args, Clone, Debug)]
struct OnFile<C: Args> {
    /// The embedded log's file
    #[arg(long, value_name = "FILE")]
    log_file: PathBuf,
    #[command(flatten)]
    config: C,
}

/// A daemon's settings, and the cluster that it runs on.
#[derive(Args, Clone, Debug)]
struct OnKafka<C: Args> {
    #[command(flatten)]
    kafka: KafkaFlags,
    #[command(flatten)]
    config: C,
}

impl<C: Args> Daemon for OnFile<C> {
    const NAME: &'static str = "stage";
    const OPS: &'static str = "127.0.0.1:0";
    const ABOUT: &'static str = "A daemon on the embedded log";
}

impl<C: Args> Daemon for OnKafka<C> {
    const NAME: &'static str = "stage";
    const OPS: &'static str = "127.0.0.1:0";
    const ABOUT: &'static str = "A daemon on Kafka";
}

/// Runs the program under whose name this one was started; none under any other name.
///
/// `--log-file` among the flags says that a daemon is to run on the embedded log.
pub fn run_as(program: &OsStr) -> Option<ExitCode> {
    match Path::new(program).file_name()?.to_str()? {
        GATEWAY => Some(start(ingest_gateway::run)),
        WORKER => Some(start(feature_worker::run)),
        PROJECTOR => Some(start(projector::run)),
        gateway::BARE => Some(gateway::bare_main()),
        worker::BARE => Some(worker::bare_main()),
        PLAYLEDGER => Some(playledger::cli::main(std::env::args_os())),
        _ => None,
    }
}

fn start<C: Args>(run: impl AsyncFnOnce(C, Arc<dyn EventLog>, Shell) -> anyhow::Result<()>) -> ExitCode {
    if std::env::args_os().any(|word| word == "--log-file") {
        return daemon::start(async move |OnFile { log_file, config }: OnFile<C>, shell| {
            let log = EmbeddedLog::open(&log_file).await?;
            let outcome = run(config, Arc::new(log.clone()), shell).await;
            log.close().await;
            outcome
        });
    }
    daemon::start(async move |OnKafka { kafka, config }: OnKafka<C>, shell| {
        run(config, Arc::new(kafka.open("bench")?), shell).await
    })
}
