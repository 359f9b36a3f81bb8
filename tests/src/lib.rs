//! What the tests of whole processes stand on: daemons as processes, a broker, a Postgres, a client
//! that keeps book of what it was told. Every world has ports, topics, schema and folder of its own,
//! and leaves nothing behind.

#![expect(clippy::missing_errors_doc, reason = "any error fails the test that met it, with its words")]

pub mod behind;
pub mod book;
pub mod client;
pub mod disk;
pub mod feed;
pub mod kafka;
mod listening;
pub mod observe;
pub mod play;
pub mod player;
pub mod postgres_proxy;
pub mod process;
pub mod proxy;
pub mod remains;
pub mod tables;
pub mod topic;
pub mod waves;
pub mod world;
