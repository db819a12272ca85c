//! The command line of this program, as it is told and kept.

/// What is no text in it, such as the name of a file, is told as well as it can be.
pub(super) fn command_line() -> Vec<String> {
    std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect()
}
