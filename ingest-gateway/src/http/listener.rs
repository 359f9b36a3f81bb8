//! Takes connections: so many at once, each held to the time that a request's head may take.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Serve;
use super::connection::{self, Terms};
use super::http1::LINGERING;
use crate::limits::connections::Connections;
use crate::metrics;
use crate::tls::Tls;

/// Bounds of connections.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// For so long a request's head may take; also how long a connection may idle, or not take what is
    /// written to it.
    pub header_timeout: Duration,
    /// So many connections are open at most; others wait to be taken.
    pub connections: usize,
}

/// Open files that are left to everything else: the log, the ops port, and in local mode the other daemons.
const OTHER_FILES: u64 = 512;

impl Bounds {
    /// The same, with no more connections than a limit on open files leaves room for. A connection that
    /// can't be taken for want of a file waits, and so does everything else that wants one.
    pub fn within(self, open_files: Option<u64>) -> Self {
        let Some(limit) = open_files else { return self };
        let room = usize::try_from(limit - OTHER_FILES.min(limit / 2)).unwrap_or(usize::MAX).max(1);
        if room < self.connections {
            tracing::warn!(
                asked = self.connections,
                open_files = limit,
                taken = room,
                "--max-connections is more than the limit on open files has room for: raise that (ulimit -n, LimitNOFILE)"
            );
        }
        Self { connections: self.connections.min(room), ..self }
    }
}

/// Serves, over TLS where there is a certificate, until `stop` resolves; then lets open connections end, `patience` at most.
pub async fn serve<A: Serve>(
    listener: TcpListener,
    answers: Arc<A>,
    bounds: Bounds,
    addresses: Arc<Connections>,
    tls: Option<Tls>,
    stop: impl Future<Output = ()>,
    patience: Duration,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let connections = TaskTracker::new();
    let terms = Arc::new(Terms {
        answers,
        tls,
        header_timeout: bounds.header_timeout,
        drain: CancellationToken::new(),
        lingering: Semaphore::new(LINGERING),
    });
    // Whatever is open when this ends is cut off.
    let cut_off = CancellationToken::new();
    let _cut_off = cut_off.clone().drop_guard();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let (socket, peer, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: those that close make room.
                tracing::warn!(%error, "a connection could not be taken");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(connected) = addresses.enter(peer) else {
            metrics::connection_refused();
            continue;
        };
        let (terms, cut_off) = (Arc::clone(&terms), cut_off.clone());
        connections.spawn(async move {
            let _place = (place, connected);
            let _open = metrics::Open::connection();
            // Boxed, since what is passed on as an argument has its place in the task more than once.
            cut_off.run_until_cancelled(Box::pin(connection::serve(socket, peer, &terms))).await;
        });
    }
    drop(listener);
    terms.drain.cancel();
    connections.close();
    if timeout(patience, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections were still open at the end of the drain");
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, IpAddr, Option<tokio::sync::OwnedSemaphorePermit>)> {
    // The semaphore is never closed: without a permit there would be no bound, and that is told apart by None.
    let place = Arc::clone(places).acquire_owned().await.ok();
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer.ip(), place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_the_rest_of_the_process() {
        let bounds = Bounds { header_timeout: Duration::from_secs(1), connections: 16_384 };
        let taken = |limit| bounds.within(limit).connections;
        assert_eq!(taken(None), 16_384);
        assert_eq!(taken(Some(u64::MAX)), 16_384);
        assert_eq!(taken(Some(20_000)), 16_384);
        assert_eq!(taken(Some(4_096)), 3_584);
        assert_eq!(taken(Some(256)), 128);
        assert_eq!(taken(Some(1)), 1);
    }
}
