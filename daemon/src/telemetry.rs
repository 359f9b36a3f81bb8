//! Log lines: human on a terminal, JSON elsewhere, to stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `RUST_LOG` chooses what is said; `info` by default.
///
/// A second call in one process changes nothing.
pub fn init(format: Option<LogFormat>) {
    init_saying(format, "info,rdkafka=warn,sqlx=warn");
}

/// The same where another directive than `info` holds unless `RUST_LOG` says otherwise.
pub fn init_saying(format: Option<LogFormat>, directives: &str) {
    let terminal = std::io::stderr().is_terminal();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(directives));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A closed standard error, as after `2>&1 | head`, is no reason to panic.
    let lines = lines.log_internal_errors(false);
    let format = format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    // Failing means that a subscriber is there already, as in tests: that one stays.
    let _ = match format {
        LogFormat::Text => lines.with_ansi(terminal && std::env::var_os("NO_COLOR").is_none()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
