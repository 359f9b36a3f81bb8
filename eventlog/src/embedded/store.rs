//! The open file: one connection that writes, a few that read, and what is known of its partitions.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{ConnectOptions, SqliteConnection, SqlitePool};
use tokio::sync::MutexGuard;
use tokio_util::sync::CancellationToken;

use super::Options;
use super::catalog::{self, Topic};
use super::failure::Failure;
use super::groups::Group;
use super::layout;
use super::queue::Queue;
use super::tails::Tails;
use crate::{LogError, OffsetRange, TopicPartition};

/// How long a connection waits for another process's transaction before it says that it is busy.
const BUSY: Duration = Duration::from_secs(5);
/// Connections that read; more requests than that wait for each other.
const READERS: u32 = 4;

/// The open file.
pub(super) struct Store {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// How it was opened.
    pub(super) options: Options,
    /// What waits to be written.
    pub(super) queue: Queue,
    /// How far each partition goes, as last seen.
    pub(super) tails: Tails,
    /// Tells those who watch the file that it is about to be closed.
    pub(super) closing: CancellationToken,
    /// The groups that have members in this process.
    pub(super) groups: Mutex<HashMap<String, Arc<Group>>>,
    topics: RwLock<HashMap<String, Arc<Topic>>>,
    readers: SqlitePool,
    /// None after a failure: the next writer opens a new one, which rolls back what the old left.
    writer: tokio::sync::Mutex<Option<SqliteConnection>>,
}

/// An open transaction that writes. Dropped, it never was.
pub(super) struct WriteTx<'a> {
    slot: MutexGuard<'a, Option<SqliteConnection>>,
    connection: SqliteConnection,
    path: &'a Path,
}

impl Store {
    /// Opens the file, making it if it is missing.
    pub(super) async fn open(path: PathBuf, options: Options) -> Result<Self, LogError> {
        let mut connection = layout::open(&path, BUSY).await?;
        limit_size(&mut connection, &options, &path).await.map_err(Failure::into_log_error)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(layout::reading(&path, BUSY));
        Ok(Self {
            queue: Queue::default(),
            tails: Tails::default(),
            closing: CancellationToken::new(),
            groups: Mutex::default(),
            topics: RwLock::default(),
            readers,
            writer: tokio::sync::Mutex::new(Some(connection)),
            path,
            options,
        })
    }

    /// Begins a transaction that writes; waits for others in this process, and a while for other
    /// processes.
    pub(super) async fn begin(&self) -> Result<WriteTx<'_>, Failure> {
        let mut slot = self.writer.lock().await;
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.connect_writer().await?,
        };
        if let Err(error) = sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await {
            let failure = Failure::of(&error, &self.path);
            if failure.is_busy() {
                *slot = Some(connection);
            }
            return Err(failure);
        }
        Ok(WriteTx { slot, connection, path: &self.path })
    }

    /// Runs something on the writing connection outside a transaction.
    pub(super) async fn pragma(&self, statement: &'static str) -> Result<(), Failure> {
        let mut slot = self.writer.lock().await;
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.connect_writer().await?,
        };
        sqlx::query(statement).fetch_all(&mut connection).await.map_err(|e| self.failure(&e))?;
        *slot = Some(connection);
        Ok(())
    }

    /// Moves the write-ahead log into the file and cuts it back; gives up at once where a reader of
    /// another process is in the way.
    pub(super) async fn checkpoint(&self) -> Result<(), Failure> {
        self.pragma("PRAGMA busy_timeout = 100").await?;
        self.pragma("PRAGMA wal_checkpoint(TRUNCATE)").await?;
        self.pragma("PRAGMA busy_timeout = 5000").await
    }

    /// The connections that read.
    pub(super) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// What an error of the driver means for this file.
    pub(super) fn failure(&self, error: &sqlx::Error) -> Failure {
        Failure::of(error, &self.path)
    }

    /// The same as a [`LogError`].
    pub(super) fn log_error(&self, error: &sqlx::Error) -> LogError {
        self.failure(error).into_log_error()
    }

    /// A topic by its name; one that another process has made since is found too.
    pub(super) async fn topic(&self, name: &str) -> Result<Arc<Topic>, LogError> {
        if let Some(topic) = self.topics.read().get(name) {
            return Ok(Arc::clone(topic));
        }
        let mut connection = self.readers.acquire().await.map_err(|e| self.log_error(&e))?;
        let topic = catalog::load(&mut connection, name).await.map_err(|e| self.log_error(&e))?;
        topic.map(|topic| self.remember(topic)).ok_or_else(|| LogError::NotFound(name.to_owned()))
    }

    /// A topic that is already known to this process.
    pub(super) fn known_topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.topics.read().get(name).map(Arc::clone)
    }

    /// Keeps a topic that was just read or made.
    pub(super) fn remember(&self, topic: Topic) -> Arc<Topic> {
        let topic = Arc::new(topic);
        self.topics.write().insert(topic.spec.name.clone(), Arc::clone(&topic));
        topic
    }

    /// Drops what is known of a topic that is gone.
    pub(super) fn forget(&self, name: &str) {
        self.topics.write().remove(name);
    }

    /// Drops what is known of topics that are not among these names and identities any more.
    pub(super) fn forget_all_but(&self, there: &HashMap<String, String>) {
        self.topics.write().retain(|name, topic| there.get(name) == Some(&topic.uuid));
    }

    /// The row of a partition.
    pub(super) async fn part(&self, partition: &TopicPartition) -> Result<i64, LogError> {
        let topic = self.topic(&partition.topic).await?;
        topic.part(partition.partition).ok_or_else(|| LogError::NotFound(partition.to_string()))
    }

    /// The offsets that a partition holds, from the file.
    pub(super) async fn range(&self, partition: &TopicPartition) -> Result<OffsetRange, LogError> {
        let part = self.part(partition).await?;
        let row: Option<(i64, i64)> = sqlx::query_as("SELECT low, next FROM part WHERE id = ?")
            .bind(part)
            .fetch_optional(&self.readers)
            .await
            .map_err(|e| self.log_error(&e))?;
        row.map(|(low, high)| OffsetRange { low, high }).ok_or_else(|| LogError::NotFound(partition.to_string()))
    }

    /// Folds the write-ahead log into the file, as far as other processes let us, and closes every
    /// connection.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        self.readers.close().await;
        if let Err(failure) = self.checkpoint().await {
            // Nothing is lost by that: the next to open the file reads the write-ahead log.
            tracing::debug!(error = failure.sentence(), "the write-ahead log stays beside the file");
        }
        if let Some(connection) = self.writer.lock().await.take() {
            layout::close(connection).await;
        }
    }

    async fn connect_writer(&self) -> Result<SqliteConnection, Failure> {
        if self.closing.is_cancelled() {
            return Err(Failure::closed());
        }
        let mut connection = layout::writing(&self.path, BUSY).connect().await.map_err(|e| self.failure(&e))?;
        limit_size(&mut connection, &self.options, &self.path).await?;
        Ok(connection)
    }
}

impl WriteTx<'_> {
    /// The connection, within the transaction.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Commits; returns when it is on the disk.
    pub(super) async fn commit(mut self) -> Result<(), Failure> {
        match sqlx::query("COMMIT").execute(&mut self.connection).await {
            Ok(_) => {
                *self.slot = Some(self.connection);
                Ok(())
            }
            Err(error) => Err(Failure::of(&error, self.path)),
        }
    }

    /// Undoes it and keeps the connection, where nothing went wrong.
    pub(super) async fn rollback(mut self) {
        if sqlx::query("ROLLBACK").execute(&mut self.connection).await.is_ok() {
            *self.slot = Some(self.connection);
        }
    }
}

/// Bounds the file's size where that is asked for.
async fn limit_size(connection: &mut SqliteConnection, options: &Options, path: &Path) -> Result<(), Failure> {
    let Some(bytes) = options.max_file_bytes else { return Ok(()) };
    let failed = |e| Failure::of(&e, path);
    let page: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *connection).await.map_err(failed)?;
    let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
    let statement = format!("PRAGMA max_page_count = {}", pages.max(1));
    sqlx::query(sqlx::AssertSqlSafe(statement)).fetch_all(&mut *connection).await.map_err(failed)?;
    Ok(())
}
