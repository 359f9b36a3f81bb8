//! The calls that tell something: who one is, which types there are, whether the gateway lives.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::auth::Caller;
use crate::gateway::Gateway;
use crate::problem::{Code, Problem};
use crate::whoami::WhoAmI;

/// GET /v1/whoami
pub(super) async fn whoami(State(gateway): State<Arc<Gateway>>, Caller(credential): Caller) -> Response {
    Json(WhoAmI::of(&credential, gateway.limits.tier(&credential).tier)).into_response()
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
