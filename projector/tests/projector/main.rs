//! The projector against a real Postgres.

mod layout;
mod once;
mod postgres;
mod records;
mod recount;
mod rows;
mod whole;
mod world;
