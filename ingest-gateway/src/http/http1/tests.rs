//! Time is paused here: it passes when everything waits for it, so that each test is as exact as it is quick.

use std::net::Ipv4Addr;
use std::sync::Arc;

use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::super::Response;
use super::super::connection::speak;
use super::*;

const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Long enough for hyper to go.
const PAUSE: Duration = Duration::from_secs(3);

/// The other end of a connection.
struct Peer {
    stream: DuplexStream,
    read: Vec<u8>,
    terms: Arc<Terms<Echo>>,
    served: JoinHandle<()>,
}

/// Answers with what came; at `/big` with much, whatever came.
struct Echo;

impl Serve for Echo {
    async fn serve(self: Arc<Self>, _: IpAddr, request: Request<Incoming>) -> Response {
        let path = request.uri().path().to_owned();
        let told = if path == "/big" {
            "big ".repeat(1_000)
        } else {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            format!("{path} {}", String::from_utf8(body.to_vec()).unwrap())
        };
        Response::new(told.into())
    }
}

impl Peer {
    /// A connection whose buffers have room for so many bytes, where so many connections linger at most.
    fn connect(room: usize, lingering: usize) -> Self {
        let (stream, other) = duplex(room);
        let terms = Arc::new(Terms {
            answers: Arc::new(Echo),
            tls: None,
            header_timeout: HEADER_TIMEOUT,
            drain: CancellationToken::new(),
            lingering: Semaphore::new(lingering),
        });
        let served = Arc::clone(&terms);
        let served = tokio::spawn(async move { speak(other, Ipv4Addr::LOCALHOST.into(), &served).await });
        Self { stream, read: Vec::new(), terms, served }
    }

    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The next answer's head and body.
    async fn answer(&mut self) -> (String, String) {
        loop {
            let text = str::from_utf8(&self.read).unwrap();
            if let Some((head, rest)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if let Some((body, _)) = rest.split_at_checked(length.parse().unwrap()) {
                    let told = (head.to_owned(), body.to_owned());
                    self.read.drain(..head.len() + 4 + body.len());
                    return told;
                }
            }
            assert_ne!(self.stream.read_buf(&mut self.read).await.unwrap(), 0, "closed after {:?}", self.read);
        }
    }

    /// The next answer is a good one, leaves the connection open, and says this.
    async fn is_told(&mut self, expected: &str) {
        let (head, body) = self.answer().await;
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        assert!(!head.contains("connection:"), "{head}");
        assert_eq!(body, expected);
    }

    /// Whether hyper is there.
    fn is_kept(&self) -> bool {
        self.terms.lingering.available_permits() == 0
    }

    /// It is closed without a word; when.
    async fn until_closed(mut self) -> Instant {
        assert_eq!(self.stream.read_buf(&mut self.read).await.unwrap(), 0);
        assert_eq!(self.read, b"");
        self.served.await.unwrap();
        Instant::now()
    }
}

fn request(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test(start_paused = true)]
async fn requests_with_pauses_between_are_answered_on_one_connection_and_hyper_is_gone_meanwhile() {
    let mut peer = Peer::connect(4_096, 1);
    for number in 0..5 {
        sleep(PAUSE).await;
        assert!(!peer.is_kept());
        peer.send(&request("/a", &number.to_string())).await;
        peer.is_told(&format!("/a {number}")).await;
        sleep(LINGER / 2).await;
        assert!(peer.is_kept(), "what comes soon is cheap");
        peer.send(&request("/b", "")).await;
        peer.is_told("/b ").await;
    }
}

#[tokio::test(start_paused = true)]
async fn where_many_linger_already_hyper_goes_at_once_and_requests_are_answered_all_the_same() {
    let mut peer = Peer::connect(4_096, 0);
    for number in 0..5 {
        peer.send(&request("/a", &number.to_string())).await;
        peer.is_told(&format!("/a {number}")).await;
    }
    peer.send(&(request("/b", "1") + &request("/b", "2"))).await;
    peer.is_told("/b 1").await;
    peer.is_told("/b 2").await;
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_answered_in_order_before_and_after_a_pause() {
    let mut peer = Peer::connect(1 << 20, 1);
    for _ in 0..3 {
        peer.send(&(0..100).map(|number| request("/", &number.to_string())).collect::<String>()).await;
        sleep(PAUSE).await;
        for number in 0..100 {
            peer.is_told(&format!("/ {number}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_cut_anywhere_by_the_pause_is_read_whole() {
    let next = request("/next", "body");
    for lingering in [0, 1] {
        for cut in 1..next.len() {
            let mut peer = Peer::connect(4_096, lingering);
            // With the request before, so that hyper has read it already.
            peer.send(&(request("/", "") + &next[..cut])).await;
            peer.is_told("/ ").await;
            sleep(PAUSE).await;
            peer.send(&next[cut..]).await;
            peer.is_told("/next body").await;
            // Just before hyper goes, and as it goes.
            for moment in [Duration::from_millis(999), LINGER] {
                sleep(moment).await;
                peer.send(&next[..cut]).await;
                sleep(PAUSE).await;
                peer.send(&next[cut..]).await;
                peer.is_told("/next body").await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_is_cut_whenever_it_begins() {
    let drop = Duration::from_millis(900);
    for begins in [0, 500, 5_000] {
        let mut peer = Peer::connect(4_096, 1);
        peer.send(&request("/", "")).await;
        peer.is_told("/ ").await;
        sleep(Duration::from_millis(begins)).await;
        let began = Instant::now();
        for byte in "GET / HTTP/1.1\r\nx-of-no-end: ".bytes().chain(std::iter::repeat(b'x')) {
            if peer.stream.write_all(&[byte]).await.is_err() {
                break;
            }
            sleep(drop).await;
        }
        let took = peer.until_closed().await - began;
        assert!(took <= HEADER_TIMEOUT + drop, "from {begins} ms on: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_head_that_drips_is_cut() {
    let mut peer = Peer::connect(4_096, 1);
    let began = Instant::now();
    while peer.stream.write_all(b"x").await.is_ok() {
        sleep(Duration::from_millis(900)).await;
    }
    let took = peer.until_closed().await - began;
    assert!(took <= HEADER_TIMEOUT + LINGER, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_when_its_time_is_over_and_not_before() {
    for lingering in [0, 1] {
        let mut peer = Peer::connect(4_096, lingering);
        peer.send(&request("/", "")).await;
        peer.is_told("/ ").await;
        let answered = Instant::now();
        sleep(Duration::from_millis(9_990)).await;
        peer.send(&request("/just", "in time")).await;
        peer.is_told("/just in time").await;
        assert!(answered.elapsed() < HEADER_TIMEOUT);
        let answered = Instant::now();
        let idled = peer.until_closed().await - answered;
        assert!((HEADER_TIMEOUT..HEADER_TIMEOUT + Duration::from_millis(10)).contains(&idled), "{idled:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_at_once_whoever_idles_or_has_said_nothing() {
    for (asks, pause) in [(false, PAUSE), (true, LINGER / 2), (true, PAUSE)] {
        let mut peer = Peer::connect(4_096, 1);
        if asks {
            peer.send(&request("/", "")).await;
            peer.is_told("/ ").await;
        }
        sleep(pause).await;
        let began = Instant::now();
        peer.terms.drain.cancel();
        assert_eq!(peer.until_closed().await, began);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_begins_before_a_drain_is_answered_and_the_last() {
    for paused in [Duration::ZERO, PAUSE] {
        let mut peer = Peer::connect(4_096, 1);
        peer.send(&request("/", "")).await;
        peer.is_told("/ ").await;
        sleep(paused).await;
        let body = request("/a", "body");
        peer.send(&body[..body.len() - 1]).await;
        sleep(Duration::from_millis(1)).await;
        peer.terms.drain.cancel();
        sleep(PAUSE).await;
        peer.send(&body[body.len() - 1..]).await;
        let (head, told) = peer.answer().await;
        assert!(head.contains("connection: close"), "{head}");
        assert_eq!(told, "/a body");
        peer.until_closed().await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_byte_of_an_answer_is_lost_when_its_reader_is_slower_than_the_pause() {
    for lingering in [0, 1] {
        let mut peer = Peer::connect(128, lingering);
        // Its body is left unread until some of the answer is out; then hyper waits for the next head before all of it is.
        peer.send("POST /big HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\nbody").await;
        for _ in 0..3 {
            sleep(PAUSE).await;
            let mut some = [0; 64];
            let read = peer.stream.read(&mut some).await.unwrap();
            peer.read.extend_from_slice(&some[..read]);
        }
        peer.is_told(&"big ".repeat(1_000)).await;
        peer.send(&request("/", "more")).await;
        peer.is_told("/ more").await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_idle_connection_weighs_is_bounded() {
    let peer = Peer::connect(64, 1);
    let (_, other) = duplex(64);
    let weighs = size_of_val(&speak(other, Ipv4Addr::LOCALHOST.into(), &peer.terms));
    assert!(weighs <= 768, "{weighs} bytes");
}
