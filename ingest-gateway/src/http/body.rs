//! Takes a request's body in: in time, within its bounds, decoded.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use crate::credentials::Credential;
use crate::decode::{DecodeError, Encoding, decode};
use crate::metrics;
use crate::problem::{Code, Problem};
use crate::submission::Media;

/// The largest body, as it comes and decoded.
pub(crate) const MAX_BYTES: usize = 2 << 20;

/// What a body holds, by its content type. From whoever has a publishable key, plain text is taken for JSON:
/// it is all that a browser's `sendBeacon` sends to another origin without asking.
///
/// # Errors
/// A type or character set that is not understood.
pub(super) fn media(headers: &HeaderMap, credential: &Credential) -> Result<Media, Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(Media::Json) };
    let unsupported = || {
        let detail = "send `Content-Type: application/json`, or `application/cloudevents-batch+json`, in UTF-8";
        Problem::new(Code::UnsupportedMediaType, detail)
    };
    let text = value.to_str().map_err(|_| unsupported())?;
    let mut parts = text.split(';').map(str::trim);
    let media = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "application/json" => Media::Json,
        "text/plain" if credential.publishable => Media::Json,
        "application/cloudevents-batch+json" => Media::CloudEvents,
        _ => return Err(unsupported()),
    };
    let charset =
        parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let utf8 = |name: &str| ["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known));
    if charset.is_some_and(|(_, name)| !utf8(name.trim().trim_matches('"'))) { Err(unsupported()) } else { Ok(media) }
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
    let mut whole = BytesMut::new();
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
            return Ok(whole.freeze());
        };
        let Ok(data) = frame.map_err(torn)?.into_data() else { continue };
        if whole.len() + data.len() > MAX_BYTES {
            return Err(too_large("the body"));
        }
        whole.extend_from_slice(&data);
    }
}

fn too_large(what: &str) -> Problem {
    Problem::new(Code::TooLarge, format!("{what} is larger than {MAX_BYTES} bytes: send smaller batches"))
}
