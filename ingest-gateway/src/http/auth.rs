//! Who a request comes from.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::Query;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Uri};
use serde::Deserialize;

use super::asked::Asked;
use crate::credentials::{Credential, PREFIX, Scope};
use crate::gateway::Gateway;
use crate::problem::{Code, Problem};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The credential that a request comes with.
///
/// # Errors
/// One and the same whatever is wrong with the credential; or that pages may not use it.
pub(super) async fn caller(asked: &Asked<'_>) -> Result<Arc<Credential>, Problem> {
    let (gateway, head) = (asked.gateway, asked.head);
    let credential = match Presented::by(head) {
        Some(presented) => presented.verify(gateway).await,
        None => None,
    };
    let detail = "this call needs a valid API key, as `Authorization: Bearer pl_…` or `X-API-Key: pl_…`; or a \
                  valid JWT of a known issuer, as `Authorization: Bearer …`";
    let credential = credential.ok_or_else(|| Problem::new(Code::Unauthenticated, detail))?;
    asked.noted.is_of(&credential);
    if !credential.publishable && gateway.origins.is_from_anywhere(&head.headers) {
        let detail = "pages of this origin may use publishable keys only; for others the operator names the origin";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok(credential)
}

/// The same for a call that anybody may make, with a credential or without any.
///
/// # Errors
/// That there is a credential, and that it is no good.
pub(super) async fn anybody(asked: &Asked<'_>) -> Result<Option<Arc<Credential>>, Problem> {
    let in_headers = [AUTHORIZATION, API_KEY].iter().any(|name| asked.head.headers.contains_key(name));
    if !in_headers && matches!(in_query(&asked.head.uri), Some(None)) {
        return Ok(None);
    }
    caller(asked).await.map(Some)
}

/// The credential, if it may do `scope`.
///
/// # Errors
/// As [`caller`], or that it lacks the scope.
pub(super) async fn authorized(asked: &Asked<'_>, scope: Scope) -> Result<Arc<Credential>, Problem> {
    let credential = caller(asked).await?;
    if credential.may(scope) {
        return Ok(credential);
    }
    let detail = format!("this credential lacks the scope `{}`", scope.as_str());
    Err(Problem::new(Code::Forbidden, detail))
}

/// What a request presents, and in which places.
struct Presented<'a> {
    text: Cow<'a, str>,
    /// In `Authorization: Bearer`.
    as_bearer: bool,
    /// In the query, which proxies and browsers write into their logs.
    in_query: bool,
}

impl<'a> Presented<'a> {
    /// None where a request presents none, two that differ, or something else.
    fn by(head: &'a Parts) -> Option<Self> {
        let bearer = match only(&head.headers, &AUTHORIZATION)? {
            None => None,
            Some(value) => {
                let (scheme, key) = value.split_once(' ')?;
                scheme.eq_ignore_ascii_case("bearer").then_some(())?;
                Some(key.trim())
            }
        };
        let plain = only(&head.headers, &API_KEY)?.map(str::trim);
        let query = in_query(&head.uri)?;
        let (as_bearer, in_query) = (bearer.is_some(), query.is_some());
        let presented = [bearer.map(Cow::Borrowed), plain.map(Cow::Borrowed), query.map(Cow::Owned)];
        let mut presented = presented.into_iter().flatten();
        let text = presented.next()?;
        presented.all(|other| other == text).then_some(Self { text, as_bearer, in_query })
    }

    async fn verify(&self, gateway: &Gateway) -> Option<Arc<Credential>> {
        let (file, now) = (&gateway.credentials, gateway.now());
        if self.text.starts_with(PREFIX) {
            return file.verify_key(&self.text, now).filter(|key| key.publishable || !self.in_query);
        }
        if !self.as_bearer || self.in_query {
            return None;
        }
        // Boxed, since every request would carry its size.
        Box::pin(file.verify_token(&self.text, now)).await
    }
}

/// The value of a header; none where it stands twice or is no text, and none within where it does not stand.
#[expect(clippy::option_option, reason = "absent is not the same as unfit")]
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Option<&'a str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}

/// The parameter `key`; none where it stands twice, and none within where it does not stand.
#[expect(clippy::option_option, reason = "absent is not the same as unfit")]
fn in_query(uri: &Uri) -> Option<Option<String>> {
    #[derive(Deserialize)]
    struct Parameters {
        key: Option<String>,
    }
    // Hardly any request has one.
    if uri.query().is_none() {
        return Some(None);
    }
    Query::<Parameters>::try_from_uri(uri).ok().map(|Query(parameters)| parameters.key)
}
