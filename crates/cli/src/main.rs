//! The stillhouse program.

fn main() {}
