//! Figures of the projector on Kafka and Postgres.
//!
//! `cargo run --release -p playledger-benches --bin read_models`

use std::process::ExitCode;

use clap::Parser as _;
use playledger_benches::{daemons, projector};

fn main() -> ExitCode {
    // Started again under a daemon's name, this program is that daemon.
    let program = std::env::args_os().next().unwrap_or_default();
    if let Some(code) = daemons::run_as(&program) {
        return code;
    }
    match measure(&projector::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &projector::Arguments) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(projector::run(arguments))
}
