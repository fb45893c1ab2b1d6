//! Triggers: they fire on the table itself, which has its older form until complete. So a trigger and its function, of a file of code, are exchanged in
//! the transaction that gives the table its final form; those of a new table come with it.

use std::collections::BTreeMap;

use crate::layout::chain::{Chain, Version};
use crate::layout::tables::Physical;
use crate::model::triggers::{Function, Trigger, Triggers};
use crate::plan::functions::Twins;
use crate::plan::{Action, Phase, Steps, Verdict, exclusive};
use crate::sql::{Sql, ident, join, literal, qualified, verbatim};
use crate::statements::path::Path;
use crate::{names, sql};

/// What a file says of the triggers that it has; nothing for code of a version.
fn files(version: Option<&Version>) -> Vec<Triggers> {
    version.into_iter().flat_map(|version| version.schema.code.values()).filter_map(|text| Triggers::of(text)).collect()
}

/// What changes of the triggers of a chain.
pub(super) struct Changes {
    older: Vec<Triggers>,
    newer: Vec<Triggers>,
}

impl Changes {
    pub(super) fn of(chain: &Chain) -> Self {
        Changes { older: files(chain.older.as_ref()), newer: files(Some(&chain.newer)) }
    }

    /// The functions that get another text, or are new.
    fn functions(&self) -> impl Iterator<Item = &Function> {
        let so_far = |function: &&Function| !self.older.iter().any(|file| file.functions.contains(function));
        self.newer.iter().flat_map(|file| &file.functions).filter(so_far)
    }

    fn older_triggers(&self, table: &Physical<'_>) -> Vec<&Trigger> {
        let name = table.older.map(|_| table.lineage.oldest().table.as_str());
        self.older.iter().flat_map(|file| &file.triggers).filter(|trigger| Some(trigger.table.as_str()) == name).collect()
    }

    fn newer_triggers(&self, table: &Physical<'_>) -> Vec<&Trigger> {
        let name = table.final_name();
        self.newer.iter().flat_map(|file| &file.triggers).filter(|trigger| Some(trigger.table.as_str()) == name).collect()
    }

    /// The triggers that a table gets, or gets anew.
    fn made(&self, table: &Physical<'_>) -> Vec<&Trigger> {
        let older = self.older_triggers(table);
        let same = |one: &Trigger, other: &Trigger| one.name == other.name && one.around == other.around;
        self.newer_triggers(table).into_iter().filter(|trigger| !older.iter().any(|before| same(before, trigger))).collect()
    }

    /// The names of the triggers that a table loses.
    fn gone(&self, table: &Physical<'_>) -> Vec<&str> {
        let newer = self.newer_triggers(table);
        let older = self.older_triggers(table).into_iter().filter(|_| table.newer.is_some());
        older
            .filter(|trigger| !newer.iter().any(|there| there.name == trigger.name))
            .map(|trigger| trigger.name.as_str())
            .collect()
    }

    /// The names of the triggers that a table loses, or gets anew.
    pub(super) fn exchanged(&self, table: &Physical<'_>) -> Vec<&str> {
        let made = self.made(table).into_iter().map(|trigger| trigger.name.as_str());
        self.gone(table).into_iter().chain(made).collect()
    }

    /// The functions to exchange with a table: those of files that have a trigger on it.
    fn functions_of(&self, table: &Physical<'_>) -> Vec<&Function> {
        let name = table.final_name();
        let files = self.newer.iter().filter(|file| file.triggers.iter().any(|trigger| Some(trigger.table.as_str()) == name));
        let own: Vec<&Function> = files.flat_map(|file| &file.functions).collect();
        self.functions().filter(|function| own.contains(function)).collect()
    }
}

/// What comes before a table's contract: triggers that go or are exchanged may name columns that go.
pub(super) fn take(chain: &Chain, changes: &Changes, table: &Physical<'_>) -> Vec<Sql> {
    let place = literal(qualified(&chain.base, &table.name).as_str());
    let taken = changes.exchanged(table).into_iter().filter(|_| table.older.is_some());
    taken.map(|name| sql!("SELECT diptych.take_trigger({}, {})", place, literal(name))).collect()
}

/// What comes at its end, when the table is called so.
pub(super) fn put(chain: &Chain, changes: &Changes, table: &Physical<'_>, name: &str) -> Vec<Sql> {
    with_functions(chain, changes.functions_of(table), create(chain, changes, table, name))
}

fn create(chain: &Chain, changes: &Changes, table: &Physical<'_>, name: &str) -> Vec<Sql> {
    let place = qualified(&chain.base, name);
    let create = |trigger: &Trigger| {
        sql!(
            "SELECT diptych.put_trigger({}, {}, {})",
            literal(place.as_str()),
            literal(&trigger.name),
            literal(trigger.on(&place).as_str())
        )
    };
    changes.made(table).into_iter().map(create).collect()
}

/// Functions, and statements that find them; what a body names is looked at when it runs.
fn with_functions(chain: &Chain, functions: Vec<&Function>, statements: Vec<Sql>) -> Vec<Sql> {
    if functions.is_empty() && statements.is_empty() {
        return Vec::new();
    }
    let unlooked = Sql::trusted("SET LOCAL check_function_bodies = off");
    let names = join(functions.iter().map(|function| literal(&function.name)), ", ");
    let trusted = sql!("SELECT diptych.trust_functions({}, ARRAY[{}]::pg_catalog.text[])", literal(&chain.base), names);
    let trusted = (!functions.is_empty()).then_some(trusted);
    let functions = functions.into_iter().map(|function| verbatim(&function.text));
    let all = trusted.into_iter().chain([Path::base(&chain.base).set_local(), unlooked]).chain(functions).chain(statements);
    all.chain([Path::own().set_local()]).collect()
}

/// What somebody has dropped since the start, complete would not put back.
pub(super) fn checks_of_complete(chain: &Chain, changes: &Changes, tables: &[Physical<'_>], steps: &mut Steps) {
    let there = tables.iter().flat_map(|table| {
        let made: Vec<&Trigger> = if table.older.is_some() { changes.made(table) } else { Vec::new() };
        let kept = changes.newer_triggers(table).into_iter().filter(move |trigger| !made.contains(trigger));
        let place = qualified(&chain.base, &table.name);
        kept.map(move |trigger| {
            // the function has no schema in it
            let again = sql!("{}; {}", Path::base(&chain.base).set(), trigger.on(&place));
            sql!("({}, {}, {})", literal(place.as_str()), literal(&trigger.name), literal(again.as_str()))
        })
    });
    let there: Vec<Sql> = there.collect();
    if there.is_empty() {
        return;
    }
    steps.check(
        "the triggers of the version's code are there",
        sql!(
            "SELECT pg_catalog.format('%s on %s', wanted.name, wanted.place), wanted.definition FROM (VALUES {}) AS wanted (place, name, definition) \
             WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS own WHERE own.tgrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(wanted.place)::pg_catalog.oid \
             AND own.tgname OPERATOR(pg_catalog.=) wanted.name::pg_catalog.name AND NOT own.tgisinternal)",
            join(there, ", ")
        ),
        "somebody has dropped these triggers, which the version's code has",
        "create them again, or run `rollback`",
        Verdict::Refuse,
    );
}

/// Tables that are the same for both versions: they are locked only where a trigger comes or goes.
pub(super) fn exchange(chain: &Chain, changes: &Changes, tables: &[&Physical<'_>], steps: &mut Steps) {
    for table in tables.iter().filter(|table| table.older.is_some()) {
        if changes.exchanged(table).is_empty() {
            continue;
        }
        let place = qualified(&chain.base, &table.name);
        steps
            .transaction(
                Phase::Contract,
                format!("exchange the triggers of `{}`", table.name),
                exclusive(std::slice::from_ref(&place), std::slice::from_ref(&place)),
                take(chain, changes, table).into_iter().chain(put(chain, changes, table, &table.name)).collect(),
            )
            .lock(format!("ACCESS EXCLUSIVE on {place}, instant"));
    }
}

/// What belongs to no table: functions that no table was exchanged with, comments and rights, and functions that no trigger calls any more.
pub(super) fn leave(chain: &Chain, changes: &Changes, steps: &mut Steps) {
    let rest = changes.newer.iter().flat_map(|file| &file.rest);
    let new =
        rest.filter(|text| !changes.older.iter().any(|file| file.rest.contains(text)) || changes.functions().next().is_some());
    let rest = new.map(|text| verbatim(text)).collect();
    let mut statements = with_functions(chain, changes.functions().collect(), rest);
    let kept = |name: &str| changes.newer.iter().any(|file| file.functions.iter().any(|function| function.name == name));
    let gone = changes.older.iter().flat_map(|file| &file.functions).filter(|function| !kept(&function.name));
    statements.extend(gone.map(|function| drop_function(chain, &function.name)));
    if !statements.is_empty() {
        steps.transaction(Phase::Contract, "exchange the triggers' functions", Vec::new(), statements);
    }
}

fn drop_function(chain: &Chain, name: &str) -> Sql {
    sql!("SELECT diptych.drop_trigger_function({}, {})", literal(&chain.base), literal(name))
}

/// New tables get their triggers before anybody sees them, and the functions that are not there yet with them.
pub(super) fn publish(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let changes = Changes::of(chain);
    let new: Vec<&Physical<'_>> = tables.iter().filter(|table| table.older.is_none()).collect();
    let mut functions = BTreeMap::new();
    for function in new.iter().flat_map(|table| changes.functions_of(table)) {
        functions.insert(&function.name, &function.text);
    }
    let made: Vec<Sql> = new.iter().flat_map(|table| create(chain, &changes, table, &table.name)).collect();
    if made.is_empty() {
        return;
    }
    let functions = sql!(
        "SELECT diptych.create_trigger_functions({}, {}, {}, {}::pg_catalog.jsonb)",
        literal(&chain.base),
        literal(&chain.newer.name),
        literal(Path::base(&chain.base).value().as_str()),
        literal(&serde_json::json!(functions).to_string())
    );
    let statements = std::iter::once(functions).chain(with_functions(chain, Vec::new(), made)).collect();
    steps.transaction(Phase::Publish, "create the triggers of new tables", Vec::new(), statements);
}

/// The functions that a start has made go with the new tables.
pub(super) fn undo(chain: &Chain, steps: &mut Steps) {
    if files(Some(&chain.newer)).is_empty() {
        return;
    }
    let sql = sql!("SELECT diptych.drop_trigger_functions({}, {})", literal(&chain.base), literal(&chain.newer.name));
    steps.transaction(Phase::Undo, "drop the functions of new tables' triggers", Vec::new(), vec![sql]);
}

/// The triggers of tables that change are tried before anything is: between publish and complete with their present functions, then with those to come.
pub(super) fn checks(chain: &Chain, tables: &[Physical<'_>], phase: Phase, steps: &mut Steps) {
    let changes = Changes::of(chain);
    let concerned: Vec<&Physical<'_>> = tables
        .iter()
        .filter(|table| table.newer.is_some())
        .filter(|table| {
            table.is_kept() && table.is_other() || !changes.made(table).is_empty() || !changes.functions_of(table).is_empty()
        })
        .collect();
    if concerned.is_empty() {
        return;
    }
    shared(&changes, &concerned, phase, steps);
    let before = if phase == Phase::Preflight { super::loans::lent(chain) } else { Vec::new() };
    let action = Action::Check {
        before,
        sql: query(chain, tables, &changes, &concerned),
        refusal: "these triggers would fail on their tables as the migration leaves them".to_owned(),
        hint: "put the trigger and its function, as they are to be, into one file of code (`code` in `database!`, or `set_code` in this migration): complete exchanges them \
            together with the table; where one fails before that, let its function call a function of the version, which finds its own tables, or pin it to the tables \
            (ALTER FUNCTION … SET search_path = …)"
            .to_owned(),
        verdict: Verdict::Refuse,
    };
    steps.push(phase, "the application's triggers work on their tables, until complete and after it", action);
    mentions(chain, &changes, &concerned, phase, steps);
}

/// A function that is exchanged with one table would meet the form of another one.
fn shared(changes: &Changes, concerned: &[&Physical<'_>], phase: Phase, steps: &mut Steps) {
    let contracted = || concerned.iter().filter(|table| table.is_kept() && table.is_other());
    let several = changes
        .functions()
        .filter(|function| contracted().filter(|table| changes.functions_of(table).contains(function)).count() > 1);
    let named: Vec<Sql> = several.map(|function| literal(&function.name)).collect();
    if named.is_empty() {
        return;
    }
    let action = Action::Check {
        before: Vec::new(),
        sql: sql!("SELECT shared.name FROM pg_catalog.unnest(ARRAY[{}]::pg_catalog.text[]) AS shared (name)", join(named, ", ")),
        refusal: "these functions are exchanged, and triggers of several tables that change call them; the tables change one after the other".to_owned(),
        hint: "give each table's trigger a function of its own, in the migration before or in this one".to_owned(),
        verdict: Verdict::Refuse,
    };
    steps.push(phase, "no function is exchanged with several tables", action);
}

fn query(chain: &Chain, tables: &[Physical<'_>], changes: &Changes, concerned: &[&Physical<'_>]) -> Sql {
    let guard = names::guard_schema(&chain.base);
    let path = Path::base(&chain.base).behind(&guard);
    let older = chain.older.as_ref().map_or_else(|| path.clone(), |older| path.clone().behind(&older.views));
    let list = |path: &Path| literal(join(path.schemas().iter().map(|name| ident(name)), ", ").as_str());
    let Twins { types, columns } = Twins::of(chain, tables);
    let known: Vec<&str> =
        tables.iter().flat_map(|table| std::iter::once(table.name.as_str()).chain(table.final_name())).collect();
    let code: BTreeMap<&String, &String> = chain.newer.schema.versioned_code().collect();
    let twins = serde_json::json!({"types": types, "tables": columns, "known": known, "code": code, "guard": guard});
    let tried = concerned.iter().map(|table| {
        let newer = table.newer.into_iter().flat_map(|newer| &newer.columns);
        let same = newer
            .map(|column| (table.newer_name(&column.name), &column.name))
            .filter(|(physical, _)| table.older.is_some() && !table.is_added(physical));
        let same: Vec<_> = same.collect();
        let older = table.older.into_iter().flat_map(|older| &older.columns).map(|column| &column.name);
        let known: Vec<&String> = older.chain(table.added.iter().map(|added| &added.physical)).collect();
        // the place is filled in where the twin is
        let made = changes.made(table).into_iter().map(|trigger| (&trigger.name, [&trigger.around.0, &trigger.around.1]));
        let made: BTreeMap<&String, [&String; 2]> = made.collect();
        let (gone, name) = (changes.gone(table), table.final_name());
        let table = table.older.map(|_| &table.name);
        serde_json::json!({"table": table, "name": name, "same": same, "known": known, "gone": gone, "made": made})
    });
    let functions: BTreeMap<&String, &String> = changes.functions().map(|function| (&function.name, &function.text)).collect();
    sql!(
        "SELECT pg_catalog.format('%s, %s: %s', broken.name, CASE WHEN broken.is_final THEN 'after complete' ELSE 'in sessions of the new version, until complete' END, broken.reason) FROM diptych.broken_later({}, {}, {}, {}::pg_catalog.jsonb, {}::pg_catalog.jsonb, {}::pg_catalog.jsonb) AS broken",
        literal(&chain.base),
        list(&older),
        list(&path),
        literal(&twins.to_string()),
        literal(&serde_json::Value::Array(tried.collect()).to_string()),
        literal(&serde_json::json!(functions).to_string())
    )
}

/// Triggers that are exchanged by nobody and read a column of a row that complete converts, renames or drops: where it is not met when they are tried.
fn mentions(chain: &Chain, changes: &Changes, concerned: &[&Physical<'_>], phase: Phase, steps: &mut Steps) {
    let lost = concerned.iter().flat_map(|table| {
        let stays = |name: &String| {
            table
                .newer
                .is_some_and(|newer| newer.columns.iter().any(|column| column.name == *name && table.newer_name(name) == name))
        };
        let older = table.older.into_iter().flat_map(|older| &older.columns).map(|column| &column.name);
        let exchanged = changes.newer_triggers(table).into_iter().map(|trigger| literal(&trigger.name));
        let exchanged = join(exchanged.chain(changes.gone(table).into_iter().map(literal)), ", ");
        let lost = older.filter(|name| !stays(name));
        lost.map(|name| sql!("({}, {}, ARRAY[{}]::pg_catalog.text[])", literal(&table.name), literal(name), exchanged))
            .collect::<Vec<_>>()
    });
    let lost: Vec<Sql> = lost.collect();
    if lost.is_empty() {
        return;
    }
    let action = Action::Check {
        before: Vec::new(),
        sql: sql!(
            "SELECT DISTINCT pg_catalog.format('%s on %s (%s)', own.name, lost.table_, lost.column_) FROM (VALUES {}) AS lost (table_, column_, exchanged) \
             CROSS JOIN LATERAL diptych.own_triggers({}, ARRAY[lost.table_]) AS own WHERE own.name OPERATOR(pg_catalog.<>) ALL (lost.exchanged) AND diptych.reads(own.body, lost.column_)",
            join(lost, ", "),
            literal(&chain.base)
        ),
        refusal: "these triggers seem to read columns of their row that complete converts, renames or drops".to_owned(),
        hint: "put each with its function, as it is to be, into one file of code (`code` in `database!`, or `set_code` in this migration)".to_owned(),
        verdict: Verdict::Warn,
    };
    steps.push(phase, "no trigger reads what its row loses", action);
}
