//! From a socket to a stream that TLS secures, in time. Who speaks plain HTTP to it is told so.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ProtocolVersion;
use tokio_rustls::server::TlsStream;

use super::marks::new_request_id;
use super::stream::Patient;
use crate::metrics::{self, Handshake};
use crate::problem::{Code, Problem};

/// The type of a TLS record that opens a handshake (RFC 8446).
const HANDSHAKE: u8 = 22;
/// So much of a plain request is read, and thrown away, so that its sender sees the answer.
const MAX_DISCARDED: u64 = 64 << 10;

/// What a peer began with.
enum Hello {
    /// A handshake that went well.
    Secured(Box<TlsStream<Patient>>),
    /// A request without TLS.
    Plain,
    /// Nothing: it went.
    Gone,
}

/// The secured stream, boxed since every connection without TLS would carry its size; none where the peer does not come to one within `limit`.
pub(super) async fn shake(socket: TcpStream, tls: &TlsAcceptor, limit: Duration) -> Option<Box<TlsStream<Patient>>> {
    let began = Instant::now();
    let shaken = timeout(limit, async {
        let mut first = [0];
        if socket.peek(&mut first).await? == 0 {
            return Ok(Hello::Gone);
        }
        let mut stream = Patient::new(socket, limit);
        if first[0] != HANDSHAKE && first[0].is_ascii_uppercase() {
            refuse(&mut stream).await?;
            return Ok(Hello::Plain);
        }
        tls.accept(stream).await.map(|stream| Hello::Secured(Box::new(stream)))
    })
    .await;
    let (told, stream) = match shaken {
        Ok(Ok(Hello::Secured(stream))) => {
            let version = match stream.get_ref().1.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "1.2",
                _ => "1.3",
            };
            (Handshake::Good { version, took: began.elapsed() }, Some(stream))
        }
        Ok(Ok(Hello::Plain)) => (Handshake::PlainHttp, None),
        Ok(Ok(Hello::Gone)) => (Handshake::Closed, None),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            (Handshake::Failed, None)
        }
        Err(_) => (Handshake::TimedOut, None),
    };
    metrics::shaken(told);
    stream
}

/// Answers a request that came without TLS.
async fn refuse(stream: &mut Patient) -> io::Result<()> {
    let detail = "this port speaks TLS only: call it as https://";
    let request_id = new_request_id();
    let body = Problem::new(Code::MalformedBody, detail).to_json(&request_id);
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         x-request-id: {request_id}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(MAX_DISCARDED), &mut tokio::io::sink()).await?;
    Ok(())
}
