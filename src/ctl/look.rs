//! The last roll of a group, from its log and from whether its process is there.

use std::io::{self, ErrorKind};

use super::control;
use super::log::{Life, Shelf, Told, read};
use super::scope::Scope;
use crate::roll::{Reason, Story};

/// A roll as `status` and `resume` find it.
#[derive(Debug)]
pub struct Look {
    /// Its log.
    pub told: Told,
    /// What the log tells, taken together.
    pub story: Story,
    /// What has become of it.
    pub fate: Fate,
}

/// What has become of a roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is at work.
    UnderWay,
    /// It stands still, because somebody wanted that.
    Paused,
    /// Every instance was new and served.
    Done,
    /// It ended, and not every instance is new.
    EndedEarly,
    /// Its process is gone, and it had not ended.
    Died,
    /// It had not ended when the manager did: every instance was started anew since.
    Overtaken,
}

/// The last roll of the group; `None` if none is on record. `life` is that of the manager, if it
/// could be asked.
///
/// # Errors
///
/// When its log cannot be read.
pub fn last_roll(scope: Scope, shelf: &Shelf, life: Option<Life>) -> io::Result<Option<Look>> {
    for number in shelf.numbers()?.into_iter().rev() {
        match look(scope, shelf, number, life) {
            // The power went before its first line was written, and nothing was touched.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
            look => return look.map(Some),
        }
    }
    Ok(None)
}

/// One roll of the group.
pub(super) fn look(
    scope: Scope,
    shelf: &Shelf,
    number: u64,
    life: Option<Life>,
) -> io::Result<Look> {
    let header = read(&shelf.path(number))?.header;
    // In this order: a roll that ends in between has its end in the log by then.
    let is_there = control::owner(scope, &header.group)? == Some(header.pid);
    let told = read(&shelf.path(number))?;
    let story = told.story();
    let fate = match &story.outcome {
        Some(outcome) if outcome.reason == Reason::Done => Fate::Done,
        _ if life.is_some_and(|life| life != header.life) => Fate::Overtaken,
        Some(_) => Fate::EndedEarly,
        None if is_there && story.paused_by.is_some() => Fate::Paused,
        None if is_there => Fate::UnderWay,
        None => Fate::Died,
    };
    Ok(Look { told, story, fate })
}

impl Fate {
    /// One word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::UnderWay => "under way",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::EndedEarly => "ended early",
            Self::Died => "died",
            Self::Overtaken => "overtaken",
        }
    }
}
