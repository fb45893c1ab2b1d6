//! Enum types between two versions: their forms, and where each of them lies.
//!
//! A type whose labels change is another type: no label can be taken away from one, so that neither a removal nor the rollback of an
//! addition could be had in place. The newer form is made in the version's schema while that is being built, under its own name; from
//! publish on it is the first of that name on the newer version's path, while the older version goes on to find its own in the base
//! schema. At complete the older form goes and the newer one takes its place, in an instant: its OID stays.

use std::collections::BTreeMap;

use crate::layout::chain::Chain;
use crate::model::schema::Enum;
use crate::names;
use crate::names::OWN_SCHEMA;
use crate::sql;
use crate::sql::{Sql, dollar_quoted, ident, join, literal, qualified, type_name};
use crate::statements::path::Path;
use crate::transition::lineage::ScopeColumn;
use crate::transition::stage::EnumForm;
use crate::{model::types, statements::rights};

/// When a query runs: before there are new forms, while the version's schema is being built, or once it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// In preflight.
    Preflight,
    /// Between expand and publish.
    Start,
    /// Between publish and contract.
    Published,
}

/// The name of a form that is made: its own, or one of ours where no version has it.
fn made_name(number: usize, form: &EnumForm) -> String {
    if form.in_to { form.name.clone() } else { names::generated("form", &[&form.name, &number.to_string()]) }
}

/// A form of which only one version, or none, has the type; none for any other column.
fn changed_form<'a>(chain: &'a Chain, column: &ScopeColumn) -> Option<(usize, &'a EnumForm)> {
    let number = column.form?;
    chain.stage.enums.get(number).filter(|form| !form.is_shared()).map(|form| (number, form))
}

/// The composite type by whose attributes the sync functions name the forms: they stay where they are when the types move.
fn register(chain: &Chain) -> Sql {
    qualified(OWN_SCHEMA, &names::generated("forms", &[&chain.base, &chain.newer.name]))
}

/// A variable's type in a sync function, where its name alone would mean another type in one of the versions.
pub fn variable(chain: &Chain, column: &ScopeColumn) -> Option<Sql> {
    let (number, _) = changed_form(chain, column)?;
    Some(sql!("{}.{}%TYPE", register(chain), ident(&attribute(number, &column.sql_type))))
}

fn attribute(number: usize, sql_type: &str) -> String {
    format!("{number}{}", if types::is_array(sql_type) { "[]" } else { "" })
}

/// The type of a scope's column in a query of the tool's own; new forms are text before they are there.
pub fn in_query(chain: &Chain, column: &ScopeColumn, moment: Moment) -> Sql {
    let Some((number, form)) = changed_form(chain, column) else {
        // a value that is not there yet is NULL
        let behind = chain.behind_not_null(&column.sql_type).map_or(column.sql_type.as_str(), |(behind, _)| behind);
        return type_name(&types::without_length(behind));
    };
    let name = match moment {
        _ if form.in_from => qualified(&chain.base, &form.name),
        Moment::Preflight => Sql::trusted("pg_catalog.text"),
        Moment::Start => qualified(&chain.newer.scratch(), &made_name(number, form)),
        Moment::Published => qualified(&chain.newer.views, &made_name(number, form)),
    };
    with_brackets(name, &column.sql_type)
}

/// A converted value as an enum: by its label, whichever of two types of one name the expression gave.
pub fn by_label(chain: &Chain, column: &ScopeColumn, value: Sql, moment: Moment) -> Sql {
    if column.form.is_none() {
        return value;
    }
    let text = with_brackets(Sql::trusted("pg_catalog.text"), &column.sql_type);
    sql!("CAST(CAST({} AS {}) AS {})", value, text, in_query(chain, column, moment))
}

/// A condition by which preflight finds converted values that are no labels of a form which is yet to be made.
pub fn is_no_label(chain: &Chain, column: &ScopeColumn, value: &Sql) -> Option<Sql> {
    let (_, form) = changed_form(chain, column).filter(|(_, form)| !form.in_from)?;
    let labels = sql!("ARRAY[{}]::pg_catalog.text[]", join(form.model.labels.iter().map(|label| literal(label)), ", "));
    Some(if types::is_array(&column.sql_type) {
        sql!("NOT pg_catalog.array_remove(ARRAY(SELECT pg_catalog.unnest({})), NULL) OPERATOR(pg_catalog.<@) {}", value, labels)
    } else {
        sql!("{} OPERATOR(pg_catalog.<>) ALL ({})", value, labels)
    })
}

/// A column's type where a new form may not be there yet, or may not be mentioned since it would outlive its version.
pub fn plain(chain: &Chain, sql_type: &str) -> String {
    let name = types::element(sql_type);
    let is_changed = chain.changed_forms().any(|(_, form)| form.name == name);
    if !is_changed {
        return sql_type.to_owned();
    }
    with_brackets(Sql::trusted("pg_catalog.text"), sql_type).as_str().to_owned()
}

/// Whether a column of the newer version has a type that a start makes.
pub fn is_made(chain: &Chain, sql_type: &str) -> bool {
    let name = types::element(sql_type);
    chain.made_forms().any(|(_, form)| form.in_to && form.name == name)
}

fn with_brackets(name: Sql, sql_type: &str) -> Sql {
    if types::is_array(sql_type) { sql!("{}[]", name) } else { name }
}

/// `CREATE TYPE … AS ENUM (…)`.
pub fn create_type(place: &Sql, model: &Enum) -> Sql {
    sql!("CREATE TYPE {} AS ENUM ({})", place, join(model.labels.iter().map(|label| literal(label)), ", "))
}

/// Statements within a block that is rolled back, after which the newer version's types are found by their names.
pub fn attempt(chain: &Chain) -> Vec<Sql> {
    attempt_at(chain, &BTreeMap::new())
}

/// The same at a place among the operations, where some enums have these labels.
pub fn attempt_at(chain: &Chain, place: &BTreeMap<String, Enum>) -> Vec<Sql> {
    if !chain.makes_types() {
        return Vec::new();
    }
    let scratch = names::generated("twin", &[&chain.newer.views]);
    let path = Path::newer(chain, &scratch).set_local();
    let mut statements = vec![sql!("CREATE SCHEMA {}", ident(&scratch))];
    let types = chain.made_forms().filter(|(_, form)| form.in_to);
    let create = |form: &EnumForm| create_type(&qualified(&scratch, &form.name), place.get(&form.name).unwrap_or(&form.model));
    statements.extend(types.map(|(_, form)| create(form)));
    statements.push(path);
    statements
}

/// Makes the new forms in the schema that is being built, with the rights of those whose place they take, and the register.
pub fn create(chain: &Chain) -> Vec<Sql> {
    let scratch = chain.newer.scratch();
    let mut statements = Vec::new();
    for (number, form) in chain.made_forms() {
        let place = qualified(&scratch, &made_name(number, form));
        statements.push(create_type(&place, &form.model));
        if form.model.comment.is_some() {
            statements.push(crate::statements::ddl::comment(&sql!("TYPE {}", place), form.model.comment.as_deref()));
        }
        if chain.changed_forms().any(|(_, other)| other.in_from && other.name == form.name) {
            statements.push(carry_rights(&qualified(&chain.base, &form.name), &place, &scratch));
        }
    }
    let attributes = chain.changed_forms().flat_map(|(number, form)| {
        let place = if form.in_from { qualified(&chain.base, &form.name) } else { qualified(&scratch, &made_name(number, form)) };
        [sql!("{} {}", ident(&attribute(number, "")), place), sql!("{} {}[]", ident(&attribute(number, "[]")), place)]
    });
    statements.push(sql!("CREATE TYPE {} AS ({})", register(chain), join(attributes.collect::<Vec<_>>(), ", ")));
    statements
}

/// Owner and grants of one type for another.
fn carry_rights(from: &Sql, to: &Sql, schema: &str) -> Sql {
    let text = sql!(
        "
DECLARE
  rights pg_catalog.aclitem[];
  right_ record;
BEGIN
  FOR right_ IN
    SELECT role.rolname AS owner FROM pg_catalog.pg_type AS type_ JOIN pg_catalog.pg_roles AS role ON role.oid = type_.typowner
    WHERE type_.oid = {}::pg_catalog.regtype AND role.rolname <> current_user AND pg_catalog.pg_has_role(role.oid, 'MEMBER')
      AND pg_catalog.has_schema_privilege(role.oid, {}, 'CREATE')
  LOOP
    EXECUTE pg_catalog.format('ALTER TYPE %s OWNER TO %I', {}, right_.owner);
  END LOOP;
  SELECT type_.typacl INTO rights FROM pg_catalog.pg_type AS type_ WHERE type_.oid = {}::pg_catalog.regtype;
  IF rights IS NOT NULL THEN
    REVOKE ALL ON TYPE {} FROM PUBLIC;
    {}
  END IF;
END
",
        literal(from.as_str()),
        literal(schema),
        literal(to.as_str()),
        literal(from.as_str()),
        to,
        rights::grant(&Sql::trusted("rights"), &literal(&format!("TYPE {to}")), None, None)
    );
    sql!("DO {}", dollar_quoted(&text))
}

/// At complete, when no table has an older form any more: that one goes, and the newer one takes its place.
pub fn change_places(chain: &Chain) -> Vec<Sql> {
    let mut statements = vec![forget(chain)];
    let gone = chain.changed_forms().filter(|(_, form)| form.in_from);
    statements.extend(gone.map(|(_, form)| sql!("DROP TYPE {}", qualified(&chain.base, &form.name))));
    for (number, form) in chain.made_forms() {
        let place = qualified(&chain.newer.views, &made_name(number, form));
        statements.push(match form.in_to {
            true => sql!("ALTER TYPE {} SET SCHEMA {}", place, ident(&chain.base)),
            false => sql!("DROP TYPE {}", place),
        });
    }
    statements
}

/// Comments that are others in the newer version, on types that both have.
pub fn comments(chain: &Chain) -> Vec<Sql> {
    let shared = chain.stage.enums.iter().filter(|form| form.is_shared());
    let changed = shared.filter_map(|form| {
        let older = chain.stage.from.enums.get(&form.name)?;
        (older.comment != form.model.comment).then(|| {
            let place = sql!("TYPE {}", qualified(&chain.base, &form.name));
            crate::statements::ddl::comment(&place, form.model.comment.as_deref())
        })
    });
    changed.collect()
}

/// The register gone, once no sync function is left.
pub fn forget(chain: &Chain) -> Sql {
    sql!("DROP TYPE IF EXISTS {}", register(chain))
}

/// The types that a start has made in a schema, gone. Its views and columns are gone already.
pub fn drop_made(chain: &Chain, schema: &str) -> Vec<Sql> {
    chain.made_forms().map(|(number, form)| sql!("DROP TYPE IF EXISTS {}", qualified(schema, &made_name(number, form)))).collect()
}
