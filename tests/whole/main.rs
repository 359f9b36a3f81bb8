//! Whole processes together: what a user sees and an operator does.

mod faults;
mod first_page;
mod waves;
mod way;
