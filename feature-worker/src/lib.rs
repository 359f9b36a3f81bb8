//! Turns the events of sessions into behavioural metrics.

pub mod fold;
pub mod oracle;
