//! Accepts connections with limits on time and number, and drains when told to.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use daemon::Shutdown;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// A request's head has to be here by then.
const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// What is being answered when draining begins has so long to end.
const DRAIN_WITHIN: Duration = Duration::from_secs(15);
/// Connections open at once, at most. An open page holds one for its stream.
const CONNECTIONS: usize = 2_048;

/// Listens on `address`, which may have port 0.
///
/// # Errors
/// When the address can't be listened on.
pub(crate) async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("--listen {address}: can't listen there; another program may (port 0 takes a free one)")
    })
}

/// Serves until draining, then until all answers under way are out, or time is up.
pub(crate) async fn serve(listener: TcpListener, routes: Router, shutdown: Shutdown) {
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(20)).max_concurrent_streams(64);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let stream = tokio::select! {
            () = shutdown.draining() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors as a rule: others have to close first.
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            crate::metrics::connection_refused();
            continue;
        };
        prepare(&stream);
        let service = TowerToHyperService::new(routes.clone());
        let connection = server.serve_connection(TokioIo::new(stream), service).into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = shutdown.ending() => {}
        () = tokio::time::sleep(DRAIN_WITHIN) => tracing::warn!("some answers were cut off: draining took too long"),
    }
}

fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY on a connection");
    }
}
