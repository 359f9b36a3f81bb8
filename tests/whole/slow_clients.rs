//! Ten thousand connections that bring nothing, or bring it drop by drop, at one gateway: they are closed in time,
//! and whoever has something to send is served meanwhile.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use playledger_tests::client::Client;
use playledger_tests::kafka::KafkaBroker;
use playledger_tests::world::Gateways;
use schemas::testing::Style;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How a connection wastes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Habit {
    /// Says nothing.
    Silent,
    /// Was answered once, and says nothing more.
    Idle,
    /// Sends a request's head, a byte a second.
    DripsHead,
    /// Sends a request's body, a byte a second.
    DripsBody,
}

/// 10,000 in all.
const CONNECTIONS: [(Habit, usize); 4] =
    [(Habit::Silent, 5_000), (Habit::Idle, 3_000), (Habit::DripsHead, 1_000), (Habit::DripsBody, 1_000)];
/// They come from so many addresses, none of them that of those who are served: one may have 4,096.
const ADDRESSES: usize = 4;
/// The gateway's patience with heads and idle connections; long enough for all to be open at once on a slow machine.
const HEAD: &str = "40s";
/// Its patience with bodies.
const BODY: &str = "30s";
/// More than either, and what a busy machine may add.
const CLOSED_BY: Duration = Duration::from_mins(3);
/// Memory that a connection may take at most, whatever it does.
const BYTES_EACH: u64 = 48 << 10;

/// What became of one.
#[derive(Debug)]
struct Ended {
    habit: Habit,
    /// From when it was open.
    after: Duration,
    /// Status of the answer that it got before its end, if any.
    told: Option<u16>,
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_and_slow_connections_are_closed_in_time_and_others_are_served() -> anyhow::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ensure!(hard >= 11_000, "this test opens 10,000 connections: raise the hard limit on open files ({hard})");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let mut world = Gateways::on(KafkaBroker::start(), 1)?;
    let number = world.add(None, &["--header-timeout", HEAD, "--body-timeout", BODY])?;
    let address: SocketAddr = world.gateway(number).url.trim_start_matches("http://").parse()?;
    let before = world.gateway(number).process()?.resident_bytes()?;

    let stop = Arc::new(AtomicBool::new(false));
    let served: JoinSet<_> =
        (0..4).map(|number| serve(Client::new(world.key()), address, number, Arc::clone(&stop))).collect();
    let head = format!(
        "POST /v1/batch HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 1000\r\n\r\n",
        world.key()
    );
    let slow = open_all(address, &head);
    let (open, peak) = peak(&world, number).await?;
    let ended = slow.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    stop.store(true, Ordering::SeqCst);
    let served = served.join_all().await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let after = world.gateway(number).process()?.resident_bytes()?;

    let (requests, slowest) = served
        .iter()
        .fold((0, Duration::ZERO), |(sum, most), (requests, slowest)| (sum + requests, most.max(*slowest)));
    println!("open at once: {open}; served meanwhile: {requests} requests, all 202, the slowest in {slowest:?}");
    let mib = |bytes: u64| bytes / (1 << 20);
    println!(
        "VmRSS of the gateway's process: {} MiB before, {} MiB with all open, {} MiB after",
        mib(before),
        mib(peak),
        mib(after)
    );
    for (habit, count) in CONNECTIONS {
        let of: Vec<_> = ended.iter().filter(|ended| ended.habit == habit).collect();
        let mut told = BTreeMap::new();
        for ended in &of {
            *told.entry(ended.told).or_insert(0) += 1;
        }
        let longest = of.iter().map(|ended| ended.after).max().unwrap_or_default();
        println!(
            "{habit:?}: {} of {count} closed, the last after {longest:?}; answers before that: {told:?}",
            of.len()
        );
        ensure!(of.len() == count && longest < CLOSED_BY);
        let expected = match habit {
            Habit::Silent => None,
            Habit::Idle => Some(200),
            Habit::DripsHead | Habit::DripsBody => Some(408),
        };
        // hyper closes on a late head without a word; a late body is told.
        ensure!(habit == Habit::DripsHead || told.keys().eq([&expected]), "{habit:?}: {told:?}");
    }
    ensure!(open >= 10_000.0, "all were to be open at once: {open}");
    ensure!(requests > 0 && peak.saturating_sub(before) < 10_000 * BYTES_EACH);
    ensure!(world.terminate(number)?.success());
    Ok(())
}

/// Opens all of them, some at a time, and follows each to its end.
fn open_all(address: SocketAddr, head: &str) -> JoinSet<anyhow::Result<Ended>> {
    let habits = CONNECTIONS.into_iter().flat_map(|(habit, count)| std::iter::repeat_n(habit, count));
    let opening = Arc::new(Semaphore::new(64));
    let head: Arc<str> = head.into();
    habits
        .enumerate()
        .map(|(number, habit)| {
            let (opening, head) = (Arc::clone(&opening), Arc::clone(&head));
            async move {
                let place = opening.acquire_owned().await?;
                let stream = connect(address, number % ADDRESSES).await?;
                drop(place);
                timeout(CLOSED_BY, waste(stream, habit, &head))
                    .await
                    .with_context(|| format!("{habit:?} is never closed"))?
            }
        })
        .collect()
}

async fn connect(address: SocketAddr, number: usize) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 1, u8::try_from(number + 1)?), 0)))?;
    Ok(socket.connect(address).await?)
}

/// Does what its habit is until the gateway closes it.
async fn waste(mut stream: TcpStream, habit: Habit, head: &str) -> anyhow::Result<Ended> {
    let began = Instant::now();
    let (at_once, drops) = match habit {
        Habit::Silent => ("", ""),
        Habit::Idle => ("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n", ""),
        Habit::DripsHead => ("", head),
        Habit::DripsBody => (head, "{\"events\":["),
    };
    stream.write_all(at_once.as_bytes()).await?;
    let (mut reader, mut writer) = stream.into_split();
    let drip = async {
        for drop in drops.as_bytes().iter().copied().chain(std::iter::repeat(b' ')) {
            // An empty habit drips nothing; who is closed already can't.
            if drops.is_empty() || writer.write_all(&[drop]).await.is_err() {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    tokio::select! {
        // A reset is an end, too.
        _ = reader.read_to_end(&mut answer) => {}
        () = drip => {}
    }
    let told = String::from_utf8_lossy(&answer).split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Ended { habit, after: began.elapsed(), told })
}

/// Sends batches from another address until it is told to stop; how many, and the slowest.
async fn serve(
    client: anyhow::Result<Client>,
    address: SocketAddr,
    number: u64,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<(u64, Duration)> {
    let client = client?;
    let (mut requests, mut slowest) = (0, Duration::ZERO);
    let url = format!("http://{address}/v1/batch");
    for seed in (number * 1_000_000).. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let events: Vec<Value> = schemas::testing::session(seed, Style::CLIENT).into_iter().take(50).collect();
        let began = Instant::now();
        let (status, answer) = client.post(&url, &serde_json::json!({ "events": events })).await?;
        ensure!(status == 202, "{status} {}: {}", answer["code"], answer["detail"]);
        slowest = slowest.max(began.elapsed());
        requests += 1;
        sleep(Duration::from_millis(50)).await;
    }
    Ok((requests, slowest))
}

/// The most connections that were open at once, by the gateway's own word, and the memory that it held then.
async fn peak(world: &Gateways, number: usize) -> anyhow::Result<(f64, u64)> {
    let (mut most, mut memory) = (0.0, 0);
    let began = Instant::now();
    while most < 10_000.0 && began.elapsed() < CLOSED_BY {
        let open = world.metric(number, "playledger_gateway_connections ").await?;
        if open > most {
            (most, memory) = (open, world.gateway(number).process()?.resident_bytes()?);
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok((most, memory))
}
