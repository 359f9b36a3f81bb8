//! The calls that bring events.

use std::sync::Arc;

use http::{StatusCode, Uri};

use super::answer::{self, Response};
use super::asked::Asked;
use super::{auth, body, calls};
use crate::answer::Answer;
use crate::credentials::Scope;
use crate::ingest::{Manner, ingest};
use crate::intake::{self, Call, Form};
use crate::problem::{Code, Problem};
use crate::publish::Facts;
use crate::submission::Query;

/// POST /v1/sessions/{session_id}/close
pub(super) async fn close(asked: &mut Asked<'_>) -> Result<Response, Problem> {
    // A path that is no text names no session.
    let session = asked.named(calls::Call::Close).unwrap_or_default().into_owned();
    take(&Call::Close(session), asked).await
}

/// POST /v1/events, POST /v1/batch; and what all calls that bring events do.
pub(super) async fn take(call: &Call, asked: &mut Asked<'_>) -> Result<Response, Problem> {
    let gateway = asked.gateway;
    let credential = auth::authorized(asked, Scope::Ingest).await?;
    let query = query(&asked.head.uri)?;
    let manner = Manner { dry_run: query.is_dry_run()?, tell_all: query.tells_all()? };
    // Before the body is read: who has to come again, with this one or another one, need not send it.
    gateway.link()?;
    gateway.limits.begins(&credential, asked.meter)?;
    let form = Form::of(call, &asked.head.headers, &credential)?;
    let body = body::read(asked).await?;
    asked.meter.hold(body.len())?;
    let (submission, game) = intake::submission(call, form, &asked.head.headers, &body, &query, &credential)?;
    asked.noted.is_for(&game);
    let facts = Facts {
        request_id: Arc::clone(asked.request_id),
        received_at: gateway.now(),
        sent_at: submission.sent_at,
        game,
        app_version: submission.app_version.map(std::borrow::Cow::into_owned),
        credential,
        gateway: Arc::clone(&gateway.name),
        origin: submission.origin,
        closes: submission.closes,
        traceparent: Arc::clone(asked.traceparent),
    };
    accepted(&ingest(gateway, facts, &submission.events, manner, asked.meter, asked.noted).await?)
}

fn query(uri: &Uri) -> Result<Query, Problem> {
    // Hardly any request has one.
    if uri.query().is_none() {
        return Ok(Query::default());
    }
    let query = axum::extract::Query::try_from_uri(uri).map(|axum::extract::Query(query)| query);
    query.map_err(|error| Problem::new(Code::MalformedBody, format!("the query: {error}")))
}

fn accepted(answer: &Answer) -> Result<Response, Problem> {
    let status = if answer.is_partial() { StatusCode::MULTI_STATUS } else { StatusCode::ACCEPTED };
    answer::json(status, answer)
}
