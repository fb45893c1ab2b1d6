//! The folder of migrations: its files in order, its snapshot, and writing without half-written files.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use diptych::core::{Migration, Snapshot};

use crate::config::Failure;

/// Every migration of a folder, in the order of the files' names.
pub(crate) fn migrations(dir: &Path) -> Result<Vec<Migration>, Failure> {
    let entries = fs::read_dir(dir).map_err(|error| {
        Failure::hinted(
            format!("cannot read the folder of migrations `{}`: {error}", dir.display()),
            "run `diptych init`, or name the folder with --dir",
        )
    })?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_migration(path)).collect();
    paths.sort();
    let mut migrations: Vec<Migration> = Vec::new();
    for path in paths {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let text = fs::read_to_string(&path).map_err(|error| {
            Failure::hinted(format!("cannot read `{}`: {error}", path.display()), "make it readable, as UTF-8 text")
        })?;
        if migrations.iter().any(|there| there.name == name) {
            return Err(Failure::hinted(format!("there are two files for migration `{name}`"), "keep one of them"));
        }
        migrations
            .push(Migration::parse(&name, &text).map_err(|error| Failure::from(error.within(format!("`{}`", path.display()))))?);
    }
    Ok(migrations)
}

/// The folder's snapshot; the empty one where there is no file.
pub(crate) fn snapshot(dir: &Path) -> Result<Snapshot, Failure> {
    let path = dir.join("snapshot.yaml");
    if !path.exists() {
        return Ok(Snapshot::default());
    }
    let text = fs::read_to_string(&path).map_err(|error| {
        Failure::hinted(format!("cannot read `{}`: {error}", path.display()), "make it readable, as UTF-8 text")
    })?;
    Snapshot::parse(&text).map_err(|error| Failure::from(error.within(format!("`{}`", path.display()))))
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let dir = path.parent().unwrap_or(Path::new("."));
    // readable for whom any new file is; a temporary one is its owner's alone
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    let written = tempfile::Builder::new().permissions(permissions).tempfile_in(dir).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)
    });
    written.map(drop).map_err(|error| {
        Failure::hinted(format!("cannot write `{}`: {error}", path.display()), "see that the folder is writable and has room")
    })
}

fn is_migration(path: &Path) -> bool {
    let known = path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
    known && path.file_stem().is_some_and(|stem| stem != "snapshot")
}
