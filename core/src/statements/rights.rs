//! Rights that one object has go over to another.

use crate::names::OWN_SCHEMA;
use crate::sql;
use crate::sql::{Sql, qualified};

/// Takes from everybody but the owner what default privileges, or PUBLIC's own, gave them on what was made in the tool's own schema: in
/// the transaction that makes it.
pub(crate) fn seal() -> Sql {
    sql!("SELECT {}()", qualified(OWN_SCHEMA, "seal"))
}

/// A loop of PL/pgSQL that grants what an access list says. Its block declares `right_ record`.
///
/// `list` is an expression of type `aclitem[]` that the block can read, `on` one of text: what stands behind ON. `column` is one that
/// names a column, where the list is a column's. Roles that are gone, and rights for which `unless` holds (`acl.…`), are left out.
pub(crate) fn grant(list: &Sql, on: &Sql, column: Option<&Sql>, unless: Option<&Sql>) -> Sql {
    let column = column.map_or_else(|| Sql::trusted("''"), |column| sql!("pg_catalog.format(' (%I)', {})", column));
    let unless = unless.map_or_else(Sql::default, |unless| sql!(" AND NOT ({})", unless));
    sql!(
        "FOR right_ IN
    SELECT acl.privilege_type AS name, CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS option_,
      CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(role.rolname) END AS role
    FROM pg_catalog.aclexplode({}) AS acl LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = acl.grantee
    WHERE (acl.grantee = 0 OR role.oid IS NOT NULL){}
  LOOP
    EXECUTE pg_catalog.format('GRANT %s%s ON %s TO %s%s', right_.name, {}, {}, right_.role, right_.option_);
  END LOOP;",
        list,
        unless,
        column,
        on
    )
}
