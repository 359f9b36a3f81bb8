//! What whole-process tests share: a world of their own, and a Kafka.

pub mod kafka;
