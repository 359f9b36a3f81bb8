//! The pages over a real Postgres, laid out by the projector itself.

mod answers;
mod away;
mod live;
// One copy of the cluster serves both crates.
#[path = "../../../projector/tests/projector/postgres.rs"]
mod postgres;
mod rows;
mod scale;
mod world;
