//! Whole processes together: what a user sees and an operator does.

mod description;
mod faults;
mod first_page;
mod gateways;
mod nothing_left;
mod projectors;
mod slow_clients;
mod waves;
mod way;
mod workers;
