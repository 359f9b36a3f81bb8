//! One connection, from its first byte to its end.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::stream::{Headed, Patient};
use super::{Response, Serve, handshake, http1, http2};
use crate::tls::Tls;

/// What every HTTP/2 connection begins with (RFC 9113).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a request's head.
pub(super) const MAX_HEAD: usize = 64 << 10;

/// What is the same for all connections.
pub(super) struct Terms<A> {
    /// What answers requests.
    pub(super) answers: Arc<A>,
    /// The certificate, where TLS is spoken.
    pub(super) tls: Option<Tls>,
    /// For so long a request's head may take, and a connection may idle.
    pub(super) header_timeout: Duration,
    /// Once cancelled, no more requests are taken.
    pub(super) drain: CancellationToken,
    /// The connections that keep all they have for a while after an answer.
    pub(super) lingering: Semaphore,
}

impl<A: Serve> Terms<A> {
    /// Serves requests of a peer.
    pub(super) fn service(
        &self,
        peer: IpAddr,
    ) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send + 'static> + use<A> {
        let answers = Arc::clone(&self.answers);
        service_fn(move |request| Arc::clone(&answers).serve(peer, request).map(Ok))
    }
}

/// Serves a connection until it ends. Once it drains it takes no more requests.
pub(super) async fn serve<A: Serve>(socket: TcpStream, peer: IpAddr, terms: &Terms<A>) {
    let Some(tls) = &terms.tls else {
        return speak(Patient::new(socket, terms.header_timeout), peer, terms).await;
    };
    // Boxed, as is whatever else is only needed for a while: an idle connection would carry its size.
    let shaken = Box::pin(async { handshake::shake(socket, &tls.acceptor(), terms.header_timeout).await });
    if let Some(secured) = shaken.await {
        speak(secured, peer, terms).await;
    }
}

pub(super) async fn speak<S: AsyncRead + AsyncWrite + Unpin + Send + 'static, A: Serve>(
    mut stream: S,
    peer: IpAddr,
    terms: &Terms<A>,
) {
    let head = tokio::select! {
        biased;
        head = timeout(terms.header_timeout, read_head(&mut stream)) => head,
        () = terms.drain.cancelled() => return,
    };
    let Ok(Ok(head)) = head else { return };
    let is_http2 = head == PREFACE;
    let stream = Headed::new(stream, head);
    if is_http2 {
        Box::pin(http2::serve(stream, peer, terms)).await;
    } else {
        http1::serve(stream, peer, terms).await;
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
