//! Figures of gateway, worker and projector, on both logs, from one run.
//!
//! `cargo build --release --workspace --bins && target/release/stages`

use std::process::ExitCode;

use clap::Parser as _;
use playledger_benches::{embedded, stages};

fn main() -> ExitCode {
    // Started again under a daemon's name, this program is that daemon on the embedded log.
    let program = std::env::args_os().next().unwrap_or_default();
    if let Some(code) = embedded::daemon_named(&program) {
        return code;
    }
    match measure(&stages::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &stages::Arguments) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(stages::run(arguments))
}
