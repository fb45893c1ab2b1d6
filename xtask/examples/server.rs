//! A private server for a script: it prints the URL of a database, and lives until its input ends.

use diptych_xtask::server::{Options, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start(&Options::default())?;
    println!("{}", server.url("postgres"));
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}
