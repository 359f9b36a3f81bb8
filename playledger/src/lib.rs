//! The command: local mode, simulate, send, topics, keys, doctor.

pub mod folder;
pub mod gateway;
pub mod postgres;
pub mod simulate;
