//! How this log's Kafka clients are set up.

use std::time::Duration;

use rdkafka::ClientConfig;

use crate::AppendOptions;

/// A member that has not been heard of for so long loses its partitions, if its settings do not say otherwise.
pub(super) const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
/// A member that has not polled for so long loses its partitions.
pub(super) const MAX_POLL: Duration = Duration::from_mins(5);
/// The broker aborts a transaction that is older.
pub(super) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest record or batch that clients handle; topics may be stricter.
pub(super) const MAX_MESSAGE_BYTES: usize = 8 << 20;

/// How to reach a Kafka cluster.
///
/// ```
/// use eventlog::kafka::{KafkaLog, KafkaOptions};
///
/// let options = KafkaOptions {
///     brokers: "127.0.0.1:9092".into(),
///     settings: vec![("security.protocol".into(), "plaintext".into())],
///     client_id: "feature-worker".into(),
/// };
/// let log = KafkaLog::open(options)?;
/// # drop(log);
/// # Ok::<(), eventlog::LogError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct KafkaOptions {
    /// `host:port` of one or more brokers, with commas between.
    pub brokers: String,
    /// Settings of librdkafka, by its own names: security, mostly; `session.timeout.ms` says how soon a member counts as
    /// gone. Those that the promises of this
    /// log rest on (acknowledgements, idempotence, isolation, group protocol …) cannot be changed.
    pub settings: Vec<(String, String)>,
    /// Who this is, for the brokers' logs and quotas.
    pub client_id: String,
}

impl KafkaOptions {
    /// Settings that every client starts from; what a caller set goes over them.
    fn client() -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("socket.keepalive.enable", "true")
            .set("reconnect.backoff.ms", "100")
            .set("reconnect.backoff.max.ms", "1000")
            // Brokers that come and go are told by errors of calls; the log lines only repeat them.
            .set("log.connection.close", "false");
        config
    }

    fn finish(&self, config: &mut ClientConfig) {
        for (name, value) in &self.settings {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        if !self.client_id.is_empty() {
            config.set("client.id", &self.client_id);
        }
    }

    /// A client for questions: topics, offsets.
    pub(super) fn observer(&self) -> ClientConfig {
        let mut config = Self::client();
        self.finish(&mut config);
        config.set("isolation.level", "read_uncommitted").set("enable.auto.commit", "false");
        config
    }

    /// A client that asks for a group's committed offsets. Never joins.
    pub(super) fn group_observer(&self, group: &str) -> ClientConfig {
        let mut config = self.observer();
        // Only so does the answer wait for a transaction that is being decided.
        config.set("group.id", group).set("isolation.level", "read_committed");
        config
    }

    /// A consumer without its group.
    pub(super) fn consumer(&self, read_committed: bool) -> ClientConfig {
        let mut config = Self::client();
        config
            .set("fetch.queue.backoff.ms", "5")
            .set("queued.min.messages", "1000000")
            .set("queued.max.messages.kbytes", "8192")
            .set("fetch.min.bytes", "65536")
            .set("fetch.wait.max.ms", "25")
            .set("fetch.error.backoff.ms", "100")
            // A larger record comes all the same, alone; a larger answer of each partition is memory, no speed.
            .set("fetch.message.max.bytes", "1048576");
        self.finish(&mut config);
        config
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            .set("allow.auto.create.topics", "false")
            .set("check.crcs", "true")
            .set("isolation.level", if read_committed { "read_committed" } else { "read_uncommitted" });
        config
    }

    /// A consumer that reads stretches without a group: many at once, so each reads ahead only a little.
    pub(super) fn reader(&self, read_committed: bool) -> ClientConfig {
        let mut config = self.consumer(read_committed);
        config.set("queued.min.messages", "20000").set("queued.max.messages.kbytes", "8192");
        config
    }

    /// A consumer that is a member of a group.
    pub(super) fn member(&self, group: &str, instance: &str, read_committed: bool) -> ClientConfig {
        let mut config = self.consumer(read_committed);
        // How soon a member counts as gone is the operator's to say: as late as a machine may take to be back.
        if config.get("session.timeout.ms").is_none() {
            config.set("session.timeout.ms", SESSION_TIMEOUT.as_millis().to_string());
        }
        config
            .set("group.id", group)
            .set("group.instance.id", instance)
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("heartbeat.interval.ms", "1000")
            .set("max.poll.interval.ms", MAX_POLL.as_millis().to_string());
        config
    }

    /// A producer's settings, common to both kinds.
    fn producer(&self) -> ClientConfig {
        let mut config = Self::client();
        config.set("compression.type", "lz4").set("batch.size", "1000000");
        self.finish(&mut config);
        // A member's, of which producers would only complain.
        config.remove("session.timeout.ms");
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("message.max.bytes", MAX_MESSAGE_BYTES.to_string())
            // Partitions are named with every record; this is for who writes beside us with the same settings.
            .set("partitioner", "murmur2_random");
        config
    }

    /// The producer of an appender.
    pub(super) fn appender(&self, options: &AppendOptions) -> ClientConfig {
        let mut config = self.producer();
        // The appender counts by itself and refuses first; these bounds are never to be met.
        let messages = options.max_records.saturating_mul(2).clamp(1_000, 10_000_000);
        let kbytes = (options.max_bytes / 1024).saturating_mul(2).clamp(64 << 10, 2_097_151);
        config
            .set("queue.buffering.max.messages", messages.to_string())
            .set("queue.buffering.max.kbytes", kbytes.to_string())
            .set("linger.ms", (options.linger.as_secs_f64() * 1000.0).to_string())
            .set("message.timeout.ms", options.deadline.as_millis().max(1).to_string());
        config
    }

    /// The producer of a member's transactions.
    pub(super) fn transactional(&self, group: &str, instance: &str) -> ClientConfig {
        let mut config = self.producer();
        config
            .set("transactional.id", format!("{group}/{instance}"))
            .set("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string())
            // A record fails before the broker gives the transaction up, so that the failure is told.
            .set("message.timeout.ms", (TRANSACTION_TIMEOUT.as_millis() - 2_000).to_string())
            .set("queue.buffering.max.messages", "1000000")
            .set("queue.buffering.max.kbytes", "524288")
            .set("linger.ms", "2");
        config
    }
}
