//! The recorded migrations, held against those that a database has applied: nothing is run twice, and nothing is undone unseen.

use std::collections::BTreeSet;

use crate::error::Error;
use crate::state::{Recorded, State, VersionState};
use crate::text::few;
use diptych_core::Migration;
use diptych_core::plan::Command;

/// How many names a message holds.
const NAMED: usize = 3;

/// The recorded migrations as a command is given them, in order.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// None where nobody could look.
    readable: Option<&'a [Migration]>,
    unreadable: &'a [String],
}

impl<'a, T: AsRef<[Migration]> + ?Sized> From<&'a T> for Files<'a> {
    fn from(migrations: &'a T) -> Self {
        Files { readable: Some(migrations.as_ref()), unreadable: &[] }
    }
}

impl<'a> Files<'a> {
    /// A folder that could not be looked into: nothing is compared.
    pub fn unknown() -> Self {
        Files { readable: None, unreadable: &[] }
    }

    /// The same with migrations of these names that are there and cannot be read.
    #[must_use]
    pub fn with_unreadable(self, names: &'a [String]) -> Self {
        Files { unreadable: names, ..self }
    }

    pub(crate) fn owned(self) -> Option<(Vec<Migration>, Vec<String>)> {
        self.readable.map(|readable| (readable.to_owned(), self.unreadable.to_owned()))
    }
}

/// What becomes of a command where an applied migration is missing from the recorded ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// It is refused.
    #[default]
    Refuse,
    /// It goes on. A `start` of a renamed migration is refused all the same: it would run twice.
    Allow,
}

/// What does not fit, with the way out.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// What it is.
    pub message: String,
    /// The way out.
    pub hint: String,
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Error::refused(problem.message).hint(problem.hint)
    }
}

/// What the recorded migrations have that the database does not, and the other way round.
pub(crate) struct Comparison<'a> {
    base: &'a str,
    findings: Vec<Finding<'a>>,
    /// Migrations of retired versions, before all others, whose files are gone: nothing needs them any more.
    pub trimmed: Vec<&'a str>,
    /// What is not started, in order.
    pub unstarted: Vec<&'a Migration>,
}

enum Finding<'a> {
    /// Nothing that is applied is there.
    Foreign(Vec<&'a str>),
    Renamed {
        from: &'a str,
        to: &'a str,
    },
    Missing(Vec<&'a str>),
    Changed(&'a str, &'a Recorded),
    /// As changed as far as anybody can tell; whoever could not read it has a better message.
    Unreadable(&'a str, &'a Recorded),
    /// It was never started, but a later one was.
    Unordered {
        name: &'a str,
        applied: &'a str,
        last: &'a str,
        free: Option<String>,
    },
}

/// Holds recorded migrations against the state of a base schema.
pub(crate) fn compare<'a>(base: &'a str, state: &'a State, files: Files<'a>) -> Comparison<'a> {
    let mut comparison = Comparison { base, findings: Vec::new(), trimmed: Vec::new(), unstarted: Vec::new() };
    let Some(readable) = files.readable else { return comparison };
    let applied: Applied<'a> = state.applied().collect();
    let is_there = |name: &str| readable.iter().any(|file| file.name == name) || files.unreadable.iter().any(|file| file == name);
    let missing: Applied<'a> = applied.iter().copied().filter(|(there, _)| !is_there(&there.name)).collect();
    let (renamed, missing) = told_by_checksum(&applied, missing, readable);
    let taken: BTreeSet<&str> = renamed.iter().map(|(_, file)| *file).collect();
    comparison.findings.extend(renamed.into_iter().map(|(from, to)| Finding::Renamed { from, to }));
    comparison.judge_missing(&applied, &missing, readable);
    comparison.find_changed(&applied, files);
    let is_new = |file: &&Migration| !is_applied(&applied, &file.name) && !taken.contains(file.name.as_str());
    comparison.unstarted = readable.iter().filter(is_new).collect();
    comparison.find_unordered(&applied, readable);
    comparison
}

/// Applied migrations, each with the version that it is part of.
type Applied<'a> = Vec<(&'a Migration, &'a Recorded)>;

fn is_applied(applied: &[(&Migration, &Recorded)], name: &str) -> bool {
    applied.iter().any(|(there, _)| there.name == name)
}

fn names<'a>(of: &[(&'a Migration, &Recorded)]) -> Vec<&'a str> {
    of.iter().map(|(there, _)| there.name.as_str()).collect()
}

/// Of the missing migrations, those that a file has under another name, with that name; and those that none has.
fn told_by_checksum<'a>(
    applied: &[(&Migration, &Recorded)],
    mut missing: Applied<'a>,
    readable: &'a [Migration],
) -> (Vec<(&'a str, &'a str)>, Applied<'a>) {
    let mut renamed: Vec<(&str, &str)> = Vec::new();
    missing.retain(|(there, _)| {
        let checksum = there.checksum();
        let is_taken = |file: &Migration| renamed.iter().any(|(_, to)| *to == file.name);
        let found =
            readable.iter().find(|file| !is_applied(applied, &file.name) && !is_taken(file) && file.checksum() == checksum);
        renamed.extend(found.map(|file| (there.name.as_str(), file.name.as_str())));
        found.is_none()
    });
    (renamed, missing)
}

impl<'a> Comparison<'a> {
    /// Nothing of it there is another app's folder; the oldest files may go, as long as what stands here is there.
    fn judge_missing(
        &mut self,
        applied: &[(&Migration, &Recorded)],
        missing: &[(&'a Migration, &Recorded)],
        readable: &[Migration],
    ) {
        if missing.len() == applied.len() && !applied.is_empty() && !readable.is_empty() {
            self.findings.push(Finding::Foreign(names(missing)));
            return;
        }
        let gone = applied
            .iter()
            .zip(missing)
            .take_while(|((of, version), (there, _))| of.name == there.name && version.state == VersionState::Retired)
            .count();
        let gone = if gone < applied.len() { gone } else { 0 };
        if missing.len() > gone {
            self.findings.push(Finding::Missing(names(missing)));
        } else {
            self.trimmed = names(&missing[..gone]);
        }
    }

    fn find_changed(&mut self, applied: &[(&'a Migration, &'a Recorded)], files: Files<'_>) {
        for (there, version) in applied {
            let mut readable = files.readable.into_iter().flatten();
            if readable.any(|file| file.name == there.name && !file.does_the_same(there)) {
                self.findings.push(Finding::Changed(&there.name, version));
            } else if files.unreadable.contains(&there.name) {
                self.findings.push(Finding::Unreadable(&there.name, version));
            }
        }
    }

    /// What is not started and stands before the last one that is applied.
    fn find_unordered(&mut self, applied: &[(&Migration, &Recorded)], readable: &'a [Migration]) {
        let Some(at) = readable.iter().rposition(|file| is_applied(applied, &file.name)) else { return };
        let (before, after) = readable.split_at(at);
        for file in before.iter().filter(|file| self.unstarted.iter().any(|there| there.name == file.name)) {
            self.findings.push(Finding::Unordered {
                name: &file.name,
                applied: &after[0].name,
                last: after.last().map_or("", |last| &last.name),
                free: free_name(&file.name, readable),
            });
        }
    }
}

impl Comparison<'_> {
    /// Everything that does not fit.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let told = self.findings.iter().filter(|finding| !matches!(finding, Finding::Unreadable(..)));
        told.map(|finding| self.problem(finding)).collect()
    }

    /// What keeps a command from being carried out.
    pub(crate) fn refusal(&self, command: Command, missing: Missing) -> Option<Problem> {
        let refuses = |finding: &&Finding<'_>| match (finding, command) {
            // it would run a second time
            (Finding::Renamed { .. } | Finding::Changed(..) | Finding::Unordered { .. }, Command::Start) => true,
            (Finding::Foreign(_) | Finding::Missing(_) | Finding::Renamed { .. }, _) => missing == Missing::Refuse,
            // what becomes final is what is recorded
            (Finding::Changed(_, of) | Finding::Unreadable(_, of), Command::Complete) => {
                missing == Missing::Refuse && is_pending(of)
            }
            _ => false,
        };
        self.findings.iter().find(refuses).map(|finding| self.problem(finding))
    }

    fn problem(&self, finding: &Finding<'_>) -> Problem {
        let base = self.base;
        let (message, hint) = match finding {
            Finding::Foreign(names) => (
                format!("the folder belongs to another app: it has none of the migrations that are applied in schema `{base}`: {}", named(names)),
                "name the right folder with --dir, or give this app a base schema of its own with --schema; --allow-missing continues anyway"
                    .to_owned(),
            ),
            Finding::Renamed { from, to } => (
                format!("migration `{from}` is applied in schema `{base}` and was renamed to `{to}` in the folder"),
                format!("rename `{to}` back to `{from}`"),
            ),
            Finding::Missing(names) => {
                let (noun, verb, it) = if names.len() == 1 { ("migration", "is", "it") } else { ("migrations", "are", "them") };
                (
                    format!("{noun} {} {verb} applied in schema `{base}` and missing from the folder", named(names)),
                    format!("restore {it} from the revision that has {it}, or name the right folder with --dir; --allow-missing continues without"),
                )
            }
            Finding::Changed(name, of) => {
                (format!("migration `{name}` is not what was started in this database"), way_back(of).to_owned())
            }
            Finding::Unreadable(name, of) => {
                (format!("migration `{name}` is {} and its file cannot be read", of.state), "put the file back as it was".to_owned())
            }
            Finding::Unordered { name, applied, last, free } => {
                let hint = match free {
                    Some(free) => format!(
                        "rename `{name}` to `{free}`, so that it comes last; where structs are recorded, `cargo xtask migrate record --rebase {name}` does it"
                    ),
                    None => format!("rename `{name}` to a name that sorts after `{last}`, so that it comes last"),
                };
                (
                    format!("migration `{name}` was never started, but comes before `{applied}`, which was"),
                    hint,
                )
            }
        };
        Problem { message, hint }
    }
}

fn is_pending(version: &Recorded) -> bool {
    matches!(version.state, VersionState::Starting | VersionState::Started | VersionState::Completing | VersionState::RollingBack)
}

/// The way out for whoever has changed the file of an applied migration.
fn way_back(version: &Recorded) -> &'static str {
    match version.state {
        VersionState::Starting => "run `rollback`, then `start` again; or put the file back as it was and run `start` again",
        VersionState::RollingBack => "run `rollback`, then `start` again",
        VersionState::Started => "put the file back as it was; or run `rollback`, then `start` again",
        VersionState::Completing => "put the file back as it was, run `complete`, and record the change as a new migration",
        _ => "put the file back as it was, and record the change as a new migration",
    }
}

/// A few names, and how many more.
fn named(names: &[&str]) -> String {
    few(&names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>(), NAMED, ", ")
}

/// The name with the number that comes after all others, where names have numbers.
fn free_name(name: &str, files: &[Migration]) -> Option<String> {
    let number = |name: &str| name.split('_').next().and_then(|digits| digits.parse::<u32>().ok());
    let (digits, rest) = name.split_once('_')?;
    number(name)?;
    let next = files.iter().filter_map(|file| number(&file.name)).max()?.checked_add(1)?;
    let free = format!("{next:0width$}_{rest}", width = digits.len());
    files.iter().all(|file| file.name < free).then_some(free)
}
