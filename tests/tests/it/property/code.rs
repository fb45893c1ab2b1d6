//! Code of random versions: it shows and counts what a table of its version has, and a trigger reads the columns of the row itself.

use std::collections::BTreeMap;

use diptych_core::sql::{ident, literal};
use diptych_core::{Schema, names};
use fastrand::Rng;
use tokio_postgres::Client;

use super::rows::{Side, put_on, read, rows_of};

/// Code that fits a schema, in one case of three; it is another text where the table has another name or other columns.
pub(super) fn of(seed: u64, schema: &Schema) -> BTreeMap<String, String> {
    let mut rng = Rng::with_seed(seed ^ 0xc0de);
    if rng.u8(..3) > 0 {
        return BTreeMap::new();
    }
    let Some((table, columns)) = shown(schema) else { return BTreeMap::new() };
    let columns: Vec<String> = columns.iter().map(|column| ident(column).as_str().to_owned()).collect();
    let view = format!("CREATE VIEW \"code shown\" AS SELECT {} FROM {}", columns.join(", "), ident(table));
    let count =
        "CREATE FUNCTION \"code counted\"(OUT counted bigint) LANGUAGE sql STABLE AS 'SELECT count(*) FROM \"code shown\"'";
    let row: Vec<String> = columns.iter().map(|column| format!("NEW.{column}")).collect();
    // one function for whichever table it is, or each its own
    let own = if rng.bool() { String::new() } else { format!(" {:x}", names::hash(table)) };
    let looked = format!(
        "CREATE FUNCTION \"code looked{own}\"() RETURNS trigger LANGUAGE plpgsql AS $looked$ BEGIN PERFORM {}; RETURN NULL; END $looked$; \
         CREATE TRIGGER \"code looked\" AFTER INSERT OR UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION \"code looked{own}\"()",
        row.join(", "),
        ident(table)
    );
    // its name comes before that of what it calls
    BTreeMap::from([("counted".to_owned(), count.to_owned()), ("looked".to_owned(), looked), ("shown".to_owned(), view)])
}

fn shown(schema: &Schema) -> Option<(&String, Vec<&String>)> {
    let (name, table) = schema.tables.first_key_value()?;
    Some((name, table.columns.iter().map(|column| &column.name).collect()))
}

/// Code is refused where others may create; most cases leave it to them.
pub(super) async fn alone(session: &Client, base: &str, schemas: &[&Schema]) -> Result<(), String> {
    if schemas.iter().all(|schema| schema.code.is_empty()) {
        return Ok(());
    }
    read(session, &format!("REVOKE CREATE ON SCHEMA {} FROM pg_monitor", ident(base))).await.map(drop)
}

/// A version's code says what its table says. Gives how many pieces there were.
pub(super) async fn holds(session: &Client, side: &Side<'_>) -> Result<usize, String> {
    let Some((table, columns)) = shown(side.schema).filter(|_| !side.schema.code.is_empty()) else { return Ok(0) };
    let path = read(session, "SHOW search_path").await?.remove(0);
    put_on(session, side).await?;
    let wanted = read(session, &rows_of(ident(table).as_str(), &columns)).await?;
    let seen = read(session, &rows_of("\"code shown\"", &columns)).await?;
    let counted = read(session, "SELECT \"code counted\"()").await?;
    read(session, &format!("SELECT pg_catalog.set_config('search_path', {}, false)", literal(&path))).await?;
    if seen != wanted || counted != [wanted.len().to_string()] {
        return Err(format!("the code of {} shows {seen:?} and counts {counted:?}, but `{table}` has {wanted:?}", side.views));
    }
    Ok(side.schema.code.len())
}
