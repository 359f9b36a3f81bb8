//! What a reader sees instead of a page: what happened, and what to do about it.

use askama::Template;

use crate::error::Failure;

/// The words of an error page.
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// The status that goes with it.
    pub status: u16,
    /// What happened.
    pub title: &'static str,
    /// In a sentence.
    pub words: String,
    /// What the reader can do.
    pub advice: &'static str,
    /// Whether the page tries again by itself.
    pub retry: bool,
}

impl ErrorPage {
    /// Says a failure. What the database said is for the log, not for the reader.
    pub fn of(failure: &Failure) -> Self {
        let (title, words, advice) = match failure {
            Failure::Malformed(words) => {
                ("That address makes no sense", words.clone(), "Check the address, or start from the overview.")
            }
            Failure::NotFound(words) => (
                "Nothing here by that name",
                words.clone(),
                "A session appears within seconds of its first event. If it should be here, check the id and the \
                 projector's lag.",
            ),
            Failure::Misdirected(name) => (
                "Not by that name",
                format!("This dashboard does not answer to {name}."),
                "Ask for it by the address of its machine. If the name is one of its own, whoever runs it gives the \
                 name with --host.",
            ),
            Failure::Away(_) => (
                "The database is away",
                "This page could not be read because the database does not answer, or not in time. Nothing is lost: \
                 events are kept in the log meanwhile."
                    .to_owned(),
                "This page tries again by itself every few seconds.",
            ),
            Failure::Unprepared(_) => (
                "No tables yet",
                "The database answers, but the projector has not made its tables there yet.".to_owned(),
                "Start the projector on this database, or check --schema. This page tries again by itself.",
            ),
            Failure::Internal(_) => (
                "Something went wrong here",
                "This page could not be made. The dashboard's log says why.".to_owned(),
                "Try again, or start from the overview.",
            ),
        };
        Self { status: failure.status().as_u16(), title, words, advice, retry: failure.passes() }
    }
}

/// Two studios' clients have made the same session id: which one is meant?
#[derive(Template)]
#[template(path = "choice.html")]
pub struct Choice<'a> {
    /// The session.
    pub id: &'a str,
    /// Whose it may be.
    pub tenants: &'a [String],
}
