//! How each change is made, and why: what `plan` says before the SQL.

use crate::layout::chain::Chain;
use crate::layout::tables::{Added, Physical};
use crate::model::expression::Expression;
use crate::model::schema::{Column, Constraint, Table};
use crate::model::triggers::Triggers;
use crate::model::types;
use crate::transition::lineage::Link;

/// One sentence per change.
pub(super) fn notes(chain: &Chain, tables: &[Physical<'_>]) -> Vec<String> {
    let mut notes = Vec::new();
    let new = chain.stage.made_extensions();
    notes.extend(new.map(|name| format!("extension `{name}`: created, unless the database has it")));
    for table in tables {
        let name = &table.name;
        match (table.older, table.newer) {
            (None, _) => notes.push(format!("table `{}`: created", table.lineage.newest().table)),
            (Some(_), None) => notes.push(format!("table `{name}`: stays until complete, because the older version uses it")),
            (Some(older), Some(newer)) => {
                if let Some(other) = table.final_name().filter(|other| other != name) {
                    notes.push(format!(
                        "table `{name}`: the newer version's view is called `{other}`; the table itself is renamed at complete"
                    ));
                }
                if older.storage != newer.storage {
                    notes.push(format!("table `{name}`: its storage parameters change at complete"));
                }
                notes.extend(newer.columns.iter().flat_map(|column| of_column(chain, table, older, column)));
                let stays = |gone: &&String| !table.added.iter().any(|added| origin(table, added).as_ref() == Some(*gone));
                let gone = table.removed.iter().filter(stays);
                notes.extend(
                    gone.map(|gone| format!("column `{name}.{gone}`: stays until complete, because the older version uses it")),
                );
                notes.extend(of_rules(table, older, newer));
            }
        }
    }
    for form in chain.stage.enums.iter().filter(|form| form.in_to && !form.in_from) {
        let again = chain.stage.from.enums.contains_key(&form.name);
        notes.push(match again {
            true => format!(
                "enum `{}`: gets a second type of the same name, because PostgreSQL cannot remove a label from a type",
                form.name
            ),
            false => format!("enum `{}`: created", form.name),
        });
    }
    notes.extend(super::sequences::notes(chain));
    notes.extend(super::own_types::notes(chain));
    notes.extend(super::rows::notes(chain, tables));
    notes.extend(super::deletions::notes(chain));
    notes.extend(of_code(chain));
    let gone = chain.stage.gone_extensions().filter(|name| chain.stage.from.extensions.contains(*name));
    notes.extend(gone.map(|name| format!("extension `{name}`: stays until complete, because the older version uses it")));
    notes
}

/// Code that is not the same in both versions.
fn of_code(chain: &Chain) -> Vec<String> {
    let (older, newer) = (&chain.stage.from.code, &chain.stage.to.code);
    let is_fired = |text: &String| Triggers::of(text).is_some();
    let made = newer.iter().filter_map(|(name, text)| match older.get(name) {
        None if is_fired(text) => Some(format!("code `{name}`: created with its table if that is new, otherwise at complete")),
        Some(before) if before != text && is_fired(text) => {
            Some(format!("code `{name}`: exchanged at complete, in the transaction that gives its table the final form"))
        }
        None => Some(format!("code `{name}`: created in the newer version's schema")),
        Some(before) if before != text => {
            Some(format!("code `{name}`: another one in the newer version; the older version keeps its own until complete"))
        }
        Some(_) => None,
    });
    let gone = older.keys().filter(|name| !newer.contains_key(*name));
    let gone = gone.map(|name| format!("code `{name}`: stays until complete, because the older version uses it"));
    made.chain(gone).collect()
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
            format!("{place}: keeps its default {default}, which is not converted with `up`; set `default` in the operation to give another one")
        });
        let note = match before {
            Some(before) => {
                format!(
                    "{place}: gets a second column until complete, which is filled while apps write, because {}",
                    reason(chain, before, column)
                )
            }
            None if added.numbered => format!("{place}: added; existing rows get their numbers while apps write"),
            None if added.derived => format!("{place}: added; existing rows get the value of `up` while apps write"),
            None if added.default.is_some() => {
                format!("{place}: added with its default, which existing rows get without a rewrite")
            }
            None => format!("{place}: added, with NULL in existing rows"),
        };
        let passes = before.filter(|_| passes_as_it_is(table, column));
        let passes = passes.map(|_| format!("{place}: what the newer version writes to it, the older one reads as it is"));
        return [note].into_iter().chain(stays).chain(passes).collect();
    }
    let Some(before) = older.columns.iter().find(|there| there.name == physical) else { return Vec::new() };
    let place = format!("column `{}.{physical}`", table.name);
    let mut notes = Vec::new();
    if before.name != column.name {
        notes.push(format!(
            "{place}: the newer version's view calls it `{}`; the column itself is renamed at complete",
            column.name
        ));
    }
    if before.default != column.default {
        notes.push(format!("{place}: each version's view has its own default; the column itself gets the newer one at complete"));
    }
    if before.comment != column.comment {
        notes.push(format!("{place}: the newer version's view has the comment; the column itself gets it at complete"));
    }
    if before.nullable && !column.nullable {
        notes.push(format!(
            "{place}: becomes NOT NULL without a second column, because `up` changes no value; proven while apps write"
        ));
    }
    if !before.nullable && column.nullable {
        notes.push(format!(
            "{place}: accepts NULL only after complete, because `down` gives the older version no value in its place"
        ));
    }
    notes
}

/// Whether a column of other values in the newer version has none of its own for the older one.
fn passes_as_it_is(table: &Physical<'_>, column: &Column) -> bool {
    let is_itself = |link: Option<&Link>| matches!(link, Some(Link::Derived(text)) if types::is_column(text, &column.name));
    let is_converted = |link: Option<&Link>| matches!(link, Some(Link::Derived(_))) && !is_itself(link);
    let layers = &table.lineage.layers;
    layers.iter().any(|layer| is_converted(layer.up.get(&column.name)) && is_itself(layer.down.get(&column.name)))
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
            "its type changes from {from} to {to}: views depend on the column, and prepared statements would fail when the views are created again (0A000)"
        );
    }
    if from != to {
        return format!("its type changes from {from} to {to}, which would rewrite the table under a lock");
    }
    if before.collation != after.collation {
        return "its collation changes, and its indexes are sorted by it".to_owned();
    }
    let relabelled = |name: &str| chain.stage.enums.iter().any(|form| form.name == name && form.in_to && !form.in_from);
    if relabelled(&types::element(to)) {
        return "its enum gets other labels".to_owned();
    }
    match (before.nullable, after.nullable) {
        (true, false) => "`up` gives a value in place of NULL".to_owned(),
        (false, true) => "`down` gives a value in place of NULL".to_owned(),
        _ => "its values differ between the versions".to_owned(),
    }
}

fn of_rules(table: &Physical<'_>, older: &Table, newer: &Table) -> Vec<String> {
    let mut notes = Vec::new();
    let name = &table.name;
    for added in &table.added_constraints {
        let again = if older.constraints.contains_key(&added.name) { "over the newer version's columns, " } else { "" };
        let note = match &added.constraint {
            _ if !table.holds_rows(&added.physical) => {
                "added without a look at the rows that are there; whoever writes is held to it"
            }
            Constraint::Check { .. } | Constraint::ForeignKey { .. } => "added without a scan, then validated while apps write",
            _ => "its index is built while apps write, and becomes the constraint at complete",
        };
        notes.push(format!("constraint `{}` of `{name}`: {again}{note}", added.name));
    }
    let validated = table.validated();
    notes.extend(validated.map(|(_, key)| format!("constraint `{key}` of `{name}`: validated at complete while apps write")));
    for (index, _, _) in &table.added_indexes {
        let again = if older.indexes.contains_key(index) { "over the newer version's columns, " } else { "" };
        notes.push(format!("index `{index}` of `{name}`: {again}built while apps write"));
    }
    for (own, ..) in &table.added_statistics {
        let again = if older.statistics.contains_key(own) { "over the newer version's columns, " } else { "" };
        notes.push(format!("statistics `{own}` of `{name}`: {again}created, and filled by the next ANALYZE"));
    }
    let renamed = table
        .kept_constraints
        .iter()
        .map(|pair| ("constraint", pair))
        .chain(table.kept_indexes.iter().map(|pair| ("index", pair)))
        .chain(table.kept_statistics.iter().map(|pair| ("statistics", pair)));
    for (what, (so_far, to_be)) in renamed.filter(|(_, (so_far, to_be))| so_far != to_be) {
        notes.push(format!("{what} `{so_far}` of `{name}`: is renamed to `{to_be}` at complete"));
    }
    let gone =
        table.removed_constraints.iter().filter(|gone| !newer.constraints.contains_key(*gone)).map(|gone| ("constraint", gone));
    let indexes = table.removed_indexes.iter().filter(|gone| !newer.indexes.contains_key(*gone)).map(|gone| ("index", gone));
    let statistics = table.removed_statistics.iter().filter(|gone| !newer.statistics.contains_key(*gone));
    for (what, gone) in gone.chain(indexes).chain(statistics.map(|gone| ("statistics", gone))) {
        notes.push(format!("{what} `{gone}` of `{name}`: stays until complete, because the older version relies on it"));
    }
    notes
}
