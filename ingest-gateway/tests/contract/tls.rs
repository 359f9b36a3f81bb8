//! TLS: both protocols over it, certificates that change while it is in use, and peers that never come to an end.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use openssl::ssl::{SslConnector, SslMethod, SslStream, SslVerifyMode, SslVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::authority::{Authority, Pair};
use crate::lines::Lines;
use crate::told::{event, read};
use crate::world::{Setting, World, client};

/// A gateway that serves that certificate of that authority.
async fn world(authority: &Authority, pair: &Pair, flags: &[&str]) -> (World, Setting) {
    let files = [("tls.pem", &pair.certificate), ("tls.key", &pair.key)];
    let setting = Setting {
        authority: Some(authority.pem()),
        files: files.map(|(name, text)| (name.to_owned(), text.clone())).to_vec(),
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        ..Setting::default()
    };
    (World::with(setting.clone()).await, setting)
}

fn address(world: &World) -> String {
    world.url.trim_start_matches("https://").to_owned()
}

/// Puts another certificate and key in the place of those that are served, as `mv` does.
fn replace(folder: &Path, pair: &Pair) {
    for (name, text) in [("tls.key", &pair.key), ("tls.pem", &pair.certificate)] {
        std::fs::write(folder.join("new"), text).unwrap();
        std::fs::rename(folder.join("new"), folder.join(name)).unwrap();
    }
}

/// A connection by OpenSSL, of that version and no other where one is named.
fn connect(address: &str, version: Option<SslVersion>) -> Result<SslStream<std::net::TcpStream>, String> {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    builder.set_min_proto_version(version).unwrap();
    builder.set_max_proto_version(version).unwrap();
    // So that versions of old can be offered at all.
    builder.set_cipher_list("DEFAULT:@SECLEVEL=0").unwrap();
    let socket = std::net::TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    builder.build().connect("localhost", socket).map_err(|error| error.to_string())
}

/// The serial number of the certificate that a new connection is shown.
async fn served(world: &World) -> u32 {
    let address = address(world);
    tokio::task::spawn_blocking(move || serial(&connect(&address, None).unwrap())).await.unwrap()
}

fn serial(stream: &SslStream<std::net::TcpStream>) -> u32 {
    let certificate = stream.ssl().peer_certificate().unwrap();
    certificate.serial_number().to_bn().unwrap().to_dec_str().unwrap().parse().unwrap()
}

async fn becomes(world: &World, expected: u32) {
    let began = Instant::now();
    while served(world).await != expected {
        assert!(began.elapsed() < Duration::from_secs(20), "certificate {expected} is never served");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_taken_over_both_versions_of_http_and_of_tls() {
    let authority = Authority::new();
    for pair in [authority.signs(2), authority.signs_rsa(3)] {
        let (world, setting) = world(&authority, &pair, &[]).await;
        let clients = [
            (client(&setting), reqwest::Version::HTTP_2),
            (client(&setting).http1_only(), reqwest::Version::HTTP_11),
            (client(&setting).tls_version_max(reqwest::tls::Version::TLS_1_2), reqwest::Version::HTTP_2),
            (client(&setting).http1_only().tls_version_max(reqwest::tls::Version::TLS_1_2), reqwest::Version::HTTP_11),
        ];
        for (client, version) in clients {
            let request = client.build().unwrap().post(format!("{}/v1/events", world.url));
            let answer = request.bearer_auth(&world.key).json(&event()).send().await.unwrap();
            assert_eq!(answer.version(), version);
            read(answer).await.accepted();
        }
        assert_eq!(world.events().await.len(), 4);
        let address = address(&world);
        let told = tokio::task::spawn_blocking(move || {
            let versions = [SslVersion::TLS1_1, SslVersion::TLS1_2, SslVersion::TLS1_3];
            versions.map(|version| connect(&address, Some(version)).is_ok())
        });
        assert_eq!(told.await.unwrap(), [false, true, true], "1.1, 1.2, 1.3");
    }
}

/// A request over a connection that stays open; true if it was answered with 200.
fn ask(stream: &mut SslStream<std::net::TcpStream>) -> bool {
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let head = String::from_utf8(answer).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    stream.read_exact(&mut vec![0; length]).unwrap();
    head.starts_with("http/1.1 200")
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_with_pauses_between_are_answered_on_one_connection_and_its_end_is_told() {
    let authority = Authority::new();
    let (mut world, _) = world(&authority, &authority.signs(2), &["--header-timeout", "120s"]).await;
    let address = address(&world);
    let mut stream = tokio::task::spawn_blocking(move || {
        let mut stream = connect(&address, None).unwrap();
        for _ in 0..3 {
            assert!(ask(&mut stream));
            // Long enough for the gateway to put the connection to rest.
            std::thread::sleep(Duration::from_millis(1_500));
        }
        stream
    })
    .await
    .unwrap();
    world.stop().await;
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0, "closed as TLS closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let authority = Authority::new();
    let (world, _) = world(&authority, &authority.signs(2), &["--header-timeout", "120s"]).await;
    let address = address(&world);
    let old = tokio::task::spawn_blocking(move || {
        let mut old = connect(&address, None).unwrap();
        assert!(ask(&mut old));
        old
    });
    let mut old = old.await.unwrap();
    replace(world.folder.path(), &authority.signs_rsa(3));
    becomes(&world, 3).await;
    let old = tokio::task::spawn_blocking(move || (ask(&mut old), serial(&old)));
    assert_eq!(old.await.unwrap(), (true, 2));
    world.post("/v1/events", &event()).await.accepted();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_certificates_change_under_load() {
    let authority = Authority::new();
    let (world, setting) = world(&authority, &authority.signs(2), &[]).await;
    let key = world.tier_key("unlimited").await;
    let world = Arc::new(world);
    let stop = Arc::new(AtomicBool::new(false));
    let mut load = tokio::task::JoinSet::new();
    for number in 0..4 {
        // Two make a connection for each request, two keep theirs.
        let idle = if number % 2 == 0 { 0 } else { 8 };
        let client = client(&setting).pool_max_idle_per_host(idle);
        let client = if idle == 0 { client.http1_only() } else { client }.build().unwrap();
        let (world, stop, key) = (Arc::clone(&world), Arc::clone(&stop), key.clone());
        load.spawn(async move {
            let mut sent = 0;
            while !stop.load(Ordering::SeqCst) {
                let request = client.post(format!("{}/v1/events", world.url)).bearer_auth(&key).json(&event());
                read(request.send().await.expect("no connection fails")).await.accepted();
                sent += 1;
            }
            sent
        });
    }
    for serial in 3..6 {
        replace(world.folder.path(), &authority.signs(serial));
        becomes(&world, serial).await;
    }
    stop.store(true, Ordering::SeqCst);
    let sent: Vec<usize> = load.join_all().await;
    assert!(sent.iter().all(|sent| *sent > 0), "{sent:?}");
    assert_eq!(world.events().await.len(), sent.iter().sum::<usize>());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_can_not_be_served_leave_the_last_good_ones_in_force_and_are_told() {
    let lines = Lines::get();
    let authority = Authority::new();
    let good = authority.signs(2);
    let (world, _) = world(&authority, &good, &[]).await;
    let folder = world.folder.path();
    let certificate = folder.join("tls.pem").display().to_string();
    let key = folder.join("tls.key").display().to_string();
    let torn = good.certificate[..good.certificate.len() / 2].to_owned();
    let other = Pair { key: authority.signs(9).key, ..good.clone() };
    for (pair, words) in [
        (Pair { certificate: torn, ..good.clone() }, format!("--tls-certificate {certificate}: ")),
        (other, format!("--tls-key {key}: it is not the key of")),
        (
            authority.signs_ending(3, -60),
            format!("--tls-certificate {certificate}: it, or another of its chain, ended at"),
        ),
    ] {
        replace(folder, &pair);
        let began = Instant::now();
        while lines.of(&words).is_empty() {
            assert!(began.elapsed() < Duration::from_secs(20), "never said: {words}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(served(&world).await, 2);
        world.post("/v1/events", &event()).await.accepted();
    }
    std::fs::remove_file(folder.join("tls.key")).unwrap();
    let words = format!("{key}: can't read it");
    let began = Instant::now();
    while lines.of(&words).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "never said: {words}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(served(&world).await, 2);
    replace(folder, &authority.signs(4));
    becomes(&world, 4).await;
    let about_to_end = || lines.of("about to end").into_iter().filter(|line| line.contains(&certificate)).count();
    assert_eq!(about_to_end(), 0);
    replace(folder, &authority.signs_ending(5, 300));
    becomes(&world, 5).await;
    let began = Instant::now();
    while about_to_end() == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "the last sixth of its life is never warned of");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_plain_http_to_it_is_told_to_use_https() {
    let authority = Authority::new();
    let (world, _) = world(&authority, &authority.signs(2), &[]).await;
    let plain = world.url.replace("https://", "http://");
    let body = "x".repeat(50_000);
    let sent = reqwest::Client::new().post(format!("{plain}/v1/events?key=secret")).body(body).send().await.unwrap();
    let told = read(sent).await;
    assert_eq!((told.status, told.body["code"].as_str()), (400, Some("malformed_body")), "{}", told.body);
    assert!(told.body["detail"].as_str().unwrap().contains("https://"));
    world.post("/v1/events", &event()).await.accepted();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_never_ends_is_ended_and_others_are_served() {
    let authority = Authority::new();
    let (world, _) = world(&authority, &authority.signs(2), &["--header-timeout", "1s"]).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..20_u8 {
        let address = address(&world);
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            // A record of a handshake, and of its ClientHello no end; every second peer says nothing at all.
            let hello = [&[22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3][..], &[7; 200]].concat();
            for byte in hello {
                let said = if number % 2 == 0 { stream.write_all(&[byte]).await } else { Ok(()) };
                let mut answer = [0; 64];
                match timeout(Duration::from_millis(100), stream.read(&mut answer)).await {
                    Ok(Ok(0) | Err(_)) => return true,
                    _ if said.is_err() => return true,
                    _ => {}
                }
            }
            false
        });
    }
    for _ in 0..10 {
        world.post("/v1/events", &event()).await.accepted();
    }
    let ended = tasks.join_all().await;
    assert!(ended.iter().all(|ended| *ended), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_counts_against_its_address_while_it_shakes_hands() {
    let authority = Authority::new();
    let flags = ["--header-timeout", "60s", "--max-connections-per-address", "3"];
    let (world, _) = world(&authority, &authority.signs(2), &flags).await;
    let address = address(&world);
    let mut held = Vec::new();
    let refused = async {
        loop {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            let mut byte = [0];
            // One that is over the cap is closed at once, without a word.
            if let Ok(Ok(0) | Err(_)) = timeout(Duration::from_millis(500), stream.read(&mut byte)).await {
                return;
            }
            held.push(stream);
            assert!(held.len() <= 3, "more are open than may be");
        }
    };
    timeout(Duration::from_secs(30), refused).await.expect("one is refused");
    assert!(!held.is_empty());
}
