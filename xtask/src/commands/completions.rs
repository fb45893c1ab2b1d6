//! `completions`: the script by which a shell completes commands and options of the binary.

use clap_complete::Shell;

use crate::config::Failure;
use crate::out;

pub(crate) fn run(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::command(), "diptych", &mut script);
    out::print(String::from_utf8_lossy(&script))
}
