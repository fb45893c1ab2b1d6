//! Hooks: programs and SQL of the user's own that run before and after parts of a command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use diptych::internal;
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::config::{Context, Failure};
use crate::ending::Ending;
use crate::{folder, system};

/// The moments that a hook is called after, as docs/hooks.md has them.
const NAMES: [&str; 10] = [
    "before-start",
    "after-start",
    "before-backfill",
    "before-publish",
    "before-complete",
    "after-complete",
    "before-rollback",
    "after-rollback",
    "on-failure",
    "on-waiting",
];

/// What a hook is told, as JSON.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Facts {
    pub(crate) hook: &'static str,
    pub(crate) command: &'static str,
    pub(crate) schema: String,
    /// The version that is started, completed or rolled back, and the one before it, as far as they are known.
    pub(crate) version: Option<String>,
    pub(crate) from: Option<String>,
    /// Without its password.
    pub(crate) url: Option<String>,
    /// The step that is under way, in words.
    pub(crate) step: Option<String>,
    pub(crate) waiting_for: Option<String>,
    pub(crate) error: Option<Trouble>,
}

/// Why a command has ended.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Trouble {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) code: u8,
}

/// The hooks of a folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hooks {
    /// In the order of their files' names.
    files: Vec<PathBuf>,
    url: Option<String>,
}

impl Hooks {
    /// Those of the folder that is named, or of `hooks` in the folder of migrations, where that is there.
    pub(crate) fn of(context: &Context) -> Result<Self, Failure> {
        let usual = context.dir.join("hooks");
        let folder = match &context.hooks {
            None if !usual.is_dir() => return Ok(Hooks::default()),
            given => given.as_ref().unwrap_or(&usual),
        };
        let entries = fs::read_dir(folder).map_err(|error| {
            Failure::hinted(
                format!("cannot read the folder of hooks `{}`: {error}", folder.display()),
                "name the folder with --hooks",
            )
        })?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_hook(path)).collect();
        files.sort();
        files.iter().try_for_each(|path| fit(path))?;
        Ok(Hooks { files, url: context.url().ok().map(str::to_owned) })
    }

    /// Whether there is one for this moment.
    pub(crate) fn has(&self, hook: &str) -> bool {
        self.files.iter().any(|path| name(path) == hook)
    }

    /// Runs those of the facts' moment, one after another, up to the first that fails; why it did.
    pub(crate) async fn run(&self, facts: &Facts, ending: &Ending) -> Result<(), String> {
        let text = serde_json::to_string(facts).map_err(|error| error.to_string())?;
        for path in self.files.iter().filter(|path| name(path) == facts.hook) {
            let ran = async { if is_sql(path) { self.query(path, &text).await } else { execute(path, &text).await } };
            let failed = tokio::select! {
                ran = ran => ran.err(),
                () = ending.heard() => Some("it was ended by a signal".to_owned()),
            };
            if let Some(failed) = failed {
                return Err(format!("the hook `{}` has failed: {failed}", path.display()));
            }
        }
        Ok(())
    }

    /// A file of SQL, in a transaction of its own that has the facts as `diptych.hook`.
    async fn query(&self, path: &Path, facts: &str) -> Result<(), String> {
        let text = folder::text(path).map_err(|failure| failure.message)?;
        let url = self.url.as_deref().ok_or("no database is given")?;
        let client = internal::hook_session(url).await.map_err(|error| error.message().to_owned())?;
        let told = client.query_one("SELECT pg_catalog.set_config('diptych.hook', $1, false)", &[&facts]).await;
        let sent = async {
            told?;
            client.batch_execute("BEGIN").await?;
            client.batch_execute(&text).await?;
            client.batch_execute("COMMIT").await
        };
        sent.await.map_err(|error| internal::describe(&error))
    }
}

/// A program with the facts on its standard input; what it says goes to standard error.
async fn execute(path: &Path, facts: &str) -> Result<(), String> {
    // by its own path: a bare name would be looked for elsewhere
    let path = fs::canonicalize(path).map_err(|error| error.to_string())?;
    let mut command = Command::new(path);
    command.stdin(Stdio::piped()).stdout(std::io::stderr()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    if let Some(mut stdin) = child.stdin.take() {
        // one that reads nothing is as good
        let _ = stdin.write_all(facts.as_bytes()).await;
    }
    let status = child.wait().await.map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

fn name(path: &Path) -> &str {
    let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    file.split('.').next().unwrap_or_default()
}

fn is_sql(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "sql")
}

/// Folders are the hooks' own business, and so are hidden files and a text for people.
fn is_hook(path: &Path) -> bool {
    path.is_file() && !name(path).is_empty() && name(path) != "README"
}

/// A hook that would never run is an error: somebody counts on it.
fn fit(path: &Path) -> Result<(), Failure> {
    if !NAMES.contains(&name(path)) {
        return Err(Failure::hinted(
            format!("`{}` has no hook's name, and would never run", path.display()),
            format!("call it after one of {}; or move it to a folder below", NAMES.join(", ")),
        ));
    }
    if !is_sql(path) && !system::is_program(path) {
        return Err(Failure::hinted(
            format!("the hook `{}` is neither executable nor a file of SQL", path.display()),
            format!("run chmod +x {}; or give it the ending .sql", path.display()),
        ));
    }
    Ok(())
}

/// How long a hook that was not waited for may take once the command has ended.
pub(crate) const REST: Duration = Duration::from_secs(10);
