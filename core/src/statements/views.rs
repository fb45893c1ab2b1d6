//! The schema of views per version, and the rights on both.

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::model::expression::Expression;
use crate::model::schema::{Column, Table};
use crate::sql::{Sql, ident, join, literal, qualified, type_name, user};
use crate::statements::path::Path;
use crate::{model::types, sql, statements::guard, statements::own_types, statements::rights};

/// Views that one transaction makes or drops: every view is a lock, and the lock table is shared with the app (docs/traps.md F16).
pub const GROUP: usize = 250;

/// `CREATE SCHEMA` for the newer version, with USAGE for whoever has it on the base schema.
pub fn create_schema(chain: &Chain) -> Vec<Sql> {
    let scratch = chain.newer.scratch();
    let text = sql!(
        "
DECLARE
  rights pg_catalog.aclitem[];
  right_ record;
BEGIN
  FOR right_ IN
    SELECT DISTINCT CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(role.rolname) END AS role
    FROM pg_catalog.pg_namespace AS space CROSS JOIN LATERAL pg_catalog.aclexplode(space.nspacl) AS acl
    LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = acl.grantee WHERE space.nspname = {} AND acl.grantee <> space.nspowner
  LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA %I FROM %s', {}, right_.role);
  END LOOP;
  SELECT space.nspacl INTO rights FROM pg_catalog.pg_namespace AS space WHERE space.nspname = {};
  {}
  FOR right_ IN
    SELECT role.rolname AS owner FROM pg_catalog.pg_namespace AS space JOIN pg_catalog.pg_roles AS role ON role.oid = space.nspowner
    WHERE space.nspname = {} AND role.rolname <> current_user AND role.rolname NOT LIKE 'pg\\_%' AND pg_catalog.pg_has_role(role.oid, 'MEMBER')
      AND pg_catalog.has_database_privilege(role.oid, pg_catalog.current_database(), 'CREATE')
  LOOP
    EXECUTE pg_catalog.format('ALTER SCHEMA %I OWNER TO %I', {}, right_.owner);
  END LOOP;
END
",
        literal(&scratch),
        literal(&scratch),
        literal(&chain.base),
        rights::grant(
            &Sql::trusted("rights"),
            &literal(&format!("SCHEMA {}", ident(&scratch))),
            None,
            Some(&Sql::trusted("acl.privilege_type <> 'USAGE'"))
        ),
        literal(&chain.base),
        literal(&scratch)
    );
    vec![sql!("CREATE SCHEMA {}", ident(&scratch)), sql!("DO {}", sql::dollar_quoted(&text))]
}

/// The views of some of the newer version's tables, in the scratch schema, with the base tables' rights; and whoever comes through
/// neither version meets the guard in their place.
pub fn create_views(chain: &Chain, tables: &[&Physical<'_>]) -> Vec<Sql> {
    let scratch = chain.newer.scratch();
    let texts = Path::newer(chain, &scratch);
    let views = tables.iter().filter_map(|table| Some(create_view(chain, &scratch, table, table.newer?)));
    let mut statements = texts.around(views.flatten());
    statements.push(carry_rights(chain, &scratch, tables));
    statements.push(guard::put(chain, tables));
    statements
}

/// The view of a table in a schema. Where the migrations run statements of the user's own, the database is asked what the table has by now.
pub fn create_view(chain: &Chain, schema: &str, table: &Physical<'_>, newer: &Table) -> Vec<Sql> {
    let view = qualified(schema, &table.lineage.newest().table);
    let invoker = Sql::trusted(invoker(chain));
    let place = qualified(&chain.base, &table.name);
    let is_opaque = chain.stage.is_opaque();
    let mut statements = vec![if is_opaque {
        create_from_catalog(&view, &invoker, &place, table, newer)
    } else {
        let columns = newer.columns.iter().map(|column| {
            let physical = table.newer_name(&column.name);
            sql!("{} AS {}", ident(physical), ident(&column.name))
        });
        sql!("CREATE VIEW {}{} AS SELECT {} FROM {}", view, invoker, join(columns, ", "), place)
    }];
    if is_opaque && table.is_same() {
        // its columns may have other names by now
        statements.push(copy_comments(&view, &place));
        return statements;
    }
    for column in &newer.columns {
        let physical = table.newer_name(&column.name);
        let physical = physical_default(table, physical);
        let over = default_over_type(chain, column, &physical);
        if let Some(default) = over.or_else(|| view_default(column, &physical)) {
            statements.push(sql!("ALTER VIEW {} ALTER COLUMN {} SET DEFAULT {}", view, ident(&column.name), default));
        }
        if column.comment.is_some() {
            statements.push(crate::statements::ddl::comment(
                &sql!("COLUMN {}.{}", view, ident(&column.name)),
                column.comment.as_deref(),
            ));
        }
    }
    if newer.comment.is_some() {
        statements.push(crate::statements::ddl::comment(&sql!("VIEW {}", view), newer.comment.as_deref()));
    }
    statements
}

/// What makes a view read with its caller's rights, where the server has that.
fn invoker(chain: &Chain) -> &'static str {
    if chain.server >= 15 { " WITH (security_invoker = true)" } else { "" }
}

/// The version's columns in its order, then those that the model does not know. None where the table is gone, or has another name:
/// then it is among those that the model does not have.
fn create_from_catalog(view: &Sql, invoker: &Sql, place: &Sql, table: &Physical<'_>, newer: &Table) -> Sql {
    let wanted = newer.columns.iter().enumerate().map(|(number, column)| {
        let physical = table.newer_name(&column.name);
        sql!("({}, {}, {})", number, literal(physical), literal(&column.name))
    });
    let known = table.older_names.values().chain(table.newer_names.values()).map(|name| literal(name));
    let text = sql!(
        "
DECLARE
  place pg_catalog.regclass := pg_catalog.to_regclass({});
  columns pg_catalog.text;
BEGIN
  IF place IS NULL THEN
    RETURN;
  END IF;
  SELECT pg_catalog.string_agg(pg_catalog.format('%I AS %I', attribute.attname, coalesce(wanted.name, attribute.attname)), ', ' ORDER BY wanted.number NULLS LAST, attribute.attnum) INTO columns
  FROM pg_catalog.pg_attribute AS attribute LEFT JOIN (VALUES {}) AS wanted (number, physical, name) ON wanted.physical OPERATOR(pg_catalog.=) attribute.attname::pg_catalog.text
  WHERE attribute.attrelid OPERATOR(pg_catalog.=) place AND attribute.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2 AND NOT attribute.attisdropped
    AND (wanted.number IS NOT NULL OR attribute.attname::pg_catalog.text OPERATOR(pg_catalog.<>) ALL (ARRAY[{}]::pg_catalog.text[]));
  EXECUTE pg_catalog.format('CREATE VIEW %s%s AS SELECT %s FROM %s', {}, {}, columns, place);
END
",
        literal(place.as_str()),
        join(if newer.columns.is_empty() { vec![Sql::trusted("(0, NULL, NULL)")] } else { wanted.collect() }, ", "),
        join(known, ", "),
        literal(view.as_str()),
        literal(invoker.as_str())
    );
    sql!("DO {}", sql::dollar_quoted(&text))
}

/// A view's comments are its table's.
fn copy_comments(view: &Sql, place: &Sql) -> Sql {
    let text = sql!(
        "
DECLARE
  view_ pg_catalog.regclass := pg_catalog.to_regclass({});
  place pg_catalog.regclass := pg_catalog.to_regclass({});
  column_ record;
BEGIN
  IF view_ IS NULL THEN
    RETURN;
  END IF;
  EXECUTE pg_catalog.format('COMMENT ON VIEW %s IS %L', view_, pg_catalog.obj_description(place, 'pg_class'));
  FOR column_ IN
    SELECT attribute.attname AS name, pg_catalog.col_description(place, attribute.attnum::pg_catalog.int4) AS text FROM pg_catalog.pg_attribute AS attribute
    JOIN pg_catalog.pg_attribute AS shown ON shown.attrelid OPERATOR(pg_catalog.=) view_ AND shown.attname OPERATOR(pg_catalog.=) attribute.attname
    WHERE attribute.attrelid OPERATOR(pg_catalog.=) place AND attribute.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2
  LOOP
    EXECUTE pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', view_, column_.name, column_.text);
  END LOOP;
END
",
        literal(view.as_str()),
        literal(place.as_str())
    );
    sql!("DO {}", sql::dollar_quoted(&text))
}

/// The default that a physical column has until complete.
fn physical_default(table: &Physical<'_>, physical: &str) -> Option<Expression> {
    if let Some(added) = table.added.iter().find(|added| added.physical == physical) {
        return added.default.clone();
    }
    let model = table.older.or(table.newer)?;
    model.columns.iter().find(|column| column.name == physical)?.default.clone()
}

/// The view's own default, where the physical column's is another. A dropped one must be an expression that yields NULL:
/// a plain NULL is not stored, and the base column's default would apply (docs/traps.md F9).
fn view_default(column: &Column, physical: &Option<Expression>) -> Option<Sql> {
    match (&column.default, physical) {
        (wanted, there) if wanted == there => None,
        (Some(wanted), _) => Some(user(wanted)),
        (None, _) => Some(sql!("CAST(nullif('', '') AS {})", type_name(&column.sql_type))),
    }
}

/// What a view says where its column's type may have a default, which PostgreSQL would take for one that the view does not name: the
/// column's own; or, where it has none, that of the newer version's domain, if the physical column has another value until complete.
fn default_over_type(chain: &Chain, column: &Column, physical: &Option<Expression>) -> Option<Sql> {
    if !chain.may_have_default(&column.sql_type) || column.generated.is_some() || column.identity.is_some() {
        return None;
    }
    if let Some(own) = &column.default {
        return Some(user(own));
    }
    let none = || sql!("CAST(nullif('', '') AS {})", type_name(&column.sql_type));
    let of_type = chain.stage.to.default_of_type(&column.sql_type);
    let is_other = physical.is_some() || own_types::changes_default(chain, &column.sql_type);
    (is_other && chain.stage.to.domains.contains_key(&types::element(&column.sql_type)))
        .then(|| of_type.map_or_else(none, |text| user(text)))
}

/// Views of tables that the model does not have: those of the base schema that the migrations' own SQL has made, and those that an
/// application has created in the schema of the older version.
pub fn create_unknown(chain: &Chain, tables: &[Physical<'_>]) -> Vec<Sql> {
    let mut places: Vec<&String> = chain.older.iter().map(|older| &older.views).collect();
    if chain.stage.is_opaque() {
        places.push(&chain.base);
    }
    if places.is_empty() {
        return Vec::new();
    }
    let scratch = chain.newer.scratch();
    let known = join(tables.iter().map(|table| literal(&table.name)), ", ");
    let text = sql!(
        "
DECLARE
  table_ record;
  right_ record;
BEGIN
  FOR table_ IN
    SELECT class.oid, class.relname AS name, class.relacl, pg_catalog.string_agg(pg_catalog.quote_ident(attribute.attname), ', ' ORDER BY attribute.attnum) AS columns
    FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
    JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = class.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
    WHERE space.nspname IN ({}) AND class.relkind IN ('r', 'p') AND NOT class.relispartition AND class.relname <> ALL (ARRAY[{}]::pg_catalog.name[])
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_class AS view_ WHERE view_.relname = class.relname AND view_.relnamespace = {}::pg_catalog.regnamespace)
    GROUP BY class.oid
  LOOP
    {}
    {}
  END LOOP;
END
",
        join(places.iter().map(|place| literal(place)), ", "),
        known,
        literal(ident(&scratch).as_str()),
        make_view(chain, &scratch, &Sql::trusted("CREATE")),
        rights_of_table(&scratch)
    );
    let noted =
        sql!("SELECT diptych.note_relations({}, {}, {})", literal(&chain.base), literal(&chain.newer.name), literal(&scratch));
    vec![sql!("DO {}", sql::dollar_quoted(&text)), noted]
}

/// The owner may create in the newer version's schema, for the rest of a transaction that closes it again.
pub fn open(chain: &Chain) -> Sql {
    sql!("SELECT diptych.open_schema({})", literal(&chain.newer.views))
}

/// The newer version's views are what its tables are by now, at the end of complete: new tables and columns are in them. A view that is
/// gone, or has columns that are gone, is made anew with the rights of its table.
pub fn refresh(chain: &Chain) -> Vec<Sql> {
    let views = &chain.newer.views;
    let text = sql!(
        "
DECLARE
  table_ record;
  column_ record;
  right_ record;
BEGIN
  FOR table_ IN
    {}
  LOOP
    CONTINUE WHEN table_.view_ IS NOT NULL AND table_.new = 0 AND table_.kept = table_.so_far;
    IF table_.view_ IS NOT NULL AND table_.kept = table_.so_far THEN
      {}
      CONTINUE;
    END IF;
    IF table_.view_ IS NOT NULL THEN
      EXECUTE pg_catalog.format('DROP VIEW %I.%I', {}, table_.name);
    END IF;
    {}
    {}
    {}
    IF table_.owner <> current_user AND pg_catalog.pg_has_role(table_.owner, 'MEMBER') AND pg_catalog.has_schema_privilege(table_.owner, {}, 'CREATE') THEN
      EXECUTE pg_catalog.format('ALTER VIEW %I.%I OWNER TO %I', {}, table_.name, table_.owner);
    END IF;
  END LOOP;
END
",
        tables_by_now(chain),
        make_view(chain, views, &Sql::trusted("CREATE OR REPLACE")),
        literal(views),
        make_view(chain, views, &Sql::trusted("CREATE")),
        rights_of_table(views),
        columns_and_comments(views),
        literal(views),
        literal(views)
    );
    let (base, version) = (literal(&chain.base), literal(&chain.newer.name));
    let noted = sql!("SELECT diptych.note_relations({}, {}, {})", base, version, literal(views));
    vec![sql!("DO {}", sql::dollar_quoted(&text)), noted]
}

/// The base schema's tables and their columns as they are by now, and how many of these their views show.
fn tables_by_now(chain: &Chain) -> Sql {
    let columns = chain.newer.schema.tables.iter().flat_map(|(name, table)| {
        table
            .columns
            .iter()
            .enumerate()
            .map(move |(number, column)| sql!("({}, {}, {})", literal(name), literal(&column.name), number))
    });
    let columns: Vec<Sql> = columns.collect();
    sql!(
        "WITH wanted (table_, column_, number) AS (VALUES {}),
    shown AS (
      SELECT view_.relname AS name, view_.oid AS oid, attribute.attname AS column_, attribute.attnum AS number
      FROM pg_catalog.pg_class AS view_ LEFT JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = view_.oid AND attribute.attnum > 0
      WHERE view_.relkind = 'v' AND view_.relnamespace = pg_catalog.to_regnamespace({})
    )
    SELECT class.relname AS name, class.oid, class.relacl, owner.rolname AS owner, (SELECT max(shown.oid) FROM shown WHERE shown.name = class.relname) AS view_,
      pg_catalog.string_agg(pg_catalog.quote_ident(attribute.attname), ', ' ORDER BY shown.number NULLS LAST, wanted.number NULLS LAST, attribute.attnum) AS columns,
      pg_catalog.count(*) FILTER (WHERE shown.number IS NULL AND attribute.attname IS NOT NULL) AS new,
      pg_catalog.count(shown.number) AS kept, (SELECT pg_catalog.count(all_.number) FROM shown AS all_ WHERE all_.name = class.relname) AS so_far
    FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_roles AS owner ON owner.oid = class.relowner
    LEFT JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = class.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
    LEFT JOIN shown ON shown.name = class.relname AND shown.column_ = attribute.attname
    LEFT JOIN wanted ON wanted.table_ = class.relname::pg_catalog.text AND wanted.column_ = attribute.attname::pg_catalog.text
    WHERE class.relnamespace = pg_catalog.to_regnamespace({}) AND class.relkind IN ('r', 'p') AND NOT class.relispartition
    GROUP BY class.oid, class.relname, class.relacl, owner.rolname",
        join(if columns.is_empty() { vec![Sql::trusted("(NULL::pg_catalog.text, NULL::pg_catalog.text, 0)")] } else { columns }, ", "),
        literal(ident(&chain.newer.views).as_str()),
        literal(ident(&chain.base).as_str())
    )
}

/// PL/pgSQL that makes the view of a table `table_`.
fn make_view(chain: &Chain, schema: &str, create: &Sql) -> Sql {
    sql!(
        "EXECUTE pg_catalog.format('{} VIEW %I.%I%s AS SELECT %s FROM %s', {}, table_.name, {}, table_.columns, table_.oid::pg_catalog.regclass);",
        create,
        literal(schema),
        literal(invoker(chain))
    )
}

/// PL/pgSQL that gives the view of a table `table_` the rights that the table has, and no others. Its block declares `right_ record`.
fn rights_of_table(schema: &str) -> Sql {
    sql!(
        "FOR right_ IN
      SELECT DISTINCT CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(role.rolname) END AS role
      FROM pg_catalog.pg_class AS view_ CROSS JOIN LATERAL pg_catalog.aclexplode(view_.relacl) AS acl
      LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = acl.grantee
      WHERE view_.oid = pg_catalog.format('%I.%I', {}, table_.name)::pg_catalog.regclass AND acl.grantee <> view_.relowner
    LOOP
      EXECUTE pg_catalog.format('REVOKE ALL ON %I.%I FROM %s', {}, table_.name, right_.role);
    END LOOP;
    {}",
        literal(schema),
        literal(schema),
        rights::grant(
            &Sql::trusted("table_.relacl"),
            &place_of_view(schema),
            None,
            Some(&Sql::trusted("acl.privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')"))
        )
    )
}

/// PL/pgSQL that gives the view of a table `table_` the rights that the table's columns have, and the comments. Its block declares
/// `column_ record` and `right_ record`.
fn columns_and_comments(schema: &str) -> Sql {
    sql!(
        "FOR column_ IN
      SELECT attribute.attname AS name, attribute.attacl AS rights, pg_catalog.col_description(table_.oid, attribute.attnum) AS text FROM pg_catalog.pg_attribute AS attribute
      WHERE attribute.attrelid = table_.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
    LOOP
      EXECUTE pg_catalog.format('COMMENT ON COLUMN %I.%I.%I IS %L', {}, table_.name, column_.name, column_.text);
      {}
    END LOOP;
    EXECUTE pg_catalog.format('COMMENT ON VIEW %I.%I IS %L', {}, table_.name, pg_catalog.obj_description(table_.oid, 'pg_class'));",
        literal(schema),
        rights::grant(
            &Sql::trusted("column_.rights"),
            &place_of_view(schema),
            Some(&Sql::trusted("column_.name")),
            Some(&Sql::trusted("acl.privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE')"))
        ),
        literal(schema)
    )
}

/// An expression of PL/pgSQL: where the view of a table `table_` is.
fn place_of_view(schema: &str) -> Sql {
    sql!("pg_catalog.format('%I.%I', {}, table_.name)", literal(schema))
}

/// Every view of the newer version, gone for as long as a transaction at complete lasts.
pub fn withdraw(chain: &Chain) -> Sql {
    sql!(
        "SELECT diptych.drop_relations({}, {}, ARRAY[{}], ARRAY[]::pg_catalog.text[])",
        literal(&chain.base),
        literal(&chain.newer.name),
        literal(&chain.newer.views)
    )
}

/// Those views, gone, wherever the schema stands by now.
pub fn drop_unknown(chain: &Chain) -> Sql {
    let known = join(chain.newer.relations.iter().map(|name| literal(name)), ", ");
    let (base, version) = (literal(&chain.base), literal(&chain.newer.name));
    let places = [&chain.newer.scratch(), &chain.newer.views].map(|place| literal(place));
    sql!(
        "SELECT diptych.drop_relations({}, {}, ARRAY[{}], ARRAY[{}]::pg_catalog.text[])",
        base,
        version,
        join(places, ", "),
        known
    )
}

/// Renames the finished schema into place.
pub fn rename_into_place(chain: &Chain) -> Sql {
    sql!("ALTER SCHEMA {} RENAME TO {}", ident(&chain.newer.scratch()), ident(&chain.newer.views))
}

/// From then on nobody creates anything in it: what an app creates is to be in the base schema, where the next version finds it too.
pub fn close(chain: &Chain) -> Sql {
    sql!("SELECT diptych.close_schema({})", literal(&chain.newer.views))
}

/// ACCESS EXCLUSIVE on a view that may be gone. LOCK TABLE would lock the tables behind it, too; an option that no view of ours has is
/// set back to nothing.
pub fn lock_alone(view: &Sql) -> Sql {
    sql!("ALTER VIEW IF EXISTS {} RESET (check_option)", view)
}

/// A version's view of a table, gone.
pub fn drop_view(schema: &str, name: &str) -> Sql {
    sql!("DROP VIEW IF EXISTS {}", qualified(schema, name))
}

/// A version's schema goes, whose known views are gone already: with the views of what `sql` has made, and with what an app has created
/// there going to the base schema. What has no place there stays, in the schema.
pub fn leave_schema(chain: &Chain, version: &str, schema: &str) -> Vec<Sql> {
    vec![sql!("SELECT diptych.leave_schema({}, {}, {})", literal(&chain.base), literal(version), literal(schema))]
}

/// Grants on the views what is granted on their base tables, columns included.
fn carry_rights(chain: &Chain, schema: &str, tables: &[&Physical<'_>]) -> Sql {
    let pairs = tables.iter().filter(|table| table.newer.is_some()).map(|table| {
        let names = table.newer_names.iter().filter(|(logical, physical)| logical != physical);
        let map = serde_json::Map::from_iter(names.map(|(logical, physical)| (physical.clone(), logical.clone().into())));
        sql!(
            "({}, {}, {})",
            literal(&table.lineage.newest().table),
            literal(&table.name),
            literal(&serde_json::Value::Object(map).to_string())
        )
    });
    let pairs: Vec<_> = pairs.collect();
    if pairs.is_empty() {
        return Sql::trusted("SELECT");
    }
    let pairs = join(pairs, ", ");
    let text = sql!(
        "
DECLARE grant_ record;
BEGIN
  {}
  {}
  {}
END
",
        revoke_rights(schema, &pairs),
        grant_rights(chain, schema, &pairs),
        give_owners(chain, schema, &pairs)
    );
    sql!("DO {}", sql::dollar_quoted(&text))
}

/// What default privileges have granted on the views. Each is looked up by itself (`OFFSET 0`), here and below: the statistics know nothing
/// of the schema yet, and the planner would compare each view with each pair.
fn revoke_rights(schema: &str, pairs: &Sql) -> Sql {
    sql!(
        "FOR grant_ IN
    SELECT DISTINCT view_.relname AS name, CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(role.rolname) END AS role
    FROM (VALUES {}) AS pair (view_, table_, names) CROSS JOIN LATERAL (
      SELECT class.* FROM pg_catalog.pg_class AS class WHERE class.relname = pair.view_ AND class.relnamespace = {}::pg_catalog.regnamespace OFFSET 0
    ) AS view_ CROSS JOIN LATERAL pg_catalog.aclexplode(view_.relacl) AS acl LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = acl.grantee
    WHERE acl.grantee <> view_.relowner
  LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON %I.%I FROM %s', {}, grant_.name, grant_.role);
  END LOOP;",
        pairs,
        literal(ident(schema).as_str()),
        literal(schema)
    )
}

/// What is granted on the tables and their columns, where the view has the column.
fn grant_rights(chain: &Chain, schema: &str, pairs: &Sql) -> Sql {
    sql!(
        "FOR grant_ IN
    WITH pair (view_, table_, names) AS (VALUES {}),
    base AS (
      SELECT pair.view_, pair.names, class.oid, class.relacl FROM pair CROSS JOIN LATERAL (
        SELECT class.* FROM pg_catalog.pg_class AS class WHERE class.relname = pair.table_ AND class.relnamespace = {}::pg_catalog.regnamespace OFFSET 0
      ) AS class
    ),
    wanted AS (
      SELECT view_, acl.grantee, acl.privilege_type, acl.is_grantable, NULL::pg_catalog.text AS column_
      FROM base, pg_catalog.aclexplode(base.relacl) AS acl
      UNION ALL
      SELECT view_, acl.grantee, acl.privilege_type, acl.is_grantable,
        coalesce(base.names::pg_catalog.jsonb ->> attribute.attname::pg_catalog.text, attribute.attname::pg_catalog.text)
      FROM base CROSS JOIN LATERAL (
        SELECT own.* FROM pg_catalog.pg_attribute AS own WHERE own.attrelid = base.oid AND NOT own.attisdropped AND own.attacl IS NOT NULL OFFSET 0
      ) AS attribute, pg_catalog.aclexplode(attribute.attacl) AS acl
    )
    SELECT wanted.*, CASE WHEN wanted.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(role.rolname) END AS role_
    FROM wanted LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = wanted.grantee
    WHERE wanted.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') AND (wanted.grantee = 0 OR role.oid IS NOT NULL)
      AND (wanted.column_ IS NULL OR EXISTS (
        SELECT 1 FROM pg_catalog.pg_attribute AS there
        WHERE there.attrelid = pg_catalog.format('%I.%I', {}, wanted.view_)::pg_catalog.regclass AND there.attname = wanted.column_))
  LOOP
    EXECUTE pg_catalog.format('GRANT %s%s ON %I.%I TO %s%s', grant_.privilege_type,
      CASE WHEN grant_.column_ IS NULL THEN '' ELSE pg_catalog.format(' (%I)', grant_.column_) END,
      {}, grant_.view_, grant_.role_, CASE WHEN grant_.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
  END LOOP;",
        pairs,
        literal(ident(&chain.base).as_str()),
        literal(schema),
        literal(schema)
    )
}

/// The tables' owners, where the migration role may give them the views.
fn give_owners(chain: &Chain, schema: &str, pairs: &Sql) -> Sql {
    sql!(
        "FOR grant_ IN
    SELECT pair.view_, role.rolname AS owner FROM (VALUES {}) AS pair (view_, table_, names) CROSS JOIN LATERAL (
      SELECT class.* FROM pg_catalog.pg_class AS class WHERE class.relname = pair.table_ AND class.relnamespace = {}::pg_catalog.regnamespace OFFSET 0
    ) AS class JOIN pg_catalog.pg_roles AS role ON role.oid = class.relowner
    WHERE role.rolname <> current_user AND pg_catalog.pg_has_role(role.oid, 'MEMBER') AND pg_catalog.has_schema_privilege(role.oid, {}, 'CREATE')
  LOOP
    EXECUTE pg_catalog.format('ALTER VIEW %I.%I OWNER TO %I', {}, grant_.view_, grant_.owner);
  END LOOP;",
        pairs,
        literal(ident(&chain.base).as_str()),
        literal(schema),
        literal(schema)
    )
}
