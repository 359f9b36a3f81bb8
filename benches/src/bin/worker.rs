//! Figures of the worker on Kafka, beside a bare consumer in the same run.
//!
//! `cargo run --release -p playledger-benches --bin worker`

use std::process::ExitCode;

use clap::Parser as _;
use playledger_allocator as _;
use playledger_benches::{daemons, worker};

fn main() -> ExitCode {
    // Started again under another program's name, this one is that program.
    let program = std::env::args_os().next().unwrap_or_default();
    if let Some(code) = daemons::run_as(&program) {
        return code;
    }
    match measure(&worker::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &worker::Arguments) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(worker::run(arguments))
}
