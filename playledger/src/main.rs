//! The command `playledger`: see `playledger --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    playledger::cli::main(std::env::args_os())
}
