//! What a command prints: whoever reads it may stop reading, which is no failure and ends no command.

use serde::Serialize;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use crate::config::Failure;

/// A line on standard output.
pub(crate) fn say(line: impl Display) -> Result<(), Failure> {
    print(format!("{line}\n"))
}

/// A value as a line of JSON on standard output.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    say(serde_json::to_string(value).map_err(|error| Failure::new(error.to_string()))?)
}

/// Text on standard output.
pub(crate) fn print(text: impl Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.to_string().as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::hinted(
            format!("cannot write the output: {error}"),
            "make sure that the place it goes to is writable and has room",
        )),
        _ => Ok(()),
    }
}

/// A line on standard error. There is nobody to tell where it cannot be written.
pub(crate) fn tell(line: impl Display) {
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}
