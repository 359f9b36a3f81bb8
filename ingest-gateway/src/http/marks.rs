//! The marks by which a request is known: its id, and its place in a trace. The caller's where they are sane, else
//! made.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use tracing::Span;
use uuid::Uuid;

use super::calls::{self, Call};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A request's id.
pub(super) fn request_id(headers: &HeaderMap) -> Arc<str> {
    let sane = |id: &&str| {
        let byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        // A key in the wrong header would stand in every log line.
        (1..=64).contains(&id.len()) && id.bytes().all(byte) && !id.starts_with(crate::credentials::PREFIX)
    };
    let told = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok()).filter(sane);
    told.map_or_else(new_request_id, Arc::from)
}

/// What a request's lines stand in.
pub(super) fn span(request_id: &str, call: Option<Call>) -> Span {
    tracing::info_span!("request", %request_id, route = calls::route(call))
}

/// An id for a request that brings none.
pub(super) fn new_request_id() -> Arc<str> {
    let mut id = *b"req_00000000000000000000000000000000";
    hexadecimal(rand::random(), &mut id[4..]);
    text(&id)
}

/// W3C trace context: `00-<32 hexadecimal digits>-<16>-<2>`, with neither id zero.
pub(super) fn traceparent(headers: &HeaderMap) -> Arc<str> {
    let sane = |text: &&str| {
        let mut parts = text.split('-');
        let mut part = |digits: usize| {
            let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            parts.next().filter(|part| part.len() == digits && part.bytes().all(lower_hex))
        };
        let nonzero = |part: &str| part.bytes().any(|byte| byte != b'0');
        let sound = part(2) == Some("00") && part(32).is_some_and(nonzero) && part(16).is_some_and(nonzero);
        sound && part(2).is_some() && parts.next().is_none()
    };
    let told = headers.get(&TRACEPARENT).and_then(|value| value.to_str().ok()).filter(sane);
    told.map_or_else(new_traceparent, Arc::from)
}

fn new_traceparent() -> Arc<str> {
    let mut made = *b"00-00000000000000000000000000000000-0000000000000000-01";
    hexadecimal(rand::random::<u128>().max(1), &mut made[3..35]);
    hexadecimal(rand::random::<u64>().max(1).into(), &mut made[36..52]);
    text(&made)
}

/// Writes the lowest digits of a number, as many as there is room for.
fn hexadecimal(number: u128, digits: &mut [u8]) {
    let mut all = [0; 32];
    Uuid::from_u128(number).simple().encode_lower(&mut all);
    digits.copy_from_slice(&all[32 - digits.len()..]);
}

fn text(ascii: &[u8]) -> Arc<str> {
    String::from_utf8_lossy(ascii).into()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn with(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_replaced() {
        assert_eq!(&*request_id(&with("x-request-id", "A-b_c.9")), "A-b_c.9");
        let key = format!("pl_1f0c5a9be27d_{}", "a".repeat(43));
        for odd in ["", "a b", "a/b", &"a".repeat(65), &key] {
            let made = request_id(&with("x-request-id", odd));
            assert!(made.starts_with("req_") && made.len() == 36, "{odd}");
            assert_eq!(request_id(&with("x-request-id", &made)), made);
        }
    }

    #[test]
    fn a_sane_trace_context_is_kept_and_any_other_replaced() {
        let sane = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(&*traceparent(&with("traceparent", sane)), sane);
        let zero = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        for odd in ["", "00-1-2-3", zero, &format!("{sane}-00"), &sane.to_uppercase()] {
            let made = traceparent(&with("traceparent", odd));
            assert_ne!(&*made, odd);
            assert_eq!(traceparent(&with("traceparent", &made)), made);
        }
    }
}
