//! What stands around every request: its id, its trace, its place among the work to be drained, its account, and
//! the one form in which failures are told.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, EXPECT, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, StatusCode, Version};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use tracing::{Instrument as _, Span};

use super::account::Account;
use super::answer::{self, Response};
use super::calls::{self, Call};
use super::rest::Lent;
use super::{limit, marks};
use crate::access::Noted;
use crate::gateway::Gateway;
use crate::problem::{Code, Problem};

/// Carries a request of a peer through.
pub(super) async fn request(gateway: &Arc<Gateway>, peer: IpAddr, request: Request<Incoming>) -> Response {
    let mut account = open(gateway, request);
    let waits = account.head.headers.contains_key(EXPECT);
    let (call, is_head) = (account.call, account.head.method == Method::HEAD);
    // Before the look at the drain, which waits for it: so no request falls between the two.
    let work = gateway.work.token();
    let crossing = calls::route(call)
        .starts_with("/v1/")
        .then(|| gateway.origins.crossing(&account.head.method, &account.head.headers));
    let mut response = if crossing.as_ref().is_some_and(|crossing| crossing.is_question) {
        answer::empty(StatusCode::NO_CONTENT)
    } else if gateway.is_draining() && is_work(call, &account.head.method) {
        let detail = "this gateway is shutting down; send the same events again, another one takes them";
        answer::failed(Problem::new(Code::ShuttingDown, detail))
    } else {
        let span = account.span.clone();
        limit::guard(&mut account, peer).instrument(span).await
    };
    drop(work);
    let problem = response.extensions_mut().remove::<Problem>();
    if let Some(problem) = &problem {
        // Who sends too slowly has been waited for already.
        if problem.code != Code::RequestTimeout {
            Box::pin(account.body.discard(waits)).await;
        }
        tell(problem, &account.request_id, &mut response);
    }
    if let Some(crossing) = &crossing {
        gateway.origins.mark(crossing, response.headers_mut());
    }
    if gateway.is_draining() && account.head.version < Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if let Ok(value) = HeaderValue::from_str(&account.request_id) {
        response.headers_mut().insert(marks::REQUEST_ID, value);
    }
    if let Some(call) = call.filter(|call| !call.takes(&account.head.method)) {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(call.allowed()));
    }
    let bytes = response.body().size_hint().exact().unwrap_or_default();
    account.answered(response.status(), problem.map(|problem| problem.code), bytes);
    answer::measure(&mut response, is_head);
    response
}

/// Opens a request's account.
fn open(gateway: &Arc<Gateway>, request: Request<Incoming>) -> Account<'_> {
    let began = Instant::now();
    let (head, body) = request.into_parts();
    let (request_id, traceparent) = (marks::request_id(&head.headers), marks::traceparent(&head.headers));
    let call = Call::at(head.uri.path());
    // Above debug hardly any request has a line; those that are told make it then.
    let span = if tracing::enabled!(tracing::Level::DEBUG) { marks::span(&request_id, call) } else { Span::none() };
    Account {
        gateway,
        began,
        head,
        body: Lent::new(body),
        call,
        request_id,
        traceparent,
        span,
        noted: Noted::default(),
        open: Some(gateway.measured.request()),
    }
}

fn tell(problem: &Problem, id: &str, response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = problem.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.code.status() == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"playledger\""));
    }
    *response.body_mut() = Full::new(problem.to_json(id).into());
}

/// Calls that bring events: a gateway that drains takes no more of them.
fn is_work(call: Option<Call>, method: &Method) -> bool {
    *method == Method::POST && calls::route(call).starts_with("/v1/")
}
