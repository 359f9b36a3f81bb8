//! The log in one SQLite file.
//!
//! What local mode and most tests run: no server, one file, the same promises. Appends and commits
//! of all callers are gathered into one transaction and acknowledged when the disk has it. Several
//! processes may use one file at once; a group's members, however, live in one process.

mod appender;
pub(crate) mod assignment;
pub(crate) mod backlog;
pub(crate) mod catalog;
mod chunk;
mod committer;
mod compact;
mod failure;
mod feed;
mod groups;
mod layout;
mod maintain;
mod membership;
mod queue;
mod reader;
mod remove;
mod store;
mod tails;
#[cfg(test)]
mod tests;
mod transaction;
mod watch;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

pub use maintain::Maintenance;

use self::appender::EmbeddedAppender;
use self::failure::Failure;
use self::membership::EmbeddedMembership;
use self::reader::EmbeddedReader;
use self::store::Store;
use crate::{
    AppendOptions, Appender, EventLog, GroupOptions, LogError, Membership, OffsetRange, ReadRequest, Reader,
    TopicCheck, TopicInfo, TopicPartition, TopicSpec, TopicState,
};

/// A log in one file. Cheap to clone; the file is closed when the last clone and all that was
/// opened from it are gone and everything that waited has been written.
#[derive(Clone)]
pub struct EmbeddedLog {
    handle: Arc<Handle>,
    closed: CancellationToken,
}

/// How a file is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file grows no further than this many bytes; appends are then refused as if the disk were
    /// full. As large as the disk allows if none.
    pub max_file_bytes: Option<u64>,
    /// How often to look for what other processes have appended.
    pub watch_interval: Duration,
    /// How long a member may keep partitions that another waits for.
    pub revoke_patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_file_bytes: None,
            watch_interval: Duration::from_millis(25),
            revoke_patience: Duration::from_secs(30),
        }
    }
}

/// Keeps the file open; dropped, its tasks finish what waits and end.
struct Handle {
    store: Arc<Store>,
}

impl EmbeddedLog {
    /// Opens the log in this file, making it if it is missing. Call within a tokio runtime.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] when the file cannot be opened or written;
    /// [`LogError::Invalid`] when it is another program's, damaged, or of a newer layout.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, LogError> {
        Self::open_with(path, Options::default()).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// Those of [`EmbeddedLog::open`].
    pub async fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self, LogError> {
        let store = Arc::new(Store::open(path.as_ref().to_owned(), options).await?);
        let closed = CancellationToken::new();
        let (writing, done) = (Arc::clone(&store), closed.clone().drop_guard());
        tokio::spawn(watch::run(Arc::clone(&store)));
        tokio::spawn(async move {
            writer::run(writing).await;
            drop(done);
        });
        Ok(Self { handle: Arc::new(Handle { store }), closed })
    }

    /// Writes what waits, closes the file and returns when that is done. Whatever was opened from
    /// this log fails from now on.
    pub async fn close(&self) {
        self.handle.store.queue.close();
        self.closed.cancelled().await;
    }

    /// Lets existing topics take records as large as their specs say: a release before may have made
    /// them for smaller ones. Nothing else of them changes.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] when the file cannot be written now.
    pub async fn widen_topics(&self, specs: &[TopicSpec]) -> Result<(), LogError> {
        let store = &self.handle.store;
        let mut narrow = Vec::new();
        for spec in specs {
            match store.topic(&spec.name).await {
                Ok(topic) if topic.spec.max_message_bytes < spec.max_message_bytes => narrow.push(spec),
                Ok(_) | Err(LogError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if narrow.is_empty() {
            return Ok(());
        }
        let mut tx = store.begin().await.map_err(Failure::into_log_error)?;
        for spec in &narrow {
            catalog::widen(tx.connection(), spec).await.map_err(|e| store.log_error(&e))?;
        }
        tx.commit().await.map_err(Failure::into_log_error)?;
        for spec in narrow {
            store.forget(&spec.name);
        }
        Ok(())
    }

    /// Drops all records of a partition below an offset, which becomes its low end.
    ///
    /// # Errors
    /// [`LogError::NotFound`] when there is no such partition, [`LogError::OutOfRange`] when it
    /// ends before that offset, [`LogError::Unavailable`] when the file cannot be written now.
    pub async fn truncate(&self, partition: &TopicPartition, below: i64) -> Result<(), LogError> {
        remove::truncate(&self.handle.store, partition, below).await
    }

    /// Deletes a topic, its records and what groups have committed of it.
    ///
    /// # Errors
    /// [`LogError::NotFound`] when there is none, [`LogError::Unavailable`] when the file cannot be
    /// written now; records may be gone already then, and a repeat finishes it.
    pub async fn delete_topic(&self, name: &str) -> Result<(), LogError> {
        remove::delete_topic(&self.handle.store, name).await
    }

    /// Applies every topic's cleanup as of `now_ms` (milliseconds since the epoch), in small
    /// transactions between which appends go on; gives room back to the disk.
    ///
    /// Call it every minute or so. Safe to drop at any time, and to run beside others.
    ///
    /// # Errors
    /// [`LogError::Unavailable`] when the file cannot be written now; what was done stays done.
    pub async fn maintain(&self, now_ms: i64) -> Result<Maintenance, LogError> {
        maintain::run(&self.handle.store, now_ms).await
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    async fn ensure_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        let store = &self.handle.store;
        let mut checks = self.check_topics(specs).await?;
        if checks.iter().all(|check| check.state != TopicState::Missing) {
            return Ok(checks);
        }
        let mut tx = store.begin().await.map_err(Failure::into_log_error)?;
        for (spec, check) in specs.iter().zip(&mut checks) {
            let known = catalog::load(tx.connection(), &spec.name).await.map_err(|e| store.log_error(&e))?;
            if known.is_none() {
                catalog::validate(spec)?;
                catalog::create(tx.connection(), spec).await.map_err(|e| store.log_error(&e))?;
                check.state = TopicState::Created;
            } else if check.state == TopicState::Missing {
                // Another process was faster.
                check.state = state(known.as_ref().map(|topic| &topic.spec), spec);
            }
        }
        tx.commit().await.map_err(Failure::into_log_error)?;
        Ok(checks)
    }

    async fn check_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        let mut checks = Vec::with_capacity(specs.len());
        for spec in specs {
            let known = match self.handle.store.topic(&spec.name).await {
                Ok(topic) => Some(topic),
                Err(LogError::NotFound(_)) => None,
                Err(error) => return Err(error),
            };
            let state = state(known.as_ref().map(|topic| &topic.spec), spec);
            checks.push(TopicCheck { name: spec.name.clone(), state });
        }
        Ok(checks)
    }

    async fn topic(&self, name: &str) -> Result<TopicInfo, LogError> {
        Ok(self.handle.store.topic(name).await?.info())
    }

    async fn offsets(&self, partition: &TopicPartition) -> Result<OffsetRange, LogError> {
        self.handle.store.range(partition).await
    }

    async fn offset_at(&self, partition: &TopicPartition, timestamp_ms: i64) -> Result<Option<i64>, LogError> {
        feed::offset_at(&self.handle.store, partition, timestamp_ms).await
    }

    async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>, LogError> {
        let store = &self.handle.store;
        let mut offsets = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let part = store.part(partition).await?;
            let committed: Option<Option<i64>> =
                sqlx::query_scalar("SELECT committed FROM claim WHERE grp = ? AND part = ?")
                    .bind(group)
                    .bind(part)
                    .fetch_optional(store.readers())
                    .await
                    .map_err(|e| store.log_error(&e))?;
            offsets.push(committed.flatten());
        }
        Ok(offsets)
    }

    async fn appender(&self, options: AppendOptions) -> Result<Arc<dyn Appender>, LogError> {
        Ok(Arc::new(EmbeddedAppender::new(Arc::clone(&self.handle), options)))
    }

    async fn join(&self, options: GroupOptions) -> Result<Box<dyn Membership>, LogError> {
        Ok(Box::new(EmbeddedMembership::join(Arc::clone(&self.handle), options).await?))
    }

    async fn read(&self, request: ReadRequest) -> Result<Box<dyn Reader>, LogError> {
        Ok(Box::new(EmbeddedReader::open(Arc::clone(&self.handle), request).await?))
    }
}

/// How a topic that is, or is not, stands against its spec.
fn state(known: Option<&TopicSpec>, spec: &TopicSpec) -> TopicState {
    let Some(known) = known else { return TopicState::Missing };
    match catalog::differences(known, spec) {
        same if same.is_empty() => TopicState::Matches,
        differences => TopicState::Differs(differences),
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.store.queue.close();
    }
}
