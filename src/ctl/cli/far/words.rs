//! The command line, as the rollctl there gets it.

use clap::Parser;

use super::Way;
use crate::ctl::Error;
use crate::ctl::cli::args::Cli;

/// What was typed here, but for the program and the option that leads there.
pub(super) fn words_there(way: &Way) -> Result<Vec<String>, Error> {
    let typed = std::env::args_os().map(|word| word.into_string());
    let typed: Result<Vec<String>, _> = typed.collect();
    let typed = typed.map_err(|word| Error::Usage(format!("{} is no text", word.display())))?;
    without(typed, way)
}

fn without(typed: Vec<String>, way: &Way) -> Result<Vec<String>, Error> {
    let (short, long) = match way {
        Way::Ssh(_) => ("-H", "--host"),
        Way::Machine(_) => ("-M", "--machine"),
    };
    let left = left_of(typed, short, long);
    match Cli::try_parse_from(&left) {
        Ok(cli) if !leads_back(&cli, way) => Ok(left.into_iter().skip(1).collect()),
        // As in `-qH web1`.
        _ => Err(Error::Usage(format!("write {} as a word of its own", way.option()))),
    }
}

fn leads_back(cli: &Cli, way: &Way) -> bool {
    match way {
        Way::Ssh(_) => cli.far.host.is_some(),
        Way::Machine(_) => cli.far.machine.is_some(),
    }
}

/// No option takes a value that begins with a dash, so that such a word is the option itself.
fn left_of(typed: Vec<String>, short: &str, long: &str) -> Vec<String> {
    let mut typed = typed.into_iter();
    let mut left = Vec::new();
    while let Some(word) = typed.next() {
        let with_value = word.strip_prefix(long).is_some_and(|rest| rest.starts_with('='));
        match () {
            () if word == "--" => {
                left.push(word);
                left.extend(typed.by_ref());
            }
            () if word == short || word == long => drop(typed.next()),
            () if word.starts_with(short) || with_value => {}
            () => left.push(word),
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(typed: &[&str]) -> Result<Vec<String>, String> {
        let typed: Vec<String> = typed.iter().map(|word| (*word).to_owned()).collect();
        let cli = Cli::try_parse_from(&typed).map_err(|error| error.to_string())?;
        without(typed, &cli.far.way().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_option_may_stand_anywhere() {
        let ways: [&[&str]; 5] = [
            &["rollctl", "-H", "web1", "restart", "w@*", "-q"],
            &["rollctl", "restart", "w@*", "-H", "web1", "-q"],
            &["rollctl", "restart", "w@*", "-q", "-Hweb1"],
            &["rollctl", "--host=web1", "restart", "w@*", "-q"],
            &["rollctl", "restart", "--host", "web1", "w@*", "-q"],
        ];
        for typed in ways {
            assert_eq!(there(typed).unwrap(), ["restart", "w@*", "-q"], "{typed:?}");
        }
    }

    #[test]
    fn a_container_there_is_left_to_the_rollctl_there() {
        let typed = ["rollctl", "-H", "web1", "-M", "shop", "list"];
        assert_eq!(there(&typed).unwrap(), ["-M", "shop", "list"]);
    }

    #[test]
    fn in_one_word_with_another_option_it_is_refused() {
        let refused = there(&["rollctl", "restart", "w", "-qH", "web1"]).unwrap_err();
        assert!(refused.contains("-H web1"), "{refused}");
    }
}
