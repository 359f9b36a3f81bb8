//! Connections that their peer would leave open for ever.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::told::event;
use crate::world::{Setting, World};

/// What every HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;

async fn world(header_timeout: &str) -> World {
    let flags = ["--header-timeout", header_timeout].map(str::to_owned).to_vec();
    World::with(Setting { flags, ..Default::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_asks_and_never_reads_is_given_up() {
    let world = world("1s").await;
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

/// An HTTP/2 peer without a library, that does what it must and no more.
struct Peer(TcpStream);

impl Peer {
    async fn connect(world: &World, settings: &[u8]) -> Self {
        let mut stream = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(PREFACE).await.unwrap();
        let mut peer = Self(stream);
        peer.send(SETTINGS, 0, 0, settings).await;
        peer
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u8, payload: &[u8]) {
        let length = u8::try_from(payload.len()).unwrap();
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, stream];
        frame.extend_from_slice(payload);
        // A gateway that is closing may not read it any more.
        let _ = self.0.write_all(&frame).await;
    }

    /// Answers every PING until the connection ends; gives the kinds of the frames that came.
    async fn until_closed(mut self) -> Vec<u8> {
        let mut kinds = Vec::new();
        loop {
            let mut head = [0; 9];
            if self.0.read_exact(&mut head).await.is_err() {
                return kinds;
            }
            let [a, b, c, kind, flags, ..] = head;
            let mut payload = vec![0; usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c)];
            if self.0.read_exact(&mut payload).await.is_err() {
                return kinds;
            }
            kinds.push(kind);
            match kind {
                SETTINGS if flags & ACK == 0 => self.send(SETTINGS, ACK, 0, &[]).await,
                PING if flags & ACK == 0 => self.send(PING, ACK, 0, &payload).await,
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_connection_without_requests_is_closed_though_its_peer_answers() {
    let world = world("1s").await;
    let peer = Peer::connect(&world, &[]).await;
    let kinds = timeout(Duration::from_secs(20), peer.until_closed()).await.expect("closed in time");
    assert!(kinds.contains(&GOAWAY), "and told so first: {kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http2_peer_that_lets_no_answer_through_is_given_up() {
    let world = world("1s").await;
    // SETTINGS_INITIAL_WINDOW_SIZE 0: the answer's body can't be sent.
    let mut peer = Peer::connect(&world, &[0, 4, 0, 0, 0, 0]).await;
    // GET http://x/livez, ending headers and stream.
    let request = [&[0x82, 0x86, 0x01, 1, b'x', 0x04, 6][..], b"/livez"].concat();
    peer.send(HEADERS, 0x4 | 0x1, 1, &request).await;
    let kinds = timeout(Duration::from_secs(20), peer.until_closed()).await.expect("closed in time");
    assert!(kinds.contains(&HEADERS), "it was answered: {kinds:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_used_stays_open() {
    let world = world("4s").await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let mut peers = std::collections::BTreeSet::new();
    for _ in 0..6 {
        let request = client.post(format!("{}/v1/events", world.url)).bearer_auth(&world.key).json(&event());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 202);
        peers
            .insert(response.extensions().get::<hyper_util::client::legacy::connect::HttpInfo>().unwrap().local_addr());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(peers.len(), 1, "one connection served all: {peers:?}");
}
