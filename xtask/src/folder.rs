//! The folder of migrations: its files in order, its snapshot, and writing without half-written files.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use diptych::Files;
use diptych_core::{Migration, Snapshot, yaml};

use crate::agreement::ANEW;
use crate::config::Failure;
use crate::findings::{Rule, Subject};
use crate::system;

/// The name of the snapshot's file.
pub(crate) const SNAPSHOT: &str = "snapshot.yaml";

/// What a folder has, as far as it can be read.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The migrations, in the order of the files' names; none where the folder itself cannot be read.
    migrations: Option<Vec<Migration>>,
    /// The names of those that cannot be read.
    unreadable: Vec<String>,
    /// What is wrong with which file.
    pub(crate) failures: Vec<Failure>,
}

impl Survey {
    /// Why nothing at all can be said of the folder, where that is so.
    pub(crate) fn unusable(&mut self) -> Option<Failure> {
        if self.migrations.is_none() { self.failures.pop() } else { None }
    }

    /// Whether there is a migration, readable or not.
    pub(crate) fn is_recorded(&self) -> bool {
        self.migrations.as_ref().is_some_and(|there| !there.is_empty()) || !self.unreadable.is_empty()
    }

    /// The same for the engine.
    pub(crate) fn files(&self) -> Files<'_> {
        self.migrations.as_ref().map_or_else(Files::unknown, Files::from).with_unreadable(&self.unreadable)
    }
}

/// Looks at every file of a folder.
pub(crate) fn survey(dir: &Path) -> Survey {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => {
            let failure = Failure::hinted(
                format!("cannot read the folder of migrations `{}`: {error}", dir.display()),
                "run `diptych init`, or name the folder with --dir",
            )
            .found(Rule::Folder, Subject::Folder);
            return Survey { failures: vec![failure], ..Survey::default() };
        }
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_migration(path)).collect();
    paths.sort();
    let mut survey = Survey::default();
    let mut migrations: Vec<Migration> = Vec::new();
    for path in paths {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if migrations.iter().any(|there| there.name == name) || survey.unreadable.contains(&name) {
            // nobody can tell which one counts
            migrations.retain(|there| there.name != name);
            let failure = Failure::hinted(format!("there are two files for migration `{name}`"), "keep one of them");
            survey.failures.push(failure.found(Rule::TwoFiles, Subject::File(path)));
            survey.unreadable.push(name);
            continue;
        }
        match read(&path, &name) {
            Ok(migration) => migrations.push(migration),
            Err(failure) => {
                survey.failures.push(failure);
                survey.unreadable.push(name);
            }
        }
    }
    survey.migrations = Some(migrations);
    survey
}

/// Every migration of a folder, in the order of the files' names.
pub(crate) fn migrations(dir: &Path) -> Result<Vec<Migration>, Failure> {
    let survey = survey(dir);
    survey.failures.into_iter().next().map_or(Ok(survey.migrations.unwrap_or_default()), Err)
}

fn read(path: &Path, name: &str) -> Result<Migration, Failure> {
    let subject = || Subject::File(path.to_owned());
    let text = text(path).map_err(|failure| failure.found(Rule::Unreadable, subject()))?;
    Migration::parse(name, &text)
        .map_err(|error| Failure::from(error.within(format!("`{}`", path.display()))).found(Rule::NoMigration, subject()))
}

/// The text of a file, whose kind is looked at before it is opened: a pipe waits for its writer.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    let read = || match fs::metadata(path)?.is_file() {
        true => yaml::text(fs::File::open(path)?),
        false => Err(std::io::Error::other("it is not a regular file")),
    };
    read().map_err(|error| {
        let hint = format!("make it a readable file of UTF-8 text, of {} MB at most", yaml::LONGEST >> 20);
        Failure::hinted(format!("cannot read `{}`: {error}", path.display()), hint)
    })
}

/// The folder's snapshot; the empty one where there is no file.
pub(crate) fn snapshot(dir: &Path) -> Result<Snapshot, Failure> {
    let path = dir.join(SNAPSHOT);
    if !path.exists() {
        return Ok(Snapshot::default());
    }
    let text = text(&path).map_err(|failure| failure.found(Rule::Unreadable, Subject::Snapshot))?;
    Snapshot::parse(&text).map_err(|error| {
        let hint =
            format!("put it back as it was committed; or, after a merge, run {ANEW}: it makes the snapshot anew from the files");
        let failure = Failure::hinted(format!("`{}`: {}", path.display(), error.message()), hint);
        Failure { place: error.place(), ..failure.found(Rule::Snapshot, Subject::Snapshot) }
    })
}

/// Where the file of a migration is.
pub(crate) fn file(dir: &Path, name: &str) -> Option<PathBuf> {
    ["yaml", "yml", "json"].iter().map(|end| dir.join(format!("{name}.{end}"))).find(|path| path.exists())
}

/// Writes these files and removes those that have no text; where one of them cannot be, all are as they were.
pub(crate) fn change(files: &[(PathBuf, Option<String>)]) -> Result<(), Failure> {
    let before: Vec<Option<String>> =
        files.iter().map(|(path, _)| path.exists().then(|| text(path)).transpose()).collect::<Result<_, _>>()?;
    for (done, (path, text)) in files.iter().enumerate() {
        if let Err(failure) = put(path, text.as_deref()) {
            for ((path, _), text) in files.iter().zip(&before).take(done) {
                let _ = put(path, text.as_deref());
            }
            return Err(failure);
        }
    }
    Ok(())
}

fn put(path: &Path, text: Option<&str>) -> Result<(), Failure> {
    match text {
        Some(text) => write(path, text),
        None => fs::remove_file(path).map_err(|error| {
            Failure::hinted(format!("cannot remove `{}`: {error}", path.display()), "make sure that the folder is writable")
        }),
    }
}

/// Writes a file whole or not at all. One that is there keeps its permissions, and a link stays one.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let dir = path.parent().unwrap_or(Path::new("."));
    let permissions = fs::metadata(path).ok().map(|there| there.permissions());
    let written = system::writing(permissions).tempfile_in(dir).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)
    });
    written.map(drop).map_err(|error| {
        Failure::hinted(
            format!("cannot write `{}`: {error}", path.display()),
            "make sure that the folder is writable and has room",
        )
    })
}

fn is_migration(path: &Path) -> bool {
    let known = path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
    known && path.file_stem().is_some_and(|stem| stem != "snapshot")
}
