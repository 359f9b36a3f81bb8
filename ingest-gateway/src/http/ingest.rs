//! The calls that bring events.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::around::{RequestId, TraceParent};
use super::{auth, body};
use crate::answer::Answer;
use crate::close;
use crate::credentials::{Credential, Scope};
use crate::gateway::Gateway;
use crate::ingest::{Manner, ingest};
use crate::limits::meter::Meter;
use crate::problem::{Code, Problem};
use crate::publish::Facts;
use crate::submission::{Media, Query, Submission};
use crate::whose::{self, Claims};

type Parameters = Result<axum::extract::Query<Query>, QueryRejection>;

/// What is known of a request before its body is looked into.
struct Head {
    gateway: Arc<Gateway>,
    credential: Arc<Credential>,
    request_id: Arc<str>,
    traceparent: Arc<str>,
    query: Query,
    manner: Manner,
    meter: Arc<Meter>,
}

/// POST /v1/batch
pub(super) async fn batch(
    State(gateway): State<Arc<Gateway>>,
    Extension(id): Extension<RequestId>,
    (Extension(trace), Extension(meter)): (Extension<TraceParent>, Extension<Arc<Meter>>),
    query: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let head = head(gateway, (id, trace, meter), query, &headers)?;
    let media = body::media(&headers)?;
    let body = body::read(&headers, body, head.gateway.body_timeout).await?;
    head.meter.hold(body.len())?;
    match media {
        Media::Json => take(&head, Submission::batch(&body, &head.query)?, Some((&body, whose::OF_BATCHES))).await,
        Media::CloudEvents => take(&head, Submission::cloudevents(&body, &head.query)?, None).await,
    }
}

/// POST /v1/events
pub(super) async fn event(
    State(gateway): State<Arc<Gateway>>,
    Extension(id): Extension<RequestId>,
    (Extension(trace), Extension(meter)): (Extension<TraceParent>, Extension<Arc<Meter>>),
    query: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let head = head(gateway, (id, trace, meter), query, &headers)?;
    if body::media(&headers)? != Media::Json {
        let detail = "send one event as `Content-Type: application/json`; batches of CloudEvents go to /v1/batch";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    let body = body::read(&headers, body, head.gateway.body_timeout).await?;
    head.meter.hold(body.len())?;
    take(&head, Submission::event(&body, &head.query)?, None).await
}

/// POST /v1/sessions/{session_id}/close
pub(super) async fn close(
    State(gateway): State<Arc<Gateway>>,
    Extension(id): Extension<RequestId>,
    (Extension(trace), Extension(meter)): (Extension<TraceParent>, Extension<Arc<Meter>>),
    session: Result<Path<String>, PathRejection>,
    query: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let head = head(gateway, (id, trace, meter), query, &headers)?;
    if body::media(&headers)? != Media::Json {
        return Err(Problem::new(Code::UnsupportedMediaType, "send `Content-Type: application/json`"));
    }
    let body = body::read(&headers, body, head.gateway.body_timeout).await?;
    head.meter.hold(body.len())?;
    // A path that is no text names no session.
    let session = session.map_or_else(|_| String::new(), |Path(session)| session);
    take(&head, close::submission(&session, &body, &head.query)?, Some((&body, whose::OF_EVENTS))).await
}

fn head(
    gateway: Arc<Gateway>,
    (RequestId(request_id), TraceParent(traceparent), meter): (RequestId, TraceParent, Arc<Meter>),
    query: Parameters,
    headers: &HeaderMap,
) -> Result<Head, Problem> {
    let credential = auth::authorize(&gateway, headers, Scope::Ingest)?;
    let axum::extract::Query(query) =
        query.map_err(|error| Problem::new(Code::MalformedBody, format!("the query: {error}")))?;
    let manner = Manner { dry_run: query.is_dry_run()?, tell_all: query.tells_all()? };
    // Before the body is read: who has to come again need not send it.
    gateway.link()?;
    gateway.limits.begins(&credential, &meter)?;
    Ok(Head { gateway, credential, request_id, traceparent, query, manner, meter })
}

/// Takes in what a request brings. `around` is the object around the events, if there is one, and by
/// what it may claim another tenant or game: that concerns the whole request.
async fn take(head: &Head, submission: Submission<'_>, around: Option<(&Bytes, Claims)>) -> Result<Response, Problem> {
    let game = submission.game(&head.credential)?;
    let text = around.and_then(|(body, claims)| Some((std::str::from_utf8(body).ok()?, claims)));
    if text.is_some_and(|(text, claims)| whose::claims_another(text, claims, &head.credential.tenant, &game)) {
        let detail = "the body claims a tenant or game that is not this request's";
        return Err(Problem::new(Code::Forbidden, detail));
    }
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
    let answer = ingest(&head.gateway, facts, &submission.events, head.manner, &head.meter).await?;
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
