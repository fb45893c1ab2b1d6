//! Sync: the trigger functions that carry a write on one version to the other, and the same conversions as a query.
//!
//! Names are bound by scope (R6): each layer of a [`Lineage`](crate::transition::lineage::Lineage) is a PL/pgSQL block labelled with the table's name there,
//! its columns declared as variables, so that `name`, `users.name` and a sub-select on another table mean what they mean in
//! SQL. Whose write it is, is asked of `current_schemas(false)` in the triggers' WHEN, in the session's own path; the
//! functions run with a pinned one.

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::names::{self, OWN_SCHEMA};
use crate::settings;
use crate::sql::{Sql, dollar_quoted, ident, join, literal, operation, qualified};
use crate::statements::numbers;
use crate::statements::path::Path;
use crate::{sql, statements::partitions};

mod conversion;
mod image;
mod program;
mod query;
mod writer;

use conversion::{Conversion, Needs};
use image::{as_variable, changed, differ, same};
use program::Program;
pub use query::{conversion_query, newer_row, unconverted, validity_query};
use writer::WriterDetection;

/// The direction of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the older to the newer version.
    Up,
    /// From the newer to the older version.
    Down,
}

/// A trigger function with the triggers that call it.
#[derive(Clone, Debug, Default)]
pub struct Sync {
    /// `CREATE OR REPLACE FUNCTION …`.
    pub functions: Vec<Sql>,
    /// `CREATE OR REPLACE TRIGGER …`.
    pub triggers: Vec<Sql>,
    /// In which sessions the triggers fire.
    pub enabled: Vec<Sql>,
}

const DOWN_INSERT: &str = "!diptych_down_insert";
const DOWN_UPDATE: &str = "!diptych_down_update";
const UP_INSERT: &str = "~diptych_up_insert";
const UP_UPDATE: &str = "~diptych_up_update";
const CHECK_INSERT: &str = "~diptych_up_insert_check";
const CHECK_UPDATE: &str = "~diptych_up_update_check";
const NUMBER_INSERT: &str = "~diptych_up_numbers_insert";
const NUMBER_UPDATE: &str = "~diptych_up_numbers_update";
/// After every other BEFORE trigger: the backfill changes nothing but what it came for.
const PUT_BACK: &str = "~~diptych_backfill";
const TRIGGERS: [&str; 9] =
    [DOWN_INSERT, DOWN_UPDATE, UP_INSERT, UP_UPDATE, CHECK_INSERT, CHECK_UPDATE, NUMBER_INSERT, NUMBER_UPDATE, PUT_BACK];
/// Of partitioned tables, after those: what it hands over is what is written.
const MOVED: &str = "~~~diptych_moved";

/// Filling mode, until the backfill is verified: every INSERT and UPDATE derives the newer side, which nobody can write
/// yet. An UPDATE of an unrelated column derives too, since it may move its row out of the scan's way unfilled (docs/traps.md F1).
pub fn filling(chain: &Chain, table: &Physical<'_>) -> Sync {
    let mut sync = Sync::default();
    if table.added.iter().any(|added| added.derived) {
        let name = function_name(chain, table, "fill");
        let (program, body) = derive(chain, table);
        sync.functions.push(function(chain, &name, Direction::Up, &program, &body));
        fill_by(chain, table, [UP_INSERT, UP_UPDATE], &name, &mut sync);
    }
    if numbers::columns(table).next().is_some() {
        let name = function_name(chain, table, "draw");
        sync.functions.push(draw(chain, table, &name));
        fill_by(chain, table, [NUMBER_INSERT, NUMBER_UPDATE], &name, &mut sync);
    }
    put_back(chain, table, &mut sync);
    sync
}

/// What gives the newer side all of its values.
fn derive<'a>(chain: &'a Chain, table: &'a Physical<'a>) -> (Program<'a>, Sql) {
    let mut program = Program::new(chain, table);
    let results = program.evaluate(Direction::Up, "NEW");
    let assignments = results.iter().map(|(target, slot)| sql!("NEW.{} := {};", ident(target), slot));
    let body = join(program.statements.drain(..).chain(assignments).collect::<Vec<_>>(), "\n");
    (program, body)
}

/// Triggers for every write but the backfill's.
fn fill_by(chain: &Chain, table: &Physical<'_>, names: [&str; 2], function: &str, sync: &mut Sync) {
    let backfill = operation(&Sql::trusted("pg_catalog.current_setting('diptych.backfill', true)"), "=", &literal("on"));
    let condition = &sql!("{} IS NOT TRUE", backfill);
    for (name, event) in names.into_iter().zip(["INSERT", "UPDATE"]) {
        sync.trigger(chain, table, Trigger { name, event, condition, function, argument: "" });
    }
}

/// Gives a row its numbers, with the rights of the migration role, since an identity asks nobody for rights on its sequence. It
/// evaluates nothing of anybody else's.
fn draw(chain: &Chain, table: &Physical<'_>, name: &str) -> Sql {
    let numbers = numbers::columns(table).map(|added| {
        let held = sql!("NEW.{}", ident(&added.physical));
        sql!("IF {} IS NULL THEN {} := {}; END IF;", held, held, numbers::value(chain, table, added, &held))
    });
    let body = sql!("{}\n{}\nRETURN NEW;", on_its_own_table(chain, table), join(numbers.collect::<Vec<_>>(), "\n"));
    trigger_function(name, Rights::Owner, Path::own().clause(), &sql!("\nBEGIN\n{}\nEND\n", body))
}

/// The head of every trigger function: it fires on the table that it was made for, or a partition of it, and nowhere else.
fn on_its_own_table(chain: &Chain, table: &Physical<'_>) -> Sql {
    let own = sql!("{}::pg_catalog.regclass::pg_catalog.oid", literal(qualified(&chain.base, &table.name).as_str()));
    let fires =
        Sql::trusted(if table.is_partitioned() { "pg_catalog.pg_partition_root(TG_RELID)::pg_catalog.oid" } else { "TG_RELID" });
    sql!(
        "IF {} IS NOT TRUE THEN\nRAISE EXCEPTION 'this trigger function of diptych serves another table' USING ERRCODE = 'insufficient_privilege';\nEND IF;",
        operation(&fires, "=", &own)
    )
}

/// With whose rights a function runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rights {
    /// Those of whoever writes.
    Writer,
    /// Those of the migration role.
    Owner,
}

/// `CREATE OR REPLACE FUNCTION …` of a trigger.
fn trigger_function(name: &str, rights: Rights, settings: Sql, text: &Sql) -> Sql {
    sql!(
        "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql{}{} AS {}",
        qualified(OWN_SCHEMA, name),
        Sql::trusted(if rights == Rights::Owner { " SECURITY DEFINER" } else { "" }),
        settings,
        dollar_quoted(text)
    )
}

/// Where the migration role may not silence the application's triggers, what those that come before a row is written do to it
/// in the backfill (`updated_at`) is undone by the last of them.
fn put_back(chain: &Chain, table: &Physical<'_>, sync: &mut Sync) {
    let name = function_name(chain, table, "still");
    let shadows = table.added.iter().filter(|added| added.derived || added.numbered);
    let shadows = shadows.map(|added| sql!("NEW.{} := \"diptych:row\".{};", ident(&added.physical), ident(&added.physical)));
    let text = sql!(
        "\nDECLARE\n\"diptych:row\" record;\nBEGIN\n{}\n\"diptych:row\" := NEW;\nNEW := OLD;\n{}\nRETURN NEW;\nEND\n",
        on_its_own_table(chain, table),
        join(shadows.collect::<Vec<_>>(), "\n")
    );
    sync.functions.push(trigger_function(&name, Rights::Writer, Path::own().clause(), &text));
    let backfill = operation(&Sql::trusted("pg_catalog.current_setting('diptych.backfill', true)"), "=", &literal("on"));
    sync.triggers.push(trigger(
        chain,
        table,
        &Trigger { name: PUT_BACK, event: "UPDATE", condition: &backfill, function: &name, argument: "" },
    ));
    sync.enabled.push(awake_with_others(chain, table, PUT_BACK));
}

/// A trigger fires in every session where one of the application's does that comes before a row is updated (ENABLE ALWAYS or REPLICA).
/// Otherwise it is silent where the application's are, and costs nothing.
fn awake_with_others(chain: &Chain, table: &Physical<'_>, name: &str) -> Sql {
    let place = qualified(&chain.base, &table.name);
    let text = sql!(
        "
BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_trigger AS trigger_ JOIN pg_catalog.pg_proc AS proc ON proc.oid = trigger_.tgfoid
    JOIN pg_catalog.pg_namespace AS home ON home.oid = proc.pronamespace
    WHERE trigger_.tgrelid IN (SELECT {}::pg_catalog.regclass UNION SELECT tree.relid FROM pg_catalog.pg_partition_tree({}) AS tree)
    AND NOT trigger_.tgisinternal AND home.nspname <> {} AND trigger_.tgenabled IN ('A', 'R') AND (trigger_.tgtype & 19) = 19) THEN
    {};
  END IF;
END
",
        literal(place.as_str()),
        literal(place.as_str()),
        literal(OWN_SCHEMA),
        enable_always(&place, name)
    );
    sql!("DO {}", dollar_quoted(&text))
}

fn enable_always(place: &Sql, name: &str) -> Sql {
    sql!("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}", place, ident(name))
}

/// Live mode, from just before publish: narrow, and both ways.
///
/// New functions under new names and replaced triggers: the trigger's lock is the barrier, so that no statement runs on
/// with the old body (docs/traps.md F2).
pub fn live(chain: &Chain, table: &Physical<'_>) -> Sync {
    let writer = WriterDetection::of(chain, table);
    let mut sync = Sync::default();
    let (up, down) = (function_name(chain, table, "up"), function_name(chain, table, "down"));
    let add = |sync: &mut Sync, name, event, condition: &Sql, function: &str, argument| {
        sync.trigger(chain, table, Trigger { name, event, condition, function, argument });
    };
    if table.removed.iter().any(|column| table.lineage.is_derived_down(column)) {
        sync.functions.push(live_function(chain, table, Direction::Down, &down));
        add(&mut sync, DOWN_INSERT, "INSERT", &writer.down_insert(), &down, "");
        add(&mut sync, DOWN_UPDATE, "UPDATE", &writer.down_update(), &down, "");
    }
    if let Some(condition) = differing_copies(table) {
        let (program, body) = derive(chain, table);
        sync.functions.push(function(chain, &up, Direction::Up, &program, &unless_moved(table, body)));
        add(&mut sync, UP_INSERT, "INSERT", &condition, &up, "");
        add(&mut sync, UP_UPDATE, "UPDATE", &condition, &up, "");
    } else if table.added.iter().any(|added| added.derived) {
        sync.functions.push(live_function(chain, table, Direction::Up, &up));
        add(&mut sync, UP_INSERT, "INSERT", &writer.up_insert(), &up, "");
        add(&mut sync, UP_UPDATE, "UPDATE", &writer.up_update(), &up, "");
        if let Some(condition) = writer.check_insert() {
            add(&mut sync, CHECK_INSERT, "INSERT", &condition, &up, "check");
        }
        if let Some(condition) = writer.check_update() {
            add(&mut sync, CHECK_UPDATE, "UPDATE", &condition, &up, "check");
        }
    }
    if let Some(older) = table.older.filter(|older| older.partition_by.is_some()) {
        // an UPDATE of the key may move its row, which is an INSERT to the triggers of the partition where it goes
        let key = older.columns.iter().filter(|column| older.is_partitioned_by(&column.name));
        let is_changed = changed(table, &key.map(|column| column.name.clone()).collect::<Vec<_>>());
        let moved = function_name(chain, table, "moved");
        let text = partitions::hand_over(&on_its_own_table(chain, table), &is_changed);
        sync.functions.push(trigger_function(&moved, Rights::Writer, Path::own().clause(), &text));
        add(&mut sync, MOVED, "UPDATE", &Sql::trusted("true"), &moved, "");
    }
    sync
}

/// Whether a conversion of the table reads other tables.
pub fn has_sub_select(table: &Physical<'_>) -> bool {
    table.lineage.expressions().any(|expression| !expression.facts([]).relations.is_empty())
}

/// Between which names the application's triggers fire as if ours were not there: theirs get what the writer said, of either version, and
/// ours convert what they made of it. PostgreSQL orders them by the bytes of their names.
pub(crate) const BETWEEN: (&str, &str) = (DOWN_UPDATE, UP_INSERT);

/// Every trigger and function of ours on a table, gone, in whatever mode they were.
pub fn remove(chain: &Chain, table: &Physical<'_>) -> Vec<Sql> {
    let place = qualified(&chain.base, &table.name);
    let of_partitions = table.is_partitioned();
    let triggers = TRIGGERS.iter().copied().chain(of_partitions.then_some(MOVED));
    let triggers = triggers.map(|name| sql!("DROP TRIGGER IF EXISTS {} ON {}", ident(name), place));
    let roles = ["fill", "draw", "up", "down", "still"].into_iter().chain(of_partitions.then_some("moved"));
    let functions =
        roles.map(|role| sql!("DROP FUNCTION IF EXISTS {}()", qualified(OWN_SCHEMA, &function_name(chain, table, role))));
    triggers.chain(functions).collect()
}

/// What only filling mode needs, at rest or gone once live mode has replaced it. To drop a trigger would take a stronger lock.
pub fn remove_filling(chain: &Chain, table: &Physical<'_>) -> Vec<Sql> {
    let (function, never) = (function_name(chain, table, "still"), Sql::trusted("false"));
    let rests = Trigger { name: PUT_BACK, event: "UPDATE", condition: &never, function: &function, argument: "" };
    // what gives nothing but numbers is gone by now, with all of its kind
    let is_there = table.added.iter().any(|added| added.derived);
    let rests = is_there.then(|| trigger(chain, table, &rests));
    let gone = sql!("DROP FUNCTION IF EXISTS {}()", qualified(OWN_SCHEMA, &function_name(chain, table, "fill")));
    rests.into_iter().chain([gone]).collect()
}

/// What gives numbers, gone once the columns do so themselves. The table is locked.
pub fn remove_numbers(chain: &Chain, table: &Physical<'_>) -> Vec<Sql> {
    let place = qualified(&chain.base, &table.name);
    let triggers = [NUMBER_INSERT, NUMBER_UPDATE].map(|name| sql!("DROP TRIGGER IF EXISTS {} ON {}", ident(name), place));
    let function = sql!("DROP FUNCTION IF EXISTS {}()", qualified(OWN_SCHEMA, &function_name(chain, table, "draw")));
    triggers.into_iter().chain([function]).collect()
}

/// The live function of one direction: a target is written on INSERT, and on UPDATE only when its result changed (R2).
fn live_function(chain: &Chain, table: &Physical<'_>, direction: Direction, name: &str) -> Sql {
    let mut program = Program::new(chain, table);
    let mut body = Vec::new();
    if direction == Direction::Up && has_check(table) {
        // the writer is the newer version, yet only the older side moved: `down` did that, unless the two differ
        let derived = program.evaluate(Direction::Down, "NEW");
        let statements = join(program.statements.drain(..).collect::<Vec<_>>(), "\n");
        let alike = derived.iter().map(|(target, slot)| same(table, target, &as_variable(chain, table, target), slot));
        let asked = operation(&Sql::trusted("TG_NARGS"), ">", &Sql::trusted("0"));
        let done = Sql::trusted(DONE);
        body.push(sql!("IF {} THEN\n{}\nIF {} THEN {} END IF;\nEND IF;", asked, statements, join(alike, " AND "), done));
    }
    if direction == Direction::Down {
        body.extend(identities_first(table, &mut program));
    }
    let before = program.evaluate(direction, "OLD");
    let old = join(program.statements.drain(..).collect::<Vec<_>>(), "\n");
    if !old.as_str().is_empty() {
        let updated = operation(&Sql::trusted("TG_OP"), "=", &literal("UPDATE"));
        body.push(sql!("IF {} THEN\n{}\nEND IF;", updated, old));
    }
    let after = program.evaluate(direction, "NEW");
    body.append(&mut program.statements);
    for ((target, then), (_, now)) in before.iter().zip(&after) {
        // an expression like random() has another result each time: it counts only where a column that it reads is another
        let inputs = Conversion::of_some(table, direction, |name| name == target).inputs();
        let is_result = |name: &str| sql!("NEW.{}", ident(name)).as_str() == now.as_str();
        let results = (!inputs.iter().any(|name| is_result(name))).then(|| same(table, target, then, now));
        let alike = inputs.iter().map(|name| same(table, name, &sql!("OLD.{}", ident(name)), &sql!("NEW.{}", ident(name))));
        let inserted = operation(&Sql::trusted("TG_OP"), "=", &literal("INSERT"));
        let condition = if inputs.is_empty() {
            inserted
        } else {
            let reasons = results.into_iter().chain([join(alike, " AND ")]);
            sql!("{} OR NOT ({})", inserted, join(reasons.collect::<Vec<_>>(), " OR "))
        };
        body.push(sql!("IF {} THEN NEW.{} := {}; END IF;", condition, ident(target), now));
    }
    let body = unless_moved(table, join(body, "\n"));
    function(chain, name, direction, &program, &body)
}

/// What is not to be done to a row that was moved from another partition.
fn unless_moved(table: &Physical<'_>, body: Sql) -> Sql {
    if table.is_partitioned() { sql!("{}\n{}", partitions::unless_moved(&Sql::trusted(DONE)), body) } else { body }
}

/// An INSERT of the newer version that leaves an identity out has it from the older side, whose column counts.
fn identities_first(table: &Physical<'_>, program: &mut Program<'_>) -> Option<Sql> {
    let identities: Vec<&str> = table.identities().map(|(_, added)| added.physical.as_str()).collect();
    if identities.is_empty() {
        return None;
    }
    let derived = program.evaluate(Direction::Up, "NEW");
    let statements = join(program.statements.drain(..).collect::<Vec<_>>(), "\n");
    let missing = identities.iter().map(|physical| sql!("NEW.{} IS NULL", ident(physical)));
    let given = derived
        .iter()
        .filter(|(target, _)| identities.contains(&target.as_str()))
        .map(|(target, slot)| sql!("NEW.{} := coalesce(NEW.{}, {});", ident(target), ident(target), slot));
    Some(sql!(
        "IF {} AND ({}) THEN\n{}\n{}\nEND IF;",
        operation(&Sql::trusted("TG_OP"), "=", &literal("INSERT")),
        join(missing.collect::<Vec<_>>(), " OR "),
        statements,
        join(given.collect::<Vec<_>>(), "\n")
    ))
}

/// Whether the up function has to tell `down`'s own work from a write on the older side.
fn has_check(table: &Physical<'_>) -> bool {
    table.removed.iter().any(|column| table.lineage.is_derived_down(column))
}

/// Where each side is a copy of the other, that the two differ: `down` has done its part by then, and the older side is what the
/// application's triggers have made of it, whoever wrote.
fn differing_copies(table: &Physical<'_>) -> Option<Sql> {
    let (up, down) = (Conversion::of(table, Direction::Up), Conversion::of(table, Direction::Down));
    // a generated column has no value yet
    let is_written = |name: &str| {
        table.older.is_some_and(|older| older.columns.iter().all(|column| column.name != name || column.generated.is_none()))
    };
    let (there, back) = (up.copies()?, down.copies()?);
    let is_mutual = there.len() == back.len() && there.iter().all(|&(target, source)| back.contains(&(source, target)));
    let is_one = is_mutual && !there.is_empty() && there.iter().all(|(_, source)| is_written(source));
    is_one.then(|| join(there.iter().map(|(target, source)| differ(table, source, target)).collect::<Vec<_>>(), " OR "))
}

/// Leaves what a function does before its end: the row is as it is to be.
const DONE: &str = "EXIT \"diptych:body\";";

fn function(chain: &Chain, name: &str, direction: Direction, program: &Program<'_>, body: &Sql) -> Sql {
    let body = sql!("<<\"diptych:body\">> BEGIN\n{}\nEND;", body);
    let path = || path(chain, direction).clause();
    let (clauses, body) = match program.needs {
        Needs::Nothing => (Sql::default(), body),
        Needs::Names => (path(), body),
        Needs::Settings => (sql!("{}{}", path(), settings::clauses()), settings::around(&body)),
    };
    let text = sql!(
        "\n#variable_conflict use_column\nDECLARE\n{}\nBEGIN\n{}\n{}\nRETURN NEW;\nEND\n",
        join(program.slots.iter().cloned(), "\n"),
        on_its_own_table(chain, program.table),
        body
    );
    // a writer may have no right on the tables that a sub-select reads, and its write must not fail for that
    let rights = if has_sub_select(program.table) { Rights::Owner } else { Rights::Writer };
    let create = trigger_function(name, rights, clauses, &text);
    if program.needs == Needs::Settings { settings::settle(&create) } else { create }
}

/// Where a direction's expressions find their names: in the views of the version that they are written against, where they are
/// published already, then in the base schema.
pub fn path(chain: &Chain, direction: Direction) -> Path {
    let views = match direction {
        Direction::Up => chain.older.as_ref().map(|version| &version.views),
        Direction::Down => Some(&chain.newer.views),
    };
    let base = Path::base(&chain.base);
    views.map_or_else(|| base.clone(), |views| base.clone().behind(views))
}

/// A row trigger of ours.
struct Trigger<'a> {
    name: &'a str,
    event: &'static str,
    condition: &'a Sql,
    function: &'a str,
    argument: &'static str,
}

impl Sync {
    /// Everything in order; conditions may hold the texts of defaults.
    pub fn statements(self, chain: &Chain) -> Vec<Sql> {
        let triggers = Path::base(&chain.base).around(self.triggers);
        self.functions.into_iter().chain(triggers).chain(self.enabled).collect()
    }

    /// Adds a trigger that fires in every session: also where a subscription applies changes, and in bulk loads that silence
    /// ordinary triggers.
    fn trigger(&mut self, chain: &Chain, table: &Physical<'_>, new: Trigger<'_>) {
        self.triggers.push(trigger(chain, table, &new));
        let place = qualified(&chain.base, &table.name);
        self.enabled.push(enable_always(&place, new.name));
    }
}

fn trigger(chain: &Chain, table: &Physical<'_>, new: &Trigger<'_>) -> Sql {
    sql!(
        "CREATE OR REPLACE TRIGGER {} BEFORE {} ON {} FOR EACH ROW WHEN ({}) EXECUTE FUNCTION {}({})",
        ident(new.name),
        Sql::trusted(new.event),
        qualified(&chain.base, &table.name),
        new.condition,
        qualified(OWN_SCHEMA, new.function),
        if new.argument.is_empty() { Sql::default() } else { literal(new.argument) }
    )
}

fn function_name(chain: &Chain, table: &Physical<'_>, role: &str) -> String {
    names::generated(role, &[&chain.base, &table.name, &chain.newer.name])
}
