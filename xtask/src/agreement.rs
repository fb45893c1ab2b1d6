//! Whether the folder's files and the snapshot speak of the same versions; where they do not, the command that mends it.

use diptych::Inventory;
use diptych_core::{Migration, Schema, Snapshot};

use crate::config::Failure;
use crate::findings::{Rule, Subject};

/// What makes the snapshot anew.
pub(crate) const ANEW: &str = "`cargo xtask migrate record` without a name";

/// Fails where two files have one number, or where the snapshot is not that of the last file.
pub(crate) fn agree(snapshot: &Snapshot, recorded: &[Migration]) -> Result<(), Failure> {
    distinct(recorded)?;
    let last = recorded.last().map(|migration| &migration.name);
    let Some(version) = snapshot.version.as_ref().filter(|version| Some(*version) != last) else {
        return match last.filter(|_| snapshot.version.is_none()) {
            None => Ok(()),
            Some(_) => Err(ahead("the snapshot has no version".to_owned(), recorded)),
        };
    };
    match recorded.iter().position(|migration| migration.name == *version) {
        Some(at) => Err(ahead(format!("the snapshot is that of `{version}`"), &recorded[at + 1..])),
        None => Err(Failure::hinted(
            format!("the snapshot is that of `{version}`, which has no file in the folder"),
            format!("restore its file; or, if it is meant to be gone, run {ANEW}: it makes the snapshot anew from the files"),
        )
        .found(Rule::FileGone, Subject::Snapshot)),
    }
}

/// Fails where two files have one number.
pub(crate) fn distinct(recorded: &[Migration]) -> Result<(), Failure> {
    for (at, migration) in recorded.iter().enumerate() {
        let Some(number) = number(&migration.name) else { continue };
        if let Some(other) = recorded[..at].iter().find(|there| self::number(&there.name) == Some(number)) {
            let (one, two) = (&other.name, &migration.name);
            return Err(Failure::hinted(
                format!("the folder has two migrations with number {number:04}: `{one}` and `{two}`"),
                format!(
                    "give yours the next number: `cargo xtask migrate record --rebase {two}` if it is `{two}`, else `cargo xtask migrate record --rebase {one}`"
                ),
            )
            .found(Rule::TwoOfOneNumber, Subject::Migration(two.clone())));
        }
    }
    Ok(())
}

/// What two databases have, to be compared: an extension that both have is the same in both, wherever it lies and whatever uses it.
pub(crate) fn evened(first: &Inventory, second: &Inventory) -> (Schema, Schema) {
    let (mut one, mut other) = (first.schema.clone(), second.schema.clone());
    let shared = |name: &&String| first.extensions.contains_key(*name) && second.extensions.contains_key(*name);
    one.extensions.extend(second.schema.extensions.iter().filter(shared).cloned());
    other.extensions.extend(first.schema.extensions.iter().filter(shared).cloned());
    (one, other)
}

/// The number that a name begins with.
pub(crate) fn number(name: &str) -> Option<u32> {
    name.split('_').next()?.parse().ok()
}

fn ahead(snapshot: String, files: &[Migration]) -> Failure {
    let names: Vec<String> = files.iter().map(|migration| format!("`{}`", migration.name)).collect();
    let (newer, noun, it) = if names.len() == 1 { ("a newer", "file", "it") } else { ("newer", "files", "them") };
    Failure::hinted(
        format!("{snapshot}, and the folder has {newer} {noun}: {}", names.join(", ")),
        format!("run {ANEW}: it tries the {noun} and takes {it} up into the snapshot"),
    )
    .found(Rule::NewerFiles, files.first().map_or(Subject::Folder, |first| Subject::Migration(first.name.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> Vec<Migration> {
        let migration = |name: &&str| Migration { name: (*name).to_owned(), version_schema: None, operations: Vec::new() };
        names.iter().map(migration).collect()
    }

    fn said(version: Option<&str>, names: &[&str]) -> Option<String> {
        let snapshot = Snapshot { version: version.map(str::to_owned), ..Snapshot::default() };
        agree(&snapshot, &folder(names)).err().map(|failure| failure.to_string())
    }

    #[test]
    fn folder_and_snapshot_agree_or_the_message_says_how_they_do_again() {
        assert_eq!(said(None, &[]), None);
        assert_eq!(said(Some("0002_b"), &["0001_a", "0002_b"]), None);
        let text = said(Some("0001_a"), &["0001_a", "0002_b", "0003_c"]).unwrap();
        assert!(text.contains("newer files: `0002_b`, `0003_c`") && text.contains(ANEW), "{text}");
        assert!(said(Some("0001_a"), &["0001_a", "0002_b"]).unwrap().contains("has a newer file: `0002_b`"));
        let text = said(Some("0002_c"), &["0001_a", "0002_b", "0002_c"]).unwrap();
        assert!(text.contains("two migrations with number 0002") && text.contains("record --rebase 0002_c"), "{text}");
        assert!(said(Some("0009_x"), &["0001_a"]).unwrap().contains("restore its file"));
        assert!(said(None, &["0001_a"]).unwrap().contains("no version"));
    }
}
