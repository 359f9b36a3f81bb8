//! HTTP/2 on a connection, until it ends or no request was under way for a while.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2::Builder;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};

use super::Serve;
use super::connection::{MAX_HEAD, Terms};
use super::stream::Headed;

/// Streams of one connection at once.
const MAX_STREAMS: u32 = 128;

/// Serves a connection until it ends. Once it drains it takes no more requests.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static, A: Serve>(
    stream: Headed<S>,
    peer: IpAddr,
    terms: &Terms<A>,
) {
    let header_timeout = terms.header_timeout;
    let requests = Requests::default();
    let counted = requests.clone();
    let service = terms.service(peer);
    let service = service_fn(move |request| {
        let open = counted.begin();
        let answer = service.call(request);
        async move {
            let _open = open;
            answer.await
        }
    });
    let connection = builder(header_timeout).serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = terms.drain.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = requests.idle(header_timeout) => {
            connection.as_mut().graceful_shutdown();
            // Who does not go when told to, and lets the last answers through, is cut off.
            timeout(header_timeout, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn builder(header_timeout: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(header_timeout)
        .keep_alive_timeout(header_timeout)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX));
    builder
}

/// The requests of a connection that have no answer yet, and since when there is none.
#[derive(Clone)]
struct Requests(Arc<Mutex<State>>);

struct State {
    open: usize,
    quiet_since: Instant,
}

/// A request without an answer, until it is dropped.
struct Open(Requests);

impl Default for Requests {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { open: 0, quiet_since: Instant::now() })))
    }
}

impl Requests {
    fn begin(&self) -> Open {
        self.0.lock().open += 1;
        Open(self.clone())
    }

    /// Resolves when no request was under way for `limit`.
    async fn idle(&self, limit: Duration) {
        loop {
            let State { open, quiet_since } = *self.0.lock();
            let due = if open > 0 { Instant::now() + limit } else { quiet_since + limit };
            if open == 0 && due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        state.open -= 1;
        state.quiet_since = Instant::now();
    }
}
