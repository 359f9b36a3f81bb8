//! Realistic players: a pure model of what they do and how it reaches the gateway, and a sender.
//!
//! The model ([`Crowd`]) knows no clock and no network: the same seed gives the same requests, told
//! in ms since a start; the sender ([`run`]) gives it a start and sends them when they are due.

mod command;
mod crowd;
mod event;
mod game;
mod network;
mod pace;
mod player;
mod run;
mod script;
mod session;
mod tally;
mod task;
#[cfg(test)]
mod tests;

pub use command::{Arguments, command};
pub use crowd::Crowd;
pub use event::{Event, Id, Request};
pub use network::Delivery;
pub use run::{Options, run};
pub use tally::Tally;
