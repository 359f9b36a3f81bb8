//! Tells the log how far the group has read: a hint for lag tools. What counts is in Postgres.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use eventlog::{Commit, Committer, TopicPartition};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// How often it is told.
const EVERY: Duration = Duration::from_secs(5);
/// How long the last hint may take.
const LAST: Duration = Duration::from_secs(1);

/// Offsets to be told.
pub(crate) struct Hint {
    committer: Arc<dyn Committer>,
    offsets: BTreeMap<TopicPartition, i64>,
    next: Instant,
    giving: Option<JoinHandle<()>>,
}

impl Hint {
    pub(crate) fn new(committer: Arc<dyn Committer>) -> Self {
        Self { committer, offsets: BTreeMap::new(), next: Instant::now() + EVERY, giving: None }
    }

    /// Everything below `next` stands in the tables.
    pub(crate) fn stands(&mut self, partition: TopicPartition, next: i64) {
        self.offsets.insert(partition, next);
    }

    /// The partition is another's.
    pub(crate) fn forget(&mut self, partition: &TopicPartition) {
        self.offsets.remove(partition);
    }

    /// Tells what is new, if it is time; without waiting.
    pub(crate) fn give(&mut self) {
        let busy = self.giving.as_ref().is_some_and(|giving| !giving.is_finished());
        if busy || self.offsets.is_empty() || Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + EVERY;
        self.giving = Some(tokio::spawn(tell(Arc::clone(&self.committer), std::mem::take(&mut self.offsets))));
    }

    /// Tells what is new before leaving.
    pub(crate) async fn give_last(&mut self) {
        if !self.offsets.is_empty() {
            let told = tell(Arc::clone(&self.committer), std::mem::take(&mut self.offsets));
            // A hint that is late is no loss.
            let _ = timeout(LAST, told).await;
        }
    }
}

async fn tell(committer: Arc<dyn Committer>, offsets: BTreeMap<TopicPartition, i64>) {
    let commit = Commit { outputs: Vec::new(), offsets: offsets.into_iter().collect() };
    if let Err(error) = committer.commit(commit).await {
        tracing::debug!(%error, "the log did not take a hint of how far the tables are");
    }
}
