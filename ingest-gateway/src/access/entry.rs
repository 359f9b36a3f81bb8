//! A request's line. What is in it is bounded and tells of nobody: no path, no query, no header but the request's own
//! id, no address, no player.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Version};
use schemas::Timestamp;
use serde::{Serialize, Serializer};

use super::Noted;
use crate::outcomes::Counts;

/// What is told of a request.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    /// When it was answered.
    pub(crate) time: Timestamp,
    /// Tells these lines apart from others in one stream.
    pub(crate) target: Target,
    pub(crate) request_id: Arc<str>,
    #[serde(serialize_with = "method")]
    pub(crate) method: Method,
    /// Its pattern, or `none`.
    pub(crate) route: &'static str,
    /// 499 where the client went before it was answered.
    pub(crate) status: u16,
    /// Of a problem.
    pub(crate) code: Option<&'static str>,
    /// Of the body, as it came.
    pub(crate) bytes_in: u64,
    /// Of the answer's body.
    pub(crate) bytes_out: u64,
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    pub(crate) duration: Duration,
    #[serde(flatten)]
    pub(crate) noted: Told,
    #[serde(serialize_with = "protocol")]
    pub(crate) protocol: Version,
    pub(crate) trace_id: String,
    /// The chance that a line like this one had to be written: it stands for one divided by this many.
    pub(crate) sample_rate: f64,
}

/// The one target that there is.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) enum Target {
    #[serde(rename = "access")]
    Access,
}

/// What its handlers noted.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Told {
    /// Of the credential; never the secret.
    key_id: Option<String>,
    tenant: Option<String>,
    game: Option<String>,
    /// How many events had which outcome.
    #[serde(serialize_with = "counts")]
    events: Counts,
}

impl Told {
    pub(crate) fn of(noted: &Noted) -> Self {
        let credential = noted.credential();
        Self {
            key_id: credential.map(|credential| credential.id.clone()),
            tenant: credential.map(|credential| credential.tenant.as_str().to_owned()),
            game: noted.game().map(|game| game.as_str().to_owned()),
            events: noted.counts(),
        }
    }
}

impl Entry {
    pub(super) fn sampled_at(self, rate: f64) -> Self {
        Self { sample_rate: rate, ..self }
    }
}

/// A method may be any word at all, a secret too.
fn method<S: Serializer>(method: &Method, serializer: S) -> Result<S::Ok, S::Error> {
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::TRACE,
        Method::CONNECT,
    ];
    serializer.serialize_str(known.iter().find(|known| *known == method).map_or("other", Method::as_str))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn protocol<S: Serializer>(version: &Version, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match *version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    })
}

fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let micros = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    serializer.serialize_f64(f64::from(micros) / 1_000.0)
}

fn counts<S: Serializer>(counts: &Counts, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().map(|(fate, count)| (fate.as_str(), count)))
}
