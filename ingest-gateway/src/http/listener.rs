//! Takes connections: so many at once, each held to the time that a request's head may take.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::stream::Stream;
use crate::metrics;

/// What every HTTP/2 connection begins with (RFC 9113).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How often a peer is looked at that sends the preface byte by byte.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Streams of one connection at once.
const MAX_STREAMS: u32 = 128;
/// Bytes of a request's head.
const MAX_HEAD: usize = 64 << 10;

/// Bounds of connections.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// For so long a request's head may take; also how long a connection may idle, or not take what is
    /// written to it.
    pub header_timeout: Duration,
    /// So many connections are open at most; others wait to be taken.
    pub connections: usize,
}

/// Serves until `stop` resolves; then lets open connections end, `patience` at most.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
    patience: Duration,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let (stream, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: those that close make room.
                tracing::warn!(%error, "a connection could not be taken");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (routes, watcher) = (routes.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _place = place;
            let _open = metrics::Open::connection();
            let Ok(Ok(http2)) = timeout(bounds.header_timeout, speaks_http2(&stream)).await else { return };
            let builder = builder(http2, bounds.header_timeout);
            let stream = TokioIo::new(Stream::new(stream, bounds.header_timeout));
            let connection = builder.serve_connection(stream, TowerToHyperService::new(routes));
            if let Err(error) = watcher.watch(connection.into_owned()).await {
                tracing::debug!(error, "a connection ended early");
            }
        });
    }
    drop(listener);
    if timeout(patience, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still open at the end of the drain");
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, Option<tokio::sync::OwnedSemaphorePermit>)> {
    // The semaphore is never closed: without a permit there would be no bound, and that is told apart by None.
    let place = Arc::clone(places).acquire_owned().await.ok();
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

/// Whether the peer begins with HTTP/2's preface. Looked at before a server is chosen: hyper's own
/// choice has no time limit, and a peer that sends nothing would stay for ever.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut head = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut head).await?;
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
