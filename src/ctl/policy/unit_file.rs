//! The syntax of unit files, as far as one section needs it: systemd.syntax(7).
//!
//! The one well-kept crate for it (systemd-unit-edit) builds a lossless tree for editors, and
//! takes text only; this reads one section of any bytes, in the way of systemd's own reader.

/// One `Key=value` of the section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    /// What is before the first `=`, without blanks around it.
    pub(super) key: String,
    /// What is behind it, likewise; empty resets the key.
    pub(super) value: String,
    /// Its first line, counted from one.
    pub(super) line: usize,
}

/// A line of the section that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stray {
    /// Counted from one.
    pub(super) line: usize,
    /// What is wrong with it.
    pub(super) what: &'static str,
}

/// Every assignment of the section, in order, wherever in the file the section goes on.
pub(super) fn section(file: &[u8], name: &str) -> Vec<Result<Assignment, Stray>> {
    let mut is_inside = false;
    let mut found = Vec::new();
    for (line, text) in logical_lines(file) {
        let text = text.trim_ascii();
        match text.first() {
            None => {}
            Some(b'[') => is_inside = header(text) == Some(name.as_bytes()),
            Some(_) if is_inside => found.push(assignment(line, text)),
            Some(_) => {}
        }
    }
    found
}

fn header(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"[")?.strip_suffix(b"]")
}

fn assignment(line: usize, text: &[u8]) -> Result<Assignment, Stray> {
    let stray = |what| Stray { line, what };
    let text = std::str::from_utf8(text).map_err(|_| stray("is not UTF-8"))?;
    let (key, value) = text.split_once('=').ok_or_else(|| stray("has no '='"))?;
    let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
    Ok(Assignment { key, value, line })
}

/// Lines with those behind a final `\` joined on, a blank in its place; comments are left out, also
/// between two that belong together.
fn logical_lines(file: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let file = file.strip_prefix("\u{feff}".as_bytes()).unwrap_or(file);
    let mut lines = Vec::new();
    let mut begun: Option<(usize, Vec<u8>)> = None;
    for (number, line) in file.split(|byte| *byte == b'\n').enumerate() {
        if matches!(line.trim_ascii_start().first(), Some(b'#' | b';')) {
            continue;
        }
        let (start, mut text) = begun.take().unwrap_or((number + 1, Vec::new()));
        match goes_on(line) {
            true => {
                text.extend_from_slice(&line[..line.len() - 1]);
                text.push(b' ');
                begun = Some((start, text));
            }
            false => {
                text.extend_from_slice(line);
                lines.push((start, text));
            }
        }
    }
    lines.extend(begun);
    lines
}

/// Whether its last `\` is not itself behind one.
fn goes_on(line: &[u8]) -> bool {
    line.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> String {
        let told = section(text.as_bytes(), "X-Roll").into_iter().map(|it| match it {
            Ok(Assignment { key, value, line }) => format!("{line}:{key}={value}"),
            Err(Stray { line, what }) => format!("{line}: {what}"),
        });
        told.collect::<Vec<_>>().join("|")
    }

    #[test]
    fn only_the_section_counts_wherever_it_goes_on() {
        let text = "PauseSec=0\n[X-Roll]\nPauseSec = 1s\n[Service]\nPauseSec=2\n[X-Roll]\n A=\n";
        assert_eq!(read(text), "3:PauseSec=1s|7:A=");
        assert_eq!(read("\u{feff}[X-Roll]\nA=b=c"), "2:A=b=c");
        assert_eq!(read("[X-Roll] \nA=1\n[X-Roll\nB=2\n[x-roll]\nC=3"), "2:A=1");
    }

    #[test]
    fn a_line_goes_on_behind_a_backslash_and_comments_may_be_between() {
        assert_eq!(read("[X-Roll]\nA=a \\\n# no\n ; no\nb \\\\\nB=c\\"), "2:A=a  b \\\\|6:B=c");
        assert_eq!(read("[X-Roll]\nA=a\\\n\nB=1"), "2:A=a|4:B=1");
    }

    #[test]
    fn what_is_no_assignment_is_told_with_its_line() {
        assert_eq!(read("[X-Roll]\n#c\nnonsense"), "3: has no '='");
        let bytes = section(b"[X-Roll]\nA=\xff\n", "X-Roll");
        assert_eq!(bytes, [Err(Stray { line: 2, what: "is not UTF-8" })]);
    }

    proptest! {
        #[test]
        fn never_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = section(&bytes, "X-Roll");
        }

        #[test]
        fn never_panics_on_what_looks_like_a_unit(text in "(\\[X-Roll\\]|[=#;\\\\ \n\ta%\\[\\]]){0,40}") {
            let lines = text.split('\n').count();
            for found in section(text.as_bytes(), "X-Roll") {
                let line = found.map_or_else(|stray| stray.line, |it| it.line);
                prop_assert!((1..=lines).contains(&line));
            }
        }

        #[test]
        fn reads_back_what_was_written(
            pairs in proptest::collection::vec(("[A-Z][a-z]{0,8}", "[!-Z^-~][ -Z^-~]{0,20}"), 0..6),
        ) {
            let text: String = pairs.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
            let read: Vec<(String, String)> = section(format!("[X-Roll]\n{text}").as_bytes(), "X-Roll")
                .into_iter()
                .map(|it| it.unwrap())
                .map(|it| (it.key, it.value))
                .collect();
            let trimmed = pairs.iter().map(|(key, value)| (key.clone(), value.trim().to_owned()));
            prop_assert_eq!(read, trimmed.collect::<Vec<_>>());
        }
    }
}
