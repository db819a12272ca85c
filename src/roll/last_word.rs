//! What an operator should know of a roll that did not end well: in data, for every listener alike.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The last word of a roll that did not end well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastWord {
    /// What happened, and in what state the rest is; a line each.
    pub text: Vec<String>,
    /// What is known of each instance that failed.
    pub failures: Vec<Explanation>,
    /// The command to type next.
    pub next: String,
}

/// What is known of an instance that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Its unit.
    pub instance: String,
    /// Its run, the last one.
    pub invocation: Option<String>,
    /// How its main process ended, in words.
    pub exit: Option<String>,
    /// How long its turn took, until it had failed.
    #[serde(with = "super::seconds")]
    pub took: Duration,
    /// How long a turn usually takes that goes well; unknown before the first.
    pub usual: Option<Usual>,
    /// What its run wrote to the journal last.
    pub last_words: Vec<String>,
}

/// What is usual, from the rolls on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usual {
    /// The median.
    #[serde(with = "super::seconds")]
    pub span: Duration,
    /// Of so many turns.
    pub of: usize,
}
