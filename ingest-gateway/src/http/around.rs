//! What stands around every request: its id, its trace, its place among the work to be drained,
//! its log line, and the one form in which failures are told.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_TYPE, EXPECT, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use tracing::Instrument as _;
use uuid::Uuid;

use super::calls::Call;
use super::rest;
use crate::gateway::Gateway;
use crate::metrics;
use crate::problem::{Code, Problem};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: &str = "traceparent";

/// A request's id: the caller's if it is sane, else made.
#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) Arc<str>);

/// W3C trace context: the caller's if it is sane, else made.
#[derive(Clone, Debug)]
pub(super) struct TraceParent(pub(super) Arc<str>);

/// Carries a request through.
pub(super) async fn request(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let waits = request.headers().contains_key(EXPECT);
    let (head, body) = request.into_parts();
    let (body, rest) = rest::lend(body);
    let mut request = Request::from_parts(head, body);
    let id: Arc<str> = request_id(request.headers()).into();
    let route = route(request.extensions().get::<MatchedPath>());
    let (method, version) = (request.method().clone(), request.version());
    request.extensions_mut().insert(RequestId(Arc::clone(&id)));
    let trace = TraceParent(traceparent(request.headers()).into());
    request.extensions_mut().insert(trace);
    let span = tracing::info_span!("request", request_id = %id, route);
    let _open = metrics::Open::request();
    // Before the look at the drain, which waits for it: so no request falls between the two.
    let work = gateway.work.token();
    let crossing = route.starts_with("/v1/").then(|| gateway.origins.crossing(&method, request.headers()));
    let mut response = if crossing.as_ref().is_some_and(|crossing| crossing.is_question) {
        drop(work);
        StatusCode::NO_CONTENT.into_response()
    } else if gateway.is_draining() && is_work(route, &method) {
        drop(work);
        let detail = "this gateway is shutting down; send the same events again, another one takes them";
        Problem::new(Code::ShuttingDown, detail).into_response()
    } else {
        let response = next.run(request).instrument(span.clone()).await;
        drop(work);
        response
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        // Who sends too slowly has been waited for already.
        if problem.code != Code::RequestTimeout {
            rest.discard(waits).await;
        }
        tell(&problem, &id, &mut response);
    }
    if let Some(crossing) = &crossing {
        gateway.origins.mark(crossing, response.headers_mut());
    }
    if gateway.is_draining() && version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let (status, took) = (response.status().as_u16(), began.elapsed());
    metrics::answered(route, status, took);
    span.in_scope(|| {
        let ms = took.as_millis();
        // Why a 503 was given has been told where it came from; in an outage every request gets one.
        if status == 500 {
            tracing::error!(%method, status, ms, "answered");
        } else {
            tracing::debug!(%method, status, ms, "answered");
        }
    });
    response
}

/// The response to a panic: nothing of the inside leaks.
#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
pub(super) fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response {
    let words = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
    tracing::error!(cause = words.unwrap_or("not in words"), "a request's handler panicked");
    Problem::internal().into_response()
}

impl IntoResponse for Problem {
    /// An empty response that carries the problem; [`request`] knows the id and writes it out.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

fn tell(problem: &Problem, id: &str, response: &mut Response) {
    let headers = response.headers_mut();
    headers.remove(http::header::CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = problem.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.code.status() == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"playledger\""));
    }
    *response.body_mut() = problem.to_json(id).into();
}

/// Calls that bring events: a gateway that drains takes no more of them.
fn is_work(route: &str, method: &Method) -> bool {
    *method == Method::POST && route.starts_with("/v1/")
}

/// The route's pattern: a bounded set of words, whatever paths are asked for.
fn route(matched: Option<&MatchedPath>) -> &'static str {
    let matched = matched.map(MatchedPath::as_str);
    Call::ALL.into_iter().map(Call::path).find(|route| matched == Some(*route)).unwrap_or("none")
}

fn request_id(headers: &HeaderMap) -> String {
    let sane = |id: &&str| {
        let byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        (1..=64).contains(&id.len()) && id.bytes().all(byte)
    };
    let told = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok()).filter(sane);
    told.map_or_else(|| format!("req_{}", Uuid::new_v4().simple()), ToOwned::to_owned)
}

/// `00-<32 hexadecimal digits>-<16>-<2>`, with neither id zero.
fn traceparent(headers: &HeaderMap) -> String {
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
    let told = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()).filter(sane);
    told.map_or_else(
        || {
            let span = Uuid::new_v4().simple().to_string();
            format!("00-{}-{}-01", Uuid::new_v4().simple(), &span[..16])
        },
        ToOwned::to_owned,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_replaced() {
        assert_eq!(request_id(&with("x-request-id", "A-b_c.9")), "A-b_c.9");
        for odd in ["", "a b", "a/b", &"a".repeat(65)] {
            assert!(request_id(&with("x-request-id", odd)).starts_with("req_"), "{odd}");
        }
    }

    #[test]
    fn a_sane_trace_context_is_kept_and_any_other_replaced() {
        let sane = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(traceparent(&with("traceparent", sane)), sane);
        let zero = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        for odd in ["", "00-1-2-3", zero, &format!("{sane}-00"), &sane.to_uppercase()] {
            let made = traceparent(&with("traceparent", odd));
            assert_ne!(made, odd);
            assert_eq!(traceparent(&with("traceparent", &made)), made);
        }
    }
}
