//! A client of the gateway: one request with its retries, and what became of it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use async_compression::tokio::write::GzipEncoder;
use rand::Rng as _;
use reqwest::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;

/// Bodies from this size on are compressed.
const WORTH_COMPRESSING: usize = 1024;
/// Back-off begins here, doubles, and ends there.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// A server that asks for a longer wait than this is asked again sooner.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// A gateway, and the key to it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gateway {
    http: reqwest::Client,
    url: String,
    key: String,
}

/// What became of a request that was answered for good.
#[derive(Debug)]
pub enum Answer {
    /// Every event was judged.
    Judged(Judgement),
    /// The request as a whole was refused: nothing of it was kept.
    Refused(Problem),
}

/// The gateway's judgement of the events of a request.
#[derive(Debug, Default, Deserialize)]
pub struct Judgement {
    /// How many it keeps.
    #[serde(default)]
    pub accepted: u64,
    /// How many it had already.
    #[serde(default)]
    pub duplicates: u64,
    /// How many bear an id that it knows with another body.
    #[serde(default)]
    pub conflicts: u64,
    /// How many break a rule.
    #[serde(default)]
    pub rejected: u64,
    /// What is not plainly accepted.
    #[serde(default)]
    pub results: Vec<Verdict>,
}

/// The gateway's word on one event.
#[derive(Debug, Deserialize)]
pub struct Verdict {
    /// Its place in the request.
    #[serde(default)]
    pub index: usize,
    /// Its id, where it had a sound one.
    pub event_id: Option<String>,
    /// `duplicate`, `conflict` or `rejected`.
    pub status: String,
    /// Why.
    pub code: Option<String>,
    /// What is wrong with which field.
    #[serde(default)]
    pub errors: Vec<schemas::FieldError>,
}

/// A refusal of a whole request (RFC 9457).
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// The kind of refusal.
    #[serde(default)]
    pub code: String,
    /// What is wrong, in words.
    #[serde(default)]
    pub detail: String,
}

/// Why a request was given up: it was not answered for good in time.
#[derive(Debug)]
pub struct GivenUp {
    /// The last thing that was heard.
    pub why: String,
}

/// One try.
enum Try {
    Done(Answer),
    Again { after: Option<Duration>, why: String },
}

impl Gateway {
    /// A client of the gateway at `url` with an API key.
    ///
    /// # Errors
    /// A sentence, when the URL is none.
    pub fn new(url: &str, key: &str) -> anyhow::Result<Self> {
        let parsed = reqwest::Url::parse(url)
            .ok()
            .filter(|parsed| matches!(parsed.scheme(), "http" | "https"))
            .with_context(|| format!("--gateway {url}: is no URL such as http://127.0.0.1:8080"))?;
        let mut builder = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .connect_timeout(Duration::from_secs(5))
            .user_agent(concat!("playledger/", env!("CARGO_PKG_VERSION")));
        let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback()) {
            // A proxy of the environment knows another machine by this name.
            builder = builder.no_proxy();
        }
        Ok(Self {
            http: builder.build().context("making the HTTP client")?,
            url: url.trim_end_matches('/').to_owned(),
            key: key.to_owned(),
        })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the key may do.
    ///
    /// # Errors
    /// A sentence: nobody answers there, or the key is refused.
    pub async fn scopes(&self) -> anyhow::Result<Vec<String>> {
        #[derive(Deserialize)]
        struct WhoAmI {
            #[serde(default)]
            scopes: Vec<String>,
        }
        let request =
            self.http.get(format!("{}/v1/whoami", self.url)).header(AUTHORIZATION, format!("Bearer {}", self.key));
        let response = request.send().await.with_context(|| {
            format!("{}: no gateway answers there: start one (`playledger up`), or name it with --gateway", self.url)
        })?;
        let status = response.status();
        if !status.is_success() {
            let problem = problem(status.as_u16(), &response.bytes().await.unwrap_or_default());
            bail!("{}: the gateway refuses the key: {} ({})", self.url, problem.detail, status.as_u16());
        }
        let said: WhoAmI = response.json().await.context("reading the gateway's answer")?;
        Ok(said.scopes)
    }

    /// Posts a body until it is answered for good or `give_up` resolves.
    ///
    /// A try that failed without an answer may have been kept all the same: it is made again with
    /// the same bytes, which the gateway and the worker know as the same events.
    ///
    /// # Errors
    /// [`GivenUp`], with what was heard last.
    pub async fn post(&self, path: &str, body: &str, give_up: impl Future<Output = ()>) -> Result<Answer, GivenUp> {
        let (packed, encoding) = pack(body).await;
        let mut why = "it was not answered in time".to_owned();
        let tries = async {
            let mut back_off = BACK_OFF.0;
            loop {
                match self.try_once(path, packed.clone(), encoding).await {
                    Try::Done(answer) => return answer,
                    Try::Again { after, why: heard } => {
                        tracing::debug!(%heard, "asking the gateway again");
                        why = heard;
                        // Spread, so that many clients do not come back at once.
                        let spread = back_off.mul_f64(rand::rng().random_range(0.5..1.0));
                        tokio::time::sleep(spread.max(after.unwrap_or_default().min(LONGEST_WAIT))).await;
                        back_off = (back_off * 2).min(BACK_OFF.1);
                    }
                }
            }
        };
        let answer = tokio::select! {
            biased;
            answer = tries => Some(answer),
            () = give_up => None,
        };
        answer.ok_or(GivenUp { why })
    }

    async fn try_once(&self, path: &str, body: bytes::Bytes, encoding: Option<&'static str>) -> Try {
        let mut request = self
            .http
            .post(format!("{}{path}", self.url))
            .header(AUTHORIZATION, format!("Bearer {}", self.key))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        if let Some(encoding) = encoding {
            request = request.header(CONTENT_ENCODING, encoding);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Try::Again { after: None, why: format!("{:#}", anyhow::Error::from(error)) },
        };
        let status = response.status().as_u16();
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let after = after.map(Duration::from_secs);
        let body = match response.bytes().await {
            Ok(body) => body,
            Err(error) => return Try::Again { after, why: format!("{:#}", anyhow::Error::from(error)) },
        };
        judge(status, after, &body)
    }
}

/// What an answer means for the caller.
fn judge(status: u16, after: Option<Duration>, body: &[u8]) -> Try {
    match status {
        202 | 207 => match serde_json::from_slice(body) {
            Ok(judgement) => Try::Done(Answer::Judged(judgement)),
            Err(error) => Try::Again { after, why: format!("an answer {status} that can't be read: {error}") },
        },
        // Every event refused: the problem holds the same results. Without them it is a refusal of the whole.
        422 => match serde_json::from_slice::<Judgement>(body) {
            Ok(judgement) if !judgement.results.is_empty() => Try::Done(Answer::Judged(judgement)),
            _ => Try::Done(Answer::Refused(problem(status, body))),
        },
        408 | 425 | 429 | 500 | 502..=504 => {
            let problem = problem(status, body);
            Try::Again { after, why: format!("{status} {}: {}", problem.code, problem.detail) }
        }
        _ => Try::Done(Answer::Refused(problem(status, body))),
    }
}

fn problem(status: u16, body: &[u8]) -> Problem {
    let mut problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    problem.status = status;
    if problem.code.is_empty() {
        problem.code = format!("http_{status}");
    }
    if problem.detail.is_empty() {
        problem.detail = String::from_utf8_lossy(body).chars().take(200).collect();
    }
    problem
}

/// The body as it goes over the wire.
async fn pack(body: &str) -> (bytes::Bytes, Option<&'static str>) {
    if body.len() >= WORTH_COMPRESSING {
        let mut encoder = GzipEncoder::new(Vec::with_capacity(body.len() / 4));
        if encoder.write_all(body.as_bytes()).await.is_ok() && encoder.shutdown().await.is_ok() {
            return (encoder.into_inner().into(), Some("gzip"));
        }
    }
    (bytes::Bytes::copy_from_slice(body.as_bytes()), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_by_what_the_client_has_to_do() {
        let judged =
            br#"{"accepted":1,"duplicates":0,"conflicts":0,"rejected":1,"results":[{"index":1,"status":"rejected"}]}"#;
        assert!(matches!(judge(207, None, judged), Try::Done(Answer::Judged(j)) if j.results[0].index == 1));
        assert!(matches!(judge(422, None, judged), Try::Done(Answer::Judged(_))));
        let refused = br#"{"code":"malformed_json","detail":"x"}"#;
        assert!(matches!(judge(400, None, refused), Try::Done(Answer::Refused(p)) if p.code == "malformed_json"));
        assert!(matches!(judge(422, None, refused), Try::Done(Answer::Refused(_))));
        let wait = Some(Duration::from_secs(3));
        assert!(matches!(judge(503, wait, b""), Try::Again { after, .. } if after == wait));
        assert!(matches!(judge(429, None, b"<html>"), Try::Again { .. }));
        // A proxy's page under a good status says nothing about the events.
        assert!(matches!(judge(202, None, b"<html>"), Try::Again { .. }));
    }

    #[tokio::test]
    async fn a_body_is_compressed_where_it_pays() {
        assert_eq!(pack("{}").await.1, None);
        let body = "x".repeat(10_000);
        let (packed, encoding) = pack(&body).await;
        assert_eq!(encoding, Some("gzip"));
        assert!(packed.len() < 200 && packed.starts_with(&[0x1f, 0x8b]));
    }

    #[test]
    fn what_is_no_url_is_refused_in_words() {
        let said = Gateway::new("127.0.0.1:8080", "k").unwrap_err().to_string();
        assert!(said.contains("--gateway"), "{said}");
    }
}
