//! Sends ready-made requests over kept connections, as cheaply as it can, and times the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// Each connection sends the next when it has the answer to the last.
    AnswerByAnswer,
    /// So many a second, each at its own time, whatever became of those before it: an answer's time counts
    /// from when its request should have gone out.
    Open(f64),
}

/// What came of a load.
#[derive(Debug)]
pub(super) struct Sent {
    /// From the first request to the last answer.
    pub(super) took: Duration,
    /// Time to each answer, in µs.
    pub(super) answers: Histogram<u64>,
}

/// Sends every request once over `connections` connections that are shared out among the addresses.
///
/// # Errors
/// When a connection fails or an answer is not a plain 202.
pub(super) async fn send(
    addresses: &[String],
    connections: usize,
    requests: Vec<Bytes>,
    pace: Pace,
) -> anyhow::Result<Sent> {
    let mut streams = Vec::with_capacity(connections);
    for number in 0..connections {
        let stream = TcpStream::connect(&addresses[number % addresses.len()]).await?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for stream in streams {
        let connection = Connection { stream, read: Vec::with_capacity(4096) };
        tasks.spawn(connection.run(Arc::clone(&requests), Arc::clone(&next), pace, began));
    }
    let mut answers = Histogram::new(3)?;
    while let Some(done) = tasks.join_next().await {
        answers.add(done??)?;
    }
    Ok(Sent { took: began.elapsed(), answers })
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    async fn run(
        mut self,
        requests: Arc<Vec<Bytes>>,
        next: Arc<AtomicUsize>,
        pace: Pace,
        began: Instant,
    ) -> anyhow::Result<Histogram<u64>> {
        let mut answers = Histogram::new(3)?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = requests.get(number) else { return Ok(answers) };
            let due = match pace {
                Pace::AnswerByAnswer => Instant::now(),
                Pace::Open(rate) => {
                    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
                    let due = began + Duration::from_secs_f64(number as f64 / rate);
                    tokio::time::sleep_until(due.into()).await;
                    due
                }
            };
            self.stream.write_all(request).await?;
            self.answer().await?;
            answers.record(u64::try_from(due.elapsed().as_micros())?)?;
        }
    }

    /// Reads one answer.
    async fn answer(&mut self) -> anyhow::Result<()> {
        self.read.clear();
        loop {
            let count = self.stream.read_buf(&mut self.read).await?;
            ensure!(count > 0, "the gateway closed a connection");
            let Some(head) = self.read.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
            let text = std::str::from_utf8(&self.read[..head])?;
            let length: usize = text
                .lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .context("an answer without a length")?
                .1
                .parse()?;
            if self.read.len() >= head + 4 + length {
                let all = String::from_utf8_lossy(&self.read);
                ensure!(text.starts_with("HTTP/1.1 202"), "not all was accepted: {all}");
                ensure!(all.contains(r#""duplicates":0"#), "something was known already: {all}");
                return Ok(());
            }
        }
    }
}
