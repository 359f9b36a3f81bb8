//! A log whose appender fails as it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use eventlog::{
    AppendError, AppendOptions, Appender, Backlog, EventLog, GroupOptions, LogError, Membership, NewRecord,
    OffsetRange, Pending, ReadRequest, Reader, TopicCheck, TopicInfo, TopicPartition, TopicSpec,
};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::world::Setting;

/// How an append ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    #[default]
    Sound,
    Full,
    /// Takes nothing and says so.
    Unavailable,
    /// Takes nothing and says so two seconds later.
    LateUnavailable,
    /// Will never take such a record.
    Refused,
    /// Takes everything and says so two seconds later.
    Late,
    /// Takes everything and says that it does not know.
    Forgets,
    /// Takes everything and never answers.
    Silent,
    /// Takes nothing and says that it does not know.
    Loses,
    /// Answers no question, and no append.
    Mute,
}

/// Tells a world's log how to fail. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Failing {
    mode: Arc<Mutex<Mode>>,
    /// So many appends go well before.
    left: Arc<Mutex<Option<u64>>>,
    appends: Arc<AtomicU64>,
    /// How old it says that its oldest record is.
    oldest: Arc<Mutex<Option<Duration>>>,
    /// Stands in its errors.
    pub(crate) name: Uuid,
}

impl Failing {
    pub(crate) fn new() -> Self {
        Self { name: Uuid::new_v4(), ..Self::default() }
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.left.lock() = None;
        *self.mode.lock() = mode;
    }

    /// Lets so many appends go well, then fails.
    pub(crate) fn set_after(&self, appends: u64, mode: Mode) {
        *self.left.lock() = Some(appends);
        *self.mode.lock() = mode;
    }

    fn is_mute(&self) -> bool {
        *self.mode.lock() == Mode::Mute
    }

    fn next(&self) -> Mode {
        self.appends.fetch_add(1, Ordering::SeqCst);
        match &mut *self.left.lock() {
            Some(left) if *left > 0 => {
                *left -= 1;
                Mode::Sound
            }
            _ => *self.mode.lock(),
        }
    }

    /// Says that its oldest record has waited for so long; says what is so if none.
    pub(crate) fn set_oldest(&self, oldest: Option<Duration>) {
        *self.oldest.lock() = oldest;
    }

    /// How many appends have begun.
    pub(crate) fn appends(&self) -> u64 {
        self.appends.load(Ordering::SeqCst)
    }

    /// A world's setting with such a log.
    pub(crate) fn setting(&self, flags: &[&str]) -> Setting {
        let failing = self.clone();
        Setting {
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            between: Some(Arc::new(move |log| Arc::new(FailingLog(log, failing.clone())))),
            ..Setting::default()
        }
    }
}

struct FailingLog(Arc<dyn EventLog>, Failing);

struct FailingAppender(Arc<dyn Appender>, Failing);

#[async_trait]
impl EventLog for FailingLog {
    async fn ensure_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        self.0.ensure_topics(specs).await
    }

    async fn check_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        self.0.check_topics(specs).await
    }

    async fn topic(&self, name: &str) -> Result<TopicInfo, LogError> {
        self.0.topic(name).await
    }

    async fn offsets(&self, partition: &TopicPartition) -> Result<OffsetRange, LogError> {
        if self.1.is_mute() {
            std::future::pending::<()>().await;
        }
        self.0.offsets(partition).await
    }

    async fn offset_at(&self, partition: &TopicPartition, timestamp_ms: i64) -> Result<Option<i64>, LogError> {
        self.0.offset_at(partition, timestamp_ms).await
    }

    async fn committed(&self, group: &str, partitions: &[TopicPartition]) -> Result<Vec<Option<i64>>, LogError> {
        self.0.committed(group, partitions).await
    }

    async fn appender(&self, options: AppendOptions) -> Result<Arc<dyn Appender>, LogError> {
        Ok(Arc::new(FailingAppender(self.0.appender(options).await?, self.1.clone())))
    }

    async fn join(&self, options: GroupOptions) -> Result<Box<dyn Membership>, LogError> {
        self.0.join(options).await
    }

    async fn read(&self, request: ReadRequest) -> Result<Box<dyn Reader>, LogError> {
        self.0.read(request).await
    }
}

#[async_trait]
impl Appender for FailingAppender {
    fn append(&self, records: Vec<NewRecord>) -> Result<Pending, AppendError> {
        let mode = self.1.next();
        let no_broker = || AppendError::Unavailable(format!("no broker {}", self.1.name));
        match mode {
            Mode::Sound => self.0.append(records),
            Mode::Full => Err(AppendError::Full),
            Mode::Refused => Err(AppendError::Refused("too large".into())),
            Mode::Unavailable => Ok(ended(no_broker(), Duration::ZERO)),
            Mode::LateUnavailable => Ok(ended(no_broker(), Duration::from_secs(2))),
            Mode::Loses => Ok(ended(AppendError::Unknown("cut off".into()), Duration::ZERO)),
            Mode::Mute => Ok(ended(no_broker(), Duration::from_mins(2))),
            Mode::Late | Mode::Forgets | Mode::Silent => {
                let kept = self.0.append(records)?;
                let (settle, pending) = Pending::new();
                tokio::spawn(async move {
                    let offsets = kept.kept().await.unwrap();
                    if mode == Mode::Late {
                        tokio::time::sleep(Duration::from_secs(2)).await;
                        let _ = settle.send(Ok(offsets));
                        return;
                    }
                    if mode == Mode::Silent {
                        tokio::time::sleep(Duration::from_mins(2)).await;
                    }
                    let _ = settle.send(Err(AppendError::Unknown("cut off".into())));
                });
                Ok(pending)
            }
        }
    }

    async fn flush(&self, deadline: Duration) -> Result<(), AppendError> {
        self.0.flush(deadline).await
    }

    fn backlog(&self) -> Backlog {
        let said = self.0.backlog();
        Backlog { oldest: self.1.oldest.lock().unwrap_or(said.oldest), ..said }
    }
}

/// An outcome that comes after a while.
fn ended(error: AppendError, after: Duration) -> Pending {
    let (settle, pending) = Pending::new();
    tokio::spawn(async move {
        tokio::time::sleep(after).await;
        let _ = settle.send(Err(error));
    });
    pending
}
