//! What all parts of Playledger share: ids, events, records of every topic, reports, topics.
//!
//! Pure: no IO, no clock, no chance. What has been parsed here is never checked again elsewhere.

pub mod body;
pub mod canonical;
pub mod catalogue;
pub mod compat;
pub mod data;
mod decimal;
pub mod envelope;
pub mod event;
pub mod field_error;
pub mod games;
pub mod id;
pub mod metrics;
pub mod parse;
pub mod record;
pub mod registry;
pub mod report;
pub mod scan;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod time;
pub mod topics;
pub mod words;

pub use data::Data;
pub use event::Event;
pub use field_error::{FieldCode, FieldError};
pub use id::{Game, PlayerId, Tenant};
pub use text::Text;
pub use time::Timestamp;
