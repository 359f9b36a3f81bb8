//! The gateway's settings.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use daemon::Daemon;
use eventlog::kafka::KafkaFlags;

pub use crate::access::AccessFlags;
use crate::cors::Origin;
pub use crate::limits::flags::LimitFlags;
pub use crate::tls::TlsFlags;

/// Whether gateways learn of each other's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dedup {
    /// By the log: what every gateway appended counts; their clocks are compared, too
    Shared,
    /// Only what went through this gateway counts
    Local,
}

/// The gateway's settings.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Where events are taken; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// API keys and issuers of tokens; read again when it changes (`playledger keys create` makes it)
    #[arg(long, value_name = "FILE")]
    pub credentials: PathBuf,
    /// The studio's own event types: JSON Schema files, one a type; read again when it changes
    #[arg(long, value_name = "DIR")]
    pub schemas: Option<PathBuf>,
    /// Settings by tenant and game
    #[arg(long, value_name = "FILE")]
    pub games: Option<PathBuf>,
    /// What stands before every topic's name
    #[arg(long, value_name = "PREFIX", default_value = "play.")]
    pub topic_prefix: String,
    /// Whether duplicates are known by the log or by this gateway alone
    #[arg(long, value_name = "HOW", default_value = "shared")]
    pub dedup: Dedup,
    /// For so long an event is known as a duplicate at least
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = humantime::parse_duration)]
    pub dedup_window: Duration,
    /// So many events are known at most; above, the window is shorter
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    pub dedup_ids: usize,
    /// The gateway's name, in stamps and counts; two on one host need names [default: the host's name]
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// For so long the log may take to acknowledge; then 503
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    pub produce_deadline: Duration,
    /// For so long a record may wait for company
    #[arg(long, value_name = "TIME", default_value = "5ms", value_parser = humantime::parse_duration)]
    pub linger: Duration,
    /// For so long a request's head may take to arrive; a connection that idles, or takes nothing of its
    /// answers, is closed after it too
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = humantime::parse_duration)]
    pub header_timeout: Duration,
    /// For so long a request's body may take to arrive; then 408
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub body_timeout: Duration,
    /// Pages of this origin may call, such as `https://play.example`; repeatable. `*` is every page, with
    /// publishable keys only
    #[arg(long = "cors-origin", value_name = "ORIGIN", value_parser = Origin::parse)]
    pub cors_origins: Vec<Origin>,
    /// So many connections are open at most, and no more than the limit on open files has room for; others wait
    #[arg(long, value_name = "N", default_value_t = 16_384)]
    pub max_connections: usize,
    /// What protects the gateway and its users from each other.
    #[command(flatten)]
    pub limits: LimitFlags,
    /// Whether requests are told one by one.
    #[command(flatten)]
    pub access: AccessFlags,
    /// Whether TLS is spoken, and with which certificate.
    #[command(flatten)]
    pub tls: TlsFlags,
}

/// The settings of the gateway as a process of its own.
#[derive(Args, Clone, Debug)]
pub struct Process {
    /// What every gateway needs.
    #[command(flatten)]
    pub config: Config,
    /// The log that it runs on.
    #[command(flatten)]
    pub kafka: KafkaFlags,
}

impl Daemon for Process {
    const NAME: &'static str = "ingest-gateway";
    const OPS: &'static str = "127.0.0.1:9101";
    const ABOUT: &'static str = "Takes events over HTTP, judges them, appends them to the log";

    fn check(&self) -> Result<(), String> {
        let config = &self.config;
        let times = [config.produce_deadline, config.body_timeout, config.header_timeout, config.dedup_window];
        if times.iter().any(Duration::is_zero) {
            let flags = "--produce-deadline, --body-timeout, --header-timeout and --dedup-window";
            return Err(format!("{flags} must be longer than 0s"));
        }
        if config.max_connections == 0 || config.dedup_ids < 2 {
            return Err("--max-connections must be at least 1 and --dedup-ids at least 2".into());
        }
        config.limits.check()?;
        config.tls.check()?;
        config.access.check()
    }
}

impl Config {
    /// The gateway's name: as told, else the host's.
    pub fn name(&self) -> String {
        let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let named = self.instance.clone().or_else(host).map(|name| name.trim().to_owned());
        named.filter(|name| !name.is_empty()).unwrap_or_else(|| "gateway".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a line of flags.
    fn fault(flags: &[&str]) -> Option<String> {
        let line = ["ingest-gateway", "--kafka", "127.0.0.1:9", "--credentials", "keys.toml"];
        let line = line.iter().chain(flags).map(std::ffi::OsString::from);
        match daemon::config::load::<Process>(line, &|_| None) {
            Ok(_) => None,
            Err(daemon::config::Stop::Bad(words)) => Some(words),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_time_of_nothing_is_refused_with_a_sentence() {
        assert_eq!(fault(&[]), None);
        for flag in ["--produce-deadline", "--body-timeout", "--header-timeout", "--dedup-window"] {
            let words = fault(&[flag, "0s"]).expect(flag);
            assert!(words.contains(flag) && words.contains("longer than 0s"), "{words}");
        }
    }
}
