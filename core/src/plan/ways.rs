//! Which way each change goes, and why: what `plan` says before the SQL.

use crate::layout::chain::Chain;
use crate::layout::tables::{Added, Physical};
use crate::model::expression::Expression;
use crate::model::schema::{Column, Constraint, Table};
use crate::model::types;
use crate::transition::lineage::Link;

/// One sentence per change.
pub(super) fn ways(chain: &Chain, tables: &[Physical<'_>]) -> Vec<String> {
    let mut ways = Vec::new();
    for table in tables {
        let name = &table.name;
        match (table.older, table.newer) {
            (None, _) => ways.push(format!("table `{}`: created", table.lineage.newest().table)),
            (Some(_), None) => ways.push(format!("table `{name}`: stays until complete, since the older version has it")),
            (Some(older), Some(newer)) => {
                if let Some(other) = table.final_name().filter(|other| other != name) {
                    ways.push(format!(
                        "table `{name}`: the newer version's view is called `{other}`, the table itself from complete on"
                    ));
                }
                ways.extend(newer.columns.iter().flat_map(|column| of_column(chain, table, older, column)));
                let stays = |gone: &&String| !table.added.iter().any(|added| origin(table, added).as_ref() == Some(*gone));
                let gone = table.removed.iter().filter(stays);
                ways.extend(
                    gone.map(|gone| format!("column `{name}.{gone}`: stays until complete, since the older version has it")),
                );
                ways.extend(of_rules(table, older, newer));
            }
        }
    }
    for form in chain.stage.enums.iter().filter(|form| form.in_to && !form.in_from) {
        let again = chain.stage.from.enums.contains_key(&form.name);
        ways.push(match again {
            true => format!("enum `{}`: another type of the same name, since a label cannot be taken out of one", form.name),
            false => format!("enum `{}`: created", form.name),
        });
    }
    ways
}

/// The older version's column that an added one is another form of.
fn origin(table: &Physical<'_>, added: &Added) -> Option<String> {
    table.lineage.origin(&added.column.name)
}

fn of_column(chain: &Chain, table: &Physical<'_>, older: &Table, column: &Column) -> Vec<String> {
    let physical = table.newer_name(&column.name);
    if let Some(added) = table.added.iter().find(|added| added.physical == physical) {
        let place = format!("column `{}.{}`", table.name, column.name);
        let before = origin(table, added).and_then(|origin| older.columns.iter().find(|there| there.name == origin));
        let stays = default_that_stays(table, added).map(|default| {
            format!("{place}: keeps its default {default}, which does not go through `up`; `default` in the operation gives another one")
        });
        let way = match before {
            Some(before) => {
                format!("{place}: a second column until complete, filled beside writers, since {}", reason(chain, before, column))
            }
            None if added.numbered => format!("{place}: added, existing rows get their numbers beside writers"),
            None if added.derived => format!("{place}: added, existing rows get the value of `up` beside writers"),
            None if added.default.is_some() => {
                format!("{place}: added with its default, which existing rows have without being rewritten")
            }
            None => format!("{place}: added, with NULL in existing rows"),
        };
        return [way].into_iter().chain(stays).collect();
    }
    let Some(before) = older.columns.iter().find(|there| there.name == physical) else { return Vec::new() };
    let place = format!("column `{}.{physical}`", table.name);
    let mut ways = Vec::new();
    if before.name != column.name {
        ways.push(format!("{place}: the newer version's view calls it `{}`, the table from complete on", column.name));
    }
    if before.default != column.default {
        ways.push(format!("{place}: each version's view has its own default, the column the newer one's from complete on"));
    }
    if before.comment != column.comment {
        ways.push(format!("{place}: the newer version's view has the comment, the column from complete on"));
    }
    if before.nullable && !column.nullable {
        ways.push(format!("{place}: becomes NOT NULL as it is, since `up` changes no value; proven beside writers"));
    }
    if !before.nullable && column.nullable {
        ways.push(format!("{place}: takes NULL from complete on, since `down` has no other value for the older version"));
    }
    ways
}

/// The default of an added column that is the older version's, where `up` is more than that column.
fn default_that_stays<'a>(table: &Physical<'_>, added: &'a Added) -> Option<&'a Expression> {
    let origin = origin(table, added)?;
    let before = table.older?.columns.iter().find(|there| there.name == origin)?;
    let ups = table.lineage.layers.iter().filter_map(|layer| layer.up.get(&added.column.name));
    let is_converted = ups.into_iter().any(|link| matches!(link, Link::Derived(up) if up.as_str() != origin));
    added.column.default.as_ref().filter(|default| is_converted && before.default.as_ref() == Some(*default))
}

/// Whether a column of the table is converted and its default is not.
pub(super) fn has_default_that_stays(table: &Physical<'_>) -> bool {
    table.added.iter().any(|added| default_that_stays(table, added).is_some())
}

/// Why a column cannot be the same one in both versions.
fn reason(chain: &Chain, before: &Column, after: &Column) -> String {
    let (from, to) = (&before.sql_type, &after.sql_type);
    let is_text = types::is_text(from) && types::is_text(to);
    if from != to && is_text && types::widens(from, to) {
        return format!(
            "its type changes from {from} to {to}: views hang on the column, and prepared statements would fail once they are made anew (0A000)"
        );
    }
    if from != to {
        return format!("its type changes from {from} to {to}, which would rewrite the table under a lock");
    }
    if before.collation != after.collation {
        return "its collation changes, by which its indexes are sorted".to_owned();
    }
    let relabelled = |name: &str| chain.stage.enums.iter().any(|form| form.name == name && form.in_to && !form.in_from);
    if relabelled(&types::element(to)) {
        return "its enum gets other labels".to_owned();
    }
    match (before.nullable, after.nullable) {
        (true, false) => "`up` has values in the place of NULL".to_owned(),
        (false, true) => "`down` has values in the place of NULL".to_owned(),
        _ => "the two versions have different values in it".to_owned(),
    }
}

fn of_rules(table: &Physical<'_>, older: &Table, newer: &Table) -> Vec<String> {
    let mut ways = Vec::new();
    let name = &table.name;
    for added in &table.added_constraints {
        let again = if older.constraints.contains_key(&added.name) { "again, over the newer version's columns: " } else { "" };
        let way = match &added.constraint {
            Constraint::Check { .. } | Constraint::ForeignKey { .. } => {
                "added without a look at the rows, then validated beside writers"
            }
            _ => "its index is built beside writers, and is the constraint from complete on",
        };
        ways.push(format!("constraint `{}` of `{name}`: {again}{way}", added.name));
    }
    for (index, _, _) in &table.added_indexes {
        let again = if older.indexes.contains_key(index) { "again, over the newer version's columns: " } else { "" };
        ways.push(format!("index `{index}` of `{name}`: {again}built beside writers"));
    }
    let renamed = table
        .kept_constraints
        .iter()
        .map(|pair| ("constraint", pair))
        .chain(table.kept_indexes.iter().map(|pair| ("index", pair)));
    for (what, (so_far, to_be)) in renamed.filter(|(_, (so_far, to_be))| so_far != to_be) {
        ways.push(format!("{what} `{so_far}` of `{name}`: is called `{to_be}` from complete on"));
    }
    let gone =
        table.removed_constraints.iter().filter(|gone| !newer.constraints.contains_key(*gone)).map(|gone| ("constraint", gone));
    let indexes = table.removed_indexes.iter().filter(|gone| !newer.indexes.contains_key(*gone)).map(|gone| ("index", gone));
    for (what, gone) in gone.chain(indexes) {
        ways.push(format!("{what} `{gone}` of `{name}`: stays until complete, since the older version relies on it"));
    }
    ways
}
