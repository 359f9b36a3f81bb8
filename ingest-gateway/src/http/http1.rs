//! HTTP/1 on a connection. Between requests that are far apart nothing is kept of hyper: its buffers and its future
//! are twenty times as large as what waits in their place.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Serve;
use super::activity::Activity;
use super::connection::{MAX_HEAD, Terms};
use super::stream::Headed;

/// For so long after an answer hyper is kept, since a request that comes soon is cheaper then.
const LINGER: Duration = Duration::from_secs(1);
/// Of so many connections at most: thousands that all have just been answered would hold as much memory as if it
/// were kept for ever. Of the others hyper goes as soon as a request is answered.
pub(super) const LINGERING: usize = 1_024;

/// A connection that is between two requests.
struct Quiet<S> {
    /// With what there is already of the next request.
    stream: Headed<S>,
    /// Since when.
    since: Instant,
}

/// Why hyper is left.
enum Verdict {
    /// It ended by itself.
    Ended(hyper::Result<()>),
    /// The time for the head is over.
    Late,
    /// It is between two requests, and hyper may go.
    Quiet(Instant),
}

/// Serves a connection until it ends. Once it drains it takes no more requests.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static, A: Serve>(
    mut stream: Headed<S>,
    peer: IpAddr,
    terms: &Terms<A>,
) {
    let mut head_by = Instant::now() + terms.header_timeout;
    loop {
        let Some(quiet) = Box::pin(serve_until_quiet(stream, head_by, peer, terms)).await else { return };
        stream = quiet.stream;
        head_by = quiet.since + terms.header_timeout;
        if stream.has_head() {
            // The next request has begun: its time runs on.
            continue;
        }
        let Some(first) = first_bytes(&mut stream, head_by, &terms.drain).await else { break };
        stream.put_back(first);
        head_by = Instant::now() + terms.header_timeout;
    }
    // Whether it hears of it is the peer's affair.
    let _ = stream.shutdown().await;
}

/// Serves requests; none once the connection has ended. The first one's head is to be whole by `head_by`.
async fn serve_until_quiet<S: AsyncRead + AsyncWrite + Unpin + Send + 'static, A: Serve>(
    stream: Headed<S>,
    head_by: Instant,
    peer: IpAddr,
    terms: &Terms<A>,
) -> Option<Quiet<S>> {
    let place = terms.lingering.try_acquire();
    let linger = if place.is_ok() { LINGER } else { Duration::ZERO };
    let activity = Activity::default();
    let io = TokioIo::new(activity.observe(stream));
    let mut connection = builder(&activity, terms.header_timeout).serve_connection(io, terms.service(peer));
    let mut timer = pin!(sleep_until(head_by));
    let mut drained = pin!(terms.drain.cancelled());
    let mut drains = false;
    let verdict = poll_fn(|context| {
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut connection).poll(context) {
                return Poll::Ready(Verdict::Ended(ended));
            }
            if drains || drained.as_mut().poll(context).is_pending() {
                break;
            }
            drains = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        let Some(wait) = activity.head_wait() else { return Poll::Pending };
        let (due, verdict) = if wait.is_first {
            (head_by, Verdict::Late)
        } else if wait.is_flushed && !drains {
            (wait.since + linger, Verdict::Quiet(wait.since))
        } else {
            (wait.since + terms.header_timeout, Verdict::Late)
        };
        // A timer that is due too early is left alone until then: a busy connection sets it once a second.
        while Instant::now() < due {
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
            ready!(timer.as_mut().poll(context));
            timer.as_mut().reset(due);
        }
        Poll::Ready(verdict)
    })
    .await;
    match verdict {
        Verdict::Quiet(since) => {
            // It waits for a head, of which it may have read some, and has nothing left to write: that is all of it.
            let parts = connection.into_parts();
            let mut stream = parts.io.into_inner().into_inner();
            stream.put_back(parts.read_buf);
            return Some(Quiet { stream, since });
        }
        Verdict::Late => tracing::debug!("a request's head did not come in time"),
        Verdict::Ended(Err(error)) => tracing::debug!(%error, "a connection ended early"),
        Verdict::Ended(Ok(())) => {}
    }
    None
}

fn builder(activity: &Activity, header_timeout: Duration) -> Builder {
    let mut builder = Builder::new();
    builder.timer(activity.timer()).header_read_timeout(header_timeout).max_buf_size(MAX_HEAD);
    builder
}

/// What comes first of a request; none where nothing comes in time or the connection ends.
async fn first_bytes(
    stream: &mut (impl AsyncRead + Unpin),
    until: Instant,
    drain: &CancellationToken,
) -> Option<Bytes> {
    let mut first = [0; 32];
    let read = tokio::select! {
        biased;
        read = timeout_at(until, stream.read(&mut first)) => read.ok()?.ok()?,
        () = drain.cancelled() => 0,
    };
    (read > 0).then(|| Bytes::copy_from_slice(&first[..read]))
}

#[cfg(test)]
mod tests;
