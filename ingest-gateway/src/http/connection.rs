//! One connection, from its first byte to its end.

use std::future::pending;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::handshake;
use super::limit::Peer;
use super::stream::{Headed, Patient};

/// What every HTTP/2 connection begins with (RFC 9113).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Streams of one connection at once.
const MAX_STREAMS: u32 = 128;
/// Bytes of a request's head.
const MAX_HEAD: usize = 64 << 10;

/// Serves a connection until it ends. Once `drain` is cancelled it takes no more requests.
pub(super) async fn serve(
    socket: TcpStream,
    peer: IpAddr,
    routes: Router,
    tls: Option<TlsAcceptor>,
    header_timeout: Duration,
    drain: CancellationToken,
) {
    let Some(tls) = tls else {
        return speak(Patient::new(socket, header_timeout), peer, routes, header_timeout, drain).await;
    };
    if let Some(secured) = handshake::shake(socket, &tls, header_timeout).await {
        speak(secured, peer, routes, header_timeout, drain).await;
    }
}

async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    mut stream: S,
    peer: IpAddr,
    routes: Router,
    header_timeout: Duration,
    drain: CancellationToken,
) {
    let Ok(Ok(head)) = timeout(header_timeout, read_head(&mut stream)).await else { return };
    let http2 = head == PREFACE;
    let requests = Requests::default();
    let counted = requests.clone();
    let service = TowerToHyperService::new(routes);
    let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        let open = counted.begin();
        request.extensions_mut().insert(Peer(peer));
        let answer = service.call(request);
        async move {
            let _open = open;
            answer.await
        }
    });
    let builder = builder(http2, header_timeout);
    let connection = builder.serve_connection(TokioIo::new(Headed::new(stream, head)), service);
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

/// The first bytes: as many as tell HTTP/2's preface from anything else. Read before a server is chosen:
/// hyper's own choice has no time limit, and a peer that sends nothing would stay for ever.
async fn read_head(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    let mut head = [0; PREFACE.len()];
    let mut seen = 0;
    while seen < PREFACE.len() && head[..seen] == PREFACE[..seen] {
        match socket.read(&mut head[seen..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => seen += read,
        }
    }
    Ok(Bytes::copy_from_slice(&head[..seen]))
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// What is read of pieces that come one after the other, and what is left.
    async fn read(pieces: &[&str]) -> (io::Result<Bytes>, String) {
        let (mut peer, mut socket) = tokio::io::duplex(64);
        let pieces: Vec<_> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        let sent = tokio::spawn(async move {
            for piece in pieces {
                peer.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let head = read_head(&mut socket).await;
        sent.await.unwrap();
        let mut left = String::new();
        socket.read_to_string(&mut left).await.unwrap();
        (head, left)
    }

    #[tokio::test]
    async fn the_preface_is_known_however_it_is_cut_and_nothing_is_lost() {
        let preface = std::str::from_utf8(PREFACE).unwrap();
        let (head, left) = read(&["P", "RI * HTTP", &preface[10..], "frame"]).await;
        assert_eq!((&*head.unwrap(), &*left), (PREFACE, "frame"));
        let (head, left) = read(&["P", "OST /v1/events HTTP/1.1\r\n", "host"]).await;
        let head = head.unwrap();
        assert_ne!(head, PREFACE);
        assert_eq!(std::str::from_utf8(&head).unwrap().to_owned() + &left, "POST /v1/events HTTP/1.1\r\nhost");
        assert!(read(&["PRI"]).await.0.is_err(), "who ends within it said nothing");
    }
}
