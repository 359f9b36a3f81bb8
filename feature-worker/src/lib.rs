//! Turns the events of sessions into behavioural metrics.

pub mod fold;
pub mod machine;
pub mod oracle;
pub mod report;
pub mod session;
pub mod state;
