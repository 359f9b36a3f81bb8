//! Sends requests to a gateway over several connections, and measures its answers.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use hdrhistogram::Histogram;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use serde::Deserialize;

use crate::load::Batch;

/// A gateway that does not take a request for so long is given up.
const PATIENCE: Duration = Duration::from_mins(1);

/// A gateway and a key for it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateway {
    client: reqwest::Client,
    url: String,
    key: String,
}

/// What came of a load.
#[derive(Debug)]
pub struct Sent {
    /// Events that were accepted.
    pub events: u64,
    /// From the first request to the last answer.
    pub took: Duration,
    /// Time from a request to its answer, in µs.
    pub answers: Histogram<u64>,
    /// Requests that were told to come again.
    pub again: u64,
}

#[derive(Deserialize)]
struct Answer {
    accepted: u64,
    duplicates: u64,
    conflicts: u64,
    rejected: u64,
}

impl Gateway {
    /// The gateway at an address, with a key.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(address: &str, key: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { client, url: format!("http://{address}/v1/batch"), key: format!("Bearer {key}") })
    }

    /// Sends every stream over a connection of its own, one request after the other.
    ///
    /// # Errors
    /// When an event is refused, or the gateway does not take a request for long.
    pub async fn send(&self, streams: Vec<Vec<Batch>>) -> anyhow::Result<Sent> {
        let began = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for stream in streams {
            let gateway = self.clone();
            tasks.spawn(async move { gateway.stream(stream).await });
        }
        let mut sum = Sent { events: 0, took: Duration::ZERO, answers: Histogram::new(3)?, again: 0 };
        while let Some(done) = tasks.join_next().await {
            let part = done??;
            sum.events += part.events;
            sum.again += part.again;
            sum.answers.add(part.answers)?;
        }
        sum.took = began.elapsed();
        Ok(sum)
    }

    /// Sends one request, again where it is told to.
    ///
    /// # Errors
    /// As [`Gateway::send`].
    pub async fn post(&self, batch: &Batch) -> anyhow::Result<u64> {
        let began = Instant::now();
        for again in 0.. {
            if self.try_post(batch.body.clone(), batch.events).await? {
                return Ok(again);
            }
            ensure!(began.elapsed() < PATIENCE, "the gateway has refused a request for {PATIENCE:?}");
        }
        Ok(0)
    }

    async fn stream(&self, stream: Vec<Batch>) -> anyhow::Result<Sent> {
        let mut sent = Sent { events: 0, took: Duration::ZERO, answers: Histogram::new(3)?, again: 0 };
        for batch in stream {
            let began = Instant::now();
            sent.again += self.post(&batch).await?;
            sent.answers.record(u64::try_from(began.elapsed().as_micros())?)?;
            sent.events += batch.events as u64;
        }
        Ok(sent)
    }

    /// Whether the gateway took it; if not, it has been waited for as long as it said.
    async fn try_post(&self, body: Bytes, events: usize) -> anyhow::Result<bool> {
        let request = self.client.post(&self.url).header(AUTHORIZATION, &self.key);
        let response = request.header(CONTENT_TYPE, "application/json").body(body).send().await?;
        let status = response.status();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            tokio::time::sleep(Duration::from_secs(after.unwrap_or(1))).await;
            return Ok(false);
        }
        let text = response.text().await?;
        if !status.is_success() {
            bail!("the gateway answered {status}: {text}");
        }
        let answer: Answer = serde_json::from_str(&text).with_context(|| text.clone())?;
        let kept = answer.accepted + answer.duplicates;
        ensure!(kept == events as u64 && answer.conflicts + answer.rejected == 0, "not all was accepted: {text}");
        Ok(true)
    }
}
