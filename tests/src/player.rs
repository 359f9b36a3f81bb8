//! A client that enters every request into a book, and sends the same events until they are acknowledged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::book::{Answer, Attempt, Book};

/// How often a request is sent again before the test gives up: minutes of gateways that are away.
const ATTEMPTS: usize = 2_000;
/// Before a request is sent again; games wait longer, but a gateway must bear those that do not.
const PAUSE: Duration = Duration::from_millis(100);

/// A client; its clones write into the same book.
#[derive(Clone, Debug)]
pub struct Player {
    http: reqwest::Client,
    key: String,
    /// What it sent and was told.
    pub book: Arc<Mutex<Book>>,
}

impl Player {
    /// A client with this key and an empty book.
    pub fn new(key: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
        Ok(Self { http, key: key.to_owned(), book: Arc::default() })
    }

    /// Sends a batch once.
    pub async fn attempt(&self, gateway: &str, events: &[Value]) -> Attempt {
        let began = Instant::now();
        let answer = self.post(gateway, events).await.ok();
        let (ended, count) = (Instant::now(), events.len() as u64);
        let attempt = Attempt { gateway: gateway.to_owned(), began, ended, events: count, answer };
        self.book.lock().enter(attempt.clone(), events);
        attempt
    }

    /// Sends a batch until it is answered with 202, after every 503 and broken connection again.
    /// `gateway` names the one for each attempt, counted from 0.
    pub async fn deliver(&self, gateway: impl Fn(usize) -> String, events: &[Value]) -> anyhow::Result<Attempt> {
        let attempt = self.answered(gateway, events).await?;
        ensure!(attempt.status() == Some(202), "{attempt:?}");
        Ok(attempt)
    }

    /// Sends a batch until it is answered otherwise than with 503.
    pub async fn told(&self, gateway: &str, events: &[Value]) -> anyhow::Result<Attempt> {
        self.answered(|_| gateway.to_owned(), events).await
    }

    async fn answered(&self, gateway: impl Fn(usize) -> String, events: &[Value]) -> anyhow::Result<Attempt> {
        for number in 0..ATTEMPTS {
            let attempt = self.attempt(&gateway(number), events).await;
            if !matches!(attempt.status(), None | Some(503)) {
                return Ok(attempt);
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("no answer after {ATTEMPTS} attempts")
    }

    async fn post(&self, gateway: &str, events: &[Value]) -> anyhow::Result<Answer> {
        let request = self.http.post(format!("{gateway}/v1/batch")).bearer_auth(&self.key);
        let answer = request.json(&json!({ "events": events })).send().await?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let body = answer.json().await.context("the answer is not JSON")?;
        Ok(Answer { status, retry_after, body })
    }
}
