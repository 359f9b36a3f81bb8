//! The dashboard daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemon::start::<dashboard::Config, _, _>(dashboard::run)
}
