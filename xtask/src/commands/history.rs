//! `history`: the commands that were carried out, the newest first.

use diptych::Logged;
use diptych::internal::printable;

use crate::config::{Context, Failure};
use crate::out;
use crate::table::{UNKNOWN, moment, table, took};

pub(crate) async fn run(context: &Context, json: bool) -> Result<(), Failure> {
    let log = context.migrator().await?.log().await?;
    match (json, log.is_empty()) {
        (true, _) => out::json(&log),
        (false, true) => out::say("no command was carried out"),
        (false, false) => out::say(told(&log)),
    }
}

fn told(log: &[Logged]) -> String {
    let row = |of: &Logged| {
        let versions = if of.versions.is_empty() { UNKNOWN.to_owned() } else { of.versions.join(", ") };
        let message = of.message.as_deref().and_then(|message| message.lines().next()).unwrap_or_default();
        let outcome = if message.is_empty() { of.outcome.clone() } else { format!("{}: {message}", of.outcome) };
        let by = format!("{} on {}", of.role, of.host);
        [moment(Some(&of.began_at)), of.command.clone(), versions, by, took(of.milliseconds), outcome]
            .map(|cell| printable(&cell))
    };
    table(["began (UTC)", "command", "versions", "by", "took", "outcome"], &log.iter().map(row).collect::<Vec<_>>())
}
