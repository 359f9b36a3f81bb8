//! What the benches are made of: real play as load, stages as processes, and how they are measured.
//!
//! Figures come from Linux's /proc and are printed by the programs in `src/bin`; docs/performance.md
//! tells how to print them again.

pub mod append;
pub mod daemons;
pub mod database;
pub mod drain;
pub mod figures;
pub mod folder;
pub mod gateway;
pub mod key;
pub mod latency;
pub mod load;
pub mod median;
pub mod numbers;
pub mod process;
pub mod projector;
pub mod send;
pub mod stages;
pub mod stamped;
pub mod up;
pub mod usage;
pub mod worker;
pub mod world;
