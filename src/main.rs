//! Backstop.
fn main() {}
