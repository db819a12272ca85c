//! `rollctl history`: the rolls on record, the newest last.

use std::io::stdout;

use super::group::{OnRecordArgs, look_at, shelves, unreadable};
use super::table;
use crate::ctl::look::{Fate, Look};
use crate::ctl::report::{in_millis, say};
use crate::ctl::{Error, ExitStatus};

const HEAD: [&str; 7] = ["GROUP", "ROLL", "BEGAN", "TOOK", "RESULT", "NEW", "COMMAND"];

pub(super) async fn run(args: &OnRecordArgs) -> Result<ExitStatus, Error> {
    let scope = args.manager.scope();
    let mut looks = Vec::new();
    for shelf in shelves(args.group.as_ref(), scope)? {
        for number in shelf.numbers().map_err(|error| unreadable(&shelf, &error))? {
            // One that cannot be read any more does not hide the others.
            looks.extend(look_at(scope, &shelf, number).await);
        }
    }
    match (looks.is_empty(), &args.group) {
        (true, Some(group)) => return Err(Error::NoRoll { group: group.to_string(), scope }),
        (true, None) => say(stdout(), "no roll is on record"),
        _ if args.json => looks.iter().for_each(|look| super::status::tell_json(look, scope)),
        _ => {
            let rows: Vec<_> = looks.iter().map(row).collect();
            table::lines(HEAD, &rows).iter().for_each(|line| say(stdout(), line));
        }
    }
    Ok(ExitStatus::Serving)
}

fn row(look: &Look) -> [String; 7] {
    let header = &look.told.header;
    let took = look.told.lines.last().map(|line| in_millis(line.at()).to_string());
    let all = look.story.instances.len();
    let new = all - look.story.not_done().count();
    let result = match (look.fate, &look.story.outcome) {
        (Fate::EndedEarly | Fate::Overtaken, Some(outcome)) => outcome.reason.word(),
        (fate, _) => fate.word(),
    };
    let resumes = header.resumes.map(|number| format!("resumes {number}: "));
    [
        header.group.clone(),
        header.number.to_string(),
        header.time.split('.').next().unwrap_or_default().replace('T', " "),
        took.unwrap_or_default(),
        result.to_owned(),
        format!("{new} of {all}"),
        format!("{}{}", resumes.unwrap_or_default(), header.command.join(" ")),
    ]
}
