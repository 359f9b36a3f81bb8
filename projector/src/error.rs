//! What can go wrong with the tables, by what the caller does about it.

use sqlx::migrate::MigrateError;

/// A failure of the tables.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Postgres is away, busy or full: nothing was written, or it is not known. Look, and try again.
    #[error("Postgres is away, busy or full: {0}")]
    Away(#[source] sqlx::Error),
    /// A value that the tables cannot hold: the record that brought it is poison.
    #[error("the tables refuse a value: {0}")]
    Value(#[source] sqlx::Error),
    /// Another projector has claimed a partition since, or the log stands elsewhere.
    #[error("a partition has been claimed by another projector")]
    Fenced,
    /// The tables have been laid out anew since they were opened: open them again.
    #[error("{0}")]
    Outdated(String),
    /// A person must act; the message says how.
    #[error("{0}")]
    Fatal(String),
}

impl StoreError {
    /// Away, for a reason that no server told.
    pub(crate) fn away(kind: std::io::ErrorKind, why: impl Into<String>) -> Self {
        Self::Away(sqlx::Error::Io(std::io::Error::new(kind, why.into())))
    }

    /// The SQLSTATE behind it, for metrics; a word of our own where there is none.
    pub fn sqlstate(&self) -> String {
        match self {
            Self::Away(error) | Self::Value(error) => {
                let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
                code.map_or_else(|| "connection".to_owned(), std::borrow::Cow::into_owned)
            }
            Self::Fenced => "fenced".to_owned(),
            Self::Outdated(_) => "outdated".to_owned(),
            Self::Fatal(_) => "fatal".to_owned(),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Database(told) => match class(told.code().as_deref().unwrap_or_default()) {
                Class::Passing => Self::Away(error),
                Class::Value => Self::Value(error),
                Class::Other => Self::Fatal(format!("Postgres refuses: {error}")),
            },
            E::Io(_) | E::Tls(_) | E::Protocol(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => {
                Self::Away(error)
            }
            _ => Self::Fatal(format!("Postgres cannot be used: {error}")),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(version) => Self::Fatal(format!(
                "the tables were laid out by a newer projector (migration {version}): upgrade this one before it writes"
            )),
            MigrateError::VersionMismatch(version) => Self::Fatal(format!(
                "migration {version} was applied in another form than this projector knows: \
                 these tables are not of a released version, start with a new schema"
            )),
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            other => Self::Fatal(format!("the tables cannot be laid out: {other}")),
        }
    }
}

enum Class {
    /// It may work later.
    Passing,
    /// One of the values is at fault.
    Value,
    /// Trying again brings nothing.
    Other,
}

/// Sorts a SQLSTATE by its class.
fn class(sqlstate: &str) -> Class {
    match sqlstate.get(..2) {
        // connection, transaction state, rollback, resources, not in state, operator, system, internal
        Some("08" | "25" | "40" | "53" | "55" | "57" | "58" | "XX") => Class::Passing,
        // cardinality, data, integrity, limits
        Some("21" | "22" | "23" | "54") => Class::Value,
        _ => Class::Other,
    }
}
