//! Bounds of what a gateway does at once: connections, requests and bytes in flight, a slow log.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::failing::Failing;
use crate::limits::setting;
use crate::told::{Told, event};
use crate::world::World;

/// What a raw peer is answered, to its end.
async fn answered(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut text)).await;
    text
}

/// The first line that a raw peer gets that asks whether it may send a batch of so many bytes.
async fn asks(stream: &mut TcpStream, world: &World, length: usize) -> String {
    let head = format!(
        "POST /v1/batch HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-length: {length}\r\nexpect: 100-continue\r\n\r\n",
        world.key
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(tokio::time::timeout(Duration::from_secs(10), stream.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(line).unwrap()
}

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_connections_and_no_more() {
    let world = World::with(setting("", &["--max-connections-per-address", "3"])).await;
    let mut open = Vec::new();
    let mut closed = 0;
    for _ in 0..6 {
        let mut stream = connect(&world).await;
        let _ = stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut first = [0; 8];
        let told = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut first)).await.unwrap();
        match told {
            Ok(8) => open.push(stream),
            _ => closed += 1,
        }
    }
    // One of them is the world's own.
    assert_eq!((open.len(), closed), (2, 4));
    drop(open);
    for _ in 0..100 {
        let mut stream = connect(&world).await;
        let _ = stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        if answered(&mut stream).await.starts_with("HTTP/1.1 200") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the places never came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_are_bounded_and_the_rest_told_so_at_once() {
    let world = World::with(setting("", &["--max-requests-in-flight", "2", "--body-timeout", "60s"])).await;
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&world).await;
        // Whoever is asked for its body has its place.
        assert!(asks(&mut stream, &world, 9).await.starts_with("HTTP/1.1 100"));
        slow.push(stream);
    }
    let told = world.post("/v1/events", &event()).await.is(503, "overloaded");
    assert_eq!(told.headers["retry-after"], "1");
    assert_eq!(world.as_key(&world.key, "/v1/whoami").await.status, 200, "who brings nothing is served");
    world.assert_untouched().await;
    drop(slow);
    served(&world).await;
}

/// Waits until a request is turned away: how long the log makes others wait is looked at now and then.
async fn overloaded(world: &World) -> Told {
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let told = world.post("/v1/batch?dry_run=true", &json!({"events": [event()]})).await;
        if told.status == 503 {
            return told.is(503, "overloaded");
        }
        assert!(Instant::now() < patience, "nothing was turned away: {} {}", told.status, told.body);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until requests are taken.
async fn served(world: &World) {
    for _ in 0..100 {
        if world.post("/v1/events", &event()).await.status == 202 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the gateway did not recover");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_in_flight_are_bounded_by_what_arrives_not_by_what_is_said() {
    let world = World::with(setting("", &["--max-bytes-in-flight", "4194304", "--body-timeout", "60s"])).await;
    // Who says a length and sends nothing takes no room.
    let mut idle = Vec::new();
    for _ in 0..10 {
        let mut stream = connect(&world).await;
        assert!(asks(&mut stream, &world, 2_000_000).await.starts_with("HTTP/1.1 100"));
        idle.push(stream);
    }
    world.post("/v1/events", &event()).await.accepted();
    // Who sends does.
    for stream in &mut idle[..2] {
        stream.write_all(&vec![b' '; 1_999_999]).await.unwrap();
    }
    let patience = Instant::now() + Duration::from_secs(20);
    let told = loop {
        // Sends nothing, so that it takes no room of those that still arrive.
        let told = asks(&mut connect(&world).await, &world, 300_000).await;
        if !told.starts_with("HTTP/1.1 100") {
            break told;
        }
        assert!(Instant::now() < patience, "nothing was turned away");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(told.starts_with("HTTP/1.1 503"), "{told}");
    // A body that says no length meets the bound as it arrives.
    let chunk = chunked(&world).await;
    assert!(chunk.starts_with("HTTP/1.1 503"), "{chunk}");
    assert!(chunk.contains("\"overloaded\"") && chunk.contains("retry-after: 1"), "{chunk}");
    drop(idle);
    served(&world).await;
}

async fn chunked(world: &World) -> String {
    let mut stream = connect(world).await;
    let head = format!(
        "POST /v1/batch HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: {}\r\ntransfer-encoding: chunked\r\n\r\n",
        world.key
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(format!("40000\r\n{}\r\n0\r\n\r\n", " ".repeat(0x40000)).as_bytes()).await.unwrap();
    answered(&mut stream).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_log_sheds_new_events_early_and_takes_them_again() {
    let log = Failing::new();
    let world = World::with(log.setting(&["--shed-after", "500ms"])).await;
    world.post("/v1/events", &event()).await.accepted();
    let begun = log.appends();
    log.set_oldest(Some(Duration::from_millis(600)));
    let told = overloaded(&world).await;
    assert_eq!(told.headers["retry-after"], "1");
    world.post("/v1/events", &event()).await.is(503, "overloaded");
    assert!(log.appends() <= begun + 1, "nothing of it reached the log");
    assert_eq!(world.as_key(&world.key, "/v1/whoami").await.status, 200);
    log.set_oldest(None);
    served(&world).await;
}
