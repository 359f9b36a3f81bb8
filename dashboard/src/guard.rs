//! Wraps every answer: the name that it was asked for, headers that keep a page from being misused, and
//! the books of requests.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use daemon::Clock;
use http::{HeaderName, HeaderValue, Method, header};

use crate::hosts::Hosts;

/// No page runs or loads anything that this server did not send, and none stands in a foreign frame.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What the middleware goes by.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) hosts: Hosts,
    pub(crate) clock: Clock,
}

/// The middleware itself.
pub(crate) async fn guard(State(Door { hosts, clock }): State<Door>, request: Request, next: Next) -> Response {
    let begun = clock.monotonic_ms();
    // The pattern and not the path: a path has unbounded many values.
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    // The assets tell of nobody, and the page that refuses looks as it should with them.
    let open = request.uri().path().starts_with("/assets/");
    let mut response = match hosts.admit(&request) {
        Ok(()) => next.run(request).await,
        Err(_) if open => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What has no rule of its own is not to be kept: it tells of people.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    let took = u64::try_from(clock.monotonic_ms() - begun).unwrap_or(0);
    if method == Method::GET || method == Method::HEAD {
        crate::metrics::request(&route, response.status(), std::time::Duration::from_millis(took));
    }
    if response.status().is_server_error() {
        tracing::debug!(%route, status = response.status().as_u16(), took_ms = took, "answered with an error");
    }
    response
}
