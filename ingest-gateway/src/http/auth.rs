//! Who a request comes from.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::credentials::{Credential, Scope};
use crate::gateway::Gateway;
use crate::problem::{Code, Problem};

/// The credential of a request.
///
/// # Errors
/// One and the same problem whatever is wrong with it.
pub(super) fn authenticate(gateway: &Gateway, headers: &HeaderMap) -> Result<Arc<Credential>, Problem> {
    let detail = "this call needs a valid API key, as `Authorization: Bearer pl_…` or `X-API-Key: pl_…`";
    presented(headers)
        .and_then(|key| gateway.credentials.keys().verify(key, gateway.now()))
        .ok_or_else(|| Problem::new(Code::Unauthenticated, detail))
}

/// The credential of a request that may do `scope`.
///
/// # Errors
/// As [`authenticate`]; or that it lacks the scope.
pub(super) fn authorize(gateway: &Gateway, headers: &HeaderMap, scope: Scope) -> Result<Arc<Credential>, Problem> {
    let credential = authenticate(gateway, headers)?;
    if credential.may(scope) {
        return Ok(credential);
    }
    let detail = format!("this credential lacks the scope `{}`", scope.as_str());
    Err(Problem::new(Code::Forbidden, detail))
}

/// The key that a request presents; none where it presents two that differ.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = match headers.get(AUTHORIZATION) {
        None => None,
        Some(value) => {
            let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(())?;
            Some(key.trim())
        }
    };
    let plain = match headers.get("x-api-key") {
        None => None,
        Some(value) => Some(value.to_str().ok()?.trim()),
    };
    match (bearer, plain) {
        (Some(bearer), Some(plain)) if bearer != plain => None,
        (bearer, plain) => bearer.or(plain),
    }
}
