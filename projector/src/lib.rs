//! Materialises read models into Postgres: reports, snapshots, counts and the quarantine become rows,
//! in one transaction with the offsets that they came from.

pub mod config;
pub mod decode;
pub mod error;
pub mod figures;
pub mod jsonb;
pub mod load;
pub mod project;
pub mod set_aside;
pub mod store;

pub use config::{SchemaName, Settings};
