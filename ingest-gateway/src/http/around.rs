//! What stands around every request: its id, its trace, its place among the work to be drained, its account, and
//! the one form in which failures are told.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use axum::body::HttpBody as _;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_TYPE, EXPECT, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use tracing::Instrument as _;

use super::account::Account;
use super::calls::Call;
use super::rest;
use crate::access::Noted;
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
    let waits = request.headers().contains_key(EXPECT);
    let (request, account) = open(&gateway, request);
    let (route, method) = (account.route, account.method.clone());
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
        let response = next.run(request).instrument(account.span.clone()).await;
        drop(work);
        response
    };
    let problem = response.extensions_mut().remove::<Problem>();
    if let Some(problem) = &problem {
        // Who sends too slowly has been waited for already.
        if problem.code != Code::RequestTimeout {
            account.rest.discard(waits).await;
        }
        tell(problem, &account.request_id, &mut response);
    }
    if let Some(crossing) = &crossing {
        gateway.origins.mark(crossing, response.headers_mut());
    }
    if gateway.is_draining() && account.version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Ok(value) = HeaderValue::from_str(&account.request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let bytes = response.body().size_hint().exact().unwrap_or_default();
    account.answered(response.status(), problem.map(|problem| problem.code), bytes);
    response
}

/// Gives a request what its handlers look for, and opens its account.
fn open(gateway: &Arc<Gateway>, request: Request) -> (Request, Account) {
    let began = Instant::now();
    let (mut head, body) = request.into_parts();
    let (body, rest) = rest::lend(body);
    let request_id: Arc<str> = request_id(&head.headers).into();
    let traceparent: Arc<str> = traceparent(&head.headers).into();
    let noted = Arc::<Noted>::default();
    head.extensions.insert(RequestId(Arc::clone(&request_id)));
    head.extensions.insert(TraceParent(Arc::clone(&traceparent)));
    head.extensions.insert(Arc::clone(&noted));
    let route = route(head.extensions.get::<MatchedPath>());
    let span = tracing::info_span!("request", %request_id, route);
    let account = Account {
        gateway: Arc::clone(gateway),
        began,
        request_id,
        traceparent,
        method: head.method.clone(),
        version: head.version,
        route,
        span,
        noted,
        rest,
        open: Some(metrics::Open::request()),
    };
    (Request::from_parts(head, body), account)
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
        // A key in the wrong header would stand in every log line.
        (1..=64).contains(&id.len()) && id.bytes().all(byte) && !id.starts_with(crate::credentials::PREFIX)
    };
    let told = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok()).filter(sane);
    told.map_or_else(new_request_id, ToOwned::to_owned)
}

/// An id for a request that brings none.
pub(super) fn new_request_id() -> String {
    format!("req_{:032x}", rand::random::<u128>())
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
        || format!("00-{:032x}-{:016x}-01", rand::random::<u128>().max(1), rand::random::<u64>().max(1)),
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
        let key = format!("pl_1f0c5a9be27d_{}", "a".repeat(43));
        for odd in ["", "a b", "a/b", &"a".repeat(65), &key] {
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
