//! The projector against a real Postgres.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without ends it")]

mod access;
mod claims;
mod event_days;
mod hostile;
mod layout;
mod measured;
mod migrations;
mod once;
mod postgres;
mod queries;
mod questions;
mod rebuild;
mod rebuild_kept;
mod rebuild_killed;
mod rebuild_older;
mod records;
mod recount;
mod retention;
mod retention_days;
mod retention_histories;
mod retention_rebuild;
mod roles;
mod rows;
mod second_lives;
mod whole;
mod world;
