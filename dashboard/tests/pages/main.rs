//! The pages over a real Postgres, laid out by the projector itself.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that can't go on says why by panicking")]

mod answers;
mod away;
mod hosts;
mod live;
mod many;
// One copy of the cluster serves both crates.
#[path = "../../../projector/tests/projector/postgres.rs"]
mod postgres;
mod rows;
mod scale;
mod world;
