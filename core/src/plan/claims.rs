//! The names that a start and its complete give: each has to be free, or what is in the way is found half-way through.
//!
//! Relations of a schema share one space of names, with indexes and sequences among them; a table's row type has its name among the types;
//! constraints and columns have a space in each table. What the older version itself gives up by then is not in the way.

use std::collections::BTreeSet;

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::model::own_type::OwnType;
use crate::model::schema::{Constraint, Table};
use crate::plan::additions::{proof, proven};
use crate::plan::{Steps, Verdict};
use crate::sql::{Sql, join, literal};
use crate::transition::stage::EnumForm;
use crate::{names, sql, statements::ddl, statements::numbers};

/// What a name is one of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Space {
    /// The relations of the base schema.
    Relation,
    /// Its types, but for those of arrays, which make room by themselves.
    Type,
    /// Its types, those of arrays too.
    AnyType,
    /// The columns of a table.
    Column(String),
    /// The constraints of a table and its partitions.
    Constraint(String),
    /// Extended statistics of the base schema.
    Statistics,
}

/// When a name is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    AtStart,
    AtComplete,
}

/// A name that is needed.
struct Claim {
    space: Space,
    name: String,
    given: Given,
    /// What it is for.
    purpose: String,
}

/// Before a start: the names that these tables, which come after so many scripts, need now and at complete.
pub(super) fn checks_of_start(chain: &Chain, tables: &[&Physical<'_>], scripts: usize, steps: &mut Steps) {
    let known = Known::of(chain);
    let mut claims: Vec<Claim> = tables.iter().flat_map(|table| claims(chain, table, &known)).collect();
    // before any script; behind one they are there, and are our own
    if scripts == 0 {
        claims.extend(of_enums(chain));
        claims.extend(of_own_types(chain));
        claims.extend(of_sequences(chain));
    }
    check(
        chain,
        &claims,
        "the names of new objects are free",
        format!("version `{}` needs names that other objects have", chain.newer.name),
        match chain.older {
            Some(_) => "choose other names in the migration, or rename or drop these objects",
            None => {
                "if these are the migration's own tables, run `baseline`: it makes them the first version as they are; if not, choose other names in the migration"
            }
        },
        steps,
    );
}

/// Before a complete: the names that it gives.
pub(super) fn checks_of_complete(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let known = Known::of(chain);
    let of_tables = tables.iter().flat_map(|table| claims(chain, table, &known));
    let mut claims: Vec<Claim> = of_tables.filter(|claim| claim.given == Given::AtComplete).collect();
    claims.extend(of_enums(chain));
    check(
        chain,
        &claims,
        "the names that complete gives are free",
        format!("version `{}` needs names that other objects have taken since its start", chain.newer.name),
        "rename or drop these objects and run `complete` again (`rollback` is possible, too)",
        steps,
    );
}

fn check(chain: &Chain, claims: &[Claim], title: &str, refusal: String, hint: &str, steps: &mut Steps) {
    if let Some(sql) = query(chain, claims) {
        steps.check(title, sql, refusal, hint, Verdict::Refuse);
    }
}

/// What a table's new form needs names for.
fn claims(chain: &Chain, table: &Physical<'_>, known: &Known) -> Vec<Claim> {
    let Some((newer, final_name)) = table.newer.zip(table.final_name()) else { return Vec::new() };
    let mut list = List { claims: Vec::new(), older: table.older, known };
    let of_table = format!("table `{final_name}`");
    match table.older {
        None => of_new_table(table, newer, final_name, &mut list),
        Some(older) => {
            if final_name != table.name {
                list.at_complete(Space::Relation, final_name, &of_table);
                list.at_complete(Space::Type, final_name, &of_table);
            }
            of_columns(chain, table, &mut list);
            of_constraints(table, older, newer, &mut list);
            for (so_far, to_be) in table.kept_indexes.iter().filter(|(so_far, to_be)| so_far != to_be) {
                list.at_complete(Space::Relation, to_be, &format!("index `{so_far}` of {of_table}"));
            }
            for (name, physical, _) in &table.added_indexes {
                list.in_turn(&Space::Relation, physical, name, &format!("index `{name}` of {of_table}"));
            }
        }
    }
    for (so_far, to_be) in table.kept_statistics.iter().filter(|(so_far, to_be)| so_far != to_be) {
        list.at_complete(Space::Statistics, to_be, &format!("statistics `{so_far}` of {of_table}"));
    }
    for (name, physical, _) in &table.added_statistics {
        list.in_turn(&Space::Statistics, physical, name, &format!("statistics `{name}` of {of_table}"));
    }
    list.claims
}

fn of_new_table(table: &Physical<'_>, newer: &Table, final_name: &str, list: &mut List<'_>) {
    let of_table = format!("table `{final_name}`");
    list.in_turn(&Space::Relation, &table.name, final_name, &of_table);
    list.in_turn(&Space::Type, &table.name, final_name, &of_table);
    let keys = newer.constraints.iter().filter(|(_, there)| there.owns_index()).map(|(name, _)| (name.clone(), "constraint"));
    let indexes = newer.indexes.keys().map(|name| (name.clone(), "index"));
    let sequences = newer.columns.iter().filter_map(|column| Some((column.sequence_name(final_name)?, "sequence")));
    for (name, kind) in keys.chain(indexes).chain(sequences) {
        list.in_turn(&Space::Relation, &table.displaced(&name), &name, &format!("{kind} `{name}` of {of_table}"));
    }
}

fn of_columns(chain: &Chain, table: &Physical<'_>, list: &mut List<'_>) {
    let place = || Space::Column(table.name.clone());
    let of_table = format!("table `{}`", table.final_name().unwrap_or(&table.name));
    for added in &table.added {
        list.at_start(place(), &added.physical, &format!("column `{}` of {of_table}", added.column.name));
    }
    for (logical, _) in table.newer_names.iter().filter(|(logical, physical)| logical != physical) {
        list.at_complete(place(), logical, &format!("column `{logical}` of {of_table}"));
    }
    for column in proven(table) {
        let purpose = format!("the proof that column `{column}` of {of_table} has no NULL");
        list.at_start(Space::Constraint(table.name.clone()), &proof(chain, table, column), &purpose);
    }
    let identities = table.identities().map(|(_, added)| added);
    for added in identities.chain(numbers::columns(table)) {
        if let Some(name) = added.column.sequence_name(&table.lineage.newest().table) {
            let purpose = format!("sequence `{name}` of {of_table}");
            list.in_turn(&Space::Relation, &numbers::scratch(chain, table, added), &name, &purpose);
        }
    }
}

fn of_constraints(table: &Physical<'_>, older: &Table, newer: &Table, list: &mut List<'_>) {
    let place = Space::Constraint(table.name.clone());
    let of_table = format!("table `{}`", table.final_name().unwrap_or(&table.name));
    let owns_index = |name: &String, model: &Table| model.constraints.get(name).is_some_and(Constraint::owns_index);
    for (so_far, to_be) in table.kept_constraints.iter().filter(|(so_far, to_be)| so_far != to_be) {
        let purpose = format!("constraint `{so_far}` of {of_table}");
        list.at_complete(place.clone(), to_be, &purpose);
        if owns_index(so_far, older) {
            list.at_complete(Space::Relation, to_be, &purpose);
        }
    }
    for added in &table.added_constraints {
        let purpose = format!("constraint `{}` of {of_table}", added.name);
        if ddl::key_index(&added.constraint).is_some() || owns_index(&added.name, newer) {
            // the index is built at start, and made a constraint at complete
            list.in_turn(&Space::Relation, &added.physical, &added.name, &purpose);
            list.at_complete(place.clone(), &added.physical, &purpose);
            list.at_complete(place.clone(), &added.name, &purpose);
        } else {
            list.in_turn(&place, &added.physical, &added.name, &purpose);
        }
    }
}

/// The types that come into the base schema at complete, each with that of its arrays.
fn of_enums(chain: &Chain) -> Vec<Claim> {
    let from = &chain.stage.from.enums;
    let come = chain.made_forms().map(|(_, form)| form).filter(|form| form.in_to && !from.contains_key(&form.name));
    let claim = |name: String, form: &EnumForm| Claim {
        space: Space::AnyType,
        name,
        given: Given::AtComplete,
        purpose: format!("enum `{}`", form.name),
    };
    come.flat_map(|form| [claim(form.name.clone(), form), claim(names::array_type(&form.name), form)]).collect()
}

/// The domains and composite types that a start makes, each with the type of its arrays. A composite type is a relation, too.
fn of_own_types(chain: &Chain) -> Vec<Claim> {
    let made = chain.stage.made_types().into_iter().flat_map(|(name, own)| {
        let spaces = match own {
            OwnType::Domain(_) => vec![(Space::AnyType, name.clone())],
            OwnType::Composite(_) => vec![(Space::Relation, name.clone()), (Space::Type, name.clone())],
        };
        let spaces = spaces.into_iter().chain([(Space::AnyType, names::array_type(name))]);
        let purpose = format!("{} `{name}`", own.kind());
        spaces.map(move |(space, name)| Claim { space, name, given: Given::AtStart, purpose: purpose.clone() })
    });
    made.collect()
}

/// The sequences that a start makes.
fn of_sequences(chain: &Chain) -> Vec<Claim> {
    let claim = |name: &String| Claim {
        space: Space::Relation,
        name: name.clone(),
        given: Given::AtStart,
        purpose: format!("sequence `{name}`"),
    };
    chain.stage.made_sequences().map(|(name, _)| claim(name)).collect()
}

/// What the older version's model has in the base schema: it is gone, or has another name, when its name is given.
struct Known {
    relations: BTreeSet<String>,
    statistics: BTreeSet<String>,
}

impl Known {
    fn of(chain: &Chain) -> Self {
        let mut relations: BTreeSet<String> = chain.stage.from.composites.keys().cloned().collect();
        let mut statistics = BTreeSet::new();
        for (name, table) in &chain.stage.from.tables {
            relations.insert(name.clone());
            relations.extend(table.constraints.iter().filter(|(_, there)| there.owns_index()).map(|(name, _)| name.clone()));
            relations.extend(table.indexes.keys().cloned());
            relations.extend(table.columns.iter().filter_map(|column| column.sequence_name(name)));
            statistics.extend(table.statistics.keys().cloned());
        }
        Known { relations, statistics }
    }
}

/// The claims so far.
struct List<'a> {
    claims: Vec<Claim>,
    older: Option<&'a Table>,
    known: &'a Known,
}

impl List<'_> {
    fn at_start(&mut self, space: Space, name: &str, purpose: &str) {
        self.claims.push(Claim { space, name: name.to_owned(), given: Given::AtStart, purpose: purpose.to_owned() });
    }

    fn at_complete(&mut self, space: Space, name: &str, purpose: &str) {
        let is_given_up = match &space {
            Space::Relation | Space::Type | Space::AnyType => self.known.relations.contains(name),
            Space::Statistics => self.known.statistics.contains(name),
            Space::Column(_) => self.older.is_some_and(|older| older.columns.iter().any(|column| column.name == name)),
            Space::Constraint(_) => self.older.is_some_and(|older| older.constraints.contains_key(name)),
        };
        if !is_given_up {
            self.claims.push(Claim { space, name: name.to_owned(), given: Given::AtComplete, purpose: purpose.to_owned() });
        }
    }

    /// One name from the start on, and another one at complete, if it is another.
    fn in_turn(&mut self, space: &Space, first: &str, then: &str, purpose: &str) {
        self.at_start(space.clone(), first, purpose);
        if first != then {
            self.at_complete(space.clone(), then, purpose);
        }
    }
}

/// What is in the way of these claims, and the statement that renames it.
fn query(chain: &Chain, claims: &[Claim]) -> Option<Sql> {
    let [mut relations, mut types, mut columns, mut constraints, mut statistics] = [const { Vec::new() }; 5];
    for claim in claims {
        let (name, purpose) = (literal(&claim.name), literal(&claim.purpose));
        match &claim.space {
            Space::Relation => relations.push(sql!("({}, {})", name, purpose)),
            Space::Type => types.push(sql!("(false, {}, {})", name, purpose)),
            Space::AnyType => types.push(sql!("(true, {}, {})", name, purpose)),
            Space::Column(table) => columns.push(sql!("({}, {}, {})", literal(table), name, purpose)),
            Space::Constraint(table) => constraints.push(sql!("({}, {}, {})", literal(table), name, purpose)),
            Space::Statistics => statistics.push(sql!("({}, {})", name, purpose)),
        }
    }
    // VALUES must have rows
    let find = |rows: Vec<Sql>, find: fn(&Sql) -> Sql| (!rows.is_empty()).then(|| find(&join(rows, ", ")));
    let found = [
        find(relations, of_relations),
        find(types, of_types),
        find(columns, of_attributes),
        find(constraints, of_rules),
        find(statistics, of_statistics),
    ];
    let found: Vec<Sql> = found.into_iter().flatten().collect();
    (!found.is_empty()).then(|| {
        sql!(
            "WITH space AS (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = {}) \
             SELECT DISTINCT pg_catalog.format('%s (the name is needed for %s)', found.what, found.purpose), found.mend \
             FROM ({}) AS found (what, purpose, mend) ORDER BY 1 LIMIT 10",
            literal(&chain.base),
            join(found, " UNION ALL ")
        )
    })
}

/// A name for what is in the way: it fits into 63 bytes, and its number makes it nobody else's.
fn other_name(name: &str, number: &str) -> Sql {
    sql!("pg_catalog.concat(pg_catalog.left({}::pg_catalog.text, 12), '_', {})", Sql::trusted(name), Sql::trusted(number))
}

fn of_relations(wanted: &Sql) -> Sql {
    sql!(
        "SELECT pg_catalog.pg_describe_object('pg_catalog.pg_class'::pg_catalog.regclass, there.oid, 0), wanted.purpose, \
         pg_catalog.format('ALTER %s %s RENAME TO %I', CASE there.relkind WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' \
         WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'c' THEN 'TYPE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, there.oid::pg_catalog.regclass, {}) \
         FROM (VALUES {}) AS wanted (name, purpose) JOIN pg_catalog.pg_class AS there ON there.relname = wanted.name \
         JOIN space ON space.oid = there.relnamespace",
        other_name("there.relname", "there.oid"),
        wanted
    )
}

/// Types that are no relation's own: those are found among the relations.
fn of_types(wanted: &Sql) -> Sql {
    sql!(
        "SELECT pg_catalog.pg_describe_object('pg_catalog.pg_type'::pg_catalog.regclass, there.oid, 0), wanted.purpose, \
         CASE WHEN there.typrelid = 0 AND element.oid IS NULL THEN pg_catalog.format('ALTER TYPE %s RENAME TO %I', there.oid::pg_catalog.regtype, {}) END \
         FROM (VALUES {}) AS wanted (arrays, name, purpose) JOIN pg_catalog.pg_type AS there ON there.typname = wanted.name \
         JOIN space ON space.oid = there.typnamespace LEFT JOIN pg_catalog.pg_type AS element ON element.typarray = there.oid \
         WHERE wanted.arrays OR (element.oid IS NULL AND there.typrelid = 0)",
        other_name("there.typname", "there.oid"),
        wanted
    )
}

/// Columns, those of the system too, which nobody renames.
fn of_attributes(wanted: &Sql) -> Sql {
    sql!(
        "SELECT pg_catalog.format('column %I of table %s', there.attname, class.oid::pg_catalog.regclass), wanted.purpose, \
         CASE WHEN there.attnum > 0 THEN pg_catalog.format('ALTER TABLE %s RENAME COLUMN %I TO %I', class.oid::pg_catalog.regclass, there.attname, {}) END \
         FROM (VALUES {}) AS wanted (table_, name, purpose) JOIN pg_catalog.pg_class AS class ON class.relname = wanted.table_ \
         JOIN space ON space.oid = class.relnamespace \
         JOIN pg_catalog.pg_attribute AS there ON there.attrelid = class.oid AND there.attname = wanted.name AND NOT there.attisdropped",
        other_name("there.attname", "there.attnum"),
        wanted
    )
}

fn of_rules(wanted: &Sql) -> Sql {
    sql!(
        "SELECT pg_catalog.pg_describe_object('pg_catalog.pg_constraint'::pg_catalog.regclass, there.oid, 0), wanted.purpose, \
         pg_catalog.format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', place.oid::pg_catalog.regclass, there.conname, {}) \
         FROM (VALUES {}) AS wanted (table_, name, purpose) JOIN pg_catalog.pg_class AS class ON class.relname = wanted.table_ \
         JOIN space ON space.oid = class.relnamespace \
         CROSS JOIN LATERAL (SELECT class.oid UNION SELECT tree.relid FROM pg_catalog.pg_partition_tree(class.oid) AS tree) AS place (oid) \
         JOIN pg_catalog.pg_constraint AS there ON there.conrelid = place.oid AND there.conname = wanted.name",
        other_name("there.conname", "there.oid"),
        wanted
    )
}

fn of_statistics(wanted: &Sql) -> Sql {
    sql!(
        "SELECT pg_catalog.pg_describe_object('pg_catalog.pg_statistic_ext'::pg_catalog.regclass, there.oid, 0), wanted.purpose, \
         pg_catalog.format('ALTER STATISTICS %s.%I RENAME TO %I', there.stxnamespace::pg_catalog.regnamespace, there.stxname, {}) \
         FROM (VALUES {}) AS wanted (name, purpose) JOIN pg_catalog.pg_statistic_ext AS there ON there.stxname = wanted.name \
         JOIN space ON space.oid = there.stxnamespace",
        other_name("there.stxname", "there.oid"),
        wanted
    )
}
