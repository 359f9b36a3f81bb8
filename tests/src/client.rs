//! A client that sends until it is told, and keeps book of what it was told.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// How often a request is sent again before the test gives up: 60 s of a gateway that is away.
const ATTEMPTS: u32 = 300;

/// A game's HTTP client.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    key: String,
}

/// What became of the events of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Accepted for the first time.
    pub accepted: u64,
    /// Known already.
    pub duplicates: u64,
    /// Same id, other body.
    pub conflicts: u64,
    /// Refused.
    pub rejected: u64,
    /// How often the request was sent.
    pub sent: u32,
}

impl Client {
    /// A client with this key.
    pub fn new(key: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        Ok(Self { http, key: key.to_owned() })
    }

    /// Posts JSON once; status and body, whatever they are.
    pub async fn post(&self, url: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        let answer = self.http.post(url).bearer_auth(&self.key).json(body).send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await.context("the answer is not JSON")?))
    }

    /// Gets a page; status and text.
    pub async fn get(&self, url: &str) -> anyhow::Result<(u16, String)> {
        let answer = self.http.get(url).bearer_auth(&self.key).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// Sends a batch until it is answered with a 2xx: again after every 503, 429, broken
    /// connection or time-out, as games do. `gateway` is asked before each attempt, because a
    /// gateway that was killed may come back elsewhere.
    pub async fn deliver(&self, gateway: impl Fn() -> String, events: &[Value]) -> anyhow::Result<Told> {
        let body = json!({ "events": events });
        for sent in 1..=ATTEMPTS {
            match self.post(&format!("{}/v1/batch", gateway()), &body).await {
                Ok((status @ (202 | 207), answer)) => {
                    let count = |name: &str| answer[name].as_u64().with_context(|| format!("{status} without {name}"));
                    return Ok(Told {
                        accepted: count("accepted")?,
                        duplicates: count("duplicates")?,
                        conflicts: count("conflicts")?,
                        rejected: count("rejected")?,
                        sent,
                    });
                }
                Ok((status, answer)) if status != 503 && status != 429 => bail!("{status}: {answer}"),
                Ok(_) | Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
        bail!("no answer after {ATTEMPTS} attempts")
    }
}
