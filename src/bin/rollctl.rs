//! rollctl
fn main() {}
