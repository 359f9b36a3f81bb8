//! What is left of a request's body when its answer is known: read on and thrown away, within bounds,
//! since a sender whose connection is cut while it still sends sees no answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};

/// So much of a body is read for its sender's sake, what was read of it before included.
const MAX_DISCARDED: usize = 16 << 20;
/// For so long at most.
const DISCARD_TIME: Duration = Duration::from_secs(2);

/// A body that is lent to whoever handles its request.
pub(super) struct Rest(Arc<Mutex<Lent>>);

struct Lent {
    body: Body,
    /// Whether any of it was asked for.
    begun: bool,
    /// Whether nothing more comes.
    ended: bool,
    /// Bytes that were read.
    read: usize,
}

/// The body, as its borrower has it.
struct Loan(Arc<Mutex<Lent>>);

/// Lends a body, and keeps a hand on it.
pub(super) fn lend(body: Body) -> (Body, Rest) {
    let lent = Arc::new(Mutex::new(Lent { ended: body.is_end_stream(), body, begun: false, read: 0 }));
    (Body::new(Loan(Arc::clone(&lent))), Rest(lent))
}

impl Rest {
    /// Bytes that were read of the body so far, as they came.
    pub(super) fn bytes(&self) -> u64 {
        self.0.lock().read as u64
    }

    /// Reads on and keeps nothing. A sender that `waits` to be asked for its body is not asked.
    pub(super) async fn discard(&self, waits: bool) {
        if waits && !self.0.lock().begun {
            return;
        }
        let deadline = Instant::now() + DISCARD_TIME;
        let mut loan = Loan(Arc::clone(&self.0));
        while !loan.is_end_stream() && loan.0.lock().read < MAX_DISCARDED {
            match timeout_at(deadline, loan.frame()).await {
                Ok(Some(Ok(_))) => {}
                _ => return,
            }
        }
    }
}

impl HttpBody for Loan {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut lent = self.0.lock();
        lent.begun = true;
        let polled = Pin::new(&mut lent.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => lent.read += frame.data_ref().map_or(0, Bytes::len),
            Poll::Ready(_) => lent.ended = true,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let lent = self.0.lock();
        lent.ended || lent.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().body.size_hint()
    }
}
