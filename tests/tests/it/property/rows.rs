//! Random rows and statements through a version's views, and what they answer.

use diptych_core::sql::{ident, qualified};
use diptych_core::{Column, Constraint, Schema, Table};
use fastrand::Rng;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::enums::Enums;
use super::mentions;
use super::values::kind;

/// A version as an app has it.
pub(crate) struct Side<'a> {
    /// Its model.
    pub(crate) schema: &'a Schema,
    /// The PostgreSQL schema of its views.
    pub(crate) views: String,
    /// The base schema.
    pub(crate) base: &'a str,
}

/// A statement on one table.
pub(crate) struct Write {
    /// The table.
    pub(crate) table: String,
    /// The statement; its rows tell whether what was given is what is there.
    pub(crate) sql: String,
}

/// The first column of a query.
pub(crate) async fn read(client: &Client, sql: &str) -> Result<Vec<String>, String> {
    let failed = |error: tokio_postgres::Error| {
        let text =
            error.as_db_error().map_or_else(|| error.to_string(), |error| format!("{} {}", error.code().code(), error.message()));
        format!("{sql}: {text}")
    };
    let messages = client.simple_query(sql).await.map_err(failed)?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
        _ => None,
    });
    Ok(rows.collect())
}

/// Some columns of a table expression as one text per row, in order.
pub(crate) fn rows_of(place: &str, columns: &[&String]) -> String {
    let columns = columns.iter().map(|name| format!("\"~\".{}", ident(name))).collect::<Vec<_>>().join(", ");
    format!("SELECT CAST(ROW({columns}) AS text) FROM {place} AS \"~\" ORDER BY 1")
}

/// Every row of every table.
pub(crate) async fn data(client: &Client, side: &Side<'_>) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for (name, table) in &side.schema.tables {
        let columns: Vec<&String> = table.columns.iter().map(|column| &column.name).collect();
        let rows = read(client, &rows_of(qualified(&side.views, name).as_str(), &columns)).await?;
        all.extend(rows.into_iter().map(|row| format!("{name}: {row}")));
    }
    Ok(all)
}

/// Puts rows in; those that a constraint refuses stay out. Says how many are in.
pub(crate) async fn fill(client: &Client, rng: &mut Rng, side: &Side<'_>) -> Result<usize, String> {
    put_on(client, side).await?;
    let mut count = 0;
    // twice: a foreign key may point at a table that comes later
    for round in 0..2 {
        for (name, table) in &side.schema.tables {
            for number in 0..rng.u64(..9) {
                let (sql, _) = insert(rng, &side.schema.enums, name, table, round * 10 + number + 1);
                match client.simple_query(&sql).await {
                    Ok(_) => count += 1,
                    Err(error) if error.code().is_some_and(|code| code.code().starts_with("23")) => {}
                    Err(error) => return Err(format!("`{sql}` before anything was started: {:?}", error.as_db_error())),
                }
            }
        }
    }
    Ok(count)
}

/// Statements for every table of a version.
pub(crate) fn writes(rng: &mut Rng, side: &Side<'_>) -> Vec<Write> {
    let mut writes = Vec::new();
    for (name, table) in &side.schema.tables {
        for _ in 0..rng.u8(1..3) {
            let number = rng.u64(30..60);
            let (sql, given) = insert(rng, &side.schema.enums, name, table, number);
            writes.push(Write { table: name.clone(), sql: format!("{sql} RETURNING {}", as_given(&given)) });
        }
        let writable: Vec<&Column> = table.columns.iter().filter(|column| is_written(column)).collect();
        if let Some(column) = rng.choice(&writable).filter(|_| rng.u8(..3) > 0) {
            let number = rng.u64(..60);
            let value = value(rng, &side.schema.enums, column, number);
            let sql = format!(
                "UPDATE {} SET {} = {value} RETURNING {}",
                ident(name),
                ident(&column.name),
                as_given(&[(&column.name, value.clone())])
            );
            writes.push(Write { table: name.clone(), sql });
        }
        if rng.u8(..6) == 0 {
            writes.push(Write { table: name.clone(), sql: format!("DELETE FROM {} RETURNING true", ident(name)) });
        }
    }
    writes
}

/// What each statement answers in the transaction that is open: `+` where all is as it was given, `-` where not, or `!SQLSTATE`.
pub(crate) async fn run_all(client: &Client, side: &Side<'_>, writes: &[Write]) -> Result<Vec<String>, String> {
    put_on(client, side).await?;
    client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await.map_err(|error| error.to_string())?;
    let mut answers = Vec::new();
    for write in writes {
        client.batch_execute("SAVEPOINT \"write\"").await.map_err(|error| error.to_string())?;
        let answer = match client.simple_query(&write.sql).await {
            Ok(messages) => {
                let wrong =
                    |message: &SimpleQueryMessage| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) != Some("t"));
                if messages.iter().any(wrong) { "-".to_owned() } else { "+".to_owned() }
            }
            Err(error) => match error.as_db_error() {
                Some(error) => format!("!{} {}", error.code().code(), error.message()),
                None => return Err(format!("{}: {error}", write.sql)),
            },
        };
        let end = if answer.starts_with('!') { "ROLLBACK TO \"write\"" } else { "RELEASE \"write\"" };
        client.batch_execute(end).await.map_err(|error| error.to_string())?;
        answers.push(answer);
    }
    Ok(answers)
}

pub(crate) async fn put_on(client: &Client, side: &Side<'_>) -> Result<(), String> {
    let path = format!("SET search_path = {}, {}", ident(&side.views), ident(side.base));
    client.batch_execute(&path).await.map_err(|error| error.to_string())
}

fn is_written(column: &Column) -> bool {
    column.generated.is_none() && column.identity.is_none()
}

/// An insert, and what it gives to which column.
fn insert<'a>(rng: &mut Rng, enums: &Enums, name: &str, table: &'a Table, number: u64) -> (String, Vec<(&'a String, String)>) {
    let is_unique = |column: &Column| {
        let on = |columns: &[String]| columns.contains(&column.name);
        table.constraints.values().any(|there| match there {
            Constraint::PrimaryKey { columns, .. } | Constraint::Unique { columns, .. } => on(columns),
            Constraint::Exclude { .. } => on(&there.columns(table)),
            _ => false,
        }) || table.indexes.values().any(|index| index.unique && on(&index.columns(table)))
    };
    let is_key = |column: &Column| {
        let reads = |there: &Column| there.generated.as_deref().is_some_and(|text| mentions(text, &column.name));
        is_unique(column) || table.columns.iter().any(|there| reads(there) && is_unique(there))
    };
    let is_reference = |column: &Column| {
        table
            .constraints
            .values()
            .any(|there| matches!(there, Constraint::ForeignKey { columns, .. } if columns.contains(&column.name)))
    };
    let mut given = Vec::new();
    for column in table.columns.iter().filter(|column| is_written(column)) {
        let key = is_key(column);
        if !key && column.default.is_some() && rng.bool() {
            continue;
        }
        let number = if key && !is_reference(column) { number } else { rng.u64(1..12) };
        given.push((&column.name, value(rng, enums, column, number)));
    }
    let names = given.iter().map(|(name, _)| ident(name).as_str().to_owned()).collect::<Vec<_>>().join(", ");
    let values = given.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>().join(", ");
    let sql = if given.is_empty() {
        format!("INSERT INTO {} DEFAULT VALUES", ident(name))
    } else {
        format!("INSERT INTO {} ({names}) VALUES ({values})", ident(name))
    };
    (sql, given)
}

fn value(rng: &mut Rng, enums: &Enums, column: &Column, number: u64) -> String {
    let kind = kind(enums, &column.sql_type);
    if column.nullable && rng.u8(..5) == 0 { format!("NULL::{}", kind.sql) } else { kind.literal(number) }
}

/// Whether the row has what was given.
fn as_given(given: &[(&String, String)]) -> String {
    let row = |parts: Vec<String>| format!("CAST(ROW({}) AS text)", parts.join(", "));
    let names = given.iter().map(|(name, _)| ident(name).as_str().to_owned()).collect();
    format!("{} = {}", row(names), row(given.iter().map(|(_, value)| value.clone()).collect()))
}
