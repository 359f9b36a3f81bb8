//! The calls that tell something: who one is, which types there are, whether the gateway lives.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use schemas::{PlayerId, Timestamp, envelope, parse};
use serde::Serialize;

use super::auth::Caller;
use crate::credentials::Scope;
use crate::gateway::Gateway;
use crate::judge::{MAX_AHEAD_MS, MAX_BEHIND_MS};
use crate::limits::tiers::Tier;
use crate::problem::{Code, Problem};

/// What a credential may do.
#[derive(Serialize)]
struct WhoAmI<'a> {
    key_id: &'a str,
    tenant: &'a str,
    /// As requests name them.
    games: Vec<&'a str>,
    environment: &'a str,
    scopes: &'a [Scope],
    tier: &'a str,
    publishable: bool,
    /// Of a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    /// The only one whose events it may send.
    #[serde(skip_serializing_if = "Option::is_none")]
    player: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    limits: Limits,
    /// What the tier lets through, as docs/limits.md tells it; nothing where it has no limit.
    rates: Tier,
}

#[derive(Serialize)]
struct Limits {
    events_per_batch: usize,
    body_bytes: usize,
    event_bytes: usize,
    data_bytes: usize,
    max_ahead_ms: i64,
    /// None where timestamps of any age are taken.
    max_behind_ms: Option<i64>,
}

/// GET /v1/whoami
pub(super) async fn whoami(State(gateway): State<Arc<Gateway>>, Caller(credential): Caller) -> Response {
    let told = WhoAmI {
        key_id: &credential.id,
        tenant: credential.tenant.as_str(),
        games: credential.games.iter().map(schemas::Game::base).collect(),
        environment: &credential.environment,
        scopes: &credential.scopes,
        tier: &credential.tier,
        publishable: credential.publishable,
        issuer: credential.issuer.as_deref(),
        player: credential.player.as_ref().map(PlayerId::as_str),
        expires_at: credential.expires_at,
        limits: Limits {
            events_per_batch: envelope::MAX_EVENTS,
            body_bytes: crate::intake::MAX_BYTES,
            event_bytes: parse::MAX_EVENT_BYTES,
            data_bytes: parse::MAX_DATA_BYTES,
            max_ahead_ms: MAX_AHEAD_MS,
            max_behind_ms: (!credential.may(Scope::Backfill)).then_some(MAX_BEHIND_MS),
        },
        rates: gateway.limits.tier(&credential).tier,
    };
    Json(told).into_response()
}

/// GET /v1/schemas
pub(super) async fn schemas(
    State(gateway): State<Arc<Gateway>>,
    Caller(credential): Caller,
) -> Result<Response, Problem> {
    let types = gateway.types.types();
    let all = types.all(&credential.tenant).map_err(|error| {
        tracing::error!(%error, "a schema in force is no JSON");
        Problem::internal()
    })?;
    Ok(Json(all).into_response())
}

/// GET /v1/schemas/{event_type}
pub(super) async fn schema(
    State(gateway): State<Arc<Gateway>>,
    Caller(credential): Caller,
    event_type: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let found = event_type.ok().and_then(|Path(name)| gateway.types.types().schema(&credential.tenant, &name));
    let detail = "there is no such event type; GET /v1/schemas lists all";
    let text = found.ok_or_else(|| Problem::new(Code::NotFound, detail))?;
    Ok(([(CONTENT_TYPE, "application/schema+json")], text).into_response())
}

/// GET /livez
pub(super) async fn livez(State(gateway): State<Arc<Gateway>>) -> Response {
    plain(gateway.health.liveness().ok)
}

/// GET /readyz
pub(super) async fn readyz(State(gateway): State<Arc<Gateway>>) -> Response {
    plain(gateway.health.readiness().ok && !gateway.is_draining())
}

/// Any other path.
pub(super) async fn not_found() -> Problem {
    Problem::new(Code::NotFound, "there is no such path here")
}

/// A known path, another method.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed, "this path does not take that method; see the Allow header")
}

/// Strangers learn no more than yes or no; the parts are told on the ops port.
fn plain(ok: bool) -> Response {
    let (status, word) = if ok { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n") };
    (status, word).into_response()
}
