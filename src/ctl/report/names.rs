//! Names of units as a person would say them.

/// Fewer in a row are named one by one.
const ROW: usize = 5;

/// A unit's name as it is spoken of: without `.service`.
pub(in crate::ctl) fn short(unit: &str) -> &str {
    unit.strip_suffix(".service").unwrap_or(unit)
}

/// `a`, `a and b`, `a, b and c`; of many in a row the first and the last: `a@1 to a@900`.
pub(in crate::ctl) fn listed(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let rows = names.chunk_by(|one, other| are_in_a_row(one, other));
    let told = rows.flat_map(|row| match row {
        [first, .., last] if row.len() >= ROW => vec![format!("{first} to {last}")],
        few => few.iter().map(ToString::to_string).collect(),
    });
    let told: Vec<String> = told.collect();
    match &told[..] {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// Whether one is behind the other when instances are counted.
fn are_in_a_row(one: &str, other: &str) -> bool {
    match (numbered(one), numbered(other)) {
        (Some((prefix, number)), Some((same, next))) => {
            prefix == same && number.checked_add(1) == Some(next)
        }
        _ => false,
    }
}

/// `worker@3` is number 3 of `worker`.
fn numbered(name: &str) -> Option<(&str, u64)> {
    let (prefix, instance) = name.split_once('@')?;
    let number: u64 = instance.parse().ok()?;
    (number.to_string() == instance).then_some((prefix, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(range: std::ops::RangeInclusive<u64>) -> Vec<String> {
        range.map(|number| format!("q@{number}")).collect()
    }

    #[test]
    fn few_are_named_one_by_one() {
        assert_eq!(listed(&[] as &[&str]), "");
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b"]), "a and b");
        assert_eq!(listed(&counted(1..=4)), "q@1, q@2, q@3 and q@4");
    }

    #[test]
    fn of_many_in_a_row_the_first_and_the_last() {
        assert_eq!(listed(&counted(101..=1000)), "q@101 to q@1000");
        let names = [counted(1..=2), counted(4..=20), vec!["r@21".to_owned()]].concat();
        assert_eq!(listed(&names), "q@1, q@2, q@4 to q@20 and r@21");
        let names = ["q@08", "q@09", "q@10", "q@11", "q@12", "q@13"];
        assert_eq!(listed(&names), "q@08, q@09, q@10, q@11, q@12 and q@13", "other names");
    }
}
