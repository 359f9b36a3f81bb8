//! Whole-request failures, as RFC 9457 writes them. Pure.

use http::StatusCode;
use schemas::FieldError;
use serde::Serialize;

use crate::answer::Answer;

/// Why a request as a whole failed; the words that clients branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Not JSON.
    MalformedJson,
    /// JSON, or an encoding of it, that is not of the form.
    MalformedBody,
    /// No, unknown, revoked or expired credential.
    Unauthenticated,
    /// The credential does not allow it.
    Forbidden,
    /// No such path.
    NotFound,
    /// No such method on that path.
    MethodNotAllowed,
    /// The body did not arrive in time.
    RequestTimeout,
    /// Body, decoded body or batch over its limit.
    TooLarge,
    /// A content type that is not understood.
    UnsupportedMediaType,
    /// A content encoding that is not understood.
    UnsupportedEncoding,
    /// Every event was rejected or in conflict.
    ValidationFailed,
    /// Over a limit of its address, its credential or its player.
    RateLimited,
    /// Something of ours is wrong.
    Internal,
    /// The log did not acknowledge in time.
    LogUnavailable,
    /// More work than can be held.
    Overloaded,
    /// The gateway drains.
    ShuttingDown,
}

impl Code {
    /// The word that stands for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::MalformedBody => "malformed_body",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::ValidationFailed => "validation_failed",
            Self::RateLimited => "rate_limited",
            Self::Internal => "internal",
            Self::LogUnavailable => "log_unavailable",
            Self::Overloaded => "overloaded",
            Self::ShuttingDown => "shutting_down",
        }
    }

    /// Its HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::MalformedJson | Self::MalformedBody => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType | Self::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::ValidationFailed => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::LogUnavailable | Self::Overloaded | Self::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// After how many seconds a client may send the same again; none where that would not help.
    pub fn retry_after(self) -> Option<u32> {
        match self {
            Self::LogUnavailable => Some(2),
            Self::Overloaded | Self::RateLimited => Some(1),
            Self::ShuttingDown => Some(5),
            _ => None,
        }
    }
}

/// A failure of a request as a whole.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Why.
    pub code: Code,
    /// What is wrong and what to do, in words.
    pub detail: String,
    /// The fields that are wrong.
    pub errors: Vec<FieldError>,
    /// After how many seconds the same may be sent again, where that is known better than by its code.
    pub retry_after: Option<u32>,
    /// What became of each event, where events had been judged.
    pub answer: Option<Box<Answer>>,
}

impl Problem {
    /// A failure in words.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), retry_after: None, answer: None }
    }

    /// A body of which one field is wrong.
    pub fn field(pointer: &str, rule: &'static str, message: impl Into<String>) -> Self {
        let error = FieldError::new(pointer, rule, message);
        let detail = format!("{}: {}", error.pointer, error.message);
        Self { errors: vec![error], ..Self::new(Code::MalformedBody, detail) }
    }

    /// A failure of our own; the cause goes to the log, never to the client.
    pub fn internal() -> Self {
        Self::new(
            Code::Internal,
            "the gateway failed; send the same events again, and tell the operator the request_id",
        )
    }

    /// After how many seconds the same may be sent again; none where that would not help.
    pub fn retry_after(&self) -> Option<u32> {
        self.retry_after.or_else(|| self.code.retry_after())
    }

    /// The body of its response.
    pub fn to_json(&self, request_id: &str) -> Vec<u8> {
        let status = self.code.status();
        let form = Form {
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code: self.code.as_str(),
            detail: &self.detail,
            errors: &self.errors,
            request_id: self.answer.is_none().then_some(request_id),
            answer: self.answer.as_deref(),
        };
        // Strings, numbers and lists of them: there is nothing that could fail.
        serde_json::to_vec(&form).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Form<'a> {
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(flatten)]
    answer: Option<&'a Answer>,
}
