//! Whole processes together: what a user sees and an operator does.

mod faults;
mod first_page;
mod gateways;
mod nothing_left;
mod waves;
mod way;
