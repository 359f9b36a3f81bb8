//! The book that clients keep of what they sent and were told.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use serde_json::Value;
use uuid::Uuid;

/// One request and its answer.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The gateway's URL.
    pub gateway: String,
    /// When it was sent.
    pub began: Instant,
    /// When its answer was there, or it was given up.
    pub ended: Instant,
    /// Events in it.
    pub events: u64,
    /// What came back; none where the connection broke or could not be made.
    pub answer: Option<Answer>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its header Retry-After, in seconds.
    pub retry_after: Option<u64>,
    /// Its body.
    pub body: Value,
}

/// All requests of a test's clients.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// In the order of their ends.
    pub attempts: Vec<Attempt>,
    /// Every event that was sent, once or often.
    pub sent: BTreeSet<Uuid>,
    /// Every event that a 202 speaks of.
    pub acknowledged: BTreeSet<Uuid>,
}

impl Attempt {
    /// The status; none where there was no answer.
    pub fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.status)
    }

    /// The code of the problem; empty where there is none.
    pub fn code(&self) -> &str {
        self.answer.as_ref().and_then(|answer| answer.body["code"].as_str()).unwrap_or_default()
    }

    /// A count in the answer: `accepted`, `duplicates` …
    pub fn count(&self, name: &str) -> u64 {
        self.answer.as_ref().and_then(|answer| answer.body[name].as_u64()).unwrap_or_default()
    }

    /// How long it took.
    pub fn took(&self) -> Duration {
        self.ended - self.began
    }

    /// In one word or two.
    pub fn words(&self) -> String {
        match self.status() {
            None => "no answer".to_owned(),
            Some(status) if self.code().is_empty() => status.to_string(),
            Some(status) => format!("{status} {}", self.code()),
        }
    }
}

impl Book {
    /// Enters a request with these events.
    pub fn enter(&mut self, attempt: Attempt, events: &[Value]) {
        let ids: Vec<Uuid> = events.iter().filter_map(|event| event["event_id"].as_str()?.parse().ok()).collect();
        if attempt.status() == Some(202) {
            self.acknowledged.extend(&ids);
        }
        self.sent.extend(ids);
        self.attempts.push(attempt);
    }

    /// How many requests were answered like this.
    pub fn answered(&self, status: u16) -> usize {
        self.attempts.iter().filter(|attempt| attempt.status() == Some(status)).count()
    }

    /// A count of all 202s together.
    pub fn counted(&self, name: &str) -> u64 {
        self.attempts.iter().map(|attempt| attempt.count(name)).sum()
    }
}

/// One line: events, requests, how they were answered.
impl fmt::Display for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut answers = BTreeMap::<String, usize>::new();
        for attempt in &self.attempts {
            *answers.entry(attempt.words()).or_default() += 1;
        }
        let (sent, acknowledged) = (self.sent.len(), self.acknowledged.len());
        write!(f, "{sent} events sent, {acknowledged} acknowledged, in {} requests: {answers:?}", self.attempts.len())
    }
}
