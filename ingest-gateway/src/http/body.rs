//! Takes a request's body in: in time, within its bounds, decoded.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use crate::cloudevents::binary;
use crate::credentials::Credential;
use crate::decode::{DecodeError, Encoding, decode};
use crate::metrics;
use crate::problem::{Code, Problem};
use crate::submission::Media;

/// The largest body, as it comes and decoded.
pub(crate) const MAX_BYTES: usize = 2 << 20;

/// A piece of a body that is smaller is copied.
const MIN_PIECE: usize = 4 << 10;

/// What a body holds, by its content type. From whoever has a publishable key, plain text is taken for JSON:
/// it is all that a browser's `sendBeacon` sends to another origin without asking.
///
/// # Errors
/// A type or character set that is not understood.
pub(super) fn media(headers: &HeaderMap, credential: &Credential) -> Result<Media, Problem> {
    match content_type(headers)?.as_deref() {
        None | Some("application/json") => Ok(Media::Json),
        Some("text/plain") if credential.publishable => Ok(Media::Json),
        Some("application/x-ndjson" | "application/ndjson" | "application/jsonl") => Ok(Media::Lines),
        Some("application/cloudevents+json") => Ok(Media::CloudEvent),
        Some("application/cloudevents-batch+json") => Ok(Media::CloudEvents),
        Some(_) => Err(unsupported()),
    }
}

/// Whether the body is the data of a CloudEvent in binary mode: the headers are one's, and the content type names
/// no form of a whole CloudEvent.
///
/// # Errors
/// Data that is no JSON; a character set that is not understood.
pub(super) fn is_data(headers: &HeaderMap) -> Result<bool, Problem> {
    let named = content_type(headers)?.unwrap_or_else(|| "application/json".to_owned());
    if !binary::is(headers) || named.starts_with("application/cloudevents") {
        return Ok(false);
    }
    let is_json = named.ends_with("/json") || named.ends_with("+json");
    is_json.then_some(true).ok_or_else(unsupported)
}

/// The content type in lower case, without its parameters.
fn content_type(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(None) };
    let text = value.to_str().map_err(|_| unsupported())?;
    let mut parts = text.split(';').map(str::trim);
    let named = parts.next().unwrap_or_default().to_ascii_lowercase();
    let charset =
        parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let utf8 = |name: &str| ["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known));
    let readable = charset.is_none_or(|(_, name)| utf8(name.trim().trim_matches('"')));
    readable.then_some(Some(named)).ok_or_else(unsupported)
}

fn unsupported() -> Problem {
    let detail = "send `Content-Type: application/json`, `application/x-ndjson`, `application/cloudevents+json` or \
                  `application/cloudevents-batch+json`, in UTF-8";
    Problem::new(Code::UnsupportedMediaType, detail)
}

/// Reads and decodes a body.
///
/// # Errors
/// 408, 413, 415, or 400 where it is not of its encoding or ends early.
pub(super) async fn read(headers: &HeaderMap, body: Body, time: Duration) -> Result<Bytes, Problem> {
    let encoding = encoding(headers)?;
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > MAX_BYTES as u64) {
        return Err(too_large("the body"));
    }
    let encoded = collect(body, time).await?;
    let encoded_len = encoded.len();
    let decoded = decode(encoding, encoded, MAX_BYTES).await.map_err(|error| match error {
        DecodeError::TooLarge => too_large("the decoded body"),
        DecodeError::Malformed(words) => {
            tracing::debug!(?encoding, error = words, "a body is not of its encoding");
            Problem::new(Code::MalformedBody, "the body is not of the encoding that Content-Encoding names, or is torn")
        }
    })?;
    metrics::body(encoded_len, decoded.len());
    Ok(decoded)
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Problem> {
    let mut named = headers.get_all(CONTENT_ENCODING).iter();
    let encoding = match (named.next(), named.next()) {
        (None, _) => Some(Encoding::Identity),
        (Some(value), None) => value.to_str().ok().and_then(Encoding::named),
        (Some(_), Some(_)) => None,
    };
    let detail = "send the body plain, or encoded once as gzip, deflate, br or zstd";
    encoding.ok_or_else(|| Problem::new(Code::UnsupportedEncoding, detail))
}

async fn collect(mut body: Body, time: Duration) -> Result<Bytes, Problem> {
    let deadline = Instant::now() + time;
    // Most bodies come in one piece, which need not be copied.
    let (mut first, mut whole) = (Bytes::new(), BytesMut::new());
    loop {
        let late = |_| {
            let detail = format!("the body did not arrive within {} s", time.as_secs_f64());
            Problem::new(Code::RequestTimeout, detail)
        };
        let torn = |error| {
            tracing::debug!(%error, "a body ended early");
            Problem::new(Code::MalformedBody, "the body ended before its end")
        };
        let Some(frame) = timeout_at(deadline, body.frame()).await.map_err(late)? else {
            return Ok(if whole.is_empty() { first } else { whole.freeze() });
        };
        let Ok(data) = frame.map_err(torn)?.into_data() else { continue };
        if first.len().max(whole.len()) + data.len() > MAX_BYTES {
            return Err(too_large("the body"));
        }
        if first.is_empty() {
            // A piece keeps the buffer that it was read into: not worth it for a few bytes.
            first = if data.len() < MIN_PIECE { Bytes::copy_from_slice(&data) } else { data };
            continue;
        }
        if whole.is_empty() {
            whole.extend_from_slice(&first);
        }
        whole.extend_from_slice(&data);
    }
}

fn too_large(what: &str) -> Problem {
    Problem::new(Code::TooLarge, format!("{what} is larger than {MAX_BYTES} bytes: send smaller batches"))
}
