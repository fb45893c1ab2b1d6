//! Values on the edges of a type, sent through a migration's `up` and `down`: what fails is told, and what does not come back.

use diptych::internal::few;
use diptych_core::model::types;
use diptych_core::sql::{self, literal};
use diptych_core::statements::path::Path;
use diptych_core::transition::lineage::{Lineage, Link, ScopeColumn};
use diptych_core::transition::stage::Stage;
use diptych_core::{Migration, Schema};
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::config::Failure;
use crate::scratch::{Database, refused};

/// How many values are told of a column.
const SAMPLES: usize = 3;
/// How many characters of a value are told.
const WIDTH: usize = 24;

/// A column that gets other values, or one that takes the place of another.
struct Conversion<'a> {
    older: &'a ScopeColumn,
    newer: &'a ScopeColumn,
    /// The table's name where `up` reads it.
    below: &'a str,
    up: &'a str,
    /// The same for `down`.
    above: &'a str,
    down: &'a str,
}

/// Where a value fails, or comes back as another one.
enum Came {
    Back,
    Lost(String),
    /// With the value and the server's words.
    RefusedByUp(String, String),
    RefusedByDown(String, String),
    /// Nothing can be said: the expression reads more than the column, or the value is none of the type's.
    Unknown,
}

/// What the conversions of a migration do to edge values, in words; on a database where its functions and types are.
pub(crate) async fn notes(database: &Database<'_>, before: &Schema, migration: &Migration) -> Result<Vec<String>, Failure> {
    let client = database.client().await?;
    let settings = format!("SET statement_timeout = '5s'; {}", Path::base(database.base()).set());
    client.batch_execute(&settings).await.map_err(refused)?;
    let Ok(stage) = migration.stage(before) else { return Ok(Vec::new()) };
    let mut notes = Vec::new();
    for conversion in conversions(&stage) {
        notes.extend(conversion.tried(&client, &stage).await);
    }
    Ok(notes)
}

/// Those of which one expression leads up and one down.
fn conversions(stage: &Stage) -> Vec<Conversion<'_>> {
    let columns = stage.lineages.iter().flat_map(|lineage| lineage.newest().columns.iter().map(move |column| (lineage, column)));
    columns.filter_map(|(lineage, newest)| conversion(lineage, &newest.name)).collect()
}

fn conversion<'a>(lineage: &'a Lineage, newest: &str) -> Option<Conversion<'a>> {
    let layers = &lineage.layers;
    let oldest = lineage.origin(newest)?;
    let (derived_at, up) = layers.iter().enumerate().skip(1).rev().find_map(|(at, layer)| {
        let Link::Derived(up) = layer.up.get(&name_in(lineage, newest, at)?)? else { return None };
        Some((at, up))
    })?;
    let (dropped_at, down) = layers.iter().enumerate().skip(1).find_map(|(at, layer)| {
        let Link::Derived(down) = layer.down.get(&old_name_in(lineage, &oldest, at - 1)?)? else { return None };
        Some((at, down))
    })?;
    let find = |at: usize, name: String| layers[at].columns.iter().find(|column| column.name == name);
    Some(Conversion {
        older: find(derived_at - 1, old_name_in(lineage, &oldest, derived_at - 1)?)?,
        newer: find(dropped_at, name_in(lineage, newest, dropped_at)?)?,
        below: &layers[derived_at - 1].table,
        up: up.as_str(),
        above: &layers[dropped_at].table,
        down: down.as_str(),
    })
}

/// What a column of the newest layer is called in another; none where it is not there yet.
fn name_in(lineage: &Lineage, newest: &str, layer: usize) -> Option<String> {
    lineage.layers[layer + 1..].iter().rev().try_fold(newest.to_owned(), |name, layer| match layer.up.get(&name)? {
        Link::Same(below) => Some(below.clone()),
        _ => None,
    })
}

/// What a column of the oldest layer is called in another; none where it is gone.
fn old_name_in(lineage: &Lineage, oldest: &str, layer: usize) -> Option<String> {
    lineage.layers[1..=layer].iter().try_fold(oldest.to_owned(), |name, layer| match layer.down.get(&name)? {
        Link::Same(above) => Some(above.clone()),
        _ => None,
    })
}

impl Conversion<'_> {
    async fn tried(&self, client: &Client, stage: &Stage) -> Vec<String> {
        let definition = |column: &ScopeColumn| {
            format!("{} {}{}", sql::ident(&column.name), column.sql_type, if column.nullable { "" } else { " NOT NULL" })
        };
        let (older, newer) = (definition(self.older), definition(self.newer));
        // assigned as a row's column is: a value that is too long is refused, and not cut as by a cast
        let tables = format!(
            "DROP TABLE IF EXISTS pg_temp.older, pg_temp.newer, pg_temp.back; CREATE TEMP TABLE older ({older}); \
             CREATE TEMP TABLE newer ({newer}); CREATE TEMP TABLE back ({older})"
        );
        if ask(client, &tables).await.is_err() {
            return Vec::new();
        }
        let (mut up, mut down, mut lost) = (Vec::new(), Vec::new(), Vec::new());
        for value in values(self.older, stage) {
            match self.there_and_back(client, &value).await {
                Came::Lost(text) => lost.push(text),
                Came::RefusedByUp(value, why) => up.push((value, why)),
                Came::RefusedByDown(value, why) => down.push((value, why)),
                Came::Back | Came::Unknown => {}
            }
        }
        for value in values(self.newer, stage) {
            if set(client, "newer", &value).await.is_ok()
                && let Came::RefusedByDown(value, why) = self.back(client).await
                && !down.iter().any(|(known, _)| *known == value)
            {
                down.push((value, why));
            }
        }
        let name = format!("`{}.{}`", self.above, self.newer.name);
        let told = |failed: &[(String, String)]| {
            let (_, why) = failed.first()?;
            let values: Vec<String> = failed.iter().map(|(value, _)| value.clone()).collect();
            Some(format!("{} ({why})", few(&values, SAMPLES, ", ")))
        };
        let up = told(&up).map(|values| {
            format!("note: `up` of {name} fails for {values}: `start` fails where a row has one, and the running release cannot write one from then on")
        });
        let down = told(&down).map(|values| {
            format!("note: `down` of {name} fails for {values}: the new release cannot write one before `complete`")
        });
        let lost = (!lost.is_empty())
            .then(|| format!("note: `up` and `down` of {name} do not give back every value: {}", few(&lost, SAMPLES, ", ")));
        up.into_iter().chain(down).chain(lost).collect()
    }

    /// A value of the older version, as the newer one makes of it, and as the older one makes of that.
    async fn there_and_back(&self, client: &Client, value: &str) -> Came {
        if set(client, "older", value).await.is_err() {
            return Came::Unknown;
        }
        if let Err(error) = ask(client, &derived("newer", self.up, "older", self.below)).await {
            return if error.is_of_the_value() {
                Came::RefusedByUp(held(client, "older").await, error.message)
            } else {
                Came::Unknown
            };
        }
        let came = self.back(client).await;
        if !matches!(came, Came::Back) {
            return came;
        }
        let column = sql::ident(&self.older.name);
        let compared = |cast: &str| {
            format!("SELECT older.{column}{cast} IS NOT DISTINCT FROM back.{column}{cast} FROM pg_temp.older, pg_temp.back")
        };
        let mut same = ask(client, &compared("")).await;
        // not every type has an equality
        if same.is_err() {
            same = ask(client, &compared("::text")).await;
        }
        match same {
            Ok(row) if row[0].as_deref() == Some("f") => {
                Came::Lost(format!("{} comes back as {}", held(client, "older").await, held(client, "back").await))
            }
            _ => Came::Back,
        }
    }

    /// What the older version makes of the newer one's row.
    async fn back(&self, client: &Client) -> Came {
        match ask(client, &derived("back", self.down, "newer", self.above)).await {
            Ok(_) => Came::Back,
            Err(error) if error.is_of_the_value() => Came::RefusedByDown(held(client, "newer").await, error.message),
            Err(_) => Came::Unknown,
        }
    }
}

/// Makes one version's row of the other's.
fn derived(to: &str, expression: &str, from: &str, table: &str) -> String {
    let table = sql::ident(table);
    // the expression may end in a comment
    format!("TRUNCATE pg_temp.{to}; INSERT INTO pg_temp.{to} SELECT ({expression}\n) FROM pg_temp.{from} AS {table}")
}

/// Makes a value a version's only row.
async fn set(client: &Client, table: &str, value: &str) -> Result<(), Refusal> {
    ask(client, &format!("TRUNCATE pg_temp.{table}; INSERT INTO pg_temp.{table} VALUES ({value})")).await.map(drop)
}

/// The value that a version's row holds, for people.
async fn held(client: &Client, table: &str) -> String {
    let row = ask(client, &format!("SELECT value::text FROM (TABLE pg_temp.{table}) AS row (value)")).await;
    shown(row.ok().and_then(|row| row.into_iter().next().flatten()).as_deref())
}

/// A server's refusal.
struct Refusal {
    code: String,
    message: String,
}

impl Refusal {
    /// Whether another value would have done: what is wrong with the expression itself has been told by the proof.
    fn is_of_the_value(&self) -> bool {
        ["22", "23", "P0"].iter().any(|class| self.code.starts_with(class))
    }
}

/// The first row of an answer.
async fn ask(client: &Client, statement: &str) -> Result<Vec<Option<String>>, Refusal> {
    let answer = client.simple_query(statement).await.map_err(|error| Refusal {
        code: error.code().map(|code| code.code().to_owned()).unwrap_or_default(),
        message: error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned()),
    })?;
    let row = answer.iter().find_map(|message| if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None });
    Ok(row.map(|row| (0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()).unwrap_or_default())
}

/// A value for people: short, and on one line.
fn shown(value: Option<&str>) -> String {
    let Some(text) = value else { return "NULL".to_owned() };
    let text = text.replace('\n', "\\n");
    let head: String = text.chars().take(WIDTH).collect();
    if head.len() == text.len() { format!("'{text}'") } else { format!("'{head}…' ({} characters)", text.chars().count()) }
}

/// Values of a column's type that conversions go wrong with, as SQL.
fn values(column: &ScopeColumn, stage: &Stage) -> Vec<String> {
    let name = column.sql_type.trim_end_matches("[]");
    let edges = edges(name, stage);
    let mut all = match types::is_array(&column.sql_type) {
        true => {
            let of = edges.first().map(|value| format!("ARRAY[{value}]::{name}[]"));
            ["'{}'".to_owned(), "'{NULL}'".to_owned()].into_iter().chain(of).collect()
        }
        false => edges,
    };
    if column.nullable {
        all.push("NULL".to_owned());
    }
    all
}

fn edges(name: &str, stage: &Stage) -> Vec<String> {
    let texts: &[&str] = match name.split('(').next().unwrap_or(name).trim() {
        "smallint" => &["0", "-1", "32767", "-32768"],
        "integer" => &["0", "-1", "2147483647", "-2147483648"],
        "bigint" => &["0", "-1", "9223372036854775807", "-9223372036854775808"],
        "numeric" => &["0", "-0.5", "1.005", "99.99", "12345678901234567890.123456789", "NaN"],
        "real" => &["0", "-1.5", "0.1", "3.4e38", "NaN", "Infinity"],
        "double precision" => &["0", "-1.5", "0.1", "1.7e308", "NaN", "Infinity"],
        "text" | "character varying" | "character" | "citext" => &[
            "",
            " ",
            "a",
            "Straße ÅÉ",
            "日本語 🙂",
            "O'Reilly",
            " padded ",
            "two\nlines",
            "-1",
            "1e3",
            "A long text, longer than most columns are wide, and then some more of it",
        ],
        "boolean" => &["true", "false"],
        "date" => &["1970-01-01", "0001-01-01 BC", "9999-12-31", "2024-02-29", "infinity"],
        "timestamp without time zone" | "timestamp with time zone" | "timestamp" => &[
            "1970-01-01 00:00:00",
            "0001-01-01 00:00:00 BC",
            "9999-12-31 23:59:59.999999",
            "2024-03-31 02:30:00",
            "infinity",
            "-infinity",
        ],
        "time without time zone" | "time with time zone" | "time" => &["00:00", "24:00", "23:59:59.999999"],
        "interval" => &["0", "-1 month", "1 year 2 months 3 days 04:05:06.789"],
        "uuid" => &["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
        "json" | "jsonb" => &["null", "{}", "[1.0]", "{\"a\": 1, \"a\": 2}", "\"text\""],
        "bytea" => &["", "\\x00ff"],
        "inet" | "cidr" => &["0.0.0.0/0", "::1"],
        other => {
            let there = [&stage.from, &stage.to].into_iter().find_map(|schema| schema.enums.get(&types::element(other)));
            return there.into_iter().flat_map(|there| &there.labels).map(|label| literal(label).to_string()).collect();
        }
    };
    texts.iter().map(|text| literal(text).to_string()).collect()
}
