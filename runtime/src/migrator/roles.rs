//! Roles that put their sessions on a version: a pooler passes no startup options on (docs/poolers.md).

use std::collections::BTreeMap;
use std::fmt;

use postgres_protocol::password::scram_sha_256;
use serde::Serialize;
use tokio_postgres::Client;

use crate::error::{Error, Result};
use crate::execute::progress::Progress;
use crate::state::{State, VersionState};
use crate::text::printable;
use diptych_core::names;
use diptych_core::sql;
use diptych_core::sql::{Sql, ident, literal};

/// A role that puts its sessions on a version, with the rights of an application's role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VersionRole {
    /// Its name.
    pub name: String,
    /// The version.
    pub version: String,
    /// What became of it.
    pub change: RoleChange,
}

/// What became of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RoleChange {
    /// It was made, without a password.
    Made,
    /// It was made with the password that was given.
    MadeWithPassword,
    /// It was there, and has got the version's path in this database.
    Set,
    /// It was as it should be.
    Kept,
    /// Its version has gone, and it with it; where it serves another database it has lost its path in this one.
    Dropped,
}

impl fmt::Display for VersionRole {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let VersionRole { name, version, change } = self;
        let what = match change {
            RoleChange::Made => "made; give it a password (`\\password` in psql), and the pooler, too",
            RoleChange::MadeWithPassword => "made with the password; give it to the pooler, too",
            RoleChange::Set => "set",
            RoleChange::Kept => "as it was",
            RoleChange::Dropped => return write!(out, "role `{name}`: version `{version}` has gone, dropped"),
        };
        write!(out, "role `{name}`: version `{version}`, {what}")
    }
}

/// How a role of a version stands.
struct There {
    /// It has the application role's rights.
    inherits: bool,
    /// Its path in this database is the version's.
    is_set: bool,
    /// It has settings in other databases.
    serves_others: bool,
    /// Its sessions in this database.
    sessions: i64,
    /// Settings of the application's role that it does not have itself, and no role inherits.
    lacks: Option<String>,
}

/// Brings the roles in line with the versions that there are.
pub(crate) async fn settle(
    client: &mut Client,
    base: &str,
    state: &State,
    app: &str,
    password: Option<&[u8]>,
    progress: &mut dyn Progress,
) -> Result<Vec<VersionRole>> {
    if client.query_opt("SELECT FROM pg_catalog.pg_roles WHERE rolname = $1", &[&app]).await?.is_none() {
        return Err(Error::refused(format!("there is no role `{}`", printable(app)))
            .hint("name the role that has the application's rights on the tables"));
    }
    // by the schema of its views: a version may have been rolled back and started again
    let mut versions = BTreeMap::new();
    for recorded in &state.versions {
        let gone = matches!(recorded.state, VersionState::Retired | VersionState::RollingBack | VersionState::RolledBack);
        versions.insert(recorded.version.views.as_str(), (recorded.version.name.as_str(), gone));
    }
    let mut roles = Vec::new();
    for (views, (version, gone)) in versions {
        let name = names::version_role(app, views);
        let there = look(client, base, views, &name, app).await?;
        let change = match (&there, gone) {
            (None, true) => continue,
            // somebody else's
            (Some(there), true) if !(there.inherits && there.is_set) => continue,
            (Some(there), true) => {
                drop_role(client, &name, there).await?;
                RoleChange::Dropped
            }
            (Some(there), false) if !there.inherits => {
                return Err(without_rights(&name, app, version));
            }
            (Some(there), false) if there.is_set => RoleChange::Kept,
            (there, false) => {
                let created = there.is_none().then(|| create(&name, app, password));
                make(client, base, views, &name, app, created).await?;
                match (there, password) {
                    (Some(_), _) => RoleChange::Set,
                    (None, Some(_)) => RoleChange::MadeWithPassword,
                    (None, None) => RoleChange::Made,
                }
            }
        };
        if let Some(there) = look(client, base, views, &name, app).await? {
            warn(&name, app, change, &there, progress);
        }
        roles.push(VersionRole { name, version: version.to_owned(), change });
    }
    Ok(roles)
}

/// The refusal of a role that has the name of a version's and is not one.
fn without_rights(name: &str, app: &str, version: &str) -> Error {
    let what = format!("there is a role `{}` that does not inherit the rights of role `{}`", printable(name), printable(app));
    let hint =
        format!("if it is meant for version `{version}`: GRANT {} TO {}; if it is not, rename it", ident(app), ident(name));
    Error::refused(what).hint(hint)
}

fn warn(name: &str, app: &str, change: RoleChange, there: &There, progress: &mut dyn Progress) {
    if change == RoleChange::Set && there.sessions > 0 {
        let what = format!("role `{name}` has {} sessions that began without the version's path", there.sessions);
        progress
            .warning(&Error::refused(what).hint("end them (RECONNECT on PgBouncer's console), or they go on with what they had"));
    }
    if let Some(lacks) = there.lacks.as_deref().filter(|_| change != RoleChange::Dropped) {
        let what = format!("role `{name}` does not inherit the settings of role `{app}`: {}", printable(lacks));
        progress.warning(&Error::refused(what).hint(format!("give it the same: ALTER ROLE {} SET …", ident(name))));
    }
}

async fn look(client: &Client, base: &str, views: &str, name: &str, app: &str) -> Result<Option<There>> {
    let row = client
        .query_opt(
            "WITH place AS (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()), \
             kept AS (SELECT kept.setrole, kept.setdatabase, setting FROM pg_catalog.pg_db_role_setting AS kept, pg_catalog.unnest(kept.setconfig) AS setting), \
             here AS (SELECT kept.* FROM kept, place WHERE kept.setdatabase IN (0, place.oid)) \
             SELECT pg_catalog.pg_has_role(role.oid, app.oid, 'USAGE'), \
               EXISTS (SELECT FROM kept, place WHERE kept.setrole = role.oid AND kept.setdatabase = place.oid AND kept.setting = pg_catalog.format('search_path=%I, %I, %I', $3::text, $4::text, $5::text)), \
               EXISTS (SELECT FROM kept, place WHERE kept.setrole = role.oid AND kept.setdatabase NOT IN (0, place.oid)), \
               (SELECT count(*) FROM pg_catalog.pg_stat_activity AS activity WHERE activity.usesysid = role.oid AND activity.datname = pg_catalog.current_database()), \
               (SELECT pg_catalog.string_agg(DISTINCT here.setting, ', ') FROM here WHERE here.setrole = app.oid AND here.setting NOT LIKE 'search_path=%' \
                AND NOT EXISTS (SELECT FROM here AS own WHERE own.setrole = role.oid AND pg_catalog.split_part(own.setting, '=', 1) = pg_catalog.split_part(here.setting, '=', 1))) \
             FROM pg_catalog.pg_roles AS role, pg_catalog.pg_roles AS app WHERE role.rolname = $1 AND app.rolname = $2",
            &[&name, &app, &views, &names::guard_schema(base), &base],
        )
        .await?;
    Ok(row.map(|row| There {
        inherits: row.get(0),
        is_set: row.get(1),
        serves_others: row.get(2),
        sessions: row.get(3),
        lacks: row.get(4),
    }))
}

/// `CREATE ROLE`. A password goes to the server as the verifier that it would make of it, as with `\password`: it stands in no log.
fn create(name: &str, app: &str, password: Option<&[u8]>) -> Sql {
    let made = sql!("CREATE ROLE {} LOGIN INHERIT IN ROLE {}", ident(name), ident(app));
    match password {
        Some(password) => sql!("{} PASSWORD {}", made, literal(&scram_sha_256(password))),
        None => made,
    }
}

/// In one transaction: no session of the role is without the path.
async fn make(client: &mut Client, base: &str, views: &str, name: &str, app: &str, created: Option<Sql>) -> Result<()> {
    let (role, app_role) = (ident(name), ident(app));
    let mut statements = Vec::from_iter(created);
    let path = sql::join([views, &names::guard_schema(base), base].map(ident), ", ");
    statements.push(sql!("ALTER ROLE {} IN DATABASE {} SET search_path = {}", role, here(client).await?, path));
    let hint = format!("run this as a role with CREATEROLE, and, from PostgreSQL 16 on, with ADMIN OPTION on {app_role}");
    carry_out(client, statements, "make", name, &hint).await
}

async fn drop_role(client: &mut Client, name: &str, there: &There) -> Result<()> {
    let role = ident(name);
    let unset = sql!("ALTER ROLE {} IN DATABASE {} RESET search_path", role, here(client).await?);
    let mut statements = vec![unset];
    if !there.serves_others {
        statements.push(sql!("DROP ROLE {}", role));
    }
    let hint = format!(
        "run this as a role with CREATEROLE that made it; what it owns goes to another by REASSIGN OWNED BY {role} TO …, and its rights by DROP OWNED BY {role}"
    );
    carry_out(client, statements, "drop", name, &hint).await
}

async fn carry_out(client: &mut Client, statements: Vec<Sql>, doing: &str, name: &str, hint: &str) -> Result<()> {
    let transaction = client.transaction().await?;
    for statement in statements {
        let done = transaction.batch_execute(statement.as_str()).await;
        done.map_err(|error| Error::during(format!("cannot {doing} role `{name}`"), error).of_check().or_hint(hint))?;
    }
    Ok(transaction.commit().await?)
}

async fn here(client: &Client) -> Result<Sql> {
    let name: String = client.query_one("SELECT pg_catalog.current_database()::pg_catalog.text", &[]).await?.get(0);
    Ok(ident(&name))
}
