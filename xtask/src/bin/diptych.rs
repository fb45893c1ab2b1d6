//! The `diptych` binary: the commands over a folder of migration files, for pipelines without a Rust toolchain.

use std::process::ExitCode;

fn main() -> ExitCode {
    diptych_xtask::binary()
}
