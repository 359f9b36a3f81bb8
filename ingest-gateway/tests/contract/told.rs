//! What a gateway told, and events to send.

use eventlog::Record;
use reqwest::Response;
use schemas::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::promised;

/// An answer, read whole.
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Told {
    #[track_caller]
    pub(crate) fn is(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["request_id"].as_str(), self.headers["x-request-id"].to_str().ok());
        assert_eq!(self.body["status"], status);
        assert!(self.body["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{}", self.body);
        self
    }

    #[track_caller]
    pub(crate) fn accepted(self) -> Self {
        assert_eq!(self.status, 202, "{}", self.body);
        self
    }

    /// accepted, duplicates, conflicts, rejected
    pub(crate) fn counts(&self) -> [u64; 4] {
        ["accepted", "duplicates", "conflicts", "rejected"].map(|name| self.body[name].as_u64().unwrap())
    }

    /// Pointer and code of the only fault of the only result.
    #[track_caller]
    pub(crate) fn fault(&self) -> (String, String) {
        let results = self.body["results"].as_array().unwrap();
        assert_eq!(results.len(), 1, "{}", self.body);
        let errors = results[0]["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{}", self.body);
        assert!(errors[0]["message"].as_str().is_some_and(|words| !words.is_empty()));
        (errors[0]["pointer"].as_str().unwrap().to_owned(), errors[0]["code"].as_str().unwrap().to_owned())
    }
}

/// A sound event of a session of its own, now.
pub(crate) fn event() -> Value {
    json!({
        "event_id": Uuid::now_v7(),
        "session_id": Uuid::new_v4(),
        "player_id": "p-1207",
        "seq": 0,
        "event_type": "task.started",
        "timestamp": now(),
        "data": {"task_id": "L07"},
    })
}

/// An event with one member changed; null takes it out.
pub(crate) fn with(member: &str, value: Value) -> Value {
    let mut event = event();
    let members = event.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(member);
    } else {
        members.insert(member.to_owned(), value);
    }
    event
}

/// The time, as a client writes it.
pub(crate) fn now() -> String {
    at(0)
}

/// So many milliseconds from now.
pub(crate) fn at(offset_ms: i64) -> String {
    Timestamp::from_ms(daemon::Clock::system().now_ms() + offset_ms).to_string()
}

pub(crate) fn value(record: &Record) -> Value {
    serde_json::from_slice(record.value.as_ref().unwrap()).unwrap()
}

pub(crate) async fn read(response: Response) -> Told {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let path = response.url().path().to_owned();
    let bytes = response.bytes().await.unwrap();
    promised::hold(&path, status, &headers, &bytes);
    Told { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
}
