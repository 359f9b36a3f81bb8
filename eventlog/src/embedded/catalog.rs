//! Topics as the file knows them.

use std::time::Duration;

use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::{Cleanup, LogError, TopicInfo, TopicSpec};

/// A topic.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    /// Differs from that of any other topic ever made.
    pub(super) uuid: String,
    /// What it is like; `replication` is always 1.
    pub(super) spec: TopicSpec,
    /// The rows of its partitions, by number.
    pub(super) parts: Vec<i64>,
}

/// A topic's row.
type Row = (i64, String, i32, bool, Option<i64>, i64, u32);

impl Topic {
    /// The row of one of its partitions.
    pub(super) fn part(&self, number: i32) -> Option<i64> {
        self.parts.get(usize::try_from(number).ok()?).copied()
    }

    /// What others may know of it.
    pub(super) fn info(&self) -> TopicInfo {
        TopicInfo { id: self.uuid.clone(), partitions: self.spec.partitions }
    }
}

/// A topic by its name.
pub(super) async fn load(connection: &mut SqliteConnection, name: &str) -> Result<Option<Topic>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, uuid, partitions, compact, retention_ms, tombstones_ms, max_message_bytes
         FROM topic WHERE name = ?",
    )
    .bind(name)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((id, uuid, partitions, compact, retention_ms, tombstones_ms, max_message_bytes)) = row else {
        return Ok(None);
    };
    let parts = sqlx::query_scalar("SELECT id FROM part WHERE topic = ? ORDER BY number")
        .bind(id)
        .fetch_all(connection)
        .await?;
    let retention = retention_ms.map(from_ms);
    let cleanup = if compact {
        Cleanup::Compact { tombstones: from_ms(tombstones_ms), retention }
    } else {
        Cleanup::Delete { retention }
    };
    let spec = TopicSpec { name: name.to_owned(), partitions, replication: 1, cleanup, max_message_bytes };
    Ok(Some(Topic { uuid, spec, parts }))
}

/// The names of all topics.
pub(super) async fn names(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM topic ORDER BY id").fetch_all(connection).await
}

/// Makes a topic; it must not exist.
pub(super) async fn create(connection: &mut SqliteConnection, spec: &TopicSpec) -> Result<(), sqlx::Error> {
    let (compact, retention, tombstones) = match spec.cleanup {
        Cleanup::Delete { retention } => (false, retention, Duration::ZERO),
        Cleanup::Compact { tombstones, retention } => (true, retention, tombstones),
    };
    let topic: i64 = sqlx::query_scalar(
        "INSERT INTO topic (name, uuid, partitions, compact, retention_ms, tombstones_ms, max_message_bytes)
         VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
    )
    .bind(&spec.name)
    .bind(Uuid::new_v4().to_string())
    .bind(spec.partitions)
    .bind(compact)
    .bind(retention.map(to_ms))
    .bind(to_ms(tombstones))
    .bind(spec.max_message_bytes)
    .fetch_one(&mut *connection)
    .await?;
    sqlx::query(
        "WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?2)
         INSERT INTO part (topic, number) SELECT ?1, n FROM number",
    )
    .bind(topic)
    .bind(spec.partitions)
    .execute(connection)
    .await?;
    Ok(())
}

/// Lets a topic take records as large as the spec says; smaller ones it takes as before.
pub(super) async fn widen(connection: &mut SqliteConnection, spec: &TopicSpec) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE topic SET max_message_bytes = max(max_message_bytes, ?) WHERE name = ?")
        .bind(spec.max_message_bytes)
        .bind(&spec.name)
        .execute(connection)
        .await?;
    Ok(())
}

/// Refuses a spec that no topic can be made of.
pub(crate) fn validate(spec: &TopicSpec) -> Result<(), LogError> {
    let wrong = if spec.name.is_empty() {
        "its name is empty"
    } else if !(1..=10_000).contains(&spec.partitions) {
        "it must have 1 to 10,000 partitions"
    } else if !(1..=512 << 20).contains(&spec.max_message_bytes) {
        "its largest record must be between one byte and 512 MiB"
    } else {
        return Ok(());
    };
    Err(LogError::Invalid(format!("topic '{}' cannot be made: {wrong}", spec.name)))
}

/// How a topic differs from what it should be, a sentence each. Copies are not compared: there is
/// one, whatever the spec says.
pub(crate) fn differences(is: &TopicSpec, should: &TopicSpec) -> Vec<String> {
    let mut found = Vec::new();
    if is.partitions != should.partitions {
        found.push(format!(
            "it has {} partitions, not {}; that is for life: replay it into a new topic",
            is.partitions, should.partitions
        ));
    }
    if is.cleanup != should.cleanup {
        found.push(format!("its cleanup is {}, not {}", told(is.cleanup), told(should.cleanup)));
    }
    if is.max_message_bytes != should.max_message_bytes {
        found.push(format!("its largest record has {} bytes, not {}", is.max_message_bytes, should.max_message_bytes));
    }
    found
}

/// A cleanup in words.
fn told(cleanup: Cleanup) -> String {
    let kept = |retention: Option<Duration>| match retention {
        Some(age) => format!("dropped after {} s", age.as_secs()),
        None => "kept for ever".to_owned(),
    };
    match cleanup {
        Cleanup::Delete { retention } => format!("by age ({})", kept(retention)),
        Cleanup::Compact { tombstones, retention } => {
            format!("by key (tombstones kept {} s; {})", tombstones.as_secs(), kept(retention))
        }
    }
}

fn from_ms(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn to_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
