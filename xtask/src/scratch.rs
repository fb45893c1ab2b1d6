//! Databases of a private server, on which migrations are tried.

use std::collections::{BTreeMap, BTreeSet};

use diptych::internal::{State, introspect};
use diptych::{Migrator, Quiet};
use diptych_core::model::types;
use diptych_core::{Column, DeclaredSchema, Migration, Schema, Version, migration::diff, sql};
use tokio::process::Command;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use crate::config::{Context, Failure};
use crate::proof::is_script;
use crate::server::{Options, Server};
use crate::system;

/// A private server.
pub(crate) struct Scratch<'a> {
    context: &'a Context,
    server: Server,
}

/// A database of it, with the base schema.
pub(crate) struct Database<'a> {
    context: &'a Context,
    config: Config,
    url: String,
}

impl<'a> Scratch<'a> {
    pub(crate) fn start(context: &'a Context) -> Result<Self, Failure> {
        Ok(Scratch { context, server: Server::start(&Options::default())? })
    }

    /// A new database.
    pub(crate) async fn database(&self, name: &str) -> Result<Database<'_>, Failure> {
        connect(&self.server.config("postgres"))
            .await?
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .map_err(refused)?;
        let database = Database { context: self.context, config: self.server.config(name), url: self.server.url(name) };
        let base = diptych_core::sql::ident(&self.context.base);
        // as it is by default from 15 on: code is created only where nobody else may put anything
        let ready = format!("CREATE SCHEMA IF NOT EXISTS {base}; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
        connect(&database.config).await?.batch_execute(&ready).await.map_err(refused)?;
        Ok(database)
    }
}

impl Database<'_> {
    pub(crate) async fn migrator(&self) -> Result<Migrator, Failure> {
        Ok(Migrator::connect(&self.config, self.context.options()).await?)
    }

    /// The base schema.
    pub(crate) fn base(&self) -> &str {
        &self.context.base
    }

    /// A session.
    pub(crate) async fn client(&self) -> Result<Client, Failure> {
        connect(&self.config).await
    }

    /// A session of an ordinary role's own, which no statement gets out of.
    pub(crate) async fn client_of(&self, role: &str) -> Result<Client, Failure> {
        let mut config = self.config.clone();
        connect(config.user(role)).await
    }

    /// Makes the extensions that have a type of one of these schemas, which does not list them, as far as the machine has them: in the
    /// app's database somebody else has made them.
    pub(crate) async fn extend(&self, stages: &[Schema], declared: &DeclaredSchema) -> Result<(), Failure> {
        let mut needed = BTreeSet::new();
        for schema in stages {
            let columns = schema.tables.values().flat_map(|table| &table.columns);
            let own: Vec<&String> = schema.enums.keys().chain(schema.own_types().map(|(name, _)| name)).collect();
            needed.extend(unlisted(columns, &own, |name| schema.extensions.contains(name)));
        }
        let fields = declared.tables.iter().flat_map(|table| &table.columns).map(|field| &field.column);
        let own = declared.enums.iter().map(|there| &there.name).chain(declared.domains.keys()).chain(declared.composites.keys());
        let own: Vec<&String> = own.collect();
        needed.extend(unlisted(fields, &own, |name| declared.extensions.iter().any(|there| there == name)));
        let names: Vec<String> = needed.into_iter().collect();
        let client = connect(&self.config).await?;
        let there = "SELECT name FROM pg_catalog.pg_available_extensions WHERE name = ANY ($1) ORDER BY name";
        for row in client.query(there, &[&names]).await.map_err(refused)? {
            let (name, base) = (sql::ident(row.get(0)), sql::ident(&self.context.base));
            client.batch_execute(&format!("CREATE EXTENSION IF NOT EXISTS {name} SCHEMA {base}")).await.map_err(refused)?;
        }
        Ok(())
    }

    /// Makes a schema, as its first version; no version for an empty one. Gives the migration that leads there.
    pub(crate) async fn create(&self, name: &str, schema: &Schema) -> Result<Vec<Migration>, Failure> {
        if *schema == Schema::default() {
            return Ok(Vec::new());
        }
        let all = vec![Migration { name: name.to_owned(), version_schema: None, operations: diff::create_all(schema) }];
        self.migrate(&all).await?;
        Ok(all)
    }

    /// Starts and completes one migration after the other.
    pub(crate) async fn migrate(&self, all: &[Migration]) -> Result<(), Failure> {
        let mut migrator = self.migrator().await?;
        for end in 1..=all.len() {
            self.start(&mut migrator, &all[..end]).await?;
            migrator.complete(&mut Quiet).await?;
        }
        Ok(())
    }

    /// Starts migrations. A role that their statements name (a policy's, say) is made when the server misses it: in the app's database it
    /// is whoever operates the server that has made it.
    pub(crate) async fn start(&self, migrator: &mut Migrator, all: &[Migration]) -> Result<(), Failure> {
        while let Err(error) = migrator.start(all, None, &mut Quiet).await {
            let Some(role) = missing_role(&error) else { return Err(error.into()) };
            let create = format!("CREATE ROLE {}", sql::ident(role));
            connect(&self.config).await?.batch_execute(&create).await.map_err(refused)?;
        }
        Ok(())
    }

    /// Starts and completes a recorded folder, after the extensions that its schemas and the structs need.
    pub(crate) async fn bring_in(
        &self,
        migrations: &[Migration],
        stages: &[Schema],
        declared: &DeclaredSchema,
    ) -> Result<(), Failure> {
        // scripts make the extensions themselves
        if !migrations.iter().any(is_script) {
            self.extend(stages, declared).await?;
        }
        self.migrate(migrations).await
    }

    /// Makes the code of the version at rest over the tables themselves, for who knows no views.
    pub(crate) async fn create_code(&self) -> Result<(), Failure> {
        let Some(version) = self.version().await?.filter(|version| version.schema.versioned_code().next().is_some()) else {
            return Ok(());
        };
        let base = &self.context.base;
        let code = serde_json::json!(version.schema.versioned_code().collect::<BTreeMap<_, _>>()).to_string();
        let sql = "SELECT made.name, made.reason FROM diptych.run_code(NULL, NULL, $1, $2, $3::pg_catalog.text::pg_catalog.jsonb) AS made";
        let path = [sql::ident(base).as_str(), "public"].join(", ");
        let broken = connect(&self.config).await?.query(sql, &[base, &path, &code]).await.map_err(refused)?;
        let broken: Vec<String> =
            broken.iter().map(|row| format!("`{}`: {}", row.get::<_, &str>(0), row.get::<_, &str>(1))).collect();
        if broken.is_empty() {
            return Ok(());
        }
        let message = format!("this code cannot be created on the tables: {}", broken.join("; "));
        Err(Failure::hinted(message, "leave the schema out of the names in it"))
    }

    /// Has a command find this database, and the tables under their bare names, whatever was set for it before.
    pub(crate) async fn give_to(&self, command: &mut Command) -> Result<(), Failure> {
        let client = connect(&self.config).await?;
        let path = sql::ident(&self.context.base);
        let name = sql::ident(self.config.get_dbname().unwrap_or_default());
        client.batch_execute(&format!("ALTER DATABASE {name} SET search_path TO {path}")).await.map_err(refused)?;
        for word in ["PGHOSTADDR", "PGOPTIONS", "PGPASSWORD", "PGSERVICE", "PGSSLMODE"] {
            command.env_remove(word);
        }
        if let Some(folder) = system::socket(&self.config) {
            command.env("PGHOST", folder);
        }
        command.env("DATABASE_URL", &self.url).env("PGPORT", "5432");
        command.env("PGUSER", self.config.get_user().unwrap_or_default());
        command.env("PGDATABASE", self.config.get_dbname().unwrap_or_default());
        Ok(())
    }

    /// The version at rest.
    pub(crate) async fn version(&self) -> Result<Option<Version>, Failure> {
        let state = State::load(&connect(&self.config).await?, &self.context.base).await?;
        Ok(state.live().map(|recorded| recorded.version.clone()))
    }

    /// Everything of the base schema in the catalog, as text.
    pub(crate) async fn catalog(&self) -> Result<Vec<String>, Failure> {
        Ok(introspect::catalog(&connect(&self.config).await?, &self.context.base).await?)
    }
}

/// The extensions that types of columns are named after, but for those of the schema's own list.
fn unlisted<'a>(
    columns: impl Iterator<Item = &'a Column>,
    own: &[&String],
    is_listed: impl Fn(&str) -> bool,
) -> BTreeSet<String> {
    let names = columns.map(|column| types::element(&column.sql_type)).filter(|name| !own.contains(&name));
    let names = names.map(|name| extension(name.split('(').next().unwrap_or(&name)).to_owned());
    names.filter(|name| !is_listed(name)).collect()
}

/// The extension that has a type; most have the type's name.
fn extension(name: &str) -> &str {
    match name {
        "halfvec" | "sparsevec" => "vector",
        "geography" | "geometry" => "postgis",
        other => other,
    }
}

/// The role that a statement failed for, as a server with the messages of the C locale says it.
fn missing_role(error: &diptych::Error) -> Option<&str> {
    let error = std::error::Error::source(error)?.downcast_ref::<tokio_postgres::Error>()?.as_db_error()?;
    let name = error.message().strip_prefix("role \"")?.strip_suffix("\" does not exist")?;
    (*error.code() == SqlState::UNDEFINED_OBJECT).then_some(name)
}

async fn connect(config: &Config) -> Result<Client, Failure> {
    let (client, connection) = config.connect(NoTls).await.map_err(refused)?;
    tokio::spawn(connection);
    Ok(client)
}

pub(crate) fn refused(error: tokio_postgres::Error) -> Failure {
    Failure::new(format!("the scratch server refused: {error}"))
}
