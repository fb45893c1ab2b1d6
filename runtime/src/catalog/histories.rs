//! The tables in which other migration tools write down what they have applied: they belong to no version.

use serde::Serialize;
use tokio_postgres::GenericClient;

use crate::error::Result;
use diptych_core::sql::qualified;

/// How a tool keeps its history.
struct Keeping {
    tool: &'static str,
    /// In the base schema.
    table: &'static str,
    /// Which columns make it that tool's.
    columns: &'static [&'static str],
    /// What was applied, and whether that succeeded; none where a tool of the user's language has to say it.
    entries: Option<&'static str>,
}

const fn keeping(tool: &'static str, table: &'static str, columns: &'static [&'static str]) -> Keeping {
    Keeping { tool, table, columns, entries: None }
}

const fn listed(tool: &'static str, table: &'static str, columns: &'static [&'static str], entries: &'static str) -> Keeping {
    Keeping { tool, table, columns, entries: Some(entries) }
}

const KNOWN: &[Keeping] = &[
    listed("sqlx", "_sqlx_migrations", &["checksum", "success", "version"], "version::text, success FROM {} ORDER BY version"),
    listed(
        "refinery",
        "refinery_schema_history",
        &["applied_on", "checksum", "version"],
        "version::text, true FROM {} ORDER BY version",
    ),
    listed("diesel", "__diesel_schema_migrations", &["run_on", "version"], "version::text, true FROM {} ORDER BY version"),
    listed(
        "flyway",
        "flyway_schema_history",
        &["installed_rank", "script", "success", "type", "version"],
        "coalesce(version, script)::text, success FROM {} WHERE script <> '<< Flyway Baseline >>' AND type <> 'SCHEMA' ORDER BY installed_rank",
    ),
    listed("golang-migrate", "schema_migrations", &["dirty", "version"], "version::text, NOT dirty FROM {}"),
    keeping("alembic", "alembic_version", &["version_num"]),
    keeping("django", "django_migrations", &["app", "applied", "name"]),
    keeping("goose", "goose_db_version", &["is_applied", "version_id"]),
    keeping("knex", "knex_migrations", &["batch", "migration_time", "name"]),
    keeping("knex", "knex_migrations_lock", &["is_locked"]),
    keeping("liquibase", "databasechangelog", &["author", "filename", "md5sum"]),
    keeping("liquibase", "databasechangeloglock", &["locked", "lockedby"]),
    keeping("prisma", "_prisma_migrations", &["checksum", "migration_name", "started_at"]),
    keeping("rails", "schema_migrations", &["version"]),
    keeping("rails", "ar_internal_metadata", &["key", "value"]),
    keeping("sea-orm", "seaql_migrations", &["applied_at", "version"]),
];

/// The history of another tool in a base schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct History {
    /// The tool: `sqlx`.
    pub tool: String,
    /// Its table, with its schema.
    pub table: String,
    /// Schemas that are the tool's own.
    pub schemas: Vec<String>,
    /// What it has applied, in order; none where only the tool itself can tell.
    pub entries: Option<Vec<Entry>>,
}

/// A migration of another tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its version, as the tool writes it down.
    pub version: String,
    /// Whether it went through.
    pub succeeded: bool,
}

/// The tables of a base schema that are a history, as a JSON list of names.
pub(crate) async fn tables(client: &impl GenericClient, base: &str) -> Result<Vec<String>> {
    Ok(found(client, base).await?.into_iter().map(|keeping| keeping.table.to_owned()).collect())
}

/// Every history in a base schema.
pub(crate) async fn read(client: &impl GenericClient, base: &str) -> Result<Vec<History>> {
    let mut histories = Vec::new();
    for keeping in found(client, base).await? {
        let entries = match keeping.entries {
            None => None,
            Some(text) => {
                let sql = format!("SELECT {}", text.replace("{}", qualified(base, keeping.table).as_str()));
                let rows = client.query(&sql, &[]).await?;
                Some(rows.iter().map(|row| Entry { version: row.get(0), succeeded: row.get(1) }).collect())
            }
        };
        let (tool, table) = (keeping.tool.to_owned(), qualified(base, keeping.table).as_str().to_owned());
        histories.push(History { tool, table, schemas: Vec::new(), entries });
    }
    histories.extend(pgroll(client, base).await?);
    Ok(histories)
}

/// pgroll has its history in a schema of its own, and one of views for a version.
async fn pgroll(client: &impl GenericClient, base: &str) -> Result<Option<History>> {
    let columns = ["created_at", "done", "migration", "name", "schema"];
    let there = plain_tables(client, "pgroll", &["migrations"]).await?;
    if !there.iter().any(|(_, there)| columns.iter().all(|column| there.iter().any(|there| there == column))) {
        return Ok(None);
    }
    let sql = "SELECT name::text, done, coalesce(migration ->> 'version_schema', name)::text FROM pgroll.migrations \
         WHERE schema = $1::pg_catalog.text AND name IS NOT NULL AND coalesce(migration::text, '') <> '' ORDER BY created_at, name";
    let rows = client.query(sql, &[&base]).await?;
    let entries = rows.iter().map(|row| Entry { version: row.get(0), succeeded: row.get(1) }).collect();
    let versions = rows.iter().map(|row| format!("{base}_{}", row.get::<_, String>(2)));
    let schemas = std::iter::once("pgroll".to_owned()).chain(versions).collect();
    Ok(Some(History { tool: "pgroll".to_owned(), table: "pgroll.migrations".to_owned(), schemas, entries: Some(entries) }))
}

async fn found(client: &impl GenericClient, base: &str) -> Result<Vec<&'static Keeping>> {
    let names: Vec<&str> = KNOWN.iter().map(|keeping| keeping.table).collect();
    let tables = plain_tables(client, base, &names).await?;
    let of = |(table, columns): &(String, Vec<String>)| {
        let has = |column: &&str| columns.iter().any(|there| there == column);
        // the first of two that share a name has more columns
        KNOWN.iter().find(|keeping| keeping.table == *table && keeping.columns.iter().all(has))
    };
    Ok(tables.iter().filter_map(of).collect())
}

/// The tables of these names, with the columns that have types of the server's own. Anybody may have made them, and reading a view, a policy
/// or a type of somebody else's would run code of theirs: such tables and columns are none.
async fn plain_tables(client: &impl GenericClient, schema: &str, names: &[&str]) -> Result<Vec<(String, Vec<String>)>> {
    let sql = "SELECT class.relname::pg_catalog.text, pg_catalog.array_agg(attribute.attname::pg_catalog.text) \
         FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
         JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = class.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped \
         JOIN pg_catalog.pg_type AS type_ ON type_.oid = attribute.atttypid AND type_.typnamespace = 'pg_catalog'::pg_catalog.regnamespace \
         WHERE space.nspname = $1::pg_catalog.text AND class.relkind = 'r' AND NOT class.relrowsecurity \
         AND class.relname = ANY ($2::pg_catalog.text[]::pg_catalog.name[]) GROUP BY class.relname ORDER BY 1";
    let rows = client.query(sql, &[&schema, &names]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
