//! The commands `topics create` and `topics check`; which topics there are, as the log knows them.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use eventlog::kafka::KafkaFlags;
use eventlog::{Cleanup, EventLog as _, TopicCheck, TopicSpec, TopicState};
use schemas::topics::{Kept, Topic};
use serde_json::json;

use crate::output::{data, say};

/// What to do with topics.
#[derive(Subcommand, Debug)]
pub enum Action {
    /// Makes the topics that are missing; changes none that is there
    Create(Wanted),
    /// Says what is missing or differs; changes nothing
    Check(Wanted),
}

/// How the topics should be.
#[derive(Args, Debug)]
pub struct Wanted {
    #[command(flatten)]
    cluster: KafkaFlags,
    /// What stands before every topic's name
    #[arg(long, value_name = "PREFIX", default_value = "play.")]
    topic_prefix: String,
    /// Partitions of each topic; for life
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: i32,
    /// Copies of each partition
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(i32).range(1..=100))]
    replication: i32,
    /// One JSON object a topic
    #[arg(long)]
    json: bool,
}

/// All topics behind a prefix, with so many partitions and copies.
pub fn specs(prefix: &str, partitions: i32, replication: i32) -> Vec<TopicSpec> {
    Topic::ALL
        .into_iter()
        .map(|topic| TopicSpec {
            name: topic.name(prefix),
            partitions,
            replication,
            cleanup: match topic.kept() {
                Kept::For(retention) => Cleanup::Delete { retention },
                Kept::Newest { tombstones, at_most } => Cleanup::Compact { tombstones, retention: at_most },
            },
            max_message_bytes: topic.max_message_bytes(),
        })
        .collect()
}

/// Does it: status 0 when every topic is as wanted.
///
/// # Errors
/// A sentence, when the cluster does not answer.
pub async fn command(action: Action) -> anyhow::Result<ExitCode> {
    let (wanted, make) = match action {
        Action::Create(wanted) => (wanted, true),
        Action::Check(wanted) => (wanted, false),
    };
    let log = wanted.cluster.open("playledger")?;
    let specs = specs(&wanted.topic_prefix, wanted.partitions, wanted.replication);
    let checks = if make { log.ensure_topics(&specs).await? } else { log.check_topics(&specs).await? };
    for check in &checks {
        data(&if wanted.json { as_json(check).to_string() } else { words(check) })?;
    }
    let wrong = checks.iter().filter(|check| is_wrong(check)).count();
    if wrong == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!("{wrong} of {} topics are not as wanted", checks.len()));
    Ok(ExitCode::from(1))
}

/// Whether somebody has to act.
pub fn is_wrong(check: &TopicCheck) -> bool {
    matches!(check.state, TopicState::Missing | TopicState::Differs(_))
}

/// A topic's state in one line.
pub fn words(check: &TopicCheck) -> String {
    let state = match &check.state {
        TopicState::Matches => "is as wanted".to_owned(),
        TopicState::Created => "was made".to_owned(),
        TopicState::Missing => "is missing: `playledger topics create` makes it".to_owned(),
        TopicState::Differs(differences) => format!("differs: {}", differences.join("; ")),
    };
    format!("{} {state}", check.name)
}

fn as_json(check: &TopicCheck) -> serde_json::Value {
    let (state, differences) = match &check.state {
        TopicState::Matches => ("matches", [].as_slice()),
        TopicState::Created => ("created", [].as_slice()),
        TopicState::Missing => ("missing", [].as_slice()),
        TopicState::Differs(differences) => ("differs", differences.as_slice()),
    };
    json!({ "topic": check.name, "state": state, "differences": differences })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_must_agree_have_the_same_partitions() {
        let specs = specs("test.", 4, 1);
        assert_eq!(specs.len(), Topic::ALL.len());
        assert!(specs.iter().all(|spec| spec.partitions == 4 && spec.name.starts_with("test.")));
        let state = specs.iter().find(|spec| spec.name == "test.session-state").unwrap();
        assert!(matches!(state.cleanup, Cleanup::Compact { retention: None, .. }));
    }
}
