//! What a rebuild of some models leaves alone: the tables of other topics are copied with their offsets.

use std::collections::BTreeSet;

use schemas::topics::Topic;
use sqlx::{AssertSqlSafe, PgConnection};

use super::tables::{Table, listed, topic_of};
use crate::store::OffsetRow;
use crate::topics::Topics;

/// The topics that are read anew.
#[derive(Clone, Debug)]
pub(super) struct Only {
    /// All where empty.
    topics: BTreeSet<Topic>,
}

impl Only {
    pub(super) fn of(models: &[String]) -> anyhow::Result<Self> {
        let topic = |model: &String| {
            topic_of(model)
                .ok_or_else(|| anyhow::anyhow!("there is no model {model}: models are tables and views of the schema"))
        };
        Ok(Self { topics: models.iter().map(topic).collect::<anyhow::Result<_>>()? })
    }

    /// A name of it that tells one from another.
    pub(super) fn name(&self) -> String {
        if self.topics.is_empty() { "all".to_owned() } else { format!("{:?}", self.topics) }
    }

    fn reads(&self, topic: Topic) -> bool {
        self.topics.is_empty() || self.topics.contains(&topic)
    }

    /// The part of the live offsets that is filled from the log: of topics that are read anew, and of those that have
    /// been copied.
    pub(super) fn filled(&self, known: &Topics, live: &[OffsetRow], reached: &[OffsetRow]) -> Vec<OffsetRow> {
        let copied: BTreeSet<&str> = reached.iter().map(|row| row.topic.as_str()).collect();
        let filled = |row: &&OffsetRow| {
            copied.contains(row.topic.as_str()) || known.named(&row.topic).is_none_or(|topic| self.reads(topic))
        };
        live.iter().filter(filled).cloned().collect()
    }

    /// Copies what is not read anew and has not been copied yet: rows and offsets.
    pub(super) async fn copy_rest(
        &self,
        on: &mut PgConnection,
        tables: &[Table],
        topics: &Topics,
        rows: &[OffsetRow],
        (live, rebuilt): (&str, &str),
    ) -> anyhow::Result<()> {
        let rest: BTreeSet<(&str, Topic)> = rows
            .iter()
            .filter_map(|row| Some((row.topic.as_str(), topics.named(&row.topic)?)))
            .filter(|(_, topic)| !self.reads(*topic))
            .collect();
        for (name, topic) in rest {
            let offsets = format!(
                "INSERT INTO {rebuilt}.offsets (projection, topic, topic_id, partition, next_offset)
                 SELECT o.projection, o.topic, o.topic_id, o.partition, o.next_offset FROM {live}.offsets o
                  WHERE o.topic = $1 AND NOT EXISTS (SELECT FROM {rebuilt}.offsets n WHERE n.topic = o.topic)"
            );
            let done = sqlx::query(AssertSqlSafe(offsets)).bind(name).execute(&mut *on).await?;
            if done.rows_affected() == 0 {
                continue;
            }
            if topic == Topic::Events {
                let days = format!(
                    "SELECT {rebuilt}.event_log_days(array_agg(DISTINCT (received_at AT TIME ZONE 'UTC')::date))
                       FROM {live}.event_log HAVING count(*) > 0"
                );
                sqlx::query(AssertSqlSafe(days)).execute(&mut *on).await?;
            }
            for Table { name, columns, .. } in tables.iter().filter(|table| topic_of(&table.name) == Some(topic)) {
                let list = listed(columns, "");
                let rows = format!("INSERT INTO {rebuilt}.{name} ({list}) SELECT {list} FROM {live}.{name}");
                sqlx::query(AssertSqlSafe(rows)).execute(&mut *on).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_brings_its_whole_topic_and_one_that_is_none_is_refused() {
        let only = Only::of(&["task_stats".to_owned()]).unwrap();
        assert!(only.reads(Topic::Sessions) && !only.reads(Topic::Activity));
        assert!(Only::of(&[]).unwrap().reads(Topic::Events));
        assert!(Only::of(&["levels".to_owned()]).unwrap_err().to_string().contains("levels"));
    }
}
