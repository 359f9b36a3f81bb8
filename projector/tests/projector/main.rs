//! The projector against a real Postgres.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without ends it")]

mod claims;
mod layout;
mod measured;
mod once;
mod postgres;
mod records;
mod recount;
mod rows;
mod whole;
mod world;
