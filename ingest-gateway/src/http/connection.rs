//! One connection, from its first byte to its end.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::stream::Stream;

/// What every HTTP/2 connection begins with (RFC 9113).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How often a peer is looked at that sends the preface byte by byte.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Streams of one connection at once.
const MAX_STREAMS: u32 = 128;
/// Bytes of a request's head.
const MAX_HEAD: usize = 64 << 10;

/// Serves a connection until it ends. Once `drain` is cancelled it takes no more requests.
pub(super) async fn serve(socket: TcpStream, routes: Router, header_timeout: Duration, drain: CancellationToken) {
    let Ok(Ok(http2)) = timeout(header_timeout, speaks_http2(&socket)).await else { return };
    let requests = Requests::default();
    let counted = requests.clone();
    let service = TowerToHyperService::new(routes);
    let service = service_fn(move |request| {
        let open = counted.begin();
        let answer = service.call(request);
        async move {
            let _open = open;
            answer.await
        }
    });
    let builder = builder(http2, header_timeout);
    let connection = builder.serve_connection(TokioIo::new(Stream::new(socket, header_timeout)), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = drain.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = requests.idle(http2, header_timeout) => {
            connection.as_mut().graceful_shutdown();
            // Who does not go when told to, and lets the last answers through, is cut off.
            timeout(header_timeout, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection ended early");
    }
}

/// Whether the peer begins with HTTP/2's preface. Looked at before a server is chosen: hyper's own
/// choice has no time limit, and a peer that sends nothing would stay for ever.
async fn speaks_http2(socket: &TcpStream) -> io::Result<bool> {
    let mut head = [0; PREFACE.len()];
    loop {
        let seen = socket.peek(&mut head).await?;
        if seen == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if head[..seen] != PREFACE[..seen] {
            return Ok(false);
        }
        if seen == PREFACE.len() {
            return Ok(true);
        }
        sleep(LOOK_AGAIN).await;
    }
}

fn builder(http2: bool, header_timeout: Duration) -> Builder<TokioExecutor> {
    let builder = Builder::new(TokioExecutor::new());
    let mut builder = if http2 { builder.http2_only() } else { builder.http1_only() };
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(MAX_HEAD);
    builder
        .http2()
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

    /// Resolves when no request was under way for `limit`. HTTP/1 needs none of this: there the time
    /// for the next request's head runs as soon as an answer is out.
    async fn idle(&self, http2: bool, limit: Duration) {
        if !http2 {
            pending::<()>().await;
        }
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
