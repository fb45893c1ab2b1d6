//! `man`: the manual pages of the binary, one for each command.

use std::fs;
use std::path::Path;

use crate::config::Failure;
use crate::out;

pub(crate) fn run(folder: &Path) -> Result<(), Failure> {
    let written = fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(crate::command(), folder));
    written.map_err(|error| {
        Failure::hinted(
            format!("cannot write manual pages to `{}`: {error}", folder.display()),
            "name a folder that may be written to",
        )
    })?;
    out::say(format!("wrote the manual pages to `{}`", folder.display()))
}
