//! The calls of the public listener, in one table: what routes, counts and documents them goes by it.

use http::Method;

use crate::problem::Code;

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// One event.
    Event,
    /// Many events.
    Batch,
    /// The end of a session.
    Close,
    /// What a credential may do.
    WhoAmI,
    /// All schemas in force.
    Schemas,
    /// The schema of one event type.
    Schema,
    /// Whether the process lives.
    Livez,
    /// Whether it takes events.
    Readyz,
    /// This interface for programs.
    OpenApi,
    /// This interface for people.
    Docs,
}

impl Call {
    /// All of them: what is not here is not served.
    pub const ALL: [Self; 10] = [
        Self::Event,
        Self::Batch,
        Self::Close,
        Self::WhoAmI,
        Self::Schemas,
        Self::Schema,
        Self::Livez,
        Self::Readyz,
        Self::OpenApi,
        Self::Docs,
    ];

    /// The path's pattern.
    pub fn path(self) -> &'static str {
        match self {
            Self::Event => "/v1/events",
            Self::Batch => "/v1/batch",
            Self::Close => "/v1/sessions/{session_id}/close",
            Self::WhoAmI => "/v1/whoami",
            Self::Schemas => "/v1/schemas",
            Self::Schema => "/v1/schemas/{event_type}",
            Self::Livez => "/livez",
            Self::Readyz => "/readyz",
            Self::OpenApi => "/openapi.json",
            Self::Docs => "/docs",
        }
    }

    /// The one method that it takes; GET stands for HEAD, too.
    pub fn method(self) -> Method {
        if self.brings_events() { Method::POST } else { Method::GET }
    }

    /// Whether it brings events: held to the gateway's bounds, and refused while it drains.
    pub fn brings_events(self) -> bool {
        matches!(self, Self::Event | Self::Batch | Self::Close)
    }

    /// Whether it is held to limits. Whoever asks whether the gateway lives has to learn it, most of all when there is
    /// much to do.
    pub fn is_limited(self) -> bool {
        !matches!(self, Self::Livez | Self::Readyz)
    }

    /// The problems that it may be answered with.
    pub fn codes(self) -> Vec<Code> {
        Code::ALL.iter().copied().filter(|code| self.may_be_answered(*code)).collect()
    }

    fn may_be_answered(self, code: Code) -> bool {
        match code {
            Code::Internal | Code::MethodNotAllowed => true,
            Code::RateLimited => self.is_limited(),
            Code::Unauthenticated | Code::Forbidden => self.is_limited() && self != Self::Docs,
            Code::NotFound => self == Self::Schema,
            Code::MalformedJson
            | Code::MalformedBody
            | Code::RequestTimeout
            | Code::TooLarge
            | Code::UnsupportedMediaType
            | Code::UnsupportedEncoding
            | Code::ValidationFailed
            | Code::LogUnavailable
            | Code::Overloaded
            | Code::ShuttingDown => self.brings_events(),
        }
    }
}
