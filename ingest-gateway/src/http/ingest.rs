//! The calls that bring events.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::around::{RequestId, TraceParent};
use super::auth::Caller;
use super::body;
use crate::access::Noted;
use crate::answer::Answer;
use crate::credentials::{Credential, Scope};
use crate::gateway::Gateway;
use crate::ingest::{Manner, ingest};
use crate::intake::{self, Call, Form};
use crate::limits::meter::Meter;
use crate::problem::{Code, Problem};
use crate::publish::Facts;
use crate::submission::Query;

/// What is known of a request before its body is looked into.
pub(super) struct Head {
    gateway: Arc<Gateway>,
    credential: Arc<Credential>,
    request_id: Arc<str>,
    traceparent: Arc<str>,
    query: Query,
    manner: Manner,
    meter: Arc<Meter>,
    noted: Arc<Noted>,
}

/// POST /v1/batch
pub(super) async fn batch(head: Head, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    take(&head, &Call::Batch, &headers, body).await
}

/// POST /v1/events
pub(super) async fn event(head: Head, headers: HeaderMap, body: Body) -> Result<Response, Problem> {
    take(&head, &Call::Event, &headers, body).await
}

/// POST /v1/sessions/{session_id}/close
pub(super) async fn close(
    head: Head,
    session: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    // A path that is no text names no session.
    let session = session.map_or_else(|_| String::new(), |Path(session)| session);
    take(&head, &Call::Close(session), &headers, body).await
}

impl FromRequestParts<Arc<Gateway>> for Head {
    /// That the request need not come any further.
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Problem> {
        let credential = Caller::from_request_parts(parts, gateway).await?.authorize(Scope::Ingest)?;
        let axum::extract::Query(query) = axum::extract::Query::<Query>::try_from_uri(&parts.uri)
            .map_err(|error| Problem::new(Code::MalformedBody, format!("the query: {error}")))?;
        let manner = Manner { dry_run: query.is_dry_run()?, tell_all: query.tells_all()? };
        // Before the body is read: who has to come again need not send it.
        gateway.link()?;
        // They stand there since the request came in.
        let marks = (
            parts.extensions.get::<RequestId>(),
            parts.extensions.get::<TraceParent>(),
            parts.extensions.get::<Arc<Meter>>(),
            parts.extensions.get::<Arc<Noted>>(),
        );
        let (Some(RequestId(request_id)), Some(TraceParent(traceparent)), Some(meter), Some(noted)) = marks else {
            return Err(Problem::internal());
        };
        let (request_id, traceparent) = (Arc::clone(request_id), Arc::clone(traceparent));
        let (meter, noted) = (Arc::clone(meter), Arc::clone(noted));
        gateway.limits.begins(&credential, &meter)?;
        Ok(Self { gateway: Arc::clone(gateway), credential, request_id, traceparent, query, manner, meter, noted })
    }
}

/// Takes in what a request brings.
async fn take(head: &Head, call: &Call, headers: &HeaderMap, body: Body) -> Result<Response, Problem> {
    // Before the body is read: who has to come again with another one need not send it.
    let form = Form::of(call, headers, &head.credential)?;
    let body = body::read(headers, body, head.gateway.body_timeout).await?;
    head.meter.hold(body.len())?;
    let (submission, game) = intake::submission(call, form, headers, &body, &head.query, &head.credential)?;
    head.noted.is_for(&game);
    let facts = Facts {
        request_id: head.request_id.to_string(),
        received_at: head.gateway.now(),
        sent_at: submission.sent_at,
        game,
        app_version: submission.app_version.map(std::borrow::Cow::into_owned),
        credential: Arc::clone(&head.credential),
        gateway: Arc::clone(&head.gateway.name),
        origin: submission.origin,
        closes: submission.closes,
        traceparent: head.traceparent.to_string(),
    };
    let answer = ingest(&head.gateway, facts, &submission.events, head.manner, &head.meter, &head.noted).await?;
    Ok(accepted(&answer))
}

fn accepted(answer: &Answer) -> Response {
    let status = if answer.is_partial() { StatusCode::MULTI_STATUS } else { StatusCode::ACCEPTED };
    // Strings, numbers and lists of them: there is nothing that could fail.
    let body = serde_json::to_vec(answer).unwrap_or_default();
    let mut response = (status, body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
