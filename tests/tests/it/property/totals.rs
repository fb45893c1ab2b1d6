//! What cases came to, as counts.

use std::collections::BTreeMap;

use diptych_tests::printers::Compared;

use super::attempt::Done;

/// What became of cases.
#[derive(Default)]
pub(super) struct Totals {
    pub(super) cases: usize,
    pub(super) declared: usize,
    pub(super) rows: usize,
    /// Cases with rows in tables that have enum columns, and those rows.
    pub(super) of_enums: (usize, usize),
    /// Cases with rows in partitioned tables, and those rows.
    pub(super) in_parts: (usize, usize),
    /// Conversions whose two printers were compared, and their rows.
    pub(super) compared: Compared,
    /// Dumps that were restored in transition.
    pub(super) restored: usize,
    /// Pieces of code that showed what their tables have, through all of it.
    pub(super) code: usize,
    pub(super) operations: BTreeMap<&'static str, usize>,
    /// Operations that were refused while the change was put together, by first words.
    pub(super) refused_operations: BTreeMap<String, usize>,
    /// Starts and diffs that were refused, by first words.
    pub(super) refused: BTreeMap<String, usize>,
    pub(super) failed: Vec<String>,
}

impl Totals {
    /// Counts the rows of a case.
    pub(super) fn count(&mut self, done: &Done) {
        self.rows += done.rows;
        self.compared += done.compared;
        self.restored += done.restored;
        self.code += done.code;
        for (mine, rows) in [(&mut self.of_enums, done.of_enums), (&mut self.in_parts, done.in_parts)] {
            *mine = (mine.0 + usize::from(rows > 0), mine.1 + rows);
        }
    }

    /// Those of another worker besides.
    pub(super) fn add(&mut self, other: Totals) {
        self.cases += other.cases;
        self.declared += other.declared;
        self.rows += other.rows;
        self.compared += other.compared;
        self.restored += other.restored;
        self.code += other.code;
        for (mine, theirs) in [(&mut self.of_enums, other.of_enums), (&mut self.in_parts, other.in_parts)] {
            *mine = (mine.0 + theirs.0, mine.1 + theirs.1);
        }
        self.failed.extend(other.failed);
        for (name, count) in other.operations {
            *self.operations.entry(name).or_default() += count;
        }
        for (mine, theirs) in [(&mut self.refused_operations, other.refused_operations), (&mut self.refused, other.refused)] {
            for (words, count) in theirs {
                *mine.entry(words).or_default() += count;
            }
        }
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |counts: &BTreeMap<String, usize>| {
            counts.iter().map(|(words, count)| format!("{count} × {words}")).collect::<Vec<_>>().join("; ")
        };
        let operations: Vec<String> = self.operations.iter().map(|(name, count)| format!("{name} {count}")).collect();
        write!(
            out,
            "{} cases ({} of structs, {} with {} rows in tables with enum columns, {} with {} rows in partitioned tables), {} rows, {} conversions printed twice on {} rows, {} dumps restored, {} pieces of code, operations: {}, refused cases: [{}], refused operations: [{}], {} failures",
            self.cases,
            self.declared,
            self.of_enums.0,
            self.of_enums.1,
            self.in_parts.0,
            self.in_parts.1,
            self.rows,
            self.compared.conversions,
            self.compared.rows,
            self.restored,
            self.code,
            operations.join(", "),
            list(&self.refused),
            list(&self.refused_operations),
            self.failed.len()
        )
    }
}
