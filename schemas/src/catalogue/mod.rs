//! The JSON Schemas of the catalogue, as `GET /v1/schemas` gives them.
//!
//! They say to others what [`crate::parse`] judges by typed code; a test holds the two together.

use std::sync::LazyLock;

use crate::canonical::sha256_hex;

/// A type of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The event type.
    pub name: &'static str,
    /// Version of the schema.
    pub version: u32,
    /// The JSON Schema (2020-12) of its data.
    pub text: &'static str,
    /// SHA-256 of the text, hexadecimal.
    pub sha256: String,
}

/// The JSON Schema of what surrounds every event's data.
pub const EVENT: &str = include_str!("../../json/event.json");

/// Version of the schemas in the catalogue.
const VERSION: u32 = 1;

macro_rules! texts {
    ($($name:literal),* $(,)?) => {
        /// Names and texts, in alphabetical order.
        const TEXTS: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../json/", $name, ".json")))),*];
    };
}

texts!(
    "checkpoint.reached",
    "choice.made",
    "client.error",
    "dialogue.viewed",
    "evidence.recorded",
    "focus.gained",
    "focus.lost",
    "hint.requested",
    "item.changed",
    "question.answered",
    "score.changed",
    "session.closed",
    "session.heartbeat",
    "session.paused",
    "session.resumed",
    "session.started",
    "social.help",
    "social.message_sent",
    "social.turn",
    "strategy.changed",
    "task.abandoned",
    "task.attempted",
    "task.completed",
    "task.failed",
    "task.restarted",
    "task.started",
);

static ALL: LazyLock<Vec<Schema>> = LazyLock::new(|| {
    let schema = |(name, text): &(&'static str, &'static str)| Schema {
        name,
        version: VERSION,
        text,
        sha256: sha256_hex(text.as_bytes()),
    };
    TEXTS.iter().map(schema).collect()
});

/// All types of the catalogue, by name.
pub fn all() -> &'static [Schema] {
    &ALL
}

/// The type of that name, if it is of the catalogue.
pub fn get(name: &str) -> Option<&'static Schema> {
    let place = ALL.binary_search_by(|schema| schema.name.cmp(name)).ok()?;
    ALL.get(place)
}

#[cfg(test)]
mod tests;
