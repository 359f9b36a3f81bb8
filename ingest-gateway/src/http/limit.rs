//! What a request is held to before anything of it is looked into: its address's limit, and the work there
//! is already. Tells every answer how much is left.

use std::net::IpAddr;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, Method};

use super::account::Account;
use super::answer::{self, Response};
use super::asked::Asked;
use super::calls::Call;
use super::dispatch::dispatch;
use crate::intake::MAX_BYTES;
use crate::limits::load::Full;
use crate::limits::meter::Meter;
use crate::metrics;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// Holds a request of a peer to the limits that need no credential.
pub(super) async fn guard(account: &mut Account<'_>, peer: IpAddr) -> Response {
    let Account { gateway, head, body, call, request_id, traceparent, noted, .. } = account;
    let limits = &gateway.limits;
    let mut meter = Meter::new(limits.client(peer, &head.headers), None);
    let is_limited = call.is_none_or(Call::is_limited);
    if is_limited {
        if let Err(refusal) = limits.arrives(&meter) {
            return told(answer::failed(refusal.into()), &meter);
        }
        if head.method == Method::POST && head.uri.path().starts_with("/v1/") {
            match limits.load.enter(length(&head.headers)) {
                Ok(place) => meter = meter.with_place(place),
                Err(full) => return overloaded(full),
            }
        }
    }
    let mut asked = Asked { gateway, call: *call, head, request_id, traceparent, meter: &meter, noted, body };
    let response = dispatch(&mut asked).await;
    // Whoever read the body only saw that it ended early.
    if meter.has_overflowed() {
        return overloaded(Full::Bytes);
    }
    told(response, &meter)
}

fn overloaded(full: Full) -> Response {
    metrics::refused(full.as_str(), "none");
    answer::failed(full.into())
}

/// What a body says of its length; one that is refused for it anyway is not waited for.
fn length(headers: &HeaderMap) -> usize {
    let told = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    told.filter(|length| *length <= MAX_BYTES).unwrap_or(0)
}

fn told(mut response: Response, meter: &Meter) -> Response {
    if let Some(standing) = meter.tightest() {
        let fields = [(POLICY, standing.policy()), (STANDING, standing.told())];
        for (name, value) in fields {
            response.headers_mut().extend(value.map(|value| (name, value)));
        }
    }
    response
}
