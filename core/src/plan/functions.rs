//! The application's own functions: they look names up on their caller's path, and so read the views of a version.

use std::collections::BTreeMap;

use crate::layout::chain::Chain;
use crate::layout::tables::{Physical, layout};
use crate::plan::{Action, Phase, Steps, Verdict};
use crate::sql::{Sql, ident, join, literal};
use crate::statements::path::Path;
use crate::{model::lexer, sql, statements::ddl};

/// What empty twins of the newer version's tables are made of.
pub(super) struct Twins {
    /// The labels of the enums that only it has, by name.
    pub types: serde_json::Value,
    /// The columns of each table with their types, by its name.
    pub columns: serde_json::Value,
}

impl Twins {
    pub(super) fn of(chain: &Chain, tables: &[Physical<'_>]) -> Self {
        let models = tables.iter().filter_map(|table| Some((table.final_name()?, table.newer?)));
        let columns = models.map(|(name, newer)| {
            let columns = newer.columns.iter().map(|column| {
                let declared = ddl::typed(&column.sql_type, &column.collation);
                serde_json::json!([column.name, declared.as_str()])
            });
            (name.to_owned(), serde_json::Value::Array(columns.collect()))
        });
        let made = chain.made_forms().filter(|(_, form)| form.in_to);
        let types = made.map(|(_, form)| (form.name.clone(), form.model.labels.clone().into()));
        Twins { types: serde_json::Value::Object(types.collect()), columns: serde_json::Value::Object(columns.collect()) }
    }
}

/// Functions in SQL are tried on the version's tables; those on which writes hang are a reason to refuse. Behind the last script of a
/// start, which may have put them right.
pub(super) fn checks(chain: &Chain, tables: &[Physical<'_>], phase: Phase, steps: &mut Steps) {
    let base = Path::base(&chain.base);
    let Twins { types, columns } = Twins::of(chain, tables);
    let known = tables.iter().map(|table| literal(&table.name));
    let query = |is_fired: &str| {
        sql!(
            "SELECT pg_catalog.format('%s (%s)', broken.name, broken.reason), broken.mend FROM diptych.broken_functions({}, {}, {}::pg_catalog.jsonb, {}::pg_catalog.jsonb, ARRAY[{}]::pg_catalog.text[], {}) AS broken",
            literal(&chain.base),
            literal(join(base.schemas().iter().map(|name| ident(name)), ", ").as_str()),
            literal(&types.to_string()),
            literal(&columns.to_string()),
            join(known.clone(), ", "),
            Sql::trusted(is_fired)
        )
    };
    let rules = [
        (
            "every function that a trigger calls works on the new version's views",
            "true",
            "triggers call these functions, which work on the tables but fail on the new version's views",
            Verdict::Refuse,
        ),
        (
            "every function works on the new version's views",
            "false",
            "these functions work on the tables but fail on the new version's views, which its sessions have on their search_path",
            Verdict::Warn,
        ),
    ];
    for (title, is_fired, refusal, verdict) in rules {
        let hint = "if a name has changed, replace the function with an `sql` operation of this migration; if the function needs a table rather than a view (GROUP BY a key), name every column in it, or pin it to the tables".to_owned();
        let before = if phase == Phase::Preflight { super::loans::lent(chain) } else { Vec::new() };
        steps.push(phase, title, Action::Check { before, sql: query(is_fired), refusal: refusal.to_owned(), hint, verdict });
    }
}

/// What the names in a body of another language would meet in the newer version, a clause each: told, and no more.
pub fn changed_names(chain: &Chain, body: &str) -> Vec<String> {
    let words: std::collections::BTreeSet<String> = lexer::words(body).collect();
    let tables = layout(chain);
    let mut found = BTreeMap::new();
    for table in &tables {
        let Some(older) = table.older.filter(|_| words.contains(&table.name)) else { continue };
        match table.final_name() {
            None => {
                found.insert(table.name.clone(), format!("table `{}`, which is dropped", table.name));
                continue;
            }
            Some(name) if name != table.name => {
                found.insert(table.name.clone(), format!("table `{}`, which is renamed to `{name}`", table.name));
            }
            Some(_) => {}
        }
        for column in older.columns.iter().filter(|column| words.contains(&column.name)) {
            let newer = table.newer.into_iter().flat_map(|newer| &newer.columns);
            let same = newer.clone().find(|there| table.newer_name(&there.name) == column.name);
            let successor = newer.clone().find(|there| table.lineage.origin(&there.name).as_ref() == Some(&column.name));
            let what = match (same, successor) {
                (Some(there), _) if there.name == column.name => continue,
                (Some(there), _) => format!("is renamed to `{}`", there.name),
                (None, Some(there)) if there.name == column.name => format!("is converted ({})", there.sql_type),
                (None, Some(there)) => format!("is renamed to `{}` and converted", there.name),
                (None, None) => "is dropped".to_owned(),
            };
            let place = format!("{}.{}", table.name, column.name);
            found.insert(place.clone(), format!("column `{place}`, which {what}"));
        }
    }
    found.into_values().collect()
}
