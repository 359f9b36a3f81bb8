//! The logs under test.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use eventlog::EventLog;
use eventlog::embedded::EmbeddedLog;
use eventlog::kafka::{KafkaLog, KafkaOptions};
use eventlog::simulated::{Cluster, Options};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use super::kafka::KafkaBroker;
use super::world::now_ms;

/// A log under test, and what a test does to it from outside.
#[async_trait]
pub trait Subject: Send + Sync {
    /// Opens it, as a process would.
    async fn open(&self) -> Arc<dyn EventLog>;

    /// How a child process opens it; see [`from_address`].
    fn address(&self) -> String;

    /// Deletes a topic; the log without it.
    async fn without(&self, topic: &str) -> Arc<dyn EventLog>;

    /// Sees to it that the topic is cleaned within seconds.
    async fn hasten(&self, topic: &str);

    /// Whether it keeps the share of a member that falls silent, until it misses that member.
    fn keeps_shares(&self) -> bool;
}

/// The log that [`Subject::address`] names, for a child process.
pub async fn from_address(address: &str) -> Arc<dyn EventLog> {
    match address.split_once('=') {
        Some(("kafka", bootstrap)) => Arc::new(KafkaLog::open(kafka_options(bootstrap)).unwrap()),
        Some(("embedded", path)) => Arc::new(EmbeddedLog::open(path).await.unwrap()),
        _ => panic!("no log has the address {address:?}"),
    }
}

/// The log on a Kafka that all tests of this process share.
pub fn kafka() -> Box<dyn Subject> {
    static SHARED: OnceLock<KafkaBroker> = OnceLock::new();
    let broker = SHARED.get_or_init(KafkaBroker::start);
    Box::new(Kafka { bootstrap: broker.bootstrap().to_owned() })
}

/// A log in a file of its own.
pub fn embedded() -> Box<dyn Subject> {
    Box::new(Embedded { folder: tempfile::tempdir().unwrap() })
}

/// A log in memory that takes its time, as Kafka does.
pub fn simulated() -> Box<dyn Subject> {
    let (latency, marking) = (Duration::from_millis(3), Duration::from_millis(10));
    Box::new(Simulated { cluster: Cluster::open(Options { latency, marking, ..Options::default() }) })
}

pub fn kafka_options(bootstrap: &str) -> KafkaOptions {
    KafkaOptions { brokers: bootstrap.to_owned(), settings: Vec::new(), client_id: "conformance".into() }
}

struct Kafka {
    bootstrap: String,
}

impl Kafka {
    fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", &self.bootstrap).create().unwrap()
    }
}

#[async_trait]
impl Subject for Kafka {
    async fn open(&self) -> Arc<dyn EventLog> {
        Arc::new(KafkaLog::open(kafka_options(&self.bootstrap)).unwrap())
    }

    fn address(&self) -> String {
        format!("kafka={}", self.bootstrap)
    }

    async fn without(&self, topic: &str) -> Arc<dyn EventLog> {
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(10)));
        let deleted = self.admin().delete_topics(&[topic], &options).await.unwrap();
        deleted[0].as_ref().unwrap();
        self.open().await
    }

    async fn hasten(&self, topic: &str) {
        // The legacy call sets all of a topic's settings anew, so the others are read first.
        let admin = self.admin();
        let described = admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &AdminOptions::new()).await.unwrap();
        let mut settings: Vec<(String, String)> = described[0]
            .as_ref()
            .unwrap()
            .entries
            .iter()
            .filter(|entry| entry.source == rdkafka::admin::ConfigSource::DynamicTopic && entry.name != "segment.ms")
            .filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)))
            .collect();
        for (name, value) in
            [("segment.ms", "100"), ("min.cleanable.dirty.ratio", "0.01"), ("file.delete.delay.ms", "0")]
        {
            settings.push((name.into(), value.into()));
        }
        let alter = settings
            .iter()
            .fold(AlterConfig::new(ResourceSpecifier::Topic(topic)), |alter, (name, value)| alter.set(name, value));
        admin.alter_configs(&[alter], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
    }

    fn keeps_shares(&self) -> bool {
        true
    }
}

struct Embedded {
    folder: tempfile::TempDir,
}

#[async_trait]
impl Subject for Embedded {
    async fn open(&self) -> Arc<dyn EventLog> {
        Arc::new(EmbeddedLog::open(self.folder.path().join("log.sqlite")).await.unwrap())
    }

    fn address(&self) -> String {
        format!("embedded={}", self.folder.path().join("log.sqlite").display())
    }

    async fn without(&self, topic: &str) -> Arc<dyn EventLog> {
        let log = EmbeddedLog::open(self.folder.path().join("log.sqlite")).await.unwrap();
        log.delete_topic(topic).await.unwrap();
        log.close().await;
        self.open().await
    }

    async fn hasten(&self, _topic: &str) {
        let log = EmbeddedLog::open(self.folder.path().join("log.sqlite")).await.unwrap();
        log.maintain(now_ms()).await.unwrap();
        log.close().await;
    }

    fn keeps_shares(&self) -> bool {
        false
    }
}

struct Simulated {
    cluster: Arc<Cluster>,
}

#[async_trait]
impl Subject for Simulated {
    async fn open(&self) -> Arc<dyn EventLog> {
        Arc::new(self.cluster.client("conformance"))
    }

    fn address(&self) -> String {
        unreachable!("no other process sees it")
    }

    async fn without(&self, topic: &str) -> Arc<dyn EventLog> {
        self.cluster.delete_topic(topic);
        self.open().await
    }

    async fn hasten(&self, topic: &str) {
        self.cluster.clean(topic, now_ms(), true);
    }

    fn keeps_shares(&self) -> bool {
        true
    }
}
