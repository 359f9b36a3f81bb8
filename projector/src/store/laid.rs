//! What is laid out in a database, looked at and not touched.

use sqlx::AssertSqlSafe;

use super::connections::{CONNECT, connect, within};
use super::{ANSWER, Horizon, layout, offsets, options, retention};
use crate::config::Config;
use crate::error::StoreError;

/// What the tables are, and how far they follow the log.
#[derive(Clone, Debug)]
pub struct Laid {
    /// Schema of the views.
    pub schema: String,
    /// Generation of the data that the views show.
    pub generation: i64,
    /// Number of the newest migration that has been applied.
    pub layout: i64,
    /// Number of the newest migration that this release knows.
    pub known: i64,
    /// The server's own name of its version.
    pub server: String,
    /// The rows of the offsets table.
    pub offsets: Vec<OffsetRow>,
    /// Up to when rows have been removed.
    pub horizons: Vec<Horizon>,
}

/// A row of the offsets table.
#[derive(Clone, Debug)]
pub struct OffsetRow {
    /// Whole name of the topic.
    pub topic: String,
    /// Identity of the topic that the rows were made from.
    pub topic_id: String,
    /// Number of the partition, from 0.
    pub partition: i32,
    /// Offset of the next record to be read.
    pub next_offset: i64,
    /// Count of claims.
    pub epoch: i64,
}

/// Looks at what is laid out.
///
/// # Errors
/// When nothing is, and when Postgres does not answer.
pub async fn laid(config: &Config) -> Result<Laid, StoreError> {
    let mut connection = within(CONNECT, "a connection", connect(&options(&config.database_url)?)).await?;
    let schema = config.schema.as_str();
    let look = async {
        let on = &mut connection;
        let generation = layout::shown_generation(on, &config.schema).await?;
        let generation = generation.ok_or_else(|| {
            StoreError::Fatal(format!("nothing is laid out in the schema {schema}: a projector does so when it starts"))
        })?;
        let data = config.schema.data(generation);
        let layout = sqlx::query_scalar(AssertSqlSafe(format!("SELECT max(version) FROM {data}._sqlx_migrations")))
            .fetch_one(&mut *on)
            .await?;
        let server = sqlx::query_scalar("SELECT current_setting('server_version')").fetch_one(&mut *on).await?;
        let offsets = offsets::rows(on, &data).await?;
        let horizons = retention::all(on, &data).await?;
        Ok(Laid { schema: schema.to_owned(), generation, layout, known: layout::newest(), server, offsets, horizons })
    };
    within(ANSWER, "how the tables stand", look).await
}
