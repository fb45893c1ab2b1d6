//! Extensions: created where the database lacks them, and dropped again where a start created them and nobody else uses them.
//!
//! What a start created is told by a mark in the tool's own schema, made in the same transaction: a type without attributes.

use crate::layout::chain::Chain;
use crate::names::{self, OWN_SCHEMA};
use crate::sql;
use crate::sql::{Sql, dollar_quoted, join, literal, qualified};

/// The mark of an extension that a start created.
fn mark(chain: &Chain, name: &str) -> Sql {
    qualified(OWN_SCHEMA, &names::generated("extension", &[&chain.base, &chain.newer.name, name]))
}

/// A list for `IN (…)`.
pub fn list<'a>(names: impl IntoIterator<Item = &'a String>) -> Sql {
    join(names.into_iter().map(|name| literal(name)), ", ")
}

/// What PostgreSQL knows of extensions that it could create: name, default version, the schema that one belongs to, what it needs.
pub fn available() -> Sql {
    Sql::trusted(
        "pg_catalog.pg_available_extensions AS known JOIN pg_catalog.pg_available_extension_versions AS own ON own.name = known.name AND own.version = known.default_version",
    )
}

/// A loop of PL/pgSQL that creates the extensions of these names that the database lacks, each after those that it needs, in the schema that
/// it belongs to or else in the base schema. Its block declares `next_ record`, and `mark` is done for each.
fn create_each(base: &str, names: &[&String], mark: &Sql) -> Sql {
    sql!(
        "
  LOOP
    SELECT own.name, coalesce(own.schema, {}) AS home INTO next_ FROM {}
    WHERE own.name IN ({}) AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension AS there WHERE there.extname = own.name)
    ORDER BY EXISTS (SELECT FROM pg_catalog.unnest(own.requires) AS needed (name)
      WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_extension AS there WHERE there.extname = needed.name)), own.name LIMIT 1;
    EXIT WHEN NOT FOUND;
    EXECUTE pg_catalog.format('CREATE EXTENSION %I SCHEMA %I', next_.name, next_.home);{}
  END LOOP;",
        literal(base),
        available(),
        list(names.iter().copied()),
        mark
    )
}

/// Creates those that the start has to create, with their marks.
pub fn create(chain: &Chain) -> Sql {
    let names: Vec<&String> = chain.stage.made_extensions().collect();
    let marks = names.iter().map(|name| sql!("WHEN {} THEN {}", literal(name), literal(mark(chain, name).as_str())));
    let mark = sql!("\n    EXECUTE 'CREATE TYPE ' || CASE next_.name {} END || ' AS ()';", join(marks.collect::<Vec<_>>(), " "));
    block(&create_each(&chain.base, &names, &mark))
}

/// Creates those that the database lacks, in a transaction that is rolled back.
pub fn borrow_all(base: &str, names: &[&String]) -> Sql {
    block(&create_each(base, names, &Sql::default()))
}

/// The same where nobody has looked yet whether they can be created: what cannot be is left out.
pub fn borrow_some(base: &str, names: &[&String]) -> Sql {
    block(&sql!("\n  BEGIN{}\n  EXCEPTION WHEN OTHERS THEN NULL;\n  END;", create_each(base, names, &Sql::default())))
}

/// A block that tries whether they can be created, and leaves nothing. What the role lacks the right for is told with the statement that
/// somebody else can run.
pub fn attempt(base: &str, names: &[&String]) -> Sql {
    block(&sql!(
        "
  BEGIN{}
    RAISE EXCEPTION USING ERRCODE = 'DPT00';
  EXCEPTION WHEN SQLSTATE 'DPT00' THEN NULL;
    WHEN insufficient_privilege THEN
      RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = SQLERRM, HINT = pg_catalog.format(
        'have a superuser (on a managed service, its administrator''s role) run this in the database, then try again: CREATE EXTENSION %I SCHEMA %I',
        next_.name, next_.home);
  END;",
        create_each(base, names, &Sql::default())
    ))
}

fn block(body: &Sql) -> Sql {
    sql!("DO {}", dollar_quoted(&sql!("\nDECLARE\n  next_ record;\nBEGIN{}\nEND\n", body)))
}

/// Common table expressions: `member`, what goes with the extensions that a condition on `own.extname` takes, and `used`, what depends on one
/// of those and does not: for its sake PostgreSQL refuses to drop them.
pub fn used(condition: &Sql) -> Sql {
    sql!(
        "member (what, classid, objid) AS (\
         SELECT pg_catalog.quote_ident(own.extname), 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid, own.oid FROM pg_catalog.pg_extension AS own WHERE {} \
         UNION SELECT member.what, depend.classid, depend.objid FROM member JOIN pg_catalog.pg_depend AS depend \
         ON depend.refclassid = member.classid AND depend.refobjid = member.objid AND depend.deptype IN ('e', 'i', 'a')), \
         used AS (SELECT member.what, depend.* FROM member JOIN pg_catalog.pg_depend AS depend \
         ON depend.refclassid = member.classid AND depend.refobjid = member.objid AND depend.deptype = 'n' \
         WHERE NOT EXISTS (SELECT FROM member AS own WHERE own.classid = depend.classid AND own.objid = depend.objid))",
        condition
    )
}

/// At rollback, when nothing of the version is left: those that the start created go, unless somebody else uses them.
pub fn drop_made(chain: &Chain) -> Sql {
    let each = chain.stage.made_extensions().map(|name| is_marked(chain, name));
    let condition = sql!("own.extname = there.extname");
    block(&sql!(
        "
  LOOP
    SELECT there.extname AS name INTO next_ FROM pg_catalog.pg_extension AS there WHERE ({})
    AND NOT EXISTS (WITH RECURSIVE {} SELECT FROM used) ORDER BY there.extname LIMIT 1;
    EXIT WHEN NOT FOUND;
    EXECUTE pg_catalog.format('DROP EXTENSION %I', next_.name);
  END LOOP;",
        join(each.collect::<Vec<_>>(), " OR "),
        used(&condition)
    ))
}

/// Whether `there` is an extension that the start created.
fn is_marked(chain: &Chain, name: &str) -> Sql {
    sql!("there.extname = {} AND pg_catalog.to_regtype({}) IS NOT NULL", literal(name), literal(mark(chain, name).as_str()))
}

/// A query for those that the start created and that are there all the same, with what uses them and the statement that drops them.
pub fn left_behind(chain: &Chain) -> Sql {
    let each = chain.stage.made_extensions().map(|name| is_marked(chain, name));
    sql!(
        "WITH RECURSIVE {} SELECT pg_catalog.format('%I (%s)', there.extname, (SELECT pg_catalog.string_agg(DISTINCT \
         pg_catalog.pg_describe_object(used.classid, used.objid, used.objsubid), ', ') FROM used WHERE used.what = pg_catalog.quote_ident(there.extname))), \
         pg_catalog.format('DROP EXTENSION %I', there.extname) FROM pg_catalog.pg_extension AS there WHERE {} ORDER BY there.extname",
        used(&sql!("own.extname IN ({})", list(chain.stage.made_extensions()))),
        join(each.collect::<Vec<_>>(), " OR ")
    )
}

/// Nobody tells any more whose they are.
pub fn forget(chain: &Chain) -> Vec<Sql> {
    chain.stage.made_extensions().map(|name| sql!("DROP TYPE IF EXISTS {}", mark(chain, name))).collect()
}
