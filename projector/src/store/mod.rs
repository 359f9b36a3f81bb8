//! The tables: rows and offsets in one transaction.

mod access;
mod counts;
mod days;
mod event_log;
mod layout;
mod live_sessions;
mod offsets;
mod players;
mod quarantine;
mod revisions;
mod second_lives;
mod session_metrics;
mod session_tasks;
mod sessions;
mod skill_evidence;
mod statement;
mod task_counts;
mod transaction;

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use schemas::games::Games;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::config::{Config, SchemaName};
use crate::error::StoreError;
use crate::load::Slice;

pub use layout::prepare;
pub use offsets::{Claim, Standing, Wanted};
pub use transaction::{Transaction, Written};

/// How long to wait for a connection before Postgres counts as away.
const ACQUIRE: Duration = Duration::from_secs(2);

/// The tables of the generation that the views show.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    data: String,
    games: Arc<Games>,
}

impl Store {
    /// Brings the tables to this release and opens them.
    ///
    /// # Errors
    /// As [`prepare`]; and [`StoreError::Fatal`] when the games' settings cannot be read.
    pub async fn open(config: &Config) -> Result<Self, StoreError> {
        let games = config.games().map_err(|error| StoreError::Fatal(format!("{error:#}")))?;
        let options = options(&config.database_url)?;
        let generation = prepare(&options, &config.schema).await?;
        Self::of_generation(options, &config.schema, generation, games.into()).await
    }

    async fn of_generation(
        options: PgConnectOptions,
        schema: &SchemaName,
        generation: i64,
        games: Arc<Games>,
    ) -> Result<Self, StoreError> {
        let data = schema.data(generation);
        // Rows and offsets vanish together when the server dies, so waiting for its disk brings nothing.
        // A projector that stops in the middle of a transaction must not hold its locks for long.
        let options = options.options([
            ("search_path", data.as_str()),
            ("synchronous_commit", "off"),
            ("idle_in_transaction_session_timeout", "15s"),
            // A plan that is kept from when a table was small goes through all of it when it has grown.
            ("plan_cache_mode", "force_custom_plan"),
        ]);
        let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(ACQUIRE).connect_with(options).await?;
        Ok(Self { pool, data, games })
    }

    /// Claims partitions; the claims come in the order of `wanted`. Waits for a transaction that an
    /// earlier owner has under way.
    ///
    /// # Errors
    /// [`StoreError::Fatal`] when the log does not go on where the rows end.
    pub async fn claim(&self, wanted: &[Wanted]) -> Result<Vec<Claim>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        // Rows may vanish in a crash, offsets with them; a claim must not, or two could write under it.
        sqlx::query("SET LOCAL synchronous_commit = on").execute(&mut *transaction).await?;
        let claims = offsets::claim(&mut transaction, wanted).await?;
        if wanted.iter().zip(&claims).any(|(wanted, claim)| claim.next_offset < wanted.range.low) {
            live_sessions::forget_ended(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(claims)
    }

    /// Begins to write a load: moves the offsets over it before anything else.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when a slice of it is another projector's by now, or has been written.
    pub async fn begin(&self, slices: &[Slice]) -> Result<Transaction, StoreError> {
        let mut transaction = self.pool.begin().await?;
        offsets::advance(&mut transaction, slices).await?;
        Ok(Transaction::new(transaction, Arc::clone(&self.games)))
    }

    /// How slices stand after an attempt whose outcome is not known.
    ///
    /// # Errors
    /// When Postgres does not answer.
    pub async fn standing(&self, slices: &[Slice]) -> Result<Vec<Standing>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let mut standings = Vec::with_capacity(slices.len());
        for slice in slices {
            standings.push(offsets::standing(&mut transaction, slice).await?);
        }
        Ok(standings)
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
