//! Connections that have asked once and then do nothing.

use std::net::SocketAddr;

use anyhow::ensure;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// Connections of one address: the gateway's caps count by address.
const OF_ONE_ADDRESS: usize = 500;

/// Opens so many, from several addresses of this machine; each has an answer.
///
/// # Errors
/// When one can't be opened, or gets no answer.
pub(super) async fn open(address: &str, count: usize) -> anyhow::Result<Vec<TcpStream>> {
    let mut idle = Vec::with_capacity(count);
    for number in 0..count {
        let socket = TcpSocket::new_v4()?;
        let host = u8::try_from(number / OF_ONE_ADDRESS)? + 1;
        socket.bind(SocketAddr::from(([127, 1, 0, host], 0)))?;
        let mut stream = socket.connect(address.parse()?).await?;
        stream.write_all(format!("GET /livez HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes()).await?;
        let mut answer = [0; 1024];
        let read = stream.read(&mut answer).await?;
        ensure!(answer[..read].starts_with(b"HTTP/1.1 200"), "an idle connection got no answer");
        idle.push(stream);
    }
    Ok(idle)
}

/// Makes sure that none was closed meanwhile.
///
/// # Errors
/// When one was.
pub(super) fn still_open(idle: &[TcpStream]) -> anyhow::Result<()> {
    let closed = |stream: &&TcpStream| matches!(stream.try_read(&mut [0; 1]), Ok(0));
    let count = idle.iter().filter(closed).count();
    ensure!(count == 0, "{count} of {} connections were closed", idle.len());
    Ok(())
}
