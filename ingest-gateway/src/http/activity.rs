//! Tells whether an HTTP/1 connection is between two requests. hyper does not say so; what it asks of its timer and
//! of its stream does.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Sleep, Timer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// What one hyper connection is doing.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Heads that were waited for, this one included.
    heads: u64,
    /// Since when a head is waited for; none from its end to the next wait.
    since: Option<Instant>,
    /// Whether bytes were written that may not have left yet.
    unflushed: bool,
}

/// A request's head is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadWait {
    /// From the end of the answer before on.
    pub(super) since: Instant,
    /// Whether it is the first of this hyper connection.
    pub(super) is_first: bool,
    /// Whether every byte of the answers before has left.
    pub(super) is_flushed: bool,
}

impl Activity {
    /// The wait for a head; none while a request is under way, and once the connection is being closed.
    pub(super) fn head_wait(&self) -> Option<HeadWait> {
        let state = self.0.lock();
        let wait = |since| HeadWait { since, is_first: state.heads == 1, is_flushed: !state.unflushed };
        state.since.map(wait)
    }

    /// The timer for hyper's `header_read_timeout`. It never fires: hyper asks it for a sleep when it begins to wait
    /// for a head, and drops that when the head is whole.
    pub(super) fn timer(&self) -> HeadTimer {
        HeadTimer(self.clone())
    }

    /// The stream for hyper.
    pub(super) fn observe<S>(&self, stream: S) -> Observed<S> {
        Observed { stream, activity: self.clone() }
    }

    fn begin(&self) {
        let mut state = self.0.lock();
        state.heads += 1;
        state.since = Some(Instant::now());
    }

    fn end(&self) {
        self.0.lock().since = None;
    }
}

/// See [`Activity::timer`].
#[derive(Debug)]
pub(super) struct HeadTimer(Activity);

/// Lives while hyper waits for a head.
struct Waiting(Activity);

impl Timer for HeadTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        self.0.begin();
        Box::pin(Waiting(self.0.clone()))
    }

    fn sleep_until(&self, _: std::time::Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(Duration::ZERO)
    }

    fn reset(&self, _: &mut Pin<Box<dyn Sleep>>, _: std::time::Instant) {
        self.0.begin();
    }
}

impl Sleep for Waiting {}

impl Future for Waiting {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A stream that tells what is done with it.
#[derive(Debug)]
pub(super) struct Observed<S> {
    stream: S,
    activity: Activity,
}

impl<S> Observed<S> {
    pub(super) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.activity.0.lock().unflushed = true;
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.activity.0.lock().unflushed = true;
        Pin::new(&mut this.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // hyper flushes once it has nothing more to write itself.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(context);
        if let Poll::Ready(Ok(())) = flushed {
            this.activity.0.lock().unflushed = false;
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // hyper keeps its sleep when it closes in the middle of a head.
        this.activity.end();
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}
