//! Takes events over HTTP, judges them, appends them to the log.

pub mod answer;
pub mod credentials;
pub mod credentials_file;
pub mod decode;
pub mod dedup;
pub mod keys;
pub mod metrics;
pub mod outcomes;
pub mod problem;
pub mod publish;
