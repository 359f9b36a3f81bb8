//! Codes of failed requests, with their statuses. Pure.

use http::StatusCode;

schemas::words! {
    /// Why a request as a whole failed.
    pub enum Code {
        /// The body as a whole is not JSON, is nested more than 32 deep, or is no UTF-8.
        MalformedJson = "malformed_json" => "Mend what writes the body; `detail` names line and column. Nothing was produced.",
        /// The body is not of the form that the call takes, not of the encoding that it names, or ended early; or the query is not of its form.
        MalformedBody = "malformed_body" => "Mend the fields that `errors` names. Nothing was produced.",
        /// There is no credential, or it is unknown, revoked or expired. One and the same answer for all of them.
        Unauthenticated = "unauthenticated" => "Send a valid API key or token; `GET /v1/whoami` tells whether it is one. Only publishable keys may stand in the query.",
        /// The credential lacks the scope, may send none of these events, or is not for the tenant or game that the request names; or it is no publishable key and the page's origin is not named.
        Forbidden = "forbidden" => "Use a credential that may: `GET /v1/whoami` tells what this one may do. Do not send the same with this one again.",
        /// There is no such path, or no such event type.
        NotFound = "not_found" => "Look the path up in `/docs`, and the type in `GET /v1/schemas`.",
        /// The path does not take that method.
        MethodNotAllowed = "method_not_allowed" => "Use a method that the header `Allow` names.",
        /// The body did not arrive in time.
        RequestTimeout = "request_timeout" => "Send the same events again, in smaller batches if the line is slow. Nothing was produced.",
        /// The body is over 2 MB as it comes or decoded, or the batch holds over 1,000 events.
        TooLarge = "too_large" => "Split the batch. Nothing was produced.",
        /// The call does not take that `Content-Type`; `text/plain` is for publishable keys only.
        UnsupportedMediaType = "unsupported_media_type" => "Send one of the types that `detail` names, in UTF-8.",
        /// The `Content-Encoding` is none that is understood, or stands twice.
        UnsupportedEncoding = "unsupported_encoding" => "Send the body plain, or encoded once as gzip, deflate, br or zstd.",
        /// Every event was rejected or in conflict; `results` says why, event by event.
        ValidationFailed = "validation_failed" => "Mend the events. Do not send them again as they are; they are kept in the quarantine.",
        /// A limit of the address, the credential, the player or the quarantine is used up. Nothing was produced.
        RateLimited = "rate_limited" => "Send the same events again after `Retry-After` seconds; `GET /v1/whoami` tells the rates.",
        /// The gateway failed; what became of the events is not known.
        Internal = "internal" => "Send the same events again, which counts once, and tell the operator the `request_id`.",
        /// The log did not acknowledge in time, or is not reached yet; what became of the events is not known.
        LogUnavailable = "log_unavailable" => "Send the same events again after `Retry-After` seconds; that counts once.",
        /// There is more work than the gateway can hold.
        Overloaded = "overloaded" => "Send the same events again after `Retry-After` seconds; that counts once.",
        /// The gateway is about to end.
        ShuttingDown = "shutting_down" => "Send the same events again after `Retry-After` seconds, over a new connection; another gateway takes them.",
    }
}

impl Code {
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
