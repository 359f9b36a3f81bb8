//! A request's body, lent to whoever handles it. What is left of it when the answer is known is read on and thrown
//! away, within bounds, since a sender whose connection is cut while it still sends sees no answer.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, timeout_at};

/// So much of a body is read for its sender's sake, what was read of it before included.
const MAX_DISCARDED: usize = 16 << 20;
/// For so long at most.
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// A body, and what is known of it.
pub(super) struct Lent {
    body: Incoming,
    /// Whether any of it was asked for.
    begun: bool,
    /// Whether nothing more comes.
    ended: bool,
    /// Bytes that were read.
    read: usize,
}

impl Lent {
    /// Nothing of it was asked for yet.
    pub(super) fn new(body: Incoming) -> Self {
        Self { ended: body.is_end_stream(), body, begun: false, read: 0 }
    }

    /// Bytes that were read of the body so far, as they came.
    pub(super) fn bytes(&self) -> u64 {
        self.read as u64
    }

    /// The next piece; empty where it is no data; none at its end. Nothing is lost where this is dropped.
    ///
    /// # Errors
    /// When it ended before its end.
    pub(super) async fn piece(&mut self) -> Option<hyper::Result<Bytes>> {
        self.begun = true;
        let frame = match self.body.frame().await {
            Some(Ok(frame)) => frame,
            last => {
                self.ended = true;
                return last.map(|torn| torn.map(|_| Bytes::new()));
            }
        };
        let data = frame.into_data().unwrap_or_default();
        self.read += data.len();
        Some(Ok(data))
    }

    /// Reads on and keeps nothing. A sender that `waits` to be asked for its body is not asked.
    pub(super) async fn discard(&mut self, waits: bool) {
        if waits && !self.begun {
            return;
        }
        let deadline = Instant::now() + DISCARD_TIME;
        while !self.is_over() && self.read < MAX_DISCARDED {
            match timeout_at(deadline, self.piece()).await {
                Ok(Some(Ok(_))) => {}
                _ => return,
            }
        }
    }

    /// Whether nothing more comes, as far as is known.
    pub(super) fn is_over(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }
}
