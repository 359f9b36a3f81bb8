//! Answers: always whole, so that none needs a box.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use http_body_util::Full;
use hyper::body::Body as _;
use serde::Serialize;

pub(super) use super::Response;
use crate::problem::Problem;

/// So much room an answer in JSON has from the start: most need no more.
const USUAL: usize = 256;

/// A status that says it all.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

/// A body of some type.
pub(super) fn whole(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// What is told as JSON.
///
/// # Errors
/// A failure of our own, where it is nothing that JSON can hold.
pub(super) fn json(status: StatusCode, told: &impl Serialize) -> Result<Response, Problem> {
    let mut body = Vec::with_capacity(USUAL);
    serde_json::to_writer(&mut body, told).map_err(|error| {
        tracing::error!(%error, "an answer is no JSON");
        Problem::internal()
    })?;
    Ok(whole(status, "application/json", body))
}

/// An empty response that carries the problem; [`super::around`] knows the request's id and writes it out.
pub(super) fn failed(problem: Problem) -> Response {
    let mut response = empty(problem.code.status());
    response.extensions_mut().insert(problem);
    response
}

/// Says of an empty answer that it is empty, and takes the body from the answer to HEAD, not its length. Of any other
/// hyper tells the length itself.
pub(super) fn measure(response: &mut Response, is_head: bool) {
    let length = response.body().size_hint().exact().unwrap_or_default();
    if length == 0 || is_head {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        *response.body_mut() = Full::default();
    }
}
