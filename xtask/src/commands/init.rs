//! `init`: the folder, the empty snapshot and the cargo alias; what is there already is left alone.

use std::fs;
use std::path::Path;

use crate::config::{Context, Failure};
use crate::{folder, out};

const ALIAS: &str = "xtask = [\"--config\", \"env.DIPTYCH_DRIFT='allow'\", \"run\", \"-q\", \"-p\", \"xtask\", \"--\"]";

pub(crate) fn run(context: &Context) -> Result<(), Failure> {
    fs::create_dir_all(&context.dir).map_err(|error| {
        Failure::hinted(format!("cannot make the folder `{}`: {error}", context.dir.display()), "name another one with --dir")
    })?;
    let snapshot = context.dir.join("snapshot.yaml");
    if snapshot.exists() {
        out::say(format!("`{}` is there already", snapshot.display()))?;
    } else {
        folder::write(&snapshot, "# The schema after the last recorded migration: none yet.\n")?;
        out::say(format!("wrote `{}`", snapshot.display()))?;
    }
    let cargo = Path::new(".cargo/config.toml");
    let text = fs::read_to_string(cargo).unwrap_or_default();
    if text.lines().any(|line| line.trim_start().starts_with("xtask")) {
        out::say(format!("`{}` has an alias `xtask` already", cargo.display()))?;
    } else if text.contains("[alias]") {
        out::say(format!("add this line to [alias] in `{}`:\n  {ALIAS}", cargo.display()))?;
    } else if Path::new("Cargo.toml").exists() {
        fs::create_dir_all(".cargo")
            .map_err(|error| Failure::hinted(format!("cannot make `.cargo`: {error}"), "see that the folder is writable"))?;
        let before = if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" };
        folder::write(cargo, &format!("{before}[alias]\n{ALIAS}\n"))?;
        out::say(format!("wrote the alias `xtask` to `{}`", cargo.display()))?;
    }
    Ok(())
}
