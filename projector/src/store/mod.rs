//! The tables: rows and offsets in one transaction.

mod layout;

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::config::{SchemaName, Settings};
use crate::error::StoreError;

pub use layout::prepare;

/// How long to wait for a connection before Postgres counts as away.
const ACQUIRE: Duration = Duration::from_secs(5);

/// The tables of the generation that the views show.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    data: String,
}

impl Store {
    /// Brings the tables to this release and opens them.
    ///
    /// # Errors
    /// As [`prepare`].
    pub async fn open(settings: &Settings) -> Result<Self, StoreError> {
        let options = options(&settings.database_url)?;
        let generation = prepare(&options, &settings.schema).await?;
        Self::of_generation(options, &settings.schema, generation).await
    }

    async fn of_generation(
        options: PgConnectOptions,
        schema: &SchemaName,
        generation: i64,
    ) -> Result<Self, StoreError> {
        let data = schema.data(generation);
        // Rows and offsets vanish together when the server dies, so waiting for its disk brings nothing.
        // A projector that stops in the middle of a transaction must not hold its locks for long.
        let options = options.options([
            ("search_path", data.as_str()),
            ("synchronous_commit", "off"),
            ("idle_in_transaction_session_timeout", "30s"),
        ]);
        let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(ACQUIRE).connect_with(options).await?;
        Ok(Self { pool, data })
    }

    /// Schema of the data.
    pub fn data_schema(&self) -> &str {
        &self.data
    }
}

/// Reads a database URL; what it must not show (the password) is in no message.
fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| StoreError::Fatal("--database-url is no URL of the form postgres://user@host/name".to_owned()))?;
    Ok(options.application_name("playledger-projector"))
}
