//! The projector's program.

use std::process::ExitCode;
use std::sync::Arc;

use daemon::Shell;
use projector::Process;

fn main() -> ExitCode {
    daemon::start(async |Process { config, kafka }: Process, shell: Shell| {
        let log = kafka.open("projector")?;
        projector::run(config, Arc::new(log), shell).await
    })
}
