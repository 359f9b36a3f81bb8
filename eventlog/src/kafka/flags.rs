//! The flags by which a program is told of a Kafka cluster: the same for every program.

use clap::Args;

use super::{KafkaLog, KafkaOptions};
use crate::LogError;

/// `--kafka` and `--kafka-set`.
///
/// ```
/// use clap::{Args as _, FromArgMatches as _};
/// use eventlog::kafka::KafkaFlags;
///
/// let command = KafkaFlags::augment_args(clap::Command::new("daemon"));
/// let line = ["daemon", "--kafka", "127.0.0.1:9092", "--kafka-set", "security.protocol=ssl"];
/// let flags = KafkaFlags::from_arg_matches(&command.get_matches_from(line))?;
/// assert_eq!(flags.options("daemon").settings, [("security.protocol".into(), "ssl".into())]);
/// # Ok::<(), clap::Error>(())
/// ```
#[derive(Args, Clone, Debug)]
pub struct KafkaFlags {
    /// Brokers to start from
    #[arg(long, value_name = "HOST:PORT[,…]")]
    pub kafka: String,
    /// Any librdkafka setting, TLS and SASL among them; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub kafka_set: Vec<(String, String)>,
}

impl KafkaFlags {
    /// Options for a client that the brokers know as `client_id`.
    pub fn options(&self, client_id: &str) -> KafkaOptions {
        KafkaOptions { brokers: self.kafka.clone(), settings: self.kafka_set.clone(), client_id: client_id.to_owned() }
    }

    /// Opens the log that the flags name.
    ///
    /// # Errors
    /// As [`KafkaLog::open`].
    pub fn open(&self, client_id: &str) -> Result<KafkaLog, LogError> {
        KafkaLog::open(self.options(client_id))
    }
}

fn setting(word: &str) -> Result<(String, String), String> {
    match word.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("must be KEY=VALUE, such as security.protocol=ssl".to_owned()),
    }
}
