//! The calls that describe this interface: to programs and, as a page that needs nothing but this gateway, to people.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest as _, Sha256};

use super::answer::{self, Response};
use super::asked::Asked;
use super::auth::anybody;
use crate::problem::Problem;

const STYLE: &str = include_str!("../../docs/page.css");
const SCRIPT: &str = include_str!("../../docs/page.js");

/// The page, and what it may do: nothing that is not in it, and calls of this gateway alone.
static PAGE: LazyLock<(String, String)> = LazyLock::new(|| {
    let page = include_str!("../../docs/page.html").replace("/* style */", STYLE).replace("/* script */", SCRIPT);
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    (page, policy)
});

/// GET /openapi.json
pub(super) async fn openapi(asked: &Asked<'_>) -> Result<Response, Problem> {
    let credential = anybody(asked).await?;
    let (gateway, headers) = (asked.gateway, &asked.head.headers);
    let tenant = credential.as_ref().map(|credential| &credential.tenant);
    let document = gateway.documents.of(&gateway.types.types(), tenant);
    let cache = if tenant.is_some() { "private, no-cache" } else { "no-cache" };
    let mut response = if is_known(headers, &document.tag) {
        answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        answer::whole(StatusCode::OK, "application/json", document.bytes.clone())
    };
    response.headers_mut().extend([
        (ETAG, document.tag.clone()),
        (CACHE_CONTROL, HeaderValue::from_static(cache)),
        (VARY, HeaderValue::from_static("authorization, x-api-key")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ]);
    Ok(response)
}

/// GET /docs
pub(super) fn docs() -> Result<Response, Problem> {
    let (page, policy) = &*PAGE;
    let policy = HeaderValue::from_str(policy).map_err(|error| {
        tracing::error!(%error, "the page's policy is no header");
        Problem::internal()
    })?;
    let mut response = answer::whole(StatusCode::OK, "text/html; charset=utf-8", page.as_str());
    response.headers_mut().extend([
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ]);
    Ok(response)
}

/// Whether the caller has the document of that tag already.
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|text| text.split(',')).map(|text| text.trim().trim_start_matches("W/"));
    known.any(|known| known == "*" || known.as_bytes() == tag.as_bytes())
}
