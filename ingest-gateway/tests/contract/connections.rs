//! Connections that their peer would leave open for ever.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::time::timeout;

use crate::told::event;
use crate::world::{Setting, World};

async fn world() -> World {
    let flags = ["--header-timeout", "1s"].map(str::to_owned).to_vec();
    World::with(Setting { flags, ..Default::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_asks_and_never_reads_is_given_up() {
    let world = world().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(world.url.trim_start_matches("http://").parse().unwrap()).await.unwrap();
    let requests = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
    let given_up = async {
        // The answers fill every buffer on the way, then nothing moves.
        while stream.write_all(requests.as_bytes()).await.is_ok() {}
    };
    timeout(Duration::from_secs(30), given_up).await.expect("the gateway ends the connection");
    world.post("/v1/events", &event()).await.accepted();
}
