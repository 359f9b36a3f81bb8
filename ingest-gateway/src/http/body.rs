//! Takes a request's body in: in time, within its bounds, decoded.

use std::fmt::Display;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use tokio::time::{Instant, timeout_at};

use super::asked::Asked;
use super::rest::Lent;
use crate::decode::{DecodeError, decode};
use crate::intake::{MAX_BYTES, encoding};
use crate::limits::meter::Meter;
use crate::problem::{Code, Problem};

/// A piece of a body that is smaller is copied.
const MIN_PIECE: usize = 4 << 10;

/// Reads and decodes a body.
///
/// # Errors
/// 408, 413, 415, or 400 where it is not of its encoding or ends early.
pub(super) async fn read(asked: &mut Asked<'_>) -> Result<Bytes, Problem> {
    let (gateway, headers) = (asked.gateway, &asked.head.headers);
    let encoding = encoding(headers)?;
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > MAX_BYTES as u64) {
        return Err(too_large("the body"));
    }
    let encoded = collect(asked.body, asked.meter, gateway.body_timeout).await?;
    let encoded_len = encoded.len();
    let decoded = decode(encoding, encoded, MAX_BYTES).await.map_err(|error| match error {
        DecodeError::TooLarge => too_large("the decoded body"),
        DecodeError::Malformed(words) => {
            tracing::debug!(?encoding, error = words, "a body is not of its encoding");
            Problem::new(Code::MalformedBody, "the body is not of the encoding that Content-Encoding names, or is torn")
        }
    })?;
    gateway.measured.body(encoded_len, decoded.len());
    Ok(decoded)
}

/// The bytes, counted as they arrive.
async fn collect(body: &mut Lent, meter: &Meter, time: Duration) -> Result<Bytes, Problem> {
    let deadline = Instant::now() + time;
    // Most bodies come in one piece, which need not be copied.
    let (mut first, mut whole) = (Bytes::new(), BytesMut::new());
    // Told of its end beforehand, one need not wait for it.
    while !body.is_over() {
        let Some(piece) = timeout_at(deadline, body.piece()).await.map_err(|_| late(time))? else { break };
        let data = piece.map_err(torn)?;
        if data.is_empty() {
            continue;
        }
        // The guard sees what went over, and says so; here it is a body that ends early.
        meter.hold(data.len()).map_err(|problem| torn(problem.detail))?;
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
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

fn late(time: Duration) -> Problem {
    Problem::new(Code::RequestTimeout, format!("the body did not arrive within {} s", time.as_secs_f64()))
}

fn torn(error: impl Display) -> Problem {
    tracing::debug!(%error, "a body ended early");
    Problem::new(Code::MalformedBody, "the body ended before its end")
}

fn too_large(what: &str) -> Problem {
    Problem::new(Code::TooLarge, format!("{what} is larger than {MAX_BYTES} bytes: send smaller batches"))
}
