//! The command: local mode, simulate, send, topics, keys, schemas, doctor.

pub mod cli;
pub mod doctor;
pub mod event_types;
pub mod folder;
pub mod gateway;
pub mod keys;
pub mod output;
pub mod postgres;
pub mod send;
pub mod simulate;
pub mod target;
pub mod topics;
pub mod up;
