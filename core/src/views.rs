//! The schema of views per version, its tombstones, and the rights on both.

use crate::chain::{Chain, Retired, Version};
use crate::path::Path;
use crate::schema::{Column, Table};
use crate::shadow::Physical;
use crate::sql::{Sql, ident, join, literal, qualified, type_name, user};
use crate::sync::OWN_SCHEMA;
use crate::{enums, rights, sql};

/// Views that one transaction makes or drops: every view is a lock, and the lock table is shared with the app (TRAPS F16).
pub const GROUP: usize = 250;

/// The scratch name under which a version schema is built.
pub fn scratch(version: &Version) -> String {
    crate::names::generated("building", &[&version.views])
}

/// `CREATE SCHEMA` for the newer version, with USAGE for whoever has it on the base schema.
pub fn create_schema(chain: &Chain) -> Vec<Sql> {
    let scratch = scratch(&chain.newer);
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

/// The views of some of the newer version's tables, in the scratch schema, with the base tables' rights.
pub fn create_views(chain: &Chain, tables: &[&Physical<'_>]) -> Vec<Sql> {
    let scratch = scratch(&chain.newer);
    let texts = Path::newer(chain, &scratch);
    let mut statements = Vec::new();
    for table in tables {
        if let Some(newer) = table.newer {
            statements.extend(texts.around(create_view(chain, &scratch, table, newer)));
        }
        // a renamed table bears its older name until complete: through the path it would be met there, unseen (TRAPS F10)
        if let Some((name, older)) = table.lineage.name_left().zip(table.older)
            && !chain.newer.schema.tables.contains_key(name)
        {
            let mut older = older.clone();
            older.columns.iter_mut().for_each(|column| column.sql_type = enums::plain(chain, &column.sql_type));
            statements.extend(tombstone(chain, &Path::base(&chain.base), &scratch, name, &older));
        }
    }
    statements.push(carry_rights(chain, &scratch, tables));
    statements
}

fn create_view(chain: &Chain, scratch: &str, table: &Physical<'_>, newer: &Table) -> Vec<Sql> {
    let view = qualified(scratch, &table.lineage.newest().table);
    let columns = newer.columns.iter().map(|column| {
        let physical = crate::ddl::physical(&table.newer_names, &column.name);
        sql!("{} AS {}", ident(physical), ident(&column.name))
    });
    let invoker = Sql::trusted(if chain.server >= 15 { " WITH (security_invoker = true)" } else { "" });
    let place = qualified(&chain.base, &table.name);
    let mut statements = vec![sql!("CREATE VIEW {}{} AS SELECT {} FROM {}", view, invoker, join(columns, ", "), place)];
    for column in &newer.columns {
        let physical = crate::ddl::physical(&table.newer_names, &column.name);
        if let Some(default) = view_default(column, &physical_default(table, physical)) {
            statements.push(sql!("ALTER VIEW {} ALTER COLUMN {} SET DEFAULT {}", view, ident(&column.name), default));
        }
        if column.comment.is_some() {
            statements.push(crate::ddl::comment(&sql!("COLUMN {}.{}", view, ident(&column.name)), column.comment.as_deref()));
        }
    }
    if newer.comment.is_some() {
        statements.push(crate::ddl::comment(&sql!("VIEW {}", view), newer.comment.as_deref()));
    }
    statements
}

/// The default that a physical column has until complete.
fn physical_default(table: &Physical<'_>, physical: &str) -> Option<String> {
    if let Some(added) = table.added.iter().find(|added| added.physical == physical) {
        return added.default.clone();
    }
    let model = table.older.or(table.newer)?;
    model.columns.iter().find(|column| column.name == physical)?.default.clone()
}

/// The view's own default, where the physical column's is another. A dropped one must be an expression that yields NULL:
/// a plain NULL is not stored, and the base column's default would apply (TRAPS F9).
fn view_default(column: &Column, physical: &Option<String>) -> Option<Sql> {
    match (&column.default, physical) {
        (wanted, there) if wanted == there => None,
        (Some(wanted), _) => Some(user(wanted)),
        (None, _) => Some(sql!("CAST(nullif('', '') AS {})", type_name(&column.sql_type))),
    }
}

/// A view whose every use, reading or writing, says which version the table went with.
///
/// The columns ask as well: with plain NULLs, 18 folds `WHERE id = 1` to false and the view is never asked.
pub fn tombstone(chain: &Chain, types: &Path, schema: &str, name: &str, table: &Table) -> Vec<Sql> {
    let version = &chain.newer.name;
    let gone = sql!("{}({}, {})", qualified(OWN_SCHEMA, "gone"), literal(name), literal(version));
    let columns = table.columns.iter().map(|column| {
        // both arms have the type's modifier, or the view's column would lose it and could not be replaced
        let null = crate::ddl::null(&column.sql_type, &column.collation);
        sql!("CASE WHEN {} THEN {} ELSE {} END AS {}", gone, null, null, ident(&column.name))
    });
    let place = qualified(schema, name);
    let view = sql!("CREATE OR REPLACE VIEW {} AS SELECT {} WHERE {}", place, join(columns, ", "), gone);
    let refusal = sql!(
        "CREATE OR REPLACE TRIGGER diptych_gone INSTEAD OF INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE FUNCTION {}({}, {})",
        place,
        qualified(OWN_SCHEMA, "refuse"),
        literal(name),
        literal(version)
    );
    let mut statements = types.around([view]);
    if !chain.stage.scripts.is_empty() {
        statements.push(detach(&place, &gone));
    }
    statements.push(refusal);
    statements
}

/// Makes a tombstone anew, where types or defaults of it are not the server's own: sql may drop what they hang on. It holds nothing,
/// so that it may be everybody's.
fn detach(view: &Sql, gone: &Sql) -> Sql {
    let text = sql!(
        "
DECLARE
  place pg_catalog.text := {};
  gone pg_catalog.text := {};
  columns pg_catalog.text;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS attribute JOIN pg_catalog.pg_type AS type_ ON type_.oid = attribute.atttypid
    WHERE attribute.attrelid = place::pg_catalog.regclass
      AND (attribute.atthasdef OR type_.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace))
  THEN
    RETURN;
  END IF;
  SELECT pg_catalog.string_agg(pg_catalog.format('CASE WHEN %1$s THEN CAST(NULL AS %2$s) ELSE CAST(NULL AS %2$s) END AS %3$I', gone,
    CASE type_.typnamespace WHEN 'pg_catalog'::pg_catalog.regnamespace THEN pg_catalog.format_type(type_.oid, attribute.atttypmod)
      ELSE 'pg_catalog.text' END, attribute.attname), ', ' ORDER BY attribute.attnum) INTO columns
  FROM pg_catalog.pg_attribute AS attribute JOIN pg_catalog.pg_type AS type_ ON type_.oid = attribute.atttypid
  WHERE attribute.attrelid = place::pg_catalog.regclass AND attribute.attnum > 0;
  EXECUTE pg_catalog.format('DROP VIEW %s', place);
  EXECUTE pg_catalog.format('CREATE VIEW %s AS SELECT %s WHERE %s', place, columns, gone);
  EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO PUBLIC', place);
END
",
        literal(view.as_str()),
        literal(gone.as_str())
    );
    sql!("DO {}", crate::sql::dollar_quoted(&text))
}

/// Views of tables that the migrations' own SQL has made, which the model does not have yet.
pub fn create_unknown(chain: &Chain, tables: &[Physical<'_>]) -> Sql {
    let scratch = scratch(&chain.newer);
    let known = join(tables.iter().map(|table| literal(&table.name)), ", ");
    let invoker = literal(if chain.server >= 15 { " WITH (security_invoker = true)" } else { "" });
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
    WHERE space.nspname = {} AND class.relkind IN ('r', 'p') AND NOT class.relispartition AND class.relname <> ALL (ARRAY[{}]::pg_catalog.name[])
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_class AS view_ WHERE view_.relname = class.relname AND view_.relnamespace = {}::pg_catalog.regnamespace)
    GROUP BY class.oid
  LOOP
    EXECUTE pg_catalog.format('CREATE VIEW %I.%I%s AS SELECT %s FROM %s', {}, table_.name, {}, table_.columns, table_.oid::pg_catalog.regclass);
    FOR right_ IN
      SELECT DISTINCT CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(role.rolname) END AS role
      FROM pg_catalog.pg_class AS view_ CROSS JOIN LATERAL pg_catalog.aclexplode(view_.relacl) AS acl
      LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = acl.grantee
      WHERE view_.oid = pg_catalog.format('%I.%I', {}, table_.name)::pg_catalog.regclass AND acl.grantee <> view_.relowner
    LOOP
      EXECUTE pg_catalog.format('REVOKE ALL ON %I.%I FROM %s', {}, table_.name, right_.role);
    END LOOP;
    {}
  END LOOP;
END
",
        literal(&chain.base),
        known,
        literal(ident(&scratch).as_str()),
        literal(&scratch),
        invoker,
        literal(&scratch),
        literal(&scratch),
        rights::grant(&Sql::trusted("table_.relacl"), &sql!("pg_catalog.format('%I.%I', {}, table_.name)", literal(&scratch)), None, Some(&Sql::trusted("acl.privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')")))
    );
    sql!("DO {}", sql::dollar_quoted(&text))
}

/// Drops the views of a schema that are not among these.
pub fn drop_unknown(schema: &str, relations: &[String]) -> Sql {
    let text = sql!(
        "
DECLARE view_ record;
BEGIN
  FOR view_ IN
    SELECT class.relname AS name FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
    WHERE space.nspname = {} AND class.relkind = 'v' AND class.relname <> ALL (ARRAY[{}]::pg_catalog.name[])
  LOOP
    EXECUTE pg_catalog.format('DROP VIEW %I.%I', {}, view_.name);
  END LOOP;
END
",
        literal(schema),
        join(relations.iter().map(|name| literal(name)), ", "),
        literal(schema)
    );
    sql!("DO {}", sql::dollar_quoted(&text))
}

/// Renames the finished schema into place, and what stood there aside, in one transaction.
pub fn publish(chain: &Chain) -> Vec<Sql> {
    let mut statements = Vec::new();
    if let Some(old) = chain.retired.iter().find(|retired| retired.views == chain.newer.views) {
        statements.push(sql!("ALTER SCHEMA {} RENAME TO {}", ident(&old.views), ident(&aside(&old.views))));
    }
    statements.push(sql!("ALTER SCHEMA {} RENAME TO {}", ident(&scratch(&chain.newer)), ident(&chain.newer.views)));
    statements
}

/// The name of a schema of tombstones that had to make room.
pub fn aside(views: &str) -> String {
    crate::names::generated("aside", &[views])
}

/// Drops a version schema in groups, each a transaction; with the types that it holds, which only its views can still have.
pub fn drop_schema(schema: &str, tables: &[String]) -> Vec<Vec<Sql>> {
    let mut groups: Vec<Vec<Sql>> = tables
        .chunks(GROUP)
        .map(|group| group.iter().map(|name| sql!("DROP VIEW IF EXISTS {}", qualified(schema, name))).collect())
        .collect();
    groups.push(vec![enums::drop_all(schema), sql!("DROP SCHEMA IF EXISTS {} RESTRICT", ident(schema))]);
    groups
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
    let text = sql!(
        "
DECLARE grant_ record;
BEGIN
  FOR grant_ IN
    SELECT DISTINCT view_.relname AS name, CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(role.rolname) END AS role
    FROM (VALUES {}) AS pair (view_, table_, names) JOIN pg_catalog.pg_class AS view_ ON view_.relname = pair.view_ AND view_.relnamespace = {}::pg_catalog.regnamespace
    CROSS JOIN LATERAL pg_catalog.aclexplode(view_.relacl) AS acl LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = acl.grantee
    WHERE acl.grantee <> view_.relowner
  LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON %I.%I FROM %s', {}, grant_.name, grant_.role);
  END LOOP;
  FOR grant_ IN
    WITH pair (view_, table_, names) AS (VALUES {}),
    base AS (
      SELECT pair.view_, pair.names::pg_catalog.jsonb AS names, class.oid, class.relacl
      FROM pair JOIN pg_catalog.pg_class AS class ON class.relname = pair.table_ AND class.relnamespace = {}::pg_catalog.regnamespace
    ),
    wanted AS (
      SELECT view_, acl.grantee, acl.privilege_type, acl.is_grantable, NULL::pg_catalog.text AS column_
      FROM base, pg_catalog.aclexplode(base.relacl) AS acl
      UNION ALL
      SELECT view_, acl.grantee, acl.privilege_type, acl.is_grantable,
        coalesce(base.names ->> attribute.attname::pg_catalog.text, attribute.attname::pg_catalog.text)
      FROM base JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = base.oid AND NOT attribute.attisdropped,
        pg_catalog.aclexplode(attribute.attacl) AS acl
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
  END LOOP;
  FOR grant_ IN
    SELECT pair.view_, role.rolname AS owner FROM (VALUES {}) AS pair (view_, table_, names)
    JOIN pg_catalog.pg_class AS class ON class.relname = pair.table_ AND class.relnamespace = {}::pg_catalog.regnamespace
    JOIN pg_catalog.pg_roles AS role ON role.oid = class.relowner
    WHERE role.rolname <> current_user AND pg_catalog.pg_has_role(role.oid, 'MEMBER') AND pg_catalog.has_schema_privilege(role.oid, {}, 'CREATE')
  LOOP
    EXECUTE pg_catalog.format('ALTER VIEW %I.%I OWNER TO %I', {}, grant_.view_, grant_.owner);
  END LOOP;
END
",
        join(pairs.iter().cloned(), ", "),
        literal(ident(schema).as_str()),
        literal(schema),
        join(pairs.iter().cloned(), ", "),
        literal(ident(&chain.base).as_str()),
        literal(schema),
        literal(schema),
        join(pairs.iter().cloned(), ", "),
        literal(ident(&chain.base).as_str()),
        literal(schema),
        literal(schema)
    );
    sql!("DO {}", sql::dollar_quoted(&text))
}

/// What a retired version leaves behind until the next one retires.
pub fn retired(version: &Version) -> Retired {
    Retired { views: version.views.clone(), tables: version.relations.clone() }
}
