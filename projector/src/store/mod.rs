//! The tables: rows and offsets in one transaction.

mod access;
mod connections;
mod counts;
mod days;
mod event_log;
pub(crate) mod generations;
mod laid;
mod layout;
mod live_sessions;
mod offsets;
mod players;
mod quarantine;
pub(crate) mod retention;
mod rows;
mod second_lives;
mod session_evidence;
mod session_metrics;
mod session_tasks;
mod sessions;
mod statement;
mod task_counts;
mod transaction;

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use schemas::games::Games;
use sqlx::postgres::PgConnectOptions;

use crate::config::{Config, SchemaName};
use crate::error::StoreError;
use crate::load::Slice;
use connections::{Connections, within};
use layout::Place;

pub use laid::{Laid, OffsetRow, laid};
pub use layout::prepare;
pub use offsets::{Claim, Expected, Standing, Wanted};
pub use retention::{Horizon, Swept};
pub use transaction::{Transaction, Written};

/// How long a question may take that waits for nobody.
const ANSWER: Duration = Duration::from_secs(10);
/// How long one may take that waits for another's transaction: longer than the server lets a stopped projector
/// hold its locks.
const TURN: Duration = Duration::from_secs(20);

/// The tables of the generation that the views show.
#[derive(Clone, Debug)]
pub struct Store {
    connections: Arc<Connections>,
    schema: SchemaName,
    generation: i64,
    place: Place,
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
        Ok(Self::of_generation(options, &config.schema, (generation, Place::Shown), games.into()))
    }

    /// Opens the tables of a generation that the views do not show.
    ///
    /// # Errors
    /// [`StoreError::Fatal`] when the games' settings cannot be read.
    pub(crate) fn beside(config: &Config, generation: i64) -> Result<Self, StoreError> {
        let games = config.games().map_err(|error| StoreError::Fatal(format!("{error:#}")))?;
        let options = options(&config.database_url)?;
        Ok(Self::of_generation(options, &config.schema, (generation, Place::Beside), games.into()))
    }

    fn of_generation(
        options: PgConnectOptions,
        schema: &SchemaName,
        (generation, place): (i64, Place),
        games: Arc<Games>,
    ) -> Self {
        let data = schema.data(generation);
        // Rows and offsets vanish together when the server dies, so waiting for its disk brings nothing.
        // A projector that stops in the middle of a transaction must not hold its locks for long.
        let options = options.options([
            ("search_path", data.as_str()),
            ("synchronous_commit", "off"),
            ("idle_in_transaction_session_timeout", "15s"),
            // A plan that is kept from when a table was small goes through all of it when it has grown.
            ("plan_cache_mode", "force_custom_plan"),
            // All that a projector asks for it names by its key, thousands of rows at once; what the planner knows of a
            // table that has just begun to fill would have it go through all of it, or sort what it need not.
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("work_mem", "64MB"),
        ]);
        let connections = Arc::new(Connections::new(options));
        Self { connections, schema: schema.clone(), generation, place, data, games }
    }

    /// Claims partitions; the claims come in the order of `wanted`. Waits for a transaction that an
    /// earlier owner has under way.
    ///
    /// # Errors
    /// [`StoreError::Fatal`] when the log does not go on where the rows end, [`StoreError::Outdated`] when the
    /// tables have been laid out anew since they were opened.
    pub async fn claim(&self, wanted: &[Wanted]) -> Result<Vec<Claim>, StoreError> {
        self.noted(within(TURN, "a claim", self.try_claim(wanted)).await)
    }

    async fn try_claim(&self, wanted: &[Wanted]) -> Result<Vec<Claim>, StoreError> {
        let mut transaction = self.transaction().await?;
        let on = transaction.connection();
        // Rows may vanish in a crash, offsets with them; a claim must not, or two could write under it.
        sqlx::query("SET LOCAL synchronous_commit = on").execute(&mut *on).await?;
        layout::check(on, &self.schema, self.generation, self.place).await?;
        let claims = offsets::claim(on, wanted).await?;
        if wanted.iter().zip(&claims).any(|(wanted, claim)| claim.next_offset < wanted.range.low) {
            live_sessions::forget_ended(on).await?;
        }
        transaction.commit().await?;
        Ok(claims)
    }

    /// Begins to write a load: moves the offsets over it before anything else.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when a slice of it is another projector's by now, or has been written.
    pub async fn begin(&self, slices: &[Slice]) -> Result<Transaction, StoreError> {
        self.noted(self.try_begin(slices).await)
    }

    async fn try_begin(&self, slices: &[Slice]) -> Result<Transaction, StoreError> {
        let mut transaction = self.transaction().await?;
        offsets::advance(transaction.connection(), slices).await?;
        Ok(transaction)
    }

    /// How slices stand after an attempt whose outcome is not known. Waits for that attempt's end.
    ///
    /// # Errors
    /// When Postgres does not answer.
    pub async fn standing(&self, slices: &[Slice]) -> Result<Vec<Standing>, StoreError> {
        self.noted(within(TURN, "how a load stands", self.try_standing(slices)).await)
    }

    async fn try_standing(&self, slices: &[Slice]) -> Result<Vec<Standing>, StoreError> {
        // Each statement by itself: a COMMIT would be one more of which the outcome may be lost.
        let mut connection = self.connections.take().await?;
        let mut standings = Vec::with_capacity(slices.len());
        for slice in slices {
            standings.push(offsets::standing(&mut connection, slice).await?);
        }
        self.connections.give_back(connection);
        Ok(standings)
    }

    /// How partitions stand of which no load is under way.
    ///
    /// # Errors
    /// When Postgres does not answer.
    pub async fn look(&self, expected: &[Expected]) -> Result<Vec<Standing>, StoreError> {
        self.noted(within(ANSWER, "how partitions stand", self.try_look(expected)).await)
    }

    async fn try_look(&self, expected: &[Expected]) -> Result<Vec<Standing>, StoreError> {
        let mut connection = self.connections.take().await?;
        let standings = offsets::look(&mut connection, expected).await?;
        self.connections.give_back(connection);
        Ok(standings)
    }

    /// Schema of the data.
    pub fn data_schema(&self) -> &str {
        &self.data
    }

    async fn transaction(&self) -> Result<Transaction, StoreError> {
        Transaction::begin(&self.connections, &self.games).await
    }

    /// What ended one connection has likely ended those that wait.
    fn noted<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if matches!(outcome, Err(StoreError::Away(_))) {
            self.connections.forget();
        }
        outcome
    }
}

/// Reads a database URL; what it must not show (the password) is in no message.
fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| StoreError::Fatal("--database-url is no URL of the form postgres://user@host/name".to_owned()))?;
    Ok(options.application_name("playledger-projector"))
}
