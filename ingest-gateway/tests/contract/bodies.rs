//! Bodies: encodings, limits, bombs, slow senders.

use std::time::{Duration, Instant};

use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::told::{Told, event};
use crate::world::{Setting, World};

async fn encoded(mut encoder: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoder.read_to_end(&mut bytes).await.unwrap();
    bytes
}

async fn encodings(plain: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    [
        ("gzip", encoded(GzipEncoder::new(plain)).await),
        ("deflate", encoded(ZlibEncoder::new(plain)).await),
        ("br", encoded(BrotliEncoder::new(plain)).await),
        ("zstd", encoded(ZstdEncoder::new(plain)).await),
    ]
}

async fn post(world: &World, encoding: &str, body: Vec<u8>) -> Told {
    let request = world.request(Method::POST, "/v1/batch").bearer_auth(&world.key);
    let request = request.header("content-type", "application/json").header("content-encoding", encoding);
    world.send(request.body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_encoding_is_understood_and_a_torn_one_is_400() {
    let world = World::new().await;
    let batch = || json!({"events": (0..50).map(|_| event()).collect::<Vec<_>>()}).to_string();
    for place in 0..4 {
        let (encoding, body) = encodings(batch().as_bytes()).await[place].clone();
        assert_eq!(post(&world, encoding, body).await.accepted().counts(), [50, 0, 0, 0], "{encoding}");
    }
    for (encoding, mut body) in encodings(batch().as_bytes()).await {
        body.truncate(body.len() / 2);
        post(&world, encoding, body).await.is(400, "malformed_body");
        post(&world, encoding, b"plain text that is no such thing".to_vec()).await.is(400, "malformed_body");
    }
    post(&world, "identity", batch().into_bytes()).await.accepted();
    assert_eq!(world.events().await.len(), 250);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_bombs_and_batches_over_their_limit_are_413() {
    let world = World::new().await;
    let ten_mb = format!("{{\"events\":[\"{}\"]}}", "x".repeat(10 << 20));
    for (encoding, body) in encodings(ten_mb.as_bytes()).await {
        assert!(body.len() < 100_000);
        post(&world, encoding, body).await.is(413, "too_large");
    }
    world.post_bytes("/v1/batch", ten_mb.clone()).await.is(413, "too_large");
    // Without a length the bytes are counted as they come.
    let pieces: Vec<Result<Vec<u8>, std::io::Error>> =
        ten_mb.as_bytes().chunks(1 << 16).map(|piece| Ok(piece.to_vec())).collect();
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    world.post_bytes("/v1/batch", stream).await.is(413, "too_large");
    let events: Vec<Value> = (0..1_001).map(|_| event()).collect();
    world.post("/v1/batch", &json!({"events": events})).await.is(413, "too_large");
    world.assert_untouched().await;
    let told = world.post("/v1/batch", &json!({"events": events[..1_000]})).await.accepted();
    assert_eq!(told.counts(), [1_000, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_names_or_a_giant_number_make_one_event_unfit_and_no_more() {
    let world = World::new().await;
    let names: Vec<_> = (0..100_000).map(|number| format!("\"k{number}\":1")).collect();
    let many = format!("{{{}}}", names.join(","));
    let giant = format!("{{\"n\":1{}}}", "0".repeat(100_000));
    let body = format!("{{\"events\":[{many},{giant},{}]}}", event());
    let told = world.post_bytes("/v1/batch", body).await;
    assert_eq!((told.status, told.counts()), (207, [1, 0, 0, 2]), "{}", told.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_giant_name_makes_one_event_unfit_and_fits_the_quarantine() {
    let world = World::new().await;
    // Each of these characters is two in a pointer.
    let giant = format!("{{\"{}\":\"\\u0000\"}}", "~".repeat(2_000_000));
    let told = world.post_bytes("/v1/batch", format!("{{\"events\":[{giant},{}]}}", event())).await;
    assert_eq!((told.status, told.counts()), (207, [1, 0, 0, 1]), "{}", told.body);
    assert_eq!(world.quarantined().await, ["invalid"]);
}

/// What a peer that writes `head` and then nothing more is told before the connection closes.
async fn stall(world: &World, head: &str) -> (String, Duration) {
    let mut stream = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let began = Instant::now();
    let mut told = Vec::new();
    let end =
        tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut told)).await.expect("closed in time");
    // What had been sent and not been read makes the close a reset.
    assert!(end.is_ok() || end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset));
    (String::from_utf8_lossy(&told).into_owned(), began.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_senders_are_sent_away_in_time() {
    let flags = ["--header-timeout", "1s", "--body-timeout", "1s"].map(str::to_owned).to_vec();
    let world = World::with(Setting { flags, ..Default::default() }).await;
    let (told, _) = stall(&world, "").await;
    assert_eq!(told, "", "a peer that says nothing is told nothing");
    let (_, took) = stall(&world, "POST /v1/batch HTTP/1.1\r\nhost: x\r\n").await;
    assert!(took >= Duration::from_millis(900));
    let (told, _) = stall(&world, "PRI * HT").await;
    assert_eq!(told, "", "nor one that stops within HTTP/2's preface");
    let head = format!(
        "POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer {}\r\ncontent-length: 100\r\n\r\n{{",
        world.key
    );
    let (told, _) = stall(&world, &head).await;
    assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
    assert!(told.contains("\"code\":\"request_timeout\""), "{told}");
    let (told, _) = stall(&world, "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.1 200 "), "an idle connection is closed after its answer: {told}");
    world.post("/v1/events", &event()).await.accepted();
}

/// What a peer is told that sends a body of `bytes` to its end before it reads.
pub(crate) async fn tell_all(world: &World, head: &str, bytes: usize) -> String {
    let mut stream = TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    let head = format!("{head}\r\nhost: x\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n");
    let told = async {
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b'x'; bytes]).await.expect("it is let finish");
        let mut told = String::new();
        stream.read_to_string(&mut told).await.expect("and reads the whole answer");
        told
    };
    tokio::time::timeout(Duration::from_secs(10), told).await.expect("in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_before_the_body_is_read_sees_why() {
    let world = World::new().await;
    let key = format!("authorization: Bearer {}", world.key);
    for (head, status) in [
        ("POST /v1/batch HTTP/1.1".to_owned(), 401),
        (format!("POST /v1/nothing HTTP/1.1\r\n{key}"), 404),
        (format!("PUT /v1/batch HTTP/1.1\r\n{key}"), 405),
        (format!("POST /v1/batch HTTP/1.1\r\n{key}\r\ncontent-type: text/plain"), 415),
        (format!("POST /v1/batch HTTP/1.1\r\n{key}\r\ncontent-encoding: rot13"), 415),
        (format!("POST /v1/batch HTTP/1.1\r\n{key}"), 413),
        (format!("POST /v1/batch?dry_run=maybe HTTP/1.1\r\n{key}"), 400),
    ] {
        let told = tell_all(&world, &head, 8 << 20).await;
        assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {told}");
        assert!(told.ends_with('}'), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_for_a_body_that_is_not_wanted_nor_waited_for_long() {
    let world = World::new().await;
    let head = "POST /v1/batch HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n";
    let (told, _) = stall(&world, &format!("{head}expect: 100-continue\r\n\r\n")).await;
    assert!(told.starts_with("HTTP/1.1 401 "), "{told}");
    let (told, _) = stall(&world, &format!("{head}\r\n{{")).await;
    assert!(told.starts_with("HTTP/1.1 401 "), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_spoken_too() {
    let world = World::new().await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let response = client.post(format!("{}/v1/events", world.url)).bearer_auth(&world.key).json(&event()).send();
    let response = response.await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (202, reqwest::Version::HTTP_2));
}
