//! Materialises read models into Postgres: reports, snapshots, counts and the quarantine become rows,
//! in one transaction with the offsets that they came from.

pub mod config;
pub mod error;
pub mod store;

pub use config::{SchemaName, Settings};
