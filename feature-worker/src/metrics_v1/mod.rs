//! Version 1 of the metrics: all that METRICS.md defines, and nothing else.
//!
//! What a session's report says in this version is decided here. A report once given must never come out
//! differently, so this module changes only where its golden reports stay the same; a change of meaning is a
//! version of its own, beside this one.

pub mod fold;
pub mod oracle;

/// What reports call it.
pub const VERSION: u32 = 1;
