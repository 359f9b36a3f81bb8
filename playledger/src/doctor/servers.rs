//! What servers answer: Kafka and Postgres.

use std::time::Duration;

use eventlog::EventLog as _;
use eventlog::kafka::KafkaFlags;

use super::Finding;
use crate::{postgres, topics};

/// A server that has not answered for so long does not.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether the brokers answer, and how the topics are.
pub(super) async fn kafka(brokers: &str) -> Vec<Finding> {
    const ADVICE: &str = "look at the address, and whether the brokers' advertised.listeners can be reached from here";
    let flags = KafkaFlags { kafka: brokers.to_owned(), kafka_set: Vec::new() };
    let log = match flags.open("playledger-doctor") {
        Ok(log) => log,
        Err(error) => return vec![Finding::bad("Kafka", error.to_string(), "look at the address")],
    };
    // Partitions and copies are the operator's: only what is missing matters here.
    let specs = topics::specs("play.", 1, 1);
    let checks = match tokio::time::timeout(PATIENCE, log.check_topics(&specs)).await {
        Ok(Ok(checks)) => checks,
        Ok(Err(error)) => return vec![Finding::bad("Kafka", format!("{brokers}: {error}"), ADVICE)],
        Err(_) => return vec![Finding::bad("Kafka", format!("{brokers}: no answer"), ADVICE)],
    };
    let mut findings = vec![Finding::ok("Kafka", format!("{brokers} answers"))];
    let missing: Vec<_> = checks
        .iter()
        .filter(|check| check.state == eventlog::TopicState::Missing)
        .map(|check| check.name.clone())
        .collect();
    if !missing.is_empty() {
        findings.push(Finding::note(
            "topics",
            format!("missing: {}", missing.join(", ")),
            format!("`playledger topics create --kafka {brokers}` makes them, and `up --kafka` does"),
        ));
    }
    findings
}

/// Whether the server answers and is new enough.
pub(super) async fn database(url: &str) -> Finding {
    const WHAT: &str = "Postgres server";
    match postgres::reach(url).await {
        Ok(major) => Finding::ok(WHAT, format!("Postgres {major} answers")),
        Err(words) => Finding::bad(WHAT, words, "look at --database-url (or DATABASE_URL)"),
    }
}
