//! Rows and columns for people, and moments and durations in them.

use crate::render::span;

/// Columns as wide as their widest word; the last one is as long as it is.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).chain([head[at].chars().count()]).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let lines = rows.iter().map(|row| line(std::array::from_fn(|at| row[at].as_str())));
    [line(head)].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

/// What is not known.
pub(crate) const UNKNOWN: &str = "-";

/// `2026-01-31T12:00:00Z` for people.
pub(crate) fn moment(of: Option<&str>) -> String {
    of.map_or(UNKNOWN.to_owned(), |of| of.replace('T', " ").replace('Z', ""))
}

/// How long something took.
pub(crate) fn took(milliseconds: Option<i64>) -> String {
    match milliseconds.map(i64::unsigned_abs) {
        None => UNKNOWN.to_owned(),
        Some(short @ ..10_000) => format!("{}.{} s", short / 1000, short % 1000 / 100),
        Some(long) => span(long / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::{moment, table, took};

    #[test]
    fn columns_are_as_wide_as_their_widest_word() {
        let rows = [["a".to_owned(), "12".to_owned()], ["`é`".to_owned(), String::new()]];
        assert_eq!(table(["x", "number"], &rows), "x    number\na    12\n`é`");
    }

    #[test]
    fn moments_and_durations_are_short() {
        assert_eq!(moment(Some("2026-01-31T12:00:00Z")), "2026-01-31 12:00:00");
        assert_eq!([Some(0), Some(1_290), Some(61_000), None].map(took), ["0.0 s", "1.2 s", "61 s", "-"]);
    }
}
