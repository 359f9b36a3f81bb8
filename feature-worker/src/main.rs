//! The feature worker on Kafka.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use daemon::Daemon;
use eventlog::kafka::KafkaFlags;
use feature_worker::Config;
use playledger_allocator as _;

/// All its settings.
#[derive(Args, Clone, Debug)]
struct Program {
    #[command(flatten)]
    kafka: KafkaFlags,
    #[command(flatten)]
    config: Config,
}

impl Daemon for Program {
    const NAME: &'static str = "feature-worker";
    const OPS: &'static str = "127.0.0.1:9102";
    const ABOUT: &'static str = "Turns the events of sessions into behavioural metrics";

    fn check(&self) -> Result<(), String> {
        self.config.check()
    }
}

fn main() -> ExitCode {
    daemon::start(async |program: Program, shell| {
        let log = Arc::new(program.kafka.open(Program::NAME)?);
        feature_worker::run(program.config, log, shell).await
    })
}
