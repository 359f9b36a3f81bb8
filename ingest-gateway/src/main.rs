//! The ingest-gateway as a process of its own, on Kafka.

use std::process::ExitCode;
use std::sync::Arc;

use ingest_gateway::config::Process;

fn main() -> ExitCode {
    daemon::start(async |process: Process, shell| {
        let log = process.kafka.open("ingest-gateway")?;
        ingest_gateway::run(process.config, Arc::new(log), shell).await
    })
}
