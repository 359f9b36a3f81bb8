//! The tables that a rebuild fills: from which topic each comes, its columns and its key.

use schemas::topics::Topic;
use sqlx::PgConnection;

/// A model and the topic that it is made from. Those of one topic are made together.
pub(super) const MODELS: [(&str, Topic); 17] = [
    ("sessions", Topic::Sessions),
    ("session_metrics", Topic::Sessions),
    ("session_tasks", Topic::Sessions),
    ("behavioral_features", Topic::Sessions),
    ("session_evidence", Topic::Sessions),
    ("skill_evidence", Topic::Sessions),
    ("players", Topic::Sessions),
    ("player_days", Topic::Sessions),
    ("daily_players", Topic::Sessions),
    ("task_stats", Topic::Sessions),
    ("task_counts", Topic::Sessions),
    ("second_lives", Topic::Sessions),
    ("live_sessions", Topic::Live),
    ("activity_by_minute", Topic::Activity),
    ("worker_outcomes", Topic::Activity),
    ("outcomes", Topic::Outcomes),
    ("quarantine", Topic::Quarantine),
];
/// The one model that most projectors leave out.
pub(super) const EVENT_LOG: (&str, Topic) = ("event_log", Topic::Events);

/// The topic of a model; none if there is no such model.
pub(super) fn topic_of(model: &str) -> Option<Topic> {
    MODELS.iter().chain([&EVENT_LOG]).find(|(name, _)| *name == model).map(|(_, topic)| *topic)
}

/// A table of a generation.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    /// Those that can be added up.
    pub(super) numbers: Vec<String>,
    pub(super) key: Vec<String>,
}

const TABLES: &str = "
    SELECT c.relname::text AS name,
           array_agg(a.attname::text ORDER BY a.attnum) AS columns,
           coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE t.typcategory = 'N'), '{}') AS numbers,
           (SELECT array_agg(k.attname::text ORDER BY k.attnum)
              FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey)
             WHERE i.indrelid = c.oid AND i.indisprimary) AS key
      FROM pg_class c
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_type t ON t.oid = a.atttypid
     WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND c.relname NOT IN ('offsets', '_sqlx_migrations', 'generation', 'copied_rows')
     GROUP BY c.oid, c.relname
     ORDER BY c.relname";

/// All tables of rows in a data schema.
pub(super) async fn all(on: &mut PgConnection, data: &str) -> anyhow::Result<Vec<Table>> {
    Ok(sqlx::query_as(TABLES).bind(data).fetch_all(on).await?)
}

/// Columns as SQL lists them, each behind this prefix.
pub(super) fn listed(columns: &[String], prefix: &str) -> String {
    columns.iter().map(|column| format!("{prefix}\"{column}\"")).collect::<Vec<_>>().join(", ")
}
