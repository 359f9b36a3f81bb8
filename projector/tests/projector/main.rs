//! The projector against a real Postgres.

mod layout;
mod postgres;
