//! The application's functions in PL/pgSQL, whose bodies the server looks into when they run: names that change are told before.

use tokio_postgres::Client;

use crate::error::{Error, Result};
use crate::text::printable;
use diptych_core::layout::chain::Chain;
use diptych_core::plan::changed_names;

/// A warning where bodies name what goes or changes with a chain.
pub(crate) async fn look(client: &Client, chain: &Chain) -> Result<Option<Error>> {
    let sql = "SELECT own.oid::pg_catalog.regprocedure::pg_catalog.text, own.source FROM diptych.own_functions($1, 'plpgsql') AS own ORDER BY 1";
    let mut found = Vec::new();
    for row in client.query(sql, &[&chain.base]).await? {
        let (name, body): (String, String) = (row.get(0), row.get(1));
        let changed = changed_names(chain, &body);
        if !changed.is_empty() {
            found.push(format!("{} names {}", printable(&name), changed.join(", ")));
        }
    }
    let warning = || {
        let version = &chain.newer.name;
        Error::refused(format!("these functions find tables through their caller's search_path, so they read the views of version `{version}` from now on: {}", found.join("; "))).hint(
            "make sure that they work in both versions: give the new release functions of its own, or pin a function to the tables, which keep the older form until complete (ALTER FUNCTION … SET search_path = …)",
        )
    };
    Ok((!found.is_empty()).then(warning))
}
