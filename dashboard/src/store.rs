//! Reads the projector's views. Every page is one read-only transaction, so its numbers agree with one another.

pub mod amount;
pub mod overview;
pub mod session;

use std::str::FromStr;
use std::time::Duration;

use anyhow::Context as _;
use schemas::Tenant;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres, Transaction};

use crate::config::Config;
use crate::error::Failure;

/// A page's statement has so long; then the database is too busy to be asked.
const STATEMENT_WITHIN: &str = "4s";
/// A free connection has to be there by then.
const CONNECTION_WITHIN: Duration = Duration::from_secs(2);
/// All data of one page, whole and unchanged while it is read.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// What a reader may see. Every query is bound to one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    /// One tenant, or all of them.
    pub tenant: Option<Tenant>,
}

impl Scope {
    /// The tenant as a query's parameter.
    fn tenant(&self) -> Option<&str> {
        self.tenant.as_ref().map(Tenant::as_str)
    }
}

/// The projector's tables, to be read. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// Connects when first asked, so that pages can be served, and say so, while the database is away.
    ///
    /// # Errors
    /// When the address of the database can't be read.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        // The address may hold a password: it is not repeated.
        let options = PgConnectOptions::from_str(&config.database_url)
            .context("--database-url: not the address of a Postgres database, as postgres://USER@HOST/NAME")?
            .application_name("playledger-dashboard")
            .options([
                // Views only, then built-ins; a temporary table can't stand in a view's place.
                ("search_path", format!("{},pg_temp", config.schema)),
                ("default_transaction_read_only", "on".to_owned()),
                ("statement_timeout", STATEMENT_WITHIN.to_owned()),
                ("idle_in_transaction_session_timeout", STATEMENT_WITHIN.to_owned()),
                ("TimeZone", "UTC".to_owned()),
            ]);
        let pool = PgPoolOptions::new()
            .max_connections(config.connections)
            .acquire_timeout(CONNECTION_WITHIN)
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    /// Whether the database is there and holds the views.
    ///
    /// # Errors
    /// [`Failure`] when not.
    pub async fn look(&self) -> Result<(), Failure> {
        sqlx::query("SELECT FROM sessions LIMIT 1").fetch_optional(&self.pool).await?;
        Ok(())
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn snapshot(&self) -> Result<Transaction<'static, Postgres>, Failure> {
        Ok(self.pool.begin_with(SNAPSHOT).await?)
    }
}
