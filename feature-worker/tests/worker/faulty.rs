//! A log with one thing wrong with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use eventlog::{
    AbortCause, AppendOptions, Appender, Commit, CommitError, Committer, EventLog, GroupEvent, GroupOptions, LogError,
    Membership, OffsetRange, ReadRequest, Reader, TopicCheck, TopicInfo, TopicPartition, TopicSpec,
};
use tokio::sync::Notify;

/// What is wrong.
pub(crate) enum Fault {
    /// The state of this partition is not read before it is told.
    SlowRestore { partition: i32, open: Notify },
    /// Nobody joins.
    NoJoin,
    /// A commit does not end by itself.
    StuckCommit { begun: Notify, given_up: Notify, abandoned: AtomicBool },
    /// A commit's client hangs.
    HungCommit,
    /// The next commit is aborted.
    Abort(AtomicBool),
}

pub(crate) struct Faulty {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) fault: Arc<Fault>,
}

struct FaultyMembership {
    membership: Box<dyn Membership>,
    fault: Arc<Fault>,
}

struct FaultyCommitter(Arc<Fault>, Arc<dyn Committer>);

#[async_trait]
impl EventLog for Faulty {
    async fn ensure_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        self.log.ensure_topics(specs).await
    }

    async fn check_topics(&self, specs: &[TopicSpec]) -> Result<Vec<TopicCheck>, LogError> {
        self.log.check_topics(specs).await
    }

    async fn topic(&self, name: &str) -> Result<TopicInfo, LogError> {
        self.log.topic(name).await
    }

    async fn offsets(&self, partition: &TopicPartition) -> Result<OffsetRange, LogError> {
        self.log.offsets(partition).await
    }

    async fn offset_at(&self, partition: &TopicPartition, timestamp_ms: i64) -> Result<Option<i64>, LogError> {
        self.log.offset_at(partition, timestamp_ms).await
    }

    async fn committed(&self, group: &str, of: &[TopicPartition]) -> Result<Vec<Option<i64>>, LogError> {
        self.log.committed(group, of).await
    }

    async fn appender(&self, options: AppendOptions) -> Result<Arc<dyn Appender>, LogError> {
        self.log.appender(options).await
    }

    async fn join(&self, options: GroupOptions) -> Result<Box<dyn Membership>, LogError> {
        if matches!(*self.fault, Fault::NoJoin) {
            std::future::pending::<()>().await;
        }
        let membership = self.log.join(options).await?;
        Ok(Box::new(FaultyMembership { membership, fault: Arc::clone(&self.fault) }))
    }

    async fn read(&self, request: ReadRequest) -> Result<Box<dyn Reader>, LogError> {
        if let Fault::SlowRestore { partition, open } = &*self.fault {
            let of = &request.stretches[0].partition;
            // Only the worker reads one partition at a time.
            if of.topic.ends_with("session-state") && of.partition == *partition && request.stretches.len() == 1 {
                open.notified().await;
                // Whoever tries again is not held up again.
                open.notify_one();
            }
        }
        self.log.read(request).await
    }
}

#[async_trait]
impl Membership for FaultyMembership {
    async fn next(&mut self) -> Result<GroupEvent, LogError> {
        self.membership.next().await
    }

    fn fetch_from(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), LogError> {
        self.membership.fetch_from(partition, offset)
    }

    fn hold(&mut self, partition: &TopicPartition, held: bool) -> Result<(), LogError> {
        self.membership.hold(partition, held)
    }

    fn committer(&self) -> Arc<dyn Committer> {
        match *self.fault {
            Fault::StuckCommit { .. } | Fault::HungCommit | Fault::Abort(_) => {
                Arc::new(FaultyCommitter(Arc::clone(&self.fault), self.membership.committer()))
            }
            _ => self.membership.committer(),
        }
    }

    async fn leave(self: Box<Self>) -> Result<(), LogError> {
        self.membership.leave().await
    }
}

#[async_trait]
impl Committer for FaultyCommitter {
    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        if let Fault::Abort(next) = &*self.0 {
            if next.swap(false, Ordering::SeqCst) {
                return Err(CommitError::aborted(AbortCause::Delivery, "so it was to be"));
            }
            return self.1.commit(commit).await;
        }
        let Fault::StuckCommit { begun, given_up, .. } = &*self.0 else {
            return Err(CommitError::Hung("no outcome after 60s".into()));
        };
        begun.notify_one();
        given_up.notified().await;
        Err(CommitError::aborted(AbortCause::Abandoned, "this member ends"))
    }

    async fn abandon(&self) {
        match &*self.0 {
            Fault::StuckCommit { given_up, abandoned, .. } => {
                abandoned.store(true, Ordering::SeqCst);
                given_up.notify_one();
            }
            Fault::Abort(_) => self.1.abandon().await,
            _ => {}
        }
    }
}
