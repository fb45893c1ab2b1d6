//! The migration files of other tools, and which of them a history does not have.

use std::fs;
use std::path::{Path, PathBuf};

use diptych::History;

/// Where a tool looks for its files, where nobody says otherwise.
pub(crate) fn usual(tool: &str) -> &'static [&'static str] {
    match tool {
        "flyway" => &["sql", "src/main/resources/db/migration", "migrations"],
        _ => &["migrations"],
    }
}

/// The files of a tool that its history does not have, in order.
pub(crate) fn unapplied(history: &History, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = history.entries.as_deref().unwrap_or_default();
    let last = entries.iter().map(|entry| &entry.version).max_by(|one, other| numbers(one).cmp(&numbers(other)));
    let is_applied = |version: &String| match history.tool.as_str() {
        // it keeps the last one alone
        "golang-migrate" => last.is_some_and(|last| numbers(version) <= numbers(last)),
        "pgroll" => entries.iter().any(|entry| entry.version == *version),
        _ => entries.iter().any(|entry| entry.version == *version || numbers(&entry.version) == numbers(version)),
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let Some(version) = version(&history.tool, &path).filter(|version| !is_applied(version)) {
            found.push((numbers(&version), path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// The version that a file stands for; none where it is no migration of the tool, or undoes one.
fn version(tool: &str, path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let numbered = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    match tool {
        "diesel" => {
            let version = name.split('_').next()?.replace('-', "");
            (path.join("up.sql").is_file() && numbered(&version)).then_some(version)
        }
        "flyway" | "refinery" => {
            let stem = name.strip_suffix(".sql").or_else(|| name.strip_suffix(".rs"))?;
            let (version, _) = stem.strip_prefix(['V', 'U'])?.split_once("__")?;
            // of Flyway a file with U undoes one
            let undoes = tool == "flyway" && stem.starts_with('U');
            (numbered(version) && !undoes).then(|| version.replace('_', "."))
        }
        "pgroll" => {
            let is_file = ["yaml", "yml", "json"].iter().any(|end| path.extension().is_some_and(|there| there == *end));
            is_file.then(|| path.file_stem().map(|stem| stem.to_string_lossy().into_owned())).flatten()
        }
        _ => {
            let stem = name.strip_suffix(".sql").filter(|stem| !stem.ends_with(".down"))?;
            let version = stem.split(['_', '.']).next()?;
            numbered(version).then(|| version.to_owned())
        }
    }
}

/// A version as numbers, so that `2` comes before `10`, and `1.0` is `1`.
fn numbers(version: &str) -> (Vec<u64>, String) {
    let parts: Vec<&str> = version.split('.').collect();
    let mut numbers: Vec<u64> = parts.iter().map_while(|part| part.parse().ok()).collect();
    let rest = if numbers.len() == parts.len() { String::new() } else { version.to_owned() };
    while numbers.len() > 1 && numbers.last() == Some(&0) {
        numbers.pop();
    }
    (numbers, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use diptych::Entry;

    #[test]
    fn what_a_tool_has_not_applied_is_found_by_its_own_rules() {
        for (tool, applied, files, wanted) in [
            (
                "sqlx",
                &["1", "20240102"][..],
                &["1_a.sql", "20240102_b.up.sql", "20240102_b.down.sql", "20240103_c.sql", "x.sql"][..],
                &["20240103_c.sql"][..],
            ),
            ("refinery", &["1"], &["V1__a.sql", "V10__c.rs", "V2__b.sql", "mod.rs"], &["V2__b.sql", "V10__c.rs"]),
            ("flyway", &["1", "1.1"], &["V1__a.sql", "V1_1__b.sql", "V2.0__c.sql", "U1__a.sql", "R__view.sql"], &["V2.0__c.sql"]),
            (
                "golang-migrate",
                &["2"],
                &["1_a.up.sql", "000002_b.up.sql", "000003_c.up.sql", "000003_c.down.sql"],
                &["000003_c.up.sql"],
            ),
            ("pgroll", &["01_a"], &["01_a.yaml", "02_b.json"], &["02_b.json"]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            files.iter().for_each(|file| fs::write(folder.path().join(file), "").unwrap());
            let entries = applied.iter().map(|version| Entry { version: (*version).to_owned(), succeeded: true }).collect();
            let history = History { tool: tool.to_owned(), table: String::new(), schemas: Vec::new(), entries: Some(entries) };
            let found = unapplied(&history, folder.path()).unwrap();
            let found: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
            assert_eq!(found, wanted, "{tool}");
        }
    }
}
