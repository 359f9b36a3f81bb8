//! The projector's program.
fn main() {}
