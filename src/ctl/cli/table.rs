//! Columns that line up.

/// The rows as lines, every column as wide as its widest cell, without trailing blanks.
pub(super) fn lines<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: [&str; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let body = rows.iter().map(|row| line(std::array::from_fn(|column| row[column].as_str())));
    [line(head)].into_iter().chain(body).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_line_up() {
        let rows =
            [["worker@1".into(), "ü".into(), "x".into()], ["w".into(), "".into(), "".into()]];
        let lines = super::lines(["UNIT", "NOW", "PID"], &rows);
        assert_eq!(lines, ["UNIT      NOW  PID", "worker@1  ü    x", "w"]);
    }
}
