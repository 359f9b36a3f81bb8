//! The calls that describe this interface: to programs and, as a page that needs nothing but this gateway, to people.

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest as _, Sha256};

use super::auth::Anybody;
use crate::gateway::Gateway;

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
pub(super) async fn openapi(
    State(gateway): State<Arc<Gateway>>,
    Anybody(credential): Anybody,
    headers: HeaderMap,
) -> Response {
    let tenant = credential.as_ref().map(|credential| &credential.tenant);
    let document = gateway.documents.of(&gateway.types.types(), tenant);
    let cache = if tenant.is_some() { "private, no-cache" } else { "no-cache" };
    let told = [
        (ETAG, document.tag.clone()),
        (CACHE_CONTROL, HeaderValue::from_static(cache)),
        (VARY, HeaderValue::from_static("authorization, x-api-key")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    if is_known(&headers, &document.tag) {
        return (StatusCode::NOT_MODIFIED, told).into_response();
    }
    (told, [(CONTENT_TYPE, "application/json")], document.bytes.clone()).into_response()
}

/// GET /docs
pub(super) async fn docs() -> Response {
    let (page, policy) = &*PAGE;
    let told = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, policy.as_str()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (told, page.as_str()).into_response()
}

/// Whether the caller has the document of that tag already.
fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|text| text.split(',')).map(|text| text.trim().trim_start_matches("W/"));
    known.any(|known| known == "*" || known.as_bytes() == tag.as_bytes())
}
