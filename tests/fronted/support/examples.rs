//! The files of `packaging/examples`.

use std::fs;
use std::path::{Path, PathBuf};

/// A directory or a file of them.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/examples").join(name)
}

/// A file of them with other addresses; all that are to be replaced must be there, once.
pub fn site_of(file: &str, addresses: &[(&str, &str)]) -> String {
    let text = fs::read_to_string(example(file)).unwrap();
    addresses.iter().fold(text, |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{file} does not say {from} once");
        text.replace(from, to)
    })
}
