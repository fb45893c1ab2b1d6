//! What a start has made is still there as it was made: triggers, functions, columns, indexes, constraints, views, and
//! the sequences and types of both versions.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tokio_postgres::{Client, GenericClient};

use crate::error::{Error, Result};
use crate::text::few;
use diptych_core::layout::chain::Version;
use diptych_core::{Schema, names};

/// Something of a start that is gone, or another than it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// For people.
    pub what: String,
    /// The statements that put it back, where there are any.
    pub put_back: Option<String>,
}

const INVENTORY: &str = include_str!("made.sql");

/// The schemas whose views belong to a version on its way.
fn schemas(base: &str, pending: &Version, older: Option<&Version>) -> Vec<String> {
    let versions = [Some(pending), older].into_iter().flatten().map(|version| version.views.clone());
    versions.chain([names::guard_schema(base)]).collect()
}

/// The names of what columns draw from and are made of.
fn lent(pending: &Version, older: Option<&Version>) -> Vec<String> {
    let models = [Some(pending), older].into_iter().flatten().map(|version| &version.schema);
    models.flat_map(|model| model.sequences.keys().chain(model.own_types().map(|(name, _)| name))).cloned().collect()
}

/// Writes down what is there at the end of a start.
pub(crate) async fn enter(client: &impl GenericClient, base: &str, pending: &Version, older: Option<&Version>) -> Result<()> {
    forget(client, base, &pending.name).await?;
    let sql = format!(
        "INSERT INTO diptych.made (base, version, kind, name, definition, put_back, major) \
         SELECT $1::pg_catalog.text, $5, made.kind, made.name, made.definition, made.put_back, \
         pg_catalog.current_setting('server_version_num')::pg_catalog.int4 / 10000 FROM ({INVENTORY}) AS made"
    );
    client.execute(&sql, &[&base, &schemas(base, pending, older), &lent(pending, older), &true, &pending.name]).await?;
    // a partition that is attached again, or below another one than before, is not the same
    let partitions = "INSERT INTO diptych.made (base, version, kind, name, definition, major) \
         SELECT $1::pg_catalog.text, $2, 'partition', tree.relid::pg_catalog.regclass::pg_catalog.text, diptych.attached(tree.relid), \
         pg_catalog.current_setting('server_version_num')::pg_catalog.int4 / 10000 \
         FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
         CROSS JOIN LATERAL pg_catalog.pg_partition_tree(class.oid) AS tree \
         WHERE space.nspname = $1 AND class.relkind = 'p' AND NOT class.relispartition AND tree.isleaf AND tree.level > 0";
    client.execute(partitions, &[&base, &pending.name]).await?;
    Ok(())
}

/// Nothing of it counts any more.
pub(crate) async fn forget(client: &impl GenericClient, base: &str, version: &str) -> Result<()> {
    client.execute("DELETE FROM diptych.made WHERE base = $1 AND version = $2", &[&base, &version]).await?;
    Ok(())
}

/// What is not as the start made it; partitions come and go. Definitions are compared where the server is of the same major version; `pg_upgrade` and restored
/// dumps may print them otherwise.
pub(crate) async fn damage(client: &Client, base: &str, pending: &Version, older: Option<&Version>) -> Result<Vec<Damage>> {
    let now = format!("SELECT there.kind, there.name, there.definition FROM ({INVENTORY}) AS there");
    let now = client.query(&now, &[&base, &schemas(base, pending, older), &lent(pending, older), &false]).await?;
    // not joined by the server, which takes both for a handful and looks at all for each
    let now: BTreeMap<(&str, &str), &str> = now.iter().map(|row| ((row.get(0), row.get(1)), row.get(2))).collect();
    let made = "SELECT made.kind, made.name, made.definition, \
         made.major = pg_catalog.current_setting('server_version_num')::pg_catalog.int4 / 10000 FROM diptych.made AS made \
         WHERE made.base = $1 AND made.version = $2 AND made.kind <> 'partition' ORDER BY made.kind = 'trigger', made.kind, made.name";
    let made = client.query(made, &[&base, &pending.name]).await?;
    let known: BTreeSet<&str> = made.iter().filter(|row| row.get::<_, &str>(0) == "trigger").map(|row| row.get(1)).collect();
    // one of the start's that was renamed, say: with the one that is put back, there would be two
    let strange = now.keys().filter(|(kind, name)| *kind == "trigger" && !made.is_empty() && !known.contains(name));
    let strange = strange.map(|(_, name)| Damage {
        what: format!("trigger `{name}` was not created by the start"),
        put_back: Some(format!("DROP TRIGGER {name}")),
    });
    let mut damage: Vec<Damage> = strange.collect();
    for row in &made {
        let (kind, name, definition, comparable): (&str, &str, &str, bool) = (row.get(0), row.get(1), row.get(2), row.get(3));
        let how = match now.get(&(kind, name)) {
            None => "was dropped",
            Some(there) if comparable && *there != definition => "was changed",
            Some(_) => continue,
        };
        // one made anew would give its numbers again
        let is_lost = kind == "sequence" && how == "was dropped";
        let put_back = if is_lost { None } else { way_back(client, base, pending, (kind, name)).await? };
        damage.push(Damage { what: format!("{kind} `{name}` {how}"), put_back });
    }
    Ok(damage)
}

/// The statements that put one of them back. Those of all of them are many times what is compared.
async fn way_back(client: &Client, base: &str, pending: &Version, (kind, name): (&str, &str)) -> Result<Option<String>> {
    let sql = "SELECT made.put_back FROM diptych.made AS made WHERE made.base = $1 AND made.version = $2 AND made.kind = $3 AND made.name = $4";
    Ok(client.query_opt(sql, &[&base, &pending.name, &kind, &name]).await?.and_then(|row| row.get(0)))
}

/// Writes down what the tables are when a version comes to rest, as the server prints it.
pub(crate) async fn enter_rest(client: &impl GenericClient, base: &str, version: &str, found: &Schema) -> Result<()> {
    let text = serde_json::to_string(found).unwrap_or_else(|error| unreachable!("a model is plain data: {error}"));
    let sql = "INSERT INTO diptych.made (base, version, kind, name, definition, major) \
         VALUES ($1, $2, 'rest', '', $3, pg_catalog.current_setting('server_version_num')::pg_catalog.int4 / 10000)";
    client.execute(sql, &[&base, &version, &text]).await?;
    Ok(())
}

/// What the tables were then, and whether this server prints texts as that one did; none where nobody has written it down.
pub(crate) async fn rest(client: &Client, base: &str, version: &str) -> Result<Option<(Schema, bool)>> {
    let sql = "SELECT made.definition, made.major = pg_catalog.current_setting('server_version_num')::pg_catalog.int4 / 10000 \
         FROM diptych.made AS made WHERE made.base = $1 AND made.version = $2 AND made.kind = 'rest'";
    let row = client.query_opt(sql, &[&base, &version]).await?;
    row.map(|row| Ok((super::json(row.get(0))?, row.get(1)))).transpose()
}

/// The refusal to go on with it.
pub(crate) fn refusal(version: &str, damage: &[Damage]) -> Error {
    let list: Vec<String> = damage.iter().map(|item| item.what.clone()).collect();
    Error::refused(format!("objects that version `{version}` needs were changed or dropped since its start: {}", few(&list, 5, "; "))).hint(
        if damage.iter().all(|item| item.put_back.is_some()) {
            "run `repair`, which puts them back, and compare the rows that were written meanwhile; or run `rollback`, which keeps the older version's rows"
        } else {
            "put back by hand what is named above, or run `rollback`, which keeps the older version's rows, and then `start`"
        },
    )
}

/// How much is put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All, or nothing.
    Whole,
    /// What can be: what goes in a moment needs no more.
    AsFarAsItGoes,
}

/// Puts back what is gone, functions before the triggers that call them.
pub(crate) async fn put_back(client: &mut Client, damage: &[Damage], extent: Extent) -> Result<()> {
    let mut transaction = client.transaction().await?;
    transaction.batch_execute("SET LOCAL lock_timeout = '2s'").await?;
    for item in damage {
        let Some(sql) = &item.put_back else { continue };
        let attempt = transaction.savepoint("item").await?;
        match attempt.batch_execute(sql).await {
            Ok(()) => attempt.commit().await?,
            Err(error) if extent == Extent::Whole => {
                return Err(Error::during(format!("nothing was put back: {}", item.what), error));
            }
            Err(_) => attempt.rollback().await?,
        }
    }
    transaction.commit().await?;
    Ok(())
}
