//! What a member is in the file: its number under its name, its claims, and commits that hold only
//! while both are the newest.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use metrics::{counter, histogram};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::Handle;
use super::appender::request_bytes;
use super::failure::Failure;
use super::queue::{Author, COMMIT_PATIENCE, Request, Settle, Work};
use super::store::Store;
use crate::{AbortCause, Commit, CommitError, Committer, GroupOptions, LogError, TopicPartition};

/// A member as the file knows it.
#[derive(Debug)]
pub(super) struct Member {
    /// The group's name.
    pub(super) group: Arc<str>,
    /// Its name.
    pub(super) instance: Arc<str>,
    transactional: bool,
    epoch: i64,
    retired: AtomicBool,
    owned: Mutex<HashMap<TopicPartition, Claim>>,
}

/// Partitions claimed, and where the group's last commit stands in each.
pub(super) type Claims = Vec<(TopicPartition, Claim, Option<i64>)>;

/// A claim to a partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    /// The partition's row.
    pub(super) part: i64,
    /// Its number: one more than that of the claim before it, whoever had that.
    pub(super) epoch: i64,
}

/// Commits for a member.
pub(super) struct EmbeddedCommitter {
    handle: Arc<Handle>,
    member: Arc<Member>,
}

impl Member {
    /// Enters the member in the file, which fences an older one of the same name, of whichever process.
    pub(super) async fn enrol(store: &Store, options: &GroupOptions) -> Result<Self, LogError> {
        let mut tx = store.begin().await.map_err(Failure::into_log_error)?;
        let epoch = sqlx::query_scalar(
            "INSERT INTO member (grp, instance, epoch) VALUES (?, ?, 1)
             ON CONFLICT DO UPDATE SET epoch = epoch + 1 RETURNING epoch",
        )
        .bind(&options.group)
        .bind(&options.instance)
        .fetch_one(tx.connection())
        .await
        .map_err(|e| store.log_error(&e))?;
        tx.commit().await.map_err(Failure::into_log_error)?;
        Ok(Self {
            group: options.group.as_str().into(),
            instance: options.instance.as_str().into(),
            transactional: options.transactional,
            epoch,
            retired: AtomicBool::new(false),
            owned: Mutex::default(),
        })
    }

    /// Claims partitions in the file: whoever had them can no longer commit. Says where the
    /// group's last commit stands.
    pub(super) async fn claim(&self, store: &Store, partitions: &[TopicPartition]) -> Result<Claims, LogError> {
        let mut by_part = HashMap::with_capacity(partitions.len());
        for partition in partitions {
            by_part.insert(store.part(partition).await?, partition);
        }
        let parts: Vec<i64> = by_part.keys().copied().collect();
        let mut tx = store.begin().await.map_err(Failure::into_log_error)?;
        let rows: Vec<(i64, i64, Option<i64>)> = sqlx::query_as(
            "INSERT INTO claim (grp, part, epoch) SELECT ?1, value, 1 FROM json_each(?2)
             WHERE EXISTS (SELECT 1 FROM member WHERE grp = ?1 AND instance = ?3 AND epoch = ?4)
             ON CONFLICT DO UPDATE SET epoch = epoch + 1 RETURNING part, epoch, committed",
        )
        .bind(&*self.group)
        .bind(format!("{parts:?}"))
        .bind(&*self.instance)
        .bind(self.epoch)
        .fetch_all(tx.connection())
        .await
        .map_err(|e| store.log_error(&e))?;
        if rows.len() != parts.len() {
            tx.rollback().await;
            return Err(self.fenced());
        }
        tx.commit().await.map_err(Failure::into_log_error)?;
        let named = |(part, epoch, committed)| {
            by_part.get(&part).map(|partition| ((*partition).clone(), Claim { part, epoch }, committed))
        };
        Ok(rows.into_iter().filter_map(named).collect())
    }

    /// Notes that a claimed partition may be read and committed.
    pub(super) fn own(&self, partition: TopicPartition, claim: Claim) {
        self.owned.lock().insert(partition, claim);
    }

    /// Notes that these are no longer its own.
    pub(super) fn disown(&self, partitions: &[TopicPartition]) {
        let mut owned = self.owned.lock();
        for partition in partitions {
            owned.remove(partition);
        }
    }

    /// The claim to a partition, while it is its own.
    pub(super) fn claim_of(&self, partition: &TopicPartition) -> Option<Claim> {
        self.owned.lock().get(partition).copied()
    }

    /// The membership is over; nothing can be committed any more.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// The error that ends a membership whose name another has taken.
    pub(super) fn fenced(&self) -> LogError {
        LogError::Invalid(self.fenced_sentence())
    }

    fn fenced_sentence(&self) -> String {
        format!("a newer member named {} has joined group {}: this one is fenced", self.instance, self.group)
    }

    /// Who commits, if it may commit this at all.
    fn author(&self, commit: &Commit) -> Result<Author, CommitError> {
        if self.retired.load(Ordering::Acquire) {
            return Err(CommitError::Fatal(format!("{} has left group {}", self.instance, self.group)));
        }
        if !self.transactional && !commit.outputs.is_empty() {
            return Err(CommitError::Refused(format!(
                "{} is not a transactional member of {}: it may commit offsets only",
                self.instance, self.group
            )));
        }
        let owned = self.owned.lock();
        let mut claims = Vec::with_capacity(commit.offsets.len());
        for (partition, offset) in &commit.offsets {
            let claim = owned.get(partition).ok_or_else(|| {
                let why = format!("{partition} is no longer {}'s: nothing may be committed for it", self.instance);
                CommitError::aborted(AbortCause::NotOwned, why)
            })?;
            claims.push((claim.part, claim.epoch, *offset));
        }
        Ok(Author { group: Arc::clone(&self.group), instance: Arc::clone(&self.instance), epoch: self.epoch, claims })
    }
}

impl EmbeddedCommitter {
    pub(super) fn new(handle: Arc<Handle>, member: Arc<Member>) -> Self {
        Self { handle, member }
    }
}

#[async_trait]
impl Committer for EmbeddedCommitter {
    async fn commit(&self, commit: Commit) -> Result<(), CommitError> {
        let author = self.member.author(&commit)?;
        let (settle, outcome) = oneshot::channel();
        let now = Instant::now();
        let taken = self.handle.store.queue.push(Request {
            bytes: request_bytes(&commit.outputs),
            work: Work::Commit { commit, author },
            settle: Settle::Commit(settle),
            due: now,
            deadline: now + COMMIT_PATIENCE,
        });
        if !taken {
            return Err(CommitError::Fatal("the log has been closed".to_owned()));
        }
        let group = Arc::clone(&self.member.group);
        let ended = |_| Err(CommitError::Fatal("the log ended without a word".to_owned()));
        let outcome = outcome.await.unwrap_or_else(ended);
        match &outcome {
            Ok(()) => {
                histogram!("playledger_log_commit_seconds", "group" => group).record(now.elapsed().as_secs_f64());
            }
            Err(error) => {
                counter!("playledger_log_aborts_total", "group" => group, "cause" => error.cause()).increment(1);
            }
        }
        outcome
    }
}
