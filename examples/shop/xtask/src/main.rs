//! The tasks of the shop: `migrate …` as in every project, and `demo`.

mod demo;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|task| task == "demo") {
        return demo::main(arguments);
    }
    diptych_xtask::main::<shop::release2::Shop>()
}
