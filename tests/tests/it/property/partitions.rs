//! Random partition keys, and partitions by plain SQL: which of those there are is no part of a version.

use diptych_core::model::lexer;
use diptych_core::model::schema::IndexColumn;
use diptych_core::model::types;
use diptych_core::sql::{ident, literal, qualified};
use diptych_core::{Column, Constraint, Index, Schema, Table};
use diptych_tests::major;
use fastrand::Rng;
use tokio_postgres::Client;

use super::Case;
use super::enums::Enums;
use super::rows::read;
use super::values::kind;

/// Makes a table a partitioned one where its columns can be a key, which its own primary key then covers.
pub(super) fn divide(rng: &mut Rng, enums: &Enums, table: &mut Table) {
    // before 17 there is none in partitioned tables
    if major() < 17 && table.columns.iter().any(|column| column.identity.is_some()) {
        return;
    }
    let hashes = |column: &&Column| kind(enums, &column.sql_type).methods.iter().any(|(method, ..)| *method == "hash");
    let key = table.primary_key();
    let inside = rng.u8(..4) > 0 && !key.is_empty();
    let fit = |column: &&Column| {
        kind(enums, &column.sql_type).ordered && column.generated.is_none() && (!inside || key.contains(&column.name))
    };
    let mut columns: Vec<&Column> = table.columns.iter().filter(fit).collect();
    rng.shuffle(&mut columns);
    let (how, most) = [("RANGE", 2), ("LIST", 1), ("HASH", 2)][rng.usize(..3)];
    if how == "HASH" {
        columns.retain(hashes);
    }
    columns.truncate(rng.usize(1..=most));
    if columns.is_empty() {
        return;
    }
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let list = names.iter().map(|name| ident(name).as_str().to_owned()).collect::<Vec<_>>().join(", ");
    table.partition_by = Some(format!("{how} ({list})").into());
    let model = table.clone();
    for constraint in table.constraints.values_mut() {
        if let Constraint::ForeignKey { references, .. } = constraint {
            references.on_delete_set_columns.clear();
        }
        if let Constraint::PrimaryKey { columns, index_parameters, .. } = constraint {
            cover(&model, columns);
            index_parameters.include_columns.retain(|name| !columns.contains(name));
            for column in table.columns.iter_mut().filter(|column| columns.contains(&column.name)) {
                column.nullable = false;
            }
        }
    }
}

/// The columns of the partition key, in its order.
pub(super) fn key(table: &Table) -> Vec<String> {
    let words = table.partition_by.iter().flat_map(|text| lexer::words(text).skip(1));
    words.filter(|word| table.has_column(word)).collect()
}

/// A key of a partitioned table has all columns of the partition key.
pub(super) fn cover(table: &Table, columns: &mut Vec<String>) {
    let missing: Vec<String> = key(table).into_iter().filter(|name| !columns.contains(name)).collect();
    columns.extend(missing);
}

/// The same for a unique index, whose keys are equal as the server sees it.
pub(super) fn cover_in_index(table: &Table, index: &mut Index) {
    if !index.unique || table.partition_by.is_none() {
        return;
    }
    for name in key(table) {
        if index.columns.iter().all(|key| key.column != name) {
            index.columns.push(IndexColumn { column: name.clone(), ..Default::default() });
        }
        index.include.retain(|there| *there != name);
    }
    for key in &mut index.columns {
        key.opclass = None;
        key.collate = None;
    }
}

/// Whether a column is part of the partition key.
pub(super) fn is_key(table: &Table, column: &str) -> bool {
    key(table).iter().any(|name| name == column)
}

/// Partitions for a table of the base schema: some for a few values, one for all the rest.
fn pieces(rng: &mut Rng, enums: &Enums, place: &str, table: &Table, number: usize) -> Vec<String> {
    let Some((how, _)) = table.partition_by.as_deref().and_then(|text| text.split_once(' ')) else { return Vec::new() };
    let columns = key(table);
    let column = table.columns.iter().find(|column| column.name == columns[0]).expect("a key column");
    let kind = kind(enums, &column.sql_type);
    let value = |number: u64| literal(&kind.text(number)).as_str().trim_start().to_owned();
    let least = ", MINVALUE".repeat(columns.len() - 1);
    let mut bounds = match how {
        "HASH" => (0..3).map(|rest| format!("FOR VALUES WITH (MODULUS 3, REMAINDER {rest})")).collect(),
        "LIST" => vec![format!("FOR VALUES IN ({})", value(1))],
        _ => vec![format!("FOR VALUES FROM (MINVALUE{least}) TO ({}{least})", value(5))],
    };
    if how == "LIST" && value(1) != value(2) {
        bounds.push(format!("FOR VALUES IN ({})", value(2)));
    }
    if how != "HASH" {
        bounds.push("DEFAULT".to_owned());
    }
    let mut statements = Vec::new();
    for (at, bound) in bounds.iter().enumerate() {
        let name = format!("piece_{number} {at}");
        let piece = ident(&name);
        match rng.u8(..4) {
            // columns of its own order, behind one that is gone
            0 => statements.push(format!(
                "CREATE TABLE {piece} (gone integer, LIKE {place} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE); \
                 ALTER TABLE {piece} DROP COLUMN gone; ALTER TABLE {place} ATTACH PARTITION {piece} {bound}"
            )),
            1 => {
                let (low, rest) = (ident(&format!("{name} low")), ident(&format!("{name} rest")));
                statements.push(format!(
                    "CREATE TABLE {piece} PARTITION OF {place} {bound} PARTITION BY RANGE ({}); \
                     CREATE TABLE {low} PARTITION OF {piece} FOR VALUES FROM (MINVALUE) TO ({}); CREATE TABLE {rest} PARTITION OF {piece} DEFAULT",
                    ident(&columns[0]),
                    value(3)
                ));
            }
            _ => statements.push(format!("CREATE TABLE {piece} PARTITION OF {place} {bound}")),
        }
    }
    statements
}

/// Partitions that come and go between start and complete, where both versions have the table.
fn later(rng: &mut Rng, enums: &Enums, name: (&str, &str), table: &Table, number: usize, is_tied: bool) -> Vec<String> {
    let Some((how, _)) = table.partition_by.as_deref().and_then(|text| text.split_once(' ')) else { return Vec::new() };
    let (base, place) = (name.0, qualified(name.0, name.1));
    let columns = key(table);
    let column = table.columns.iter().find(|column| column.name == columns[0]).expect("a key column");
    let kind = kind(enums, &column.sql_type);
    let value = |number: u64| literal(&kind.text(number)).as_str().trim_start().to_owned();
    let least = ", MINVALUE".repeat(columns.len() - 1);
    let piece = qualified(base, &format!("piece_{number} later"));
    // values that no row has
    let is_number = ["bigint", "integer", "smallint", "numeric"].contains(&kind.sql);
    let mut statements = Vec::new();
    if rng.bool() && (is_number || how == "LIST" && ["text", "character varying", "uuid"].contains(&kind.sql)) {
        match how {
            "LIST" => statements.push(format!("CREATE TABLE {piece} PARTITION OF {place} FOR VALUES IN ({})", value(9000))),
            "RANGE" => statements.push(format!(
                "CREATE TABLE {piece} PARTITION OF {place} FOR VALUES FROM ({}{least}) TO ({}{least})",
                value(9000),
                value(9001)
            )),
            _ => {}
        }
    }
    if rng.u8(..3) == 0 && !is_tied {
        statements.push(format!("ALTER TABLE {place} DETACH PARTITION {}", qualified(base, &format!("piece_{number} 0"))));
    }
    statements
}

/// The partitions of every table that both versions have, or of those that only the newer has; the same whatever their names are.
pub(super) async fn create(client: &Client, base: &str, case: &Case, schema: &Schema, which: Which) -> Result<(), String> {
    let path = format!("SET search_path = {}", ident(base));
    client.batch_execute(&path).await.map_err(|error| error.to_string())?;
    let to = case.migration.stage(&case.from).map_err(|error| error.to_string())?.to;
    for (number, way) in case.ways.iter().enumerate() {
        let is_kept = way.old.is_some();
        let name = match which {
            Which::Older => way.old.as_ref(),
            Which::Later => way.old.as_ref(),
            Which::New => way.new.as_ref().filter(|_| !is_kept),
            Which::Newer => way.new.as_ref(),
        };
        let Some((name, table)) = name.and_then(|name| schema.tables.get_key_value(name)) else { continue };
        let mut rng = Rng::with_seed(case.seed ^ number as u64);
        let mut statements = match which {
            Which::Later => Vec::new(),
            _ => pieces(&mut rng, &schema.enums, qualified(base, name).as_str(), table, number),
        };
        if matches!(which, Which::Later | Which::Newer) && is_kept && way.new.is_some() {
            let mut rng = Rng::with_seed(!case.seed ^ number as u64);
            let is_tied = is_tied(&case.from, way.old.as_ref()) || is_tied(&to, way.new.as_ref());
            let is_tied = is_tied || has_type_that_goes(&case.from, &to, way.old.as_ref());
            statements.extend(later(&mut rng, &schema.enums, (base, name), table, number, is_tied));
        }
        for sql in statements {
            client.batch_execute(&sql).await.map_err(|error| format!("`{sql}`: {:?}", error.as_db_error()))?;
        }
    }
    Ok(())
}

/// Whether foreign keys point at a table, or from there: what is detached keeps them.
fn is_tied(schema: &Schema, table: Option<&String>) -> bool {
    schema.tables.iter().any(|(name, there)| {
        there.constraints.values().any(|key| {
            matches!(key, Constraint::ForeignKey { references, .. } if table == Some(name) || table == Some(&references.table))
        })
    })
}

/// Whether a column of a table has a type that goes, or gets other labels: what is detached keeps it, which `complete` refuses.
fn has_type_that_goes(from: &Schema, to: &Schema, table: Option<&String>) -> bool {
    let columns = table.and_then(|name| from.tables.get(name)).into_iter().flat_map(|table| &table.columns);
    let types = columns.map(|column| types::element(&column.sql_type));
    types.into_iter().any(|name| {
        let is_other =
            from.enums.get(&name).is_some_and(|own| to.enums.get(&name).map(|there| &there.labels) != Some(&own.labels));
        is_other || from.has_own_type(&name) && !to.has_own_type(&name)
    })
}

/// Whose partitions are made.
#[derive(Clone, Copy)]
pub(super) enum Which {
    /// Those of the older version's tables.
    Older,
    /// Those of tables that only the newer version has.
    New,
    /// Those of all tables of the newer version, as they are in the end.
    Newer,
    /// What comes and goes meanwhile.
    Later,
}

/// What a version knows of a catalog.
pub(super) fn known(catalog: Vec<String>) -> Vec<String> {
    catalog.into_iter().filter(|line| !line.contains("piece_") && !line.starts_with("function ")).collect()
}

/// What partitions have, whatever the names of their own indexes and keys are.
pub(super) async fn pieces_of(client: &Client, base: &str) -> Result<Vec<String>, String> {
    read(client, &PIECES.replace("{}", literal(base).as_str())).await
}

const PIECES: &str = r#"
WITH piece AS (
  SELECT class.oid, class.relname FROM pg_class AS class
  WHERE class.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = {}) AND class.relkind IN ('r', 'p') AND class.relispartition
    AND NOT starts_with((SELECT relname FROM pg_class WHERE oid = pg_partition_root(class.oid))::text, 'piece_')
)
SELECT line FROM (
  SELECT format('%s: column %s %s notnull=%s default=%s generated=%s', piece.relname, own.attname, format_type(own.atttypid, own.atttypmod),
    own.attnotnull, pg_get_expr(def.adbin, def.adrelid), own.attgenerated) AS line
  FROM piece JOIN pg_attribute AS own ON own.attrelid = piece.oid AND own.attnum > 0 AND NOT own.attisdropped
  LEFT JOIN pg_attrdef AS def ON def.adrelid = piece.oid AND def.adnum = own.attnum
  UNION ALL
  SELECT format('%s: constraint %s %s of %s validated=%s', piece.relname, CASE WHEN own.contype IN ('c', 'f') THEN own.conname END,
    pg_get_constraintdef(own.oid), root.conname, own.convalidated)
  FROM piece JOIN pg_constraint AS own ON own.conrelid = piece.oid LEFT JOIN pg_constraint AS above ON above.oid = own.conparentid
  LEFT JOIN pg_constraint AS root ON root.oid = coalesce(nullif(above.conparentid, 0), above.oid)
  WHERE own.contype <> 'n'
  UNION ALL
  SELECT format('%s: index %s unique=%s of %s valid=%s', piece.relname, substring(pg_get_indexdef(own.indexrelid) FROM ' USING .*$'), own.indisunique,
    (SELECT max(class.relname) FROM pg_partition_ancestors(own.indexrelid) AS above JOIN pg_class AS class ON class.oid = above.relid
     WHERE NOT class.relispartition), own.indisvalid)
  FROM piece JOIN pg_index AS own ON own.indrelid = piece.oid
  UNION ALL
  SELECT format('%s: trigger %s', piece.relname, own.tgname)
  FROM piece JOIN pg_trigger AS own ON own.tgrelid = piece.oid WHERE NOT own.tgisinternal
) AS line ORDER BY line COLLATE "C"
"#;

/// How many rows are in tables with an enum column, and in partitioned ones.
pub(super) async fn counted(client: &Client, base: &str, schema: &Schema) -> Result<(usize, usize), String> {
    let (mut of_enums, mut in_parts) = (0, 0);
    for (name, table) in &schema.tables {
        let has_enum = table.columns.iter().any(|column| super::enums::is_enum(&column.sql_type));
        if has_enum || table.partition_by.is_some() {
            let rows = read(client, &format!("SELECT count(*) FROM {}", qualified(base, name))).await?;
            let rows: usize = rows[0].parse().expect("a number");
            of_enums += if has_enum { rows } else { 0 };
            in_parts += if table.partition_by.is_some() { rows } else { 0 };
        }
    }
    Ok((of_enums, in_parts))
}
