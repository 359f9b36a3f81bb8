//! Reading stretches of partitions without a group.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::Handle;
use super::failure::Failure;
use super::feed::Feed;
use crate::{Batch, LogError, ReadRequest, Reader};

/// Reads from the log in one file. Nothing uncommitted is ever in sight, so that
/// `read_committed` makes no difference.
pub(super) struct EmbeddedReader {
    handle: Arc<Handle>,
    feeds: Vec<Feed>,
    /// Whose turn it is, so that a busy partition does not starve the others.
    turn: usize,
    tails: watch::Receiver<u64>,
}

impl EmbeddedReader {
    pub(super) async fn open(handle: Arc<Handle>, request: ReadRequest) -> Result<Self, LogError> {
        let mut seen = HashSet::new();
        let mut feeds = Vec::with_capacity(request.stretches.len());
        for stretch in request.stretches {
            let part = handle.store.part(&stretch.partition).await?;
            if !seen.insert(part) {
                return Err(LogError::Invalid(format!("{} is asked for twice in one read", stretch.partition)));
            }
            feeds.push(Feed::new(stretch.partition, part, stretch.from, stretch.until));
        }
        let tails = handle.store.tails.subscribe();
        Ok(Self { handle, feeds, turn: 0, tails })
    }
}

#[async_trait]
impl Reader for EmbeddedReader {
    async fn next(&mut self) -> Result<Option<Batch>, LogError> {
        loop {
            self.tails.mark_unchanged();
            for _ in 0..self.feeds.len() {
                let turn = self.turn % self.feeds.len();
                let batch = self.feeds[turn].pull(&self.handle.store).await?;
                self.turn = turn + 1;
                if let Some(batch) = batch {
                    return Ok(Some(batch));
                }
            }
            if self.feeds.iter().all(Feed::is_done) {
                return Ok(None);
            }
            // The sender of changes lives in the store, which the handle keeps.
            tokio::select! {
                () = self.handle.store.closing.cancelled() => return Err(Failure::closed().into_log_error()),
                _ = self.tails.changed() => {}
            }
        }
    }

    fn positions(&self) -> Vec<i64> {
        self.feeds.iter().map(|feed| feed.position).collect()
    }
}
