//! A conversion is printed twice: as the program of the triggers and as the query of the backfill. Both are to mean the same.

use diptych::internal::State;
use diptych_core::layout::chain::Chain;
use diptych_core::layout::tables::{self, Physical};
use diptych_core::model::facts::Volatility;
use diptych_core::model::lexer;
use diptych_core::names;
use diptych_core::sql::{Sql, ident, qualified};
use diptych_core::statements::enums::Moment;
use diptych_core::statements::sync::{self, Direction};
use diptych_core::transition::lineage::Link;
use tokio_postgres::Client;

use crate::{Database, major};

/// What was compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compared {
    /// Tables with conversions, once for each direction.
    pub conversions: usize,
    /// Rows that were written by both.
    pub rows: usize,
    /// Conversions whose results a rule of the other version forbids.
    pub forbidden: usize,
}

impl std::ops::AddAssign for Compared {
    fn add_assign(&mut self, other: Self) {
        self.conversions += other.conversions;
        self.rows += other.rows;
        self.forbidden += other.forbidden;
    }
}

/// Writes the rows of every table of a started version anew by each version, and compares what its triggers make of them with what the
/// query says. Leaves everything as it is.
pub async fn compare(database: &Database, admin: &Client) -> Result<Compared, String> {
    let said = |error: tokio_postgres::Error| format!("{error}: {:?}", error.as_db_error());
    let state = State::load(admin, &database.base).await.map_err(|error| error.to_string())?;
    let pending = state.pending().ok_or("nothing is started")?;
    let older = state.parent(pending).cloned();
    let make = |book: &mut _| Chain::extend(&database.base, older.clone(), &pending.migrations, major(), book);
    let chain = database.migrator().await.settle(make).await.map_err(|error| error.to_string())?.ok_or("no migration")?;
    let mut compared = Compared::default();
    for table in tables::layout(&chain).iter().filter(|table| table.is_kept() && is_certain(table)) {
        for direction in [Direction::Up, Direction::Down] {
            let Some(statements) = Statements::of(&chain, table, direction) else { continue };
            if let Err(error) = admin.batch_execute(&statements.write_anew).await {
                admin.batch_execute("ROLLBACK").await.map_err(said)?;
                // class 23: integrity constraint violation
                if error.code().is_some_and(|code| code.code().starts_with("23")) {
                    compared.forbidden += 1;
                    continue;
                }
                return Err(format!("{}\n{}", said(error), statements.write_anew));
            }
            let found = admin
                .query(&statements.differences, &[])
                .await
                .map_err(|error| format!("{}\n{}", said(error), statements.differences))?;
            let rows: i64 = admin.query_one("SELECT count(*) FROM kept", &[]).await.map_err(said)?.get(0);
            admin.batch_execute("ROLLBACK").await.map_err(said)?;
            if !found.is_empty() {
                let lines: Vec<String> = found.iter().map(|row| row.get(0)).collect();
                return Err(format!(
                    "the triggers of `{}` ({direction:?}) differ from the query:\n{}",
                    table.name,
                    lines.join("\n")
                ));
            }
            compared.conversions += 1;
            compared.rows += usize::try_from(rows).unwrap_or_default();
        }
    }
    Ok(compared)
}

/// Whether its conversions give the same again: nothing of chance, and nothing of other rows of the table, which come one after the other.
fn is_certain(table: &Physical<'_>) -> bool {
    table.lineage.layers.iter().all(|layer| {
        let is_own =
            |relation: &String| lexer::words(relation).last().is_some_and(|name| name == table.name || name == layer.table);
        layer.up.values().chain(layer.down.values()).all(|link| match link {
            Link::Derived(text) => {
                let facts = text.known().expect("the server was asked");
                facts.volatility != Volatility::Volatile && !facts.relations.iter().any(is_own)
            }
            _ => true,
        })
    })
}

struct Statements {
    write_anew: String,
    differences: String,
}

impl Statements {
    fn of(chain: &Chain, table: &Physical<'_>, direction: Direction) -> Option<Self> {
        let (model, names) = match direction {
            Direction::Up => (table.older?, &table.older_names),
            Direction::Down => (table.newer?, &table.newer_names),
        };
        let (view, version) = match direction {
            Direction::Up => (&table.lineage.layers.first()?.table, chain.older.as_ref()?),
            Direction::Down => (&table.lineage.newest().table, &chain.newer),
        };
        let row = ident("diptych row");
        let (targets, query) = sync::conversion_query(chain, table, direction, &row, Moment::Start, |_| true);
        if targets.is_empty() {
            return None;
        }
        let place = qualified(&chain.base, &table.name);
        let list = |names: &mut dyn Iterator<Item = Sql>| names.map(|name| name.to_string()).collect::<Vec<_>>().join(", ");
        let written = || model.columns.iter().filter(|column| column.generated.is_none());
        let logical = list(&mut written().map(|column| ident(&column.name)));
        let physical = list(&mut written().map(|column| ident(names.get(&column.name).unwrap_or(&column.name))));
        let targets = list(&mut targets.iter().map(|name| ident(name)));
        let path = [version.views.as_str(), &names::guard_schema(&chain.base), &chain.base]
            .map(|name| ident(name).to_string())
            .join(", ");
        let building = ident(&chain.newer.scratch()).to_string();
        let query = query.to_string().replace(&building, ident(&chain.newer.views).as_str());
        let write_anew = format!(
            "BEGIN; SET LOCAL session_replication_role = replica;
             CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT {physical} FROM {place}; DELETE FROM {place};
             SET LOCAL search_path = {path};
             INSERT INTO {}.{} ({logical}) OVERRIDING SYSTEM VALUE SELECT {physical} FROM pg_temp.kept;
             {}; CREATE TEMP TABLE said ON COMMIT DROP AS SELECT {targets} FROM {place} WITH NO DATA;
             INSERT INTO pg_temp.said SELECT asked.* FROM {place} AS {row}, LATERAL ({query}) AS asked",
            ident(&version.views),
            ident(view),
            sync::path(chain, direction).set_local(),
        );
        let rows = |from: &str| format!("SELECT CAST(ROW({targets}) AS pg_catalog.text) AS line FROM {from}");
        let (said, written) = (rows("pg_temp.said"), rows(place.as_str()));
        let differences = format!(
            "SELECT '- ' || line FROM ({said} EXCEPT ALL {written}) AS lost UNION ALL SELECT '+ ' || line FROM ({written} EXCEPT ALL {said}) AS more"
        );
        Some(Statements { write_anew, differences })
    }
}
