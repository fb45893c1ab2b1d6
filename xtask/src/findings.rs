//! What `check` can find: each kind with its code, here alone, and where a finding stands. `explain/findings.md` says what each means and what to do.

use std::path::{Path, PathBuf};

use diptych_core::Place;

use crate::config::Failure;
use crate::folder::{self, SNAPSHOT};

/// The kinds of findings. A code stays what it is: pipelines and suppressed alerts have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Folder,
    Unreadable,
    NoMigration,
    TwoFiles,
    NotApplicable,
    TwoOfOneNumber,
    Snapshot,
    OtherSchema,
    NewerFiles,
    FileGone,
    OtherTables,
    NotRecorded,
    NotRecordable,
    UsedUp,
    NotChecked,
    NotCarriedOut,
}

impl Rule {
    /// Every kind with its code.
    pub(crate) const ALL: [(Rule, &'static str); 16] = [
        (Rule::Folder, "DIP801"),
        (Rule::Unreadable, "DIP802"),
        (Rule::NoMigration, "DIP803"),
        (Rule::TwoFiles, "DIP804"),
        (Rule::NotApplicable, "DIP805"),
        (Rule::TwoOfOneNumber, "DIP806"),
        (Rule::Snapshot, "DIP807"),
        (Rule::OtherSchema, "DIP808"),
        (Rule::NewerFiles, "DIP809"),
        (Rule::FileGone, "DIP810"),
        (Rule::OtherTables, "DIP811"),
        (Rule::NotRecorded, "DIP812"),
        (Rule::NotRecordable, "DIP813"),
        (Rule::UsedUp, "DIP814"),
        (Rule::NotChecked, "DIP815"),
        (Rule::NotCarriedOut, "DIP816"),
    ];

    /// How much it is, as SARIF says it.
    pub(crate) fn level(self) -> &'static str {
        if matches!(self, Rule::UsedUp | Rule::NotChecked) { "note" } else { "error" }
    }
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The folder of migrations as a whole.
    Folder,
    Snapshot,
    /// The file of a migration.
    Migration(String),
    File(PathBuf),
    /// A line and column of a file.
    Spot(PathBuf, usize, usize),
}

/// Something that was found.
pub(crate) struct Finding {
    pub(crate) rule: Rule,
    pub(crate) subject: Subject,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// Where within its file, as far as that is known.
    pub(crate) place: Option<Place>,
}

impl Finding {
    pub(crate) fn new(rule: Rule, subject: Subject, message: String) -> Self {
        Finding { rule, subject, message, hint: None, place: None }
    }

    /// A failure as a finding. One of which nobody has said what kind it is came of carrying migrations out.
    pub(crate) fn of(failure: &Failure) -> Self {
        let (rule, subject) = failure.finding.as_deref().cloned().unwrap_or((Rule::NotCarriedOut, Subject::Folder));
        let (message, hint, place) = (failure.message.clone(), failure.hint.clone(), failure.place);
        Finding { rule, subject, message, hint, place }
    }

    /// Its file with line and column, of which the first ones are 1.
    pub(crate) fn spot(&self, dir: &Path) -> (PathBuf, usize, usize) {
        let file = match &self.subject {
            Subject::Folder => dir.to_owned(),
            Subject::Snapshot => dir.join(SNAPSHOT),
            Subject::Migration(name) => folder::file(dir, name).unwrap_or_else(|| dir.to_owned()),
            Subject::File(path) => path.clone(),
            Subject::Spot(path, line, column) => return (path.clone(), *line, *column),
        };
        let text = || folder::text(&file).unwrap_or_default();
        let (line, column) = match self.place {
            Some(Place::Text { line, column }) => within(&text(), line, column),
            Some(Place::Operation(number)) => operation(&text(), number),
            None => (1, 1),
        };
        (file, line, column)
    }
}

/// A place in a text, of which a reader may name the line after the last.
fn within(text: &str, line: usize, column: usize) -> (usize, usize) {
    let last = text.lines().count().max(1);
    if line > last { (last, 1) } else { (line.max(1), column.max(1)) }
}

/// Where the operation with this number, from 1, begins, where each begins a line as `record` writes them; else the first line.
fn operation(text: &str, number: usize) -> (usize, usize) {
    let lines = || text.lines().enumerate().skip_while(|(_, line)| !line.starts_with("operations:"));
    let items = || {
        lines().filter_map(|(at, line)| Some((at, line.len() - line.trim_start().len(), line.trim_start().strip_prefix("- ")?)))
    };
    let Some((_, indent, _)) = items().next() else { return (1, 1) };
    let own = items().filter(|(_, there, _)| *there == indent).nth(number - 1);
    own.map_or((1, 1), |(at, indent, _)| (at + 1, indent + 1))
}

#[cfg(test)]
mod tests {
    use super::{Rule, operation};
    use crate::commands::explain;

    #[test]
    fn each_code_is_there_once_and_explained() {
        let codes: Vec<&str> = Rule::ALL.iter().map(|(_, code)| *code).collect();
        let explained: Vec<&str> = explain::findings().map(|(code, ..)| code).collect();
        assert_eq!(codes, explained);
    }

    #[test]
    fn operations_are_found_by_their_numbers() {
        let text =
            "# first\noperations:\n  - sql:\n      up: |\n        - no\n  - create_table:\n      columns:\n      - name: id\n";
        assert_eq!([1, 2, 3].map(|number| operation(text, number)), [(3, 3), (6, 3), (1, 1)]);
        assert_eq!(operation("operations:\n- drop_table: {name: a}\n- sql: {up: SELECT 1}\n", 2), (3, 1));
        assert_eq!(operation("operations: [{sql: {up: SELECT 1}}]", 1), (1, 1));
    }
}
