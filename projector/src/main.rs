//! The projector's program.

use std::process::ExitCode;
use std::sync::Arc;

use daemon::Shell;
use projector::Process;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    match words.next() {
        Some(word) if word == "status" => return projector::status::main(words.collect()),
        Some(word) if projector::rebuild::command::knows(&word) => {
            return projector::rebuild::command::main(&word, words.collect());
        }
        _ => {}
    }
    daemon::start(async |Process { config, kafka }: Process, shell: Shell| {
        let log = kafka.open("projector")?;
        projector::run(config, Arc::new(log), shell).await
    })
}
