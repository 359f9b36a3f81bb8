//! How a generation is held still, how the views move from one to another, and what became of a move whose answer was lost.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use tokio::time::Instant;

use super::snapshots::any_left;
use super::{Generations, release};
use crate::error::StoreError;
use crate::store::connections::within;
use crate::store::laid::OffsetRow;
use crate::store::layout::Lasts;
use crate::store::{TURN, access, layout};

/// How long a query of a reader may hold up the taking of the views' locks: less than Postgres waits before it looks for
/// a deadlock, so that it is never a reader's query that is ended.
const GIVES_WAY: &str = "SET LOCAL lock_timeout = '150ms'; SET LOCAL statement_timeout = '600ms'";
/// How often that is tried before live projectors may go on.
const TRIES: u32 = 4;
/// A pause between two tries, in which readers get through.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a transaction of a rebuild may stand still before the server ends it, in seconds: it holds projectors up.
const STANDS_STILL: u64 = 30;
/// How long it may take until the session of a move whose answer was lost has ended.
const SETTLES: Duration = Duration::from_secs(STANDS_STILL + 10);

/// The shown generation held still: nothing is claimed and nothing is written until this is dropped.
pub(crate) struct Held {
    connection: PgConnection,
    /// How far it follows the log.
    pub(crate) vector: Vec<OffsetRow>,
    /// Since when.
    pub(crate) since: Instant,
}

impl Generations {
    /// Holds a generation still, once loads and claims under way have ended.
    pub(crate) async fn hold(&self, number: i64) -> Result<Held, StoreError> {
        let mut connection = self.connect().await?;
        let begin = format!("SET idle_in_transaction_session_timeout = '{STANDS_STILL}s'; BEGIN");
        sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut connection).await?;
        // No claim is under way from here on: one made before the views move would write into what they leave. The lock
        // goes with the transaction, though nobody be left to let it go.
        layout::lock(&mut connection, &self.schema, Lasts::Transaction).await?;
        let offsets = format!("{}.offsets", self.data(number));
        let since = Instant::now();
        let sql = format!("LOCK TABLE {offsets} IN SHARE ROW EXCLUSIVE MODE");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
        let vector = self.vector(&mut connection, number).await?;
        Ok(Held { connection, vector, since })
    }

    /// Moves the views from the generation that is held to another that stands at the same vector. Answers false, and lets
    /// go, where readers keep the views from moving.
    ///
    /// What readers see: a statement takes the locks of all its views before its snapshot, and here the locks of all views
    /// are had at one moment and kept to the COMMIT. So at READ COMMITTED a statement reads the one generation or
    /// the other, and a transaction keeps this from happening from its first view to its end. At REPEATABLE READ a
    /// snapshot may be older than the first look at a view: those that are older than the new generation's last rows are
    /// waited for.
    ///
    /// # Errors
    /// [`StoreError::Away`] where an answer was lost: then [`Generations::settled`] tells what became of it.
    pub(crate) async fn switch(&self, held: Held, from: i64, to: i64) -> Result<bool, StoreError> {
        let Held { mut connection, vector, .. } = held;
        let on = &mut connection;
        let (old, new) = (self.data(from), self.data(to));
        let lock = format!("LOCK TABLE {new}.offsets IN SHARE ROW EXCLUSIVE MODE");
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *on).await?;
        let reached = self.vector(on, to).await?;
        if !same(&vector, &reached) {
            return Err(StoreError::Fatal(format!("generation {to} does not stand where generation {from} does")));
        }
        let older = self.snapshots(on).await?;
        for data in [&old, &new] {
            let fence = format!("UPDATE {data}.offsets SET epoch = epoch + 1");
            sqlx::raw_sql(AssertSqlSafe(fence)).execute(&mut *on).await?;
        }
        access::extend(on, &self.schema, &old, &new).await?;
        if !self.lock_views(on, &older).await? {
            release(connection).await?;
            return Ok(false);
        }
        let digest = layout::digest(on).await?;
        layout::show(on, &self.schema, to, &digest).await?;
        let left = format!(
            "INSERT INTO {old}.generation (made_by, shown_until) VALUES ('', clock_timestamp())
             ON CONFLICT (whole) DO UPDATE SET shown_until = excluded.shown_until;
             UPDATE {new}.generation SET shown_until = NULL;
             SET LOCAL synchronous_commit = on"
        );
        sqlx::raw_sql(AssertSqlSafe(left)).execute(&mut *on).await?;
        let commit = async { Ok(sqlx::raw_sql("COMMIT").execute(&mut *on).await?) };
        within(TURN, "the COMMIT that moves the views", commit).await?;
        release(connection).await?;
        Ok(true)
    }

    /// The generation that is shown once no move is under way any more: a session that nobody hears may still carry out
    /// what it was told.
    ///
    /// # Errors
    /// [`StoreError::Away`] as long as that cannot be said.
    pub(crate) async fn settled(&self) -> Result<i64, StoreError> {
        let mut connection = self.connect().await?;
        let lock = layout::lock(&mut connection, &self.schema, Lasts::Session);
        within(SETTLES, "what became of the move", lock).await?;
        let shown = layout::shown_generation(&mut connection, &self.schema).await?;
        release(connection).await?;
        shown.ok_or_else(|| StoreError::Fatal(format!("the schema {} shows no generation", self.schema)))
    }

    /// Takes the locks of all views at once, giving way to whoever reads, and to transactions that may yet.
    async fn lock_views(&self, on: &mut PgConnection, older: &[String]) -> Result<bool, StoreError> {
        // The option is as it was; LOCK itself would go on to the tables behind the views. In another order each time: of
        // transactions that read the same views in whatever order, some meet this one half way, and not always the same.
        let lock = format!(
            "SAVEPOINT views; {GIVES_WAY};
             DO $$ DECLARE v regclass; BEGIN
                 FOR v IN SELECT oid::regclass FROM pg_class
                           WHERE relkind = 'v' AND relnamespace = to_regnamespace('{}') ORDER BY random() LOOP
                     EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', v);
                 END LOOP;
             END $$;
             SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0",
            self.schema
        );
        for _ in 0..TRIES {
            match sqlx::raw_sql(AssertSqlSafe(lock.as_str())).execute(&mut *on).await.map_err(StoreError::from) {
                Ok(_) if !any_left(on, older).await? => return Ok(true),
                Ok(_) => {}
                Err(error) if matches!(error.sqlstate().as_str(), "55P03" | "57014" | "40P01") => {}
                Err(error) => return Err(error),
            }
            sqlx::raw_sql("ROLLBACK TO SAVEPOINT views").execute(&mut *on).await?;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(false)
    }
}

impl Held {
    /// Lets the generation go on.
    pub(crate) async fn release(self) -> Result<(), StoreError> {
        release(self.connection).await
    }
}

/// Whether two generations stand at the same offsets of the same topics.
pub(crate) fn same(one: &[OffsetRow], other: &[OffsetRow]) -> bool {
    let place = |row: &OffsetRow| (row.topic.clone(), row.topic_id.clone(), row.partition, row.next_offset);
    one.iter().map(place).eq(other.iter().map(place))
}
