//! Figures of the gateway on Kafka, beside a bare producer in the same run.
//!
//! `cargo run --release -p playledger-benches --bin gateway`

use std::process::ExitCode;

use clap::Parser as _;
use playledger_benches::{daemons, gateway};

fn main() -> ExitCode {
    // Started again under another program's name, this one is that program.
    let program = std::env::args_os().next().unwrap_or_default();
    if let Some(code) = daemons::run_as(&program) {
        return code;
    }
    match measure(&gateway::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &gateway::Arguments) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(gateway::run(arguments))
}
