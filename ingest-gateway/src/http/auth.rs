//! Who a request comes from.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Query};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Uri};
use serde::Deserialize;

use crate::access::Noted;
use crate::credentials::{Credential, PREFIX, Scope};
use crate::gateway::Gateway;
use crate::problem::{Code, Problem};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The credential that a request comes with.
pub(super) struct Caller(pub(super) Arc<Credential>);

impl FromRequestParts<Arc<Gateway>> for Caller {
    /// One and the same whatever is wrong with the credential.
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Problem> {
        let credential = match Presented::by(parts) {
            Some(presented) => presented.verify(gateway).await,
            None => None,
        };
        let detail = "this call needs a valid API key, as `Authorization: Bearer pl_…` or `X-API-Key: pl_…`; or a \
                      valid JWT of a known issuer, as `Authorization: Bearer …`";
        let credential = credential.ok_or_else(|| Problem::new(Code::Unauthenticated, detail))?;
        if let Some(noted) = parts.extensions.get::<Arc<Noted>>() {
            noted.is_of(&credential);
        }
        if !credential.publishable && gateway.origins.is_from_anywhere(&parts.headers) {
            let detail = "pages of this origin may use publishable keys only; for others the operator names the origin";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        Ok(Self(credential))
    }
}

/// Whoever calls: with a credential, or without any.
pub(super) struct Anybody(pub(super) Option<Arc<Credential>>);

impl FromRequestParts<Arc<Gateway>> for Anybody {
    /// That there is a credential, and that it is no good.
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Problem> {
        let in_headers = [AUTHORIZATION, API_KEY].iter().any(|name| parts.headers.contains_key(name));
        if !in_headers && matches!(in_query(&parts.uri), Some(None)) {
            return Ok(Self(None));
        }
        let Caller(credential) = Caller::from_request_parts(parts, gateway).await?;
        Ok(Self(Some(credential)))
    }
}

impl Caller {
    /// The credential, if it may do `scope`.
    ///
    /// # Errors
    /// That it lacks the scope.
    pub(super) fn authorize(self, scope: Scope) -> Result<Arc<Credential>, Problem> {
        if self.0.may(scope) {
            return Ok(self.0);
        }
        let detail = format!("this credential lacks the scope `{}`", scope.as_str());
        Err(Problem::new(Code::Forbidden, detail))
    }
}

/// What a request presents, and in which places.
struct Presented {
    text: String,
    /// In `Authorization: Bearer`.
    as_bearer: bool,
    /// In the query, which proxies and browsers write into their logs.
    in_query: bool,
}

impl Presented {
    /// None where a request presents none, two that differ, or something else.
    fn by(parts: &Parts) -> Option<Self> {
        let bearer = match only(&parts.headers, &AUTHORIZATION)? {
            None => None,
            Some(value) => {
                let (scheme, key) = value.split_once(' ')?;
                scheme.eq_ignore_ascii_case("bearer").then_some(())?;
                Some(key.trim())
            }
        };
        let plain = only(&parts.headers, &API_KEY)?.map(str::trim);
        let query = in_query(&parts.uri)?;
        let mut presented = [bearer, plain, query.as_deref()].into_iter().flatten();
        let text = presented.next()?;
        presented.all(|other| other == text).then(|| Self {
            text: text.to_owned(),
            as_bearer: bearer.is_some(),
            in_query: query.is_some(),
        })
    }

    async fn verify(&self, gateway: &Gateway) -> Option<Arc<Credential>> {
        let (file, now) = (&gateway.credentials, gateway.now());
        if self.text.starts_with(PREFIX) {
            return file.verify_key(&self.text, now).filter(|key| key.publishable || !self.in_query);
        }
        if self.as_bearer && !self.in_query { file.verify_token(&self.text, now).await } else { None }
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
