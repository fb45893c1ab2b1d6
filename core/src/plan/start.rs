//! Start: preflight, expand, backfill, constraints, live, publish.

use crate::chain::Chain;
use crate::ddl::{self, Build, Names};
use crate::hazard::Hazard;
use crate::plan::{Action, Command, Phase, Plan, Steps, exclusive, share_row_exclusive};
use crate::schema::{Constraint, Index};
use crate::shadow::{AddedConstraint, Physical, layout};
use crate::sql::{Sql, ident, join, literal, qualified, type_name, verbatim};
use crate::stage::Moment;
use crate::sync::{self, Direction};
use crate::{names, sql, views};

/// The id of the step after which apps may use the new version.
pub const PUBLISH: &str = "publish";

/// The id of the step that runs the n-th script of a start, counted from 0.
pub fn script_step(number: usize) -> String {
    format!("sql-{number}")
}

/// The plan of `start` for a chain.
pub fn start(chain: &Chain) -> Plan {
    let tables = layout(chain);
    let mut steps = Steps::new();
    preflight(chain, &tables, &mut steps);
    for table in &tables {
        expand(chain, table, &mut steps);
    }
    for table in tables.iter().filter(|table| table.needs_fill()) {
        backfill(chain, table, &mut steps);
    }
    for table in &tables {
        build_indexes(chain, table, &mut steps);
    }
    for table in &tables {
        constrain(chain, &tables, table, &mut steps);
    }
    for (number, script) in chain.stage.scripts.iter().filter(|script| script.moment == Moment::Start).enumerate() {
        let step = steps.transaction(Phase::Constrain, format!("run sql {}", number + 1), Vec::new(), vec![verbatim(&script.up)]);
        step.id = script_step(number);
        step.hazard(Hazard::OpaqueSql);
    }
    for table in &tables {
        go_live(chain, table, &mut steps);
    }
    publish(chain, &tables, &mut steps);
    Plan {
        command: Command::Start,
        base: chain.base.clone(),
        from: chain.older.as_ref().map(|version| version.name.clone()),
        to: chain.newer.name.clone(),
        steps: steps.done(),
    }
}

fn preflight(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let base = &chain.base;
    let kept: Vec<_> = tables.iter().filter(|table| table.older.is_some()).collect();
    let rows: Vec<_> = {
        let columns = kept.iter().flat_map(|table| {
            let columns = table.older.into_iter().flat_map(|older| &older.columns);
            columns.map(|column| sql!("({}, {})", literal(&table.name), literal(&column.name)))
        });
        columns.collect()
    };
    // a table may have no columns, VALUES must have rows
    if !rows.is_empty() {
        steps.push(
            Phase::Preflight,
            "the database has the tables and columns of the version before",
            Action::Check {
                sql: sql!(
                    "SELECT pg_catalog.format('%I.%I', wanted.table_, wanted.column_) FROM (VALUES {}) AS wanted (table_, column_) WHERE NOT EXISTS (\
                     SELECT 1 FROM pg_catalog.pg_attribute AS there JOIN pg_catalog.pg_class AS class ON class.oid = there.attrelid \
                     JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
                     WHERE space.nspname = {} AND class.relname = wanted.table_ AND there.attname = wanted.column_ AND NOT there.attisdropped)",
                    join(rows, ", "),
                    literal(base)
                ),
                refusal: format!("schema `{base}` lacks what the version before had"),
                hint: "the database was changed outside Diptych: put back what is missing".into(),
            },
        );
    }
    let created: Vec<_> =
        tables.iter().filter(|table| table.older.is_none()).map(|table| sql!("({})", literal(&table.name))).collect();
    if !created.is_empty() {
        steps.push(
            Phase::Preflight,
            "the names of the new tables are free",
            Action::Check {
                sql: sql!(
                    "SELECT class.relname::pg_catalog.text FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
                     JOIN (VALUES {}) AS wanted (table_) ON wanted.table_ = class.relname WHERE space.nspname = {}",
                    join(created, ", "),
                    literal(base)
                ),
                refusal: format!("schema `{base}` already has a relation of that name"),
                hint: "rename or drop it, or choose another name for the new table".into(),
            },
        );
    }
    types_exist(tables, steps);
    foreign_keys_fit(tables, steps);
    row_security(chain, tables, steps);
    plain_tables(chain, tables, steps);
    for table in &kept {
        dependents(chain, tables, table, steps);
    }
    for table in tables.iter().filter(|table| table.needs_sync()) {
        conversions(chain, table, steps);
    }
}

/// No row is hidden from the backfill, and none from the app that it could see before: a version's views have the caller's rights
/// from 15 on only.
fn row_security(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let names = |wanted: &dyn Fn(&Physical<'_>) -> bool| -> Vec<Sql> {
        tables.iter().filter(|table| table.older.is_some() && wanted(table)).map(|table| literal(&table.name)).collect()
    };
    let filled = names(&|table| table.needs_fill());
    if !filled.is_empty() {
        steps.push(
            Phase::Preflight,
            "row security hides no row from the backfill",
            Action::Check {
                sql: relations(chain, filled, "pg_catalog.row_security_active(class.oid)"),
                refusal: "row security hides rows of these tables from the migration role".into(),
                hint: "run as the tables' owner, without FORCE ROW LEVEL SECURITY, or as a role with BYPASSRLS".into(),
            },
        );
    }
    let viewed = names(&|table| table.newer.is_some());
    if chain.server < 15 && !viewed.is_empty() {
        steps.push(
            Phase::Preflight,
            "no table has row security (PostgreSQL 14)",
            Action::Check {
                sql: relations(chain, viewed, "class.relrowsecurity"),
                refusal: "row security does not reach through views on PostgreSQL 14, and is on for these tables".into(),
                hint: "upgrade to PostgreSQL 15 or newer".into(),
            },
        );
    }
}

/// What is changed is a plain table.
fn plain_tables(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let changed = tables.iter().filter(|table| table.is_kept()).filter(|table| {
        !(table.added.is_empty()
            && table.removed.is_empty()
            && table.added_constraints.is_empty()
            && table.removed_constraints.is_empty()
            && table.added_indexes.is_empty()
            && table.removed_indexes.is_empty())
    });
    let changed: Vec<_> = changed.map(|table| literal(&table.name)).collect();
    if changed.is_empty() {
        return;
    }
    steps.push(
        Phase::Preflight,
        "the tables that are changed are plain ones",
        Action::Check {
            sql: relations(
                chain,
                changed,
                "(class.relkind <> 'r' OR EXISTS (SELECT 1 FROM pg_catalog.pg_inherits AS family WHERE class.oid IN (family.inhrelid, family.inhparent)))",
            ),
            refusal: "columns, constraints and indexes of partitioned or inherited tables cannot be changed yet".into(),
            hint: "change these by hand, or leave them out of the migration".into(),
        },
    );
}

/// The relations of these names for which a condition holds.
fn relations(chain: &Chain, names: Vec<Sql>, condition: &'static str) -> Sql {
    sql!(
        "SELECT class.relname::pg_catalog.text FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
         WHERE space.nspname = {} AND class.relname IN ({}) AND class.relkind IN ('r', 'p') AND {}",
        literal(&chain.base),
        join(names, ", "),
        Sql::trusted(condition)
    )
}

/// The server knows the types of the new columns.
fn types_exist(tables: &[Physical<'_>], steps: &mut Steps) {
    let created =
        tables.iter().filter(|table| table.older.is_none()).filter_map(|table| table.newer).flat_map(|newer| &newer.columns);
    let added = tables.iter().flat_map(|table| &table.added).map(|added| &added.column);
    let types: std::collections::BTreeSet<&str> = created.chain(added).map(|column| column.sql_type.as_str()).collect();
    if types.is_empty() {
        return;
    }
    let casts =
        types.iter().enumerate().map(|(at, name)| sql!("CAST(NULL AS {}) AS {}", type_name(name), ident(&format!("type {at}"))));
    steps.push(
        Phase::Preflight,
        "the types of the new columns are known",
        Action::Check {
            sql: sql!("SELECT NULL::pg_catalog.text FROM (SELECT {}) AS known WHERE false", join(casts, ", ")),
            refusal: "a new column has a type that is not known here".into(),
            hint: "correct the type's name, or create the type (or its extension) first".into(),
        },
    );
}

/// The columns of the new foreign keys can be compared with those that they point at.
fn foreign_keys_fit(tables: &[Physical<'_>], steps: &mut Steps) {
    for table in tables {
        for (_, constraint) in foreign_keys(table) {
            let Constraint::ForeignKey { columns, references, .. } = constraint else { continue };
            let target = tables.iter().find(|there| there.final_name() == Some(references.table.as_str()));
            let (Some(newer), Some(target)) = (table.newer, target.and_then(|target| target.newer)) else { continue };
            let null = |table: &crate::schema::Table, name: &String| {
                let column = table.columns.iter().find(|column| column.name == *name);
                sql!("CAST(NULL AS {})", type_name(column.map_or("text", |column| &column.sql_type)))
            };
            let pairs = columns.iter().zip(&references.columns);
            let alike = pairs.map(|(own, other)| sql!("{} = {}", null(target, other), null(newer, own)));
            let list = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            steps.push(
                Phase::Preflight,
                format!("a new foreign key of `{}` has the types of `{}`", table.name, references.table),
                Action::Check {
                    sql: sql!("SELECT NULL::pg_catalog.text WHERE false AND {}", join(alike, " AND ")),
                    refusal: format!(
                        "a foreign key on {} of table `{}` cannot point at {} of table `{}`",
                        list(columns),
                        table.name,
                        list(&references.columns),
                        references.table
                    ),
                    hint: "give the columns on both sides the same types".into(),
                },
            );
        }
    }
}

/// What hangs on a column that goes at complete and is unknown to the model: refused now rather than broken then.
fn dependents(chain: &Chain, tables: &[Physical<'_>], table: &Physical<'_>, steps: &mut Steps) {
    let place = qualified(&chain.base, &table.name);
    let owned: Vec<_> = table
        .older
        .iter()
        .flat_map(|older| older.indexes.keys().chain(older.constraints.keys()))
        .chain(tables.iter().filter(|there| there.name != table.name).flat_map(|there| foreign_keys_to(there, table)))
        .map(|name| literal(name))
        .chain([literal("")])
        .collect();
    let (columns, what) = if table.newer.is_none() {
        (Sql::trusted("true"), format!("table `{}` cannot be dropped", table.name))
    } else if table.removed.is_empty() {
        return;
    } else {
        let names = join(table.removed.iter().map(|name| literal(name)), ", ");
        (sql!("attribute.attname IN ({})", names), format!("columns of table `{}` cannot be converted or dropped", table.name))
    };
    let mut version_views: Vec<_> = chain.older.iter().map(|version| literal(&version.views)).collect();
    version_views.push(literal(&views::scratch(&chain.newer)));
    steps.push(
        Phase::Preflight,
        format!("nothing unknown to Diptych depends on what goes from `{}`", table.name),
        Action::Check {
            sql: sql!(
                "SELECT DISTINCT CASE WHEN rule.oid IS NOT NULL THEN 'view ' || rule.ev_class::pg_catalog.regclass::pg_catalog.text \
                 ELSE pg_catalog.pg_describe_object(depend.classid, depend.objid, depend.objsubid) END \
                 FROM pg_catalog.pg_depend AS depend \
                 JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = depend.refobjid AND attribute.attnum = depend.refobjsubid \
                 LEFT JOIN pg_catalog.pg_rewrite AS rule ON depend.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND rule.oid = depend.objid \
                 LEFT JOIN pg_catalog.pg_class AS view_ ON view_.oid = rule.ev_class \
                 LEFT JOIN pg_catalog.pg_class AS relation ON depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND relation.oid = depend.objid \
                 LEFT JOIN pg_catalog.pg_constraint AS constraint_ ON depend.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND constraint_.oid = depend.objid \
                 WHERE depend.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.refobjid = {}::pg_catalog.regclass \
                 AND {} AND depend.deptype IN ('n', 'a') \
                 AND (view_.oid IS NULL OR view_.relnamespace::pg_catalog.regnamespace::pg_catalog.text NOT IN (SELECT pg_catalog.quote_ident(known) FROM (VALUES {}) AS known (known))) \
                 AND coalesce(relation.relname, constraint_.conname, '') NOT IN ({}) \
                 AND coalesce(relation.relkind, 'x') <> 'S' AND coalesce(constraint_.contype, 'x') <> 'n' \
                 AND depend.classid <> 'pg_catalog.pg_attrdef'::pg_catalog.regclass \
                 AND NOT (depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.objid = depend.refobjid)",
                literal(place.as_str()),
                columns,
                join(version_views.into_iter().map(|name| sql!("({})", name)), ", "),
                join(owned, ", ")
            ),
            refusal: what,
            hint: "drop the objects named above before the migration, and create them again after it".into(),
        },
    );
}

/// Foreign keys of another table that point at this one and go before it does.
fn foreign_keys_to<'a>(other: &'a Physical<'_>, table: &'a Physical<'_>) -> impl Iterator<Item = &'a String> {
    let constraints = other.older.into_iter().flat_map(|older| &older.constraints);
    let goes = |name: &String| other.newer.is_none() || other.removed_constraints.contains(name);
    let points = constraints.filter(|(_, there)| {
        matches!(there, Constraint::ForeignKey { references, .. } if references.table == table.lineage.oldest().table)
    });
    points.map(|(name, _)| name).filter(move |name| goes(name))
}

/// The expressions are valid, and every existing row has a value that its column takes (R8).
fn conversions(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    for (direction, word) in [(Direction::Up, "up"), (Direction::Down, "down")] {
        if let Some(query) = sync::validity_query(table, direction) {
            steps.push(
                Phase::Preflight,
                format!("`{word}` of `{}` is valid", table.name),
                Action::Check {
                    sql: sql!("SELECT NULL::pg_catalog.text FROM ({}) AS valid WHERE false", query),
                    refusal: format!("`{word}` of table `{}` is not valid SQL", table.name),
                    hint: format!(
                        "correct the `{word}` expression; it stands where the columns of the {} version are in scope",
                        if direction == Direction::Up { "older" } else { "newer" }
                    ),
                },
            );
        }
    }
    if !table.needs_fill() {
        return;
    }
    let row = ident("diptych row");
    let (targets, query) = sync::conversion_query(table, Direction::Up, &row);
    let columns = (1..=targets.len()).map(|number| ident(&format!("diptych {number}")));
    // a CASE makes the server evaluate every conversion, so that one that fails is found; rows are named where NULL is refused
    let nulls = targets.iter().enumerate().map(|(at, physical)| {
        let refused = table.added.iter().any(|added| added.physical == *physical && !added.column.nullable);
        let verdict = Sql::trusted(if refused { "true" } else { "false" });
        sql!("CASE WHEN result.{} IS NULL THEN {} ELSE false END", ident(&format!("diptych {}", at + 1)), verdict)
    });
    let condition = join(nulls, " OR ");
    let not_null: Vec<_> = table
        .added
        .iter()
        .filter(|added| added.derived && !added.column.nullable)
        .map(|a| format!("`{}`", a.column.name))
        .collect();
    let key = table.older.map(|older| older.primary_key()).unwrap_or_default();
    let sample = if key.is_empty() {
        sql!("'row at ' || {}.ctid::pg_catalog.text", row)
    } else {
        let parts =
            key.iter().map(|column| sql!("{} || {}.{}::pg_catalog.text", literal(&format!("{column} = ")), row, ident(column)));
        join(parts, " || ', ' || ")
    };
    steps.push(
        Phase::Preflight,
        format!("every row of `{}` can be converted", table.name),
        Action::Check {
            sql: sql!(
                "SELECT {} FROM {} AS {}, LATERAL ({}) AS result ({}) WHERE {} LIMIT 3",
                sample,
                qualified(&chain.base, &table.name),
                row,
                query,
                join(columns, ", "),
                condition
            ),
            refusal: if not_null.is_empty() {
                format!("`up` of table `{}` fails on existing rows", table.name)
            } else {
                format!(
                    "`up` of table `{}` gives NULL for {}, which {} NOT NULL, on existing rows",
                    table.name,
                    not_null.join(", "),
                    if not_null.len() == 1 { "is" } else { "are" }
                )
            },
            hint: "make `up` give a value for these rows (coalesce), or correct the rows".into(),
        },
    );
}

fn expand(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    let base = &chain.base;
    let place = qualified(base, &table.name);
    if let (None, Some(newer)) = (table.older, table.newer) {
        let statements = ddl::create_table(base, &table.name, &table.lineage.newest().table, newer, |name| table.displaced(name));
        steps.transaction(Phase::Expand, format!("create table `{}`", table.name), Vec::new(), statements);
        return;
    }
    if !table.is_kept() || (table.added.is_empty() && checks(table).next().is_none() && !table.needs_sync()) {
        return;
    }
    let mut statements = Vec::new();
    for added in &table.added {
        let mut definition = sql!("ADD COLUMN {} {}", ident(&added.physical), type_name(&added.column.sql_type));
        if let Some(default) = &added.default {
            definition = sql!("{} DEFAULT {}", definition, sql::user(default));
            if !added.column.nullable {
                definition = sql!("{} NOT NULL", definition);
            }
        }
        statements.push(sql!("ALTER TABLE {} {}", place, definition));
        if added.default.is_none() && !added.column.nullable {
            statements.push(sql!(
                "ALTER TABLE {} ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID",
                place,
                ident(&proof(chain, table, &added.physical)),
                ident(&added.physical)
            ));
        }
    }
    for check in checks(table) {
        statements.extend(bound_by_rename(
            &place,
            table,
            &check.constraint,
            sql!(
                "ALTER TABLE {} ADD CONSTRAINT {} {} NOT VALID",
                place,
                ident(&check.physical),
                ddl::constraint(base, &check.constraint, &Names::new(), None)
            ),
        ));
    }
    statements.extend(carry_properties(table, &place));
    if table.needs_fill() {
        let sync = sync::filling(chain, table);
        statements.extend(sync.functions);
        statements.extend(sync.triggers);
    }
    let shared = checks(table).any(|check| is_shared(table, &check.constraint));
    let step = steps.transaction(
        Phase::Expand,
        format!("expand table `{}`", table.name),
        exclusive(std::slice::from_ref(&place), std::slice::from_ref(&place)),
        statements,
    );
    step.lock(format!("ACCESS EXCLUSIVE on {place}, instant")).hazard(Hazard::Standby);
    if !table.added.is_empty() {
        step.hazard(Hazard::PreparedOnBase);
    }
    if shared {
        step.hazard(Hazard::OldWritesMayFail);
    }
}

/// What hangs on a column and is not in the model goes over to the column that takes its place: rights and statistics target.
fn carry_properties(table: &Physical<'_>, place: &Sql) -> Option<Sql> {
    let pairs: Vec<_> = table
        .added
        .iter()
        .filter_map(|added| Some(sql!("({}, {})", literal(&table.lineage.origin(&added.column.name)?), literal(&added.physical))))
        .collect();
    if pairs.is_empty() {
        return None;
    }
    let text = sql!(
        "
DECLARE
  place pg_catalog.regclass := {};
  pair record;
  right_ record;
BEGIN
  FOR pair IN
    SELECT shadow.name, attribute.attacl, attribute.attstattarget AS target
    FROM (VALUES {}) AS shadow (origin, name)
    JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = place AND attribute.attname = shadow.origin
  LOOP
    IF pair.target >= 0 THEN
      EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', place, pair.name, pair.target);
    END IF;
    FOR right_ IN
      SELECT acl.privilege_type AS name, CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS option_,
        CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(role.rolname) END AS role
      FROM pg_catalog.aclexplode(pair.attacl) AS acl LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = acl.grantee
      WHERE acl.grantee = 0 OR role.oid IS NOT NULL
    LOOP
      EXECUTE pg_catalog.format('GRANT %s (%I) ON %s TO %s%s', right_.name, pair.name, place, right_.role, right_.option_);
    END LOOP;
  END LOOP;
END
",
        literal(place.as_str()),
        join(pairs, ", ")
    );
    Some(sql!("DO {}", crate::sql::dollar_quoted(&text)))
}

fn checks<'a>(table: &'a Physical<'_>) -> impl Iterator<Item = &'a AddedConstraint> {
    table.added_constraints.iter().filter(|added| table.is_kept() && matches!(added.constraint, Constraint::Check { .. }))
}

/// Whether a constraint stands on columns that the older version writes as well.
fn is_shared(table: &Physical<'_>, constraint: &Constraint) -> bool {
    let Some(newer) = table.newer else { return false };
    !constraint.columns(newer).iter().any(|column| table.is_added(ddl::physical(&table.newer_names, column)))
}

/// The name of the constraint that proves a column NOT NULL.
fn proof(chain: &Chain, table: &Physical<'_>, physical: &str) -> String {
    names::generated("proof", &[&table.name, physical, &chain.newer.name])
}

/// A statement whose opaque text names the newer version's columns, with those names in place for its duration (R6).
///
/// The renames are instant, and nobody sees them: the transaction holds the table, views follow attribute numbers.
fn bound_by_rename(place: &Sql, table: &Physical<'_>, constraint: &Constraint, statement: Sql) -> Vec<Sql> {
    let Some(newer) = table.newer else { return vec![statement] };
    let moved: Vec<(String, String)> = constraint
        .columns(newer)
        .into_iter()
        .filter_map(|logical| {
            let physical = ddl::physical(&table.newer_names, &logical).to_owned();
            (physical != logical).then_some((logical, physical))
        })
        .collect();
    let rename = |from: &str, to: &str| sql!("ALTER TABLE {} RENAME COLUMN {} TO {}", place, ident(from), ident(to));
    let occupied: Vec<&String> =
        moved.iter().map(|(logical, _)| logical).filter(|logical| table.older_names.contains_key(*logical)).collect();
    let away = |name: &str| names::generated("away", &[&table.name, name]);
    // the newer column may be the older one of another name: put everything aside first, then in place
    let moving =
        |physical: &str| if occupied.iter().any(|name| *name == physical) { away(physical) } else { physical.to_owned() };
    let mut statements: Vec<Sql> = occupied.iter().map(|name| rename(name, &away(name))).collect();
    statements.extend(moved.iter().map(|(logical, physical)| rename(&moving(physical), logical)));
    statements.push(statement);
    statements.extend(moved.iter().map(|(logical, physical)| rename(logical, &moving(physical))));
    statements.extend(occupied.iter().map(|name| rename(&away(name), name)));
    statements
}

fn backfill(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    let place = qualified(&chain.base, &table.name);
    let row = ident("diptych row");
    let (targets, query) = sync::conversion_query(table, Direction::Up, &row);
    let columns = join(targets.iter().map(|target| ident(target)), ", ");
    let update = sql!(
        "UPDATE {} AS {} SET ({}) = ({}) WHERE {}.ctid >= $1::pg_catalog.text::pg_catalog.tid AND {}.ctid < $2::pg_catalog.text::pg_catalog.tid AND (pg_catalog.hashtid({}.ctid) & 2147483647) % $4::pg_catalog.int4 = $3::pg_catalog.int4",
        place,
        row,
        columns,
        query,
        row,
        row,
        row
    );
    let missed = targets.iter().enumerate().map(|(at, target)| {
        sql!(
            "({}.{} IS NULL AND ({}).{} IS NOT NULL)",
            row,
            ident(target),
            ident("diptych result"),
            ident(&format!("diptych {}", at + 1))
        )
    });
    let missed: Vec<_> = missed.collect();
    let empty = join(targets.iter().map(|target| sql!("{}.{} IS NULL", row, ident(target))), " OR ");
    let aliases = join((1..=targets.len()).map(|number| ident(&format!("diptych {number}"))), ", ");
    let verify = sql!(
        "SELECT {}.ctid::pg_catalog.text FROM {} AS {}, LATERAL ({}) AS {} ({}) WHERE ({}) AND ({}) LIMIT 1",
        row,
        place,
        row,
        query,
        ident("diptych result"),
        aliases,
        empty,
        join(missed, " OR ")
    );
    let step = steps.push(
        Phase::Backfill,
        format!("backfill table `{}`", table.name),
        Action::Backfill {
            schema: chain.base.clone(),
            table: table.name.clone(),
            update,
            verify,
            vacuum: sql!("VACUUM (INDEX_CLEANUP off, TRUNCATE off) {}", place),
        },
    );
    step.lock("row locks, at most 250 ms each").hazard(Hazard::RepeatableRead);
    if sync::has_sub_select(table) {
        step.hazard(Hazard::SubSelect);
    }
}

fn build_indexes(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    if !table.is_kept() {
        return;
    }
    let mut wanted: Vec<(String, Index)> =
        table.added_indexes.iter().map(|(_, physical, index)| (physical.clone(), index.clone())).collect();
    wanted.extend(
        table.added_constraints.iter().filter_map(|added| Some((added.physical.clone(), ddl::key_index(&added.constraint)?))),
    );
    // unique ones last: until publish is near, a unique index can only refuse the older version's writes
    wanted.sort_by_key(|(_, index)| index.unique);
    for (name, index) in wanted {
        let place = qualified(&chain.base, &name);
        let step = steps.push(
            Phase::Constrain,
            format!("build index `{name}` on `{}`", table.name),
            Action::CreateIndex {
                schema: chain.base.clone(),
                sql: ddl::create_index(&chain.base, &table.name, &name, &index, &table.newer_names, Build::Concurrently),
                drop: sql!("DROP INDEX CONCURRENTLY IF EXISTS {}", place),
                name: name.clone(),
            },
        );
        step.lock("SHARE UPDATE EXCLUSIVE: nobody waits");
        if index.unique {
            let columns: Vec<_> = index.columns.iter().map(|key| ddl::physical(&table.newer_names, &key.column)).collect();
            step.hazard(if columns.iter().any(|column| table.is_added(column)) {
                Hazard::UpsertOnConvertedKey
            } else {
                Hazard::OldWritesMayFail
            });
        }
    }
}

fn constrain(chain: &Chain, tables: &[Physical<'_>], table: &Physical<'_>, steps: &mut Steps) {
    let base = &chain.base;
    let place = qualified(base, &table.name);
    let validate = |steps: &mut Steps, name: &str| {
        let sql = sql!("ALTER TABLE {} VALIDATE CONSTRAINT {}", place, ident(name));
        steps
            .push(Phase::Constrain, format!("validate `{name}` of `{}`", table.name), Action::Statement { sql })
            .lock("SHARE UPDATE EXCLUSIVE: nobody waits");
    };
    if table.is_kept() {
        for added in table.added.iter().filter(|added| added.default.is_none() && !added.column.nullable) {
            validate(steps, &proof(chain, table, &added.physical));
        }
        for check in checks(table) {
            validate(steps, &check.physical);
        }
    }
    for (name, constraint) in foreign_keys(table) {
        let Constraint::ForeignKey { references, .. } = constraint else { continue };
        let Some(target) = tables.iter().find(|there| there.final_name() == Some(references.table.as_str())) else { continue };
        let parent = qualified(base, &target.name);
        let definition = ddl::constraint(base, constraint, &table.newer_names, Some((&target.name, &target.newer_names)));
        let locks = if place == parent { vec![place.clone()] } else { vec![place.clone(), parent.clone()] };
        let both = join(locks, ", ");
        let lock =
            super::Lock { sql: sql!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", both), felt: super::Felt::ByApplications };
        steps
            .transaction(
                Phase::Constrain,
                format!("add foreign key `{name}` to `{}`", table.name),
                vec![lock],
                vec![sql!("ALTER TABLE {} ADD CONSTRAINT {} {} NOT VALID", place, ident(name), definition)],
            )
            .lock(format!("SHARE ROW EXCLUSIVE on {both}, instant"));
        validate(steps, name);
    }
}

/// The foreign keys to be added, under the names that they have until complete.
fn foreign_keys<'a>(table: &'a Physical<'_>) -> Vec<(&'a String, &'a Constraint)> {
    let is_key = |constraint: &Constraint| matches!(constraint, Constraint::ForeignKey { .. });
    match (table.older, table.newer) {
        (None, Some(newer)) => newer.constraints.iter().filter(|(_, there)| is_key(there)).collect(),
        _ => table
            .added_constraints
            .iter()
            .filter(|added| is_key(&added.constraint))
            .map(|added| (&added.physical, &added.constraint))
            .collect(),
    }
}

fn go_live(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    if !table.is_kept() {
        return;
    }
    let place = qualified(&chain.base, &table.name);
    let proven: Vec<_> = table.added.iter().filter(|added| added.default.is_none() && !added.column.nullable).collect();
    if !proven.is_empty() {
        let changes = proven.iter().flat_map(|added| {
            let proof = proof(chain, table, &added.physical);
            [
                sql!("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL", place, ident(&added.physical)),
                sql!("ALTER TABLE {} DROP CONSTRAINT {}", place, ident(&proof)),
            ]
        });
        steps
            .transaction(
                Phase::Publish,
                format!("make new columns of `{}` NOT NULL", table.name),
                exclusive(std::slice::from_ref(&place), std::slice::from_ref(&place)),
                changes.collect(),
            )
            .lock(format!("ACCESS EXCLUSIVE on {place}, instant (already proven)"));
    }
    if table.needs_sync() {
        let sync = sync::live(chain, table);
        let mut statements = sync.functions;
        statements.extend(sync.triggers);
        statements.push(sync::remove_filling(chain, table));
        let step = steps.transaction(
            Phase::Publish,
            format!("sync of `{}` goes live", table.name),
            share_row_exclusive(&place),
            statements,
        );
        step.lock(format!("SHARE ROW EXCLUSIVE on {place}, instant: the barrier behind which the new version may be written"))
            .hazard(Hazard::SyncCost);
        if sync::has_sub_select(table) {
            step.hazard(Hazard::SubSelect);
        }
    }
}

fn publish(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    steps.transaction(
        Phase::Publish,
        format!("create schema for version `{}`", chain.newer.name),
        Vec::new(),
        views::create_schema(chain),
    );
    // a table that went and one that came may bear the same name: the one that is there has the view
    let wanted: Vec<&Physical<'_>> = tables
        .iter()
        .filter(|table| match table.newer {
            Some(_) => true,
            None => !chain.newer.schema.tables.contains_key(&table.lineage.oldest().table),
        })
        .collect();
    debug_assert_eq!(wanted.len(), chain.newer.relations.len());
    for (number, group) in wanted.chunks(views::GROUP).enumerate() {
        steps.transaction(
            Phase::Publish,
            format!("create views {} to {}", number * views::GROUP + 1, number * views::GROUP + group.len()),
            Vec::new(),
            views::create_views(chain, group),
        );
    }
    let step = steps.transaction(Phase::Publish, format!("publish `{}`", chain.newer.views), Vec::new(), views::publish(chain));
    PUBLISH.clone_into(&mut step.id);
    if let Some(old) = chain.retired.iter().find(|retired| retired.views == chain.newer.views) {
        for group in views::drop_schema(&views::aside(&old.views), &old.tables) {
            steps.transaction(Phase::Publish, format!("drop tombstones of an earlier `{}`", old.views), Vec::new(), group);
        }
    }
}
