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

    /// The call that a path is for, whatever the method.
    pub fn at(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|call| call.named(path).is_some())
    }

    /// What stands in a path where the pattern has a name, as it is written there, empty where it has none; none where
    /// the path is another call's. A name is one segment; the last one of a path is not empty.
    pub fn named(self, path: &str) -> Option<&str> {
        let Some((before, (_, after))) =
            self.path().split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)))
        else {
            return (path == self.path()).then_some("");
        };
        let name = path.strip_prefix(before)?.strip_suffix(after)?;
        let is_one = !name.contains('/') && (!name.is_empty() || !after.is_empty());
        is_one.then_some(name)
    }

    /// Whether it takes a method.
    pub fn takes(self, method: &Method) -> bool {
        *method == self.method() || (*method == Method::HEAD && self.method() == Method::GET)
    }

    /// The methods that it takes, as `Allow` tells them.
    pub fn allowed(self) -> &'static str {
        if self.brings_events() { "POST" } else { "GET,HEAD" }
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

/// A path's pattern, or that there is none: a bounded set of words, whatever paths are asked for.
pub fn route(call: Option<Call>) -> &'static str {
    call.map_or("none", Call::path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_for_the_call_whose_pattern_it_is() {
        for call in Call::ALL {
            let path = call.path().replace("{session_id}", "a%2Fb").replace("{event_type}", "x.y");
            assert_eq!(Call::at(&path), Some(call), "{path}");
            assert_eq!(Call::at(&format!("{path}/")), None, "{path}/");
            assert_eq!(Call::at(&format!("/{path}")), None, "/{path}");
        }
    }

    #[test]
    fn a_name_is_one_segment_as_it_is_written() {
        assert_eq!(Call::Close.named("/v1/sessions/a%2Fb/close"), Some("a%2Fb"));
        assert_eq!(Call::Close.named("/v1/sessions//close"), Some(""));
        assert_eq!(Call::Schema.named("/v1/schemas/task.attempted"), Some("task.attempted"));
        for odd in ["", "*", "/", "/v1", "/v1/sessions/a/b/close", "/v1/sessions/close", "/v1/schemas/", "/V1/events"] {
            assert_eq!(Call::at(odd), None, "{odd}");
        }
    }
}
