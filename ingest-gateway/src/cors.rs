//! Which pages may call, as browsers ask (CORS): the flags' values and the answers' headers. Pure.
//!
//! The gateway knows no cookies: no page can use a credential that it does not hold itself, and
//! `Access-Control-Allow-Credentials` is never sent.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

/// What a page may send beside the plainest headers.
const TAKEN: &str = "authorization, content-encoding, content-type, traceparent, x-api-key, x-request-id";
/// What a page may read beside the plainest headers.
const EXPOSED: &str = "x-request-id, retry-after, ratelimit, ratelimit-policy, ratelimit-limit, \
                       ratelimit-remaining, ratelimit-reset";
/// Where a page stands to what it calls, as browsers say.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// For so many seconds a browser need not ask again; Chromium takes no more.
const MAX_AGE: &str = "7200";

/// A page's origin, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `scheme://host[:port]`, as browsers write it.
    Exact(String),
    /// `*`
    Any,
}

impl Origin {
    /// Reads a flag's value.
    ///
    /// # Errors
    /// In words, when no browser would send such an origin.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let shape = || {
            format!("`{text}` is no origin: scheme://host[:port] without path, such as https://play.example; or `*`")
        };
        let (scheme, authority) = text.split_once("://").ok_or_else(shape)?;
        let uri = text.parse::<Uri>().map_err(|_| shape())?;
        let plain =
            !authority.contains(['/', '?', '#', '@', '*', '\\']) && uri.host().is_some_and(|host| !host.is_empty());
        if !plain {
            return Err(shape());
        }
        let default = matches!((scheme, uri.port_u16()), ("http", Some(80)) | ("https", Some(443)));
        if default || (authority.contains(':') && authority.ends_with(':')) {
            return Err(format!("`{text}`: browsers leave the scheme's own port out; leave it out here, too"));
        }
        Ok(Self::Exact(text.to_ascii_lowercase()))
    }
}

/// What a request has to do with pages of other origins.
#[derive(Clone, Debug)]
pub struct Crossing {
    /// The page's.
    origin: Option<HeaderValue>,
    /// Whether a browser asks before it calls; nothing but the answer is to be given then.
    pub is_question: bool,
}

/// Whose pages may call.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    exact: Vec<String>,
    any: bool,
}

impl Origins {
    /// From the flags.
    pub fn new(origins: &[Origin]) -> Self {
        let exact = origins.iter().filter_map(|origin| match origin {
            Origin::Exact(text) => Some(text.clone()),
            Origin::Any => None,
        });
        Self { exact: exact.collect(), any: origins.contains(&Origin::Any) }
    }

    /// Whether a request comes from a page that may call as every page may, not by its name: with what
    /// everybody may see, and nothing else.
    pub fn is_from_anywhere(&self, request: &HeaderMap) -> bool {
        // Browsers alone write it, and no page can: a page of the gateway's own is no foreign one.
        let own = request.get(FETCH_SITE).is_some_and(|site| site == "same-origin");
        self.any && !own && request.get(ORIGIN).is_some_and(|origin| !self.names(origin))
    }

    /// What a request has to do with pages of other origins.
    pub fn crossing(&self, method: &Method, request: &HeaderMap) -> Crossing {
        let origin = request.get(ORIGIN).cloned();
        let asks = *method == Method::OPTIONS && request.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        Crossing { is_question: asks && origin.is_some() && !self.is_empty(), origin }
    }

    /// Lets the page that asked call, and the one that called read the answer, if they may. Without a word of
    /// permission the browser does neither.
    pub fn mark(&self, crossing: &Crossing, answer: &mut HeaderMap) {
        let permitted = self.permit(crossing.origin.as_ref(), answer);
        if crossing.is_question {
            answer.append(
                VARY,
                HeaderValue::from_static("access-control-request-method, access-control-request-headers"),
            );
        }
        let words: &[_] = match (permitted, crossing.is_question) {
            (false, _) => &[],
            (true, false) => &[(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED)],
            (true, true) => &[
                (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
                (ACCESS_CONTROL_ALLOW_HEADERS, TAKEN),
                (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
            ],
        };
        for (name, value) in words {
            answer.insert(name, HeaderValue::from_static(value));
        }
    }

    fn permit(&self, origin: Option<&HeaderValue>, response: &mut HeaderMap) -> bool {
        if self.is_empty() {
            return false;
        }
        response.append(VARY, HeaderValue::from_static("origin"));
        let permitted = match origin {
            Some(origin) if self.names(origin) => origin.clone(),
            Some(_) if self.any => HeaderValue::from_static("*"),
            _ => return false,
        };
        response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, permitted);
        true
    }

    fn names(&self, origin: &HeaderValue) -> bool {
        self.exact.iter().any(|exact| exact.as_bytes() == origin.as_bytes())
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && !self.any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for good in ["https://play.example", "http://localhost:5173", "capacitor://localhost", "http://[::1]:80801"] {
            let good = good.replace("80801", "8081");
            assert_eq!(Origin::parse(&good), Ok(Origin::Exact(good)));
        }
        assert_eq!(Origin::parse("https://Play.Example"), Ok(Origin::Exact("https://play.example".into())));
        assert_eq!(Origin::parse("*"), Ok(Origin::Any));
        let odd = ["", "null", "play.example", "https://", "https://a/", "https://a/b", "https://a?b", "https://u@a"];
        for odd in odd.into_iter().chain(["https://*.example", "https://a:443", "http://a:80", "https://a:", "**"]) {
            assert!(Origin::parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn only_what_is_named_is_permitted_and_nothing_is_said_where_nothing_is_set() {
        let told = |origins: &[&str], from: &str| {
            let origins: Vec<_> = origins.iter().map(|text| Origin::parse(text).unwrap()).collect();
            let mut headers = HeaderMap::new();
            let request = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_str(from).unwrap())]);
            let origins = Origins::new(&origins);
            origins.mark(&origins.crossing(&Method::GET, &request), &mut headers);
            let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
            (text(ACCESS_CONTROL_ALLOW_ORIGIN), text(VARY))
        };
        let vary = Some("origin".to_owned());
        assert_eq!(told(&[], "https://a"), (None, None));
        assert_eq!(told(&["https://a"], "https://a"), (Some("https://a".into()), vary.clone()));
        for other in ["https://b", "http://a", "https://a.b", "https://a:8443", "null", "https://A"] {
            assert_eq!(told(&["https://a"], other), (None, vary.clone()), "{other}");
        }
        assert_eq!(told(&["https://a", "*"], "https://b"), (Some("*".into()), vary.clone()));
        assert_eq!(told(&["https://a", "*"], "https://a"), (Some("https://a".into()), vary));
    }
}
