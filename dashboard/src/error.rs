//! Why a page can't be shown, by what the reader can do about it.

use std::sync::Arc;

use http::StatusCode;

/// Why a page can't be shown. Cheap to clone, so that one failed query can answer all who waited for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// The address makes no sense.
    #[error("{0}")]
    Malformed(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It was asked for by a name that is not this dashboard's.
    #[error("asked for by the name {0}")]
    Misdirected(String),
    /// The database does not answer; it may later.
    #[error("the database is away: {0}")]
    Away(Arc<sqlx::Error>),
    /// The database answers but holds no views as yet.
    #[error("the database has no read models yet: {0}")]
    Unprepared(Arc<sqlx::Error>),
    /// A defect of ours.
    #[error("{0}")]
    Internal(String),
}

impl Failure {
    /// The status to answer with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::Away(_) | Self::Unprepared(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether the same request may succeed a little later.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Away(_) | Self::Unprepared(_))
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|inner| inner.code().map(std::borrow::Cow::into_owned));
        match code.as_deref() {
            // Undefined table, column or schema: the projector's migrations have not run.
            Some("42P01" | "42703" | "3F000") => Self::Unprepared(Arc::new(error)),
            // The database or the right to enter it is not there: for the operator to mend, while we wait.
            Some("3D000" | "28000" | "28P01" | "42501") => Self::Away(Arc::new(error)),
            // Connection lost (08), too busy (53), shutting down or over its time (57): another try may do.
            Some(code) if ["08", "53", "57"].iter().any(|class| code.starts_with(class)) => Self::Away(Arc::new(error)),
            None if lost(&error) => Self::Away(Arc::new(error)),
            _ => Self::Internal(error.to_string()),
        }
    }
}

/// Whether the connection failed, rather than what was said over it.
fn lost(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
    matches!(error, Io(_) | Tls(_) | Protocol(_) | PoolTimedOut | PoolClosed | WorkerCrashed)
}

impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        Self::Internal(format!("rendering: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_database_is_a_503_that_passes() {
        let failure = Failure::from(sqlx::Error::PoolTimedOut);
        assert_eq!(failure.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(failure.passes());
    }

    #[test]
    fn a_row_that_does_not_fit_is_our_defect() {
        let failure = Failure::from(sqlx::Error::RowNotFound);
        assert_eq!(failure.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!failure.passes());
    }
}
