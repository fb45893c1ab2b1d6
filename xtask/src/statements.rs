//! The statements of an app: from files of SQL, from what sqlx has prepared, from what a server has seen.

use std::fs;
use std::path::{Path, PathBuf};

use diptych_core::model::lexer::{self, Kind, Token};

use crate::config::Failure;
use crate::folder;

/// A statement, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) place: String,
    pub(crate) sql: String,
}

/// What is to be done with a statement to see whether it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trial {
    /// It is prepared.
    Prepare,
    /// It is begun, and its data are not sent.
    CopyIn,
    /// It is run to its first row.
    CopyOut,
    /// It is run, and undone.
    Run,
    /// It is about the session or the transaction: nothing is looked at.
    Skip,
}

impl Statement {
    pub(crate) fn trial(&self) -> Trial {
        let words: Vec<String> = words(&self.sql).collect();
        let has = |word: &str| words.iter().any(|there| there == word);
        match words.first().map(String::as_str).unwrap_or_default() {
            "select" | "insert" | "update" | "delete" | "merge" | "with" | "values" | "table" => Trial::Prepare,
            "copy" if has("stdin") => Trial::CopyIn,
            "copy" if has("stdout") => Trial::CopyOut,
            // a file of the server
            "copy" => Trial::Skip,
            "truncate" | "create" | "drop" | "alter" | "grant" | "revoke" | "comment" | "lock" | "call" | "do" => Trial::Run,
            _ => Trial::Skip,
        }
    }
}

/// The statements of a file, or of every file below a folder.
pub(crate) fn of_path(path: &Path) -> Result<Vec<Statement>, Failure> {
    let mut found = Vec::new();
    for file in files(path)? {
        let text = folder::text(&file)?;
        let shown = file.display().to_string();
        if file.extension().is_some_and(|end| end == "json") {
            let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
                Failure::hinted(format!("`{shown}` cannot be read: {error}"), "run `cargo sqlx prepare` anew")
            })?;
            // other JSON below the folder has no query
            found.extend(value["query"].as_str().map(|sql| Statement { place: shown, sql: sql.to_owned() }));
        } else {
            found.extend(split(&text).map(|(line, sql)| Statement { place: format!("{shown}:{line}"), sql }));
        }
    }
    Ok(found)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed =
        |error| Failure::hinted(format!("cannot read `{}`: {error}", path.display()), "name a file or a folder that is there");
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?.path();
        if entry.is_dir() {
            found.extend(files(&entry)?);
        } else if entry.extension().is_some_and(|end| end == "sql" || end == "json") {
            found.push(entry);
        }
    }
    found.sort();
    Ok(found)
}

/// The statements of a text, each with the line that it begins in.
fn split(text: &str) -> impl Iterator<Item = (usize, String)> {
    let tokens = lexer::tokens(text);
    let parts: Vec<(usize, String)> = tokens
        .split(|token| token.kind == Kind::Symbol(';'))
        .filter_map(|part| {
            let (first, last) = (part.first()?, part.last()?);
            let line = text[..first.start].matches('\n').count() + 1;
            Some((line, text[first.start..last.end].to_owned()))
        })
        .collect();
    parts.into_iter()
}

/// The words of a statement, keywords and names alike.
fn words(sql: &str) -> impl Iterator<Item = String> {
    let word = |token: Token| match token.kind {
        Kind::Word(word) | Kind::Keyword(word) => Some(word.to_lowercase()),
        _ => None,
    };
    lexer::tokens(sql).into_iter().filter_map(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_where_statements_end() {
        let text = "-- one; not yet\nSELECT ';' FROM a;\n\nCOPY a FROM STDIN;;\nTRUNCATE a";
        let found: Vec<(usize, String)> = split(text).collect();
        assert_eq!(found, [(2, "SELECT ';' FROM a".into()), (4, "COPY a FROM STDIN".into()), (5, "TRUNCATE a".into())]);
        let trials: Vec<Trial> = found.into_iter().map(|(_, sql)| Statement { place: String::new(), sql }.trial()).collect();
        assert_eq!(trials, [Trial::Prepare, Trial::CopyIn, Trial::Run]);
    }
}
