//! The calls that tell something: who one is, which types there are, whether the gateway lives.

use http::StatusCode;

use super::answer::{self, Response};
use super::asked::Asked;
use super::auth::caller;
use super::calls::Call;
use crate::problem::{Code, Problem};
use crate::whoami::WhoAmI;

/// GET /v1/whoami
pub(super) async fn whoami(asked: &Asked<'_>) -> Result<Response, Problem> {
    let credential = caller(asked).await?;
    answer::json(StatusCode::OK, &WhoAmI::of(&credential, asked.gateway.limits.tier(&credential).tier))
}

/// GET /v1/schemas
pub(super) async fn schemas(asked: &Asked<'_>) -> Result<Response, Problem> {
    let credential = caller(asked).await?;
    let types = asked.gateway.types.types();
    let all = types.all(&credential.tenant).map_err(|error| {
        tracing::error!(%error, "a schema in force is no JSON");
        Problem::internal()
    })?;
    answer::json(StatusCode::OK, &all)
}

/// GET /v1/schemas/{event_type}
pub(super) async fn schema(asked: &Asked<'_>) -> Result<Response, Problem> {
    let credential = caller(asked).await?;
    let types = asked.gateway.types.types();
    let found = asked.named(Call::Schema).and_then(|name| types.schema(&credential.tenant, &name));
    let detail = "there is no such event type; GET /v1/schemas lists all";
    let text = found.ok_or_else(|| Problem::new(Code::NotFound, detail))?;
    Ok(answer::whole(StatusCode::OK, "application/schema+json", text))
}

/// GET /livez
pub(super) fn livez(asked: &Asked<'_>) -> Response {
    plain(asked.gateway.health.liveness().ok)
}

/// GET /readyz
pub(super) fn readyz(asked: &Asked<'_>) -> Response {
    plain(asked.gateway.health.readiness().ok && !asked.gateway.is_draining())
}

/// Strangers learn no more than yes or no; the parts are told on the ops port.
fn plain(ok: bool) -> Response {
    let (status, word) = if ok { (StatusCode::OK, "ok\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n") };
    answer::whole(status, "text/plain; charset=utf-8", word)
}
