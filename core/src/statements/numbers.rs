//! Where the numbers of identity and `serial` columns come from.
//!
//! Those of a column that comes as an identity are drawn from a sequence of ours while rows are filled, which the column's own
//! one takes over when every row has a number.
//!
//! A column can be an identity only when it is NOT NULL. Until then the filling triggers give rows their numbers, with the rights of the
//! migration role: an identity asks nobody for rights on its sequence. From then on every version's INSERT has a number from the column itself.

use crate::layout::chain::Chain;
use crate::layout::tables::{Added, Physical};
use crate::model::types;
use crate::names;
use crate::names::OWN_SCHEMA;
use crate::sql;
use crate::sql::{Sql, ident, literal, qualified, type_name, verbatim};
use crate::statements::ddl;

/// The columns of a table that get numbers.
pub fn columns<'a>(table: &'a Physical<'_>) -> impl Iterator<Item = &'a Added> {
    table.added.iter().filter(|added| added.numbered)
}

/// The sequence to begin with.
pub fn create(chain: &Chain, table: &Physical<'_>, added: &Added) -> Sql {
    let options = added.column.identity.as_ref().and_then(|identity| identity.options.as_deref());
    let options = options.map_or_else(Sql::default, |text| sql!(" {}", verbatim(text)));
    sql!("CREATE SEQUENCE {} AS {}{}", first(chain, table, added), type_name(&added.column.sql_type), options)
}

/// The value of a row, once it has one: `held` is the column where it stands.
pub fn value(chain: &Chain, table: &Physical<'_>, added: &Added, held: &Sql) -> Sql {
    let sequence = literal(first(chain, table, added).as_str());
    sql!("coalesce({}, pg_catalog.nextval({}::pg_catalog.regclass)::{})", held, sequence, type_name(&added.column.sql_type))
}

/// The column, now NOT NULL, becomes an identity that goes on where the first sequence stands. The table is locked.
pub fn settle(chain: &Chain, table: &Physical<'_>, added: &Added) -> Vec<Sql> {
    let (place, scratch) = (qualified(&chain.base, &table.name), scratch(chain, table, added));
    let first = first(chain, table, added);
    let identity = ddl::identity(&chain.base, &added.column, &scratch);
    vec![
        sql!("ALTER TABLE {} ALTER COLUMN {} ADD {}", place, ident(&added.physical), identity),
        sql!(
            "SELECT pg_catalog.setval({}::pg_catalog.regclass, last_value, is_called) FROM {}",
            literal(qualified(&chain.base, &scratch).as_str()),
            first
        ),
        sql!("DROP SEQUENCE {}", first),
    ]
}

/// The identity's sequence gets its final name.
pub fn rename(chain: &Chain, table: &Physical<'_>, added: &Added) -> Sql {
    let name = added.column.sequence_name(&table.lineage.newest().table).unwrap_or_default();
    sql!("ALTER SEQUENCE {} RENAME TO {}", qualified(&chain.base, &scratch(chain, table, added)), ident(&name))
}

/// What is left of the first sequence goes; the identity's goes with its column.
pub fn remove(chain: &Chain, table: &Physical<'_>, added: &Added) -> Sql {
    sql!("DROP SEQUENCE IF EXISTS {}", first(chain, table, added))
}

/// The sequence of a `serial` column that gets another form belongs to the new column, and gives numbers of its type; which sequence that is,
/// only the database knows. Elsewhere the model's default says where numbers come from.
pub fn hand_over<'a>(chain: &'a Chain, table: &'a Physical<'_>) -> impl Iterator<Item = Sql> + 'a {
    table.added.iter().filter(|added| table.is_kept() && added.column.draws_numbers()).filter_map(|added| {
        let origin = table.lineage.origin(&added.column.name)?;
        let before = table.older?.columns.iter().find(|column| column.name == origin && column.draws_numbers())?;
        let place = qualified(&chain.base, &table.name);
        let wider = before.sql_type != added.column.sql_type && types::widens(&before.sql_type, &added.column.sql_type);
        let text = sql!(
            "
DECLARE sequence pg_catalog.text := pg_catalog.pg_get_serial_sequence({}, {});
BEGIN
  IF sequence IS NOT NULL THEN
    {}EXECUTE pg_catalog.format('ALTER SEQUENCE %s OWNED BY %s.%I', sequence, {}, {});
  END IF;
END
",
            literal(place.as_str()),
            literal(&origin),
            if wider {
                sql!("EXECUTE pg_catalog.format('ALTER SEQUENCE %s AS %s', sequence, {});\n    ", literal(&added.column.sql_type))
            } else {
                Sql::default()
            },
            literal(place.as_str()),
            literal(&added.physical)
        );
        Some(sql!("DO {}", sql::dollar_quoted(&text)))
    })
}

fn first(chain: &Chain, table: &Physical<'_>, added: &Added) -> Sql {
    qualified(OWN_SCHEMA, &names::generated("numbers", &[&chain.base, &table.name, &added.physical]))
}

/// The name of an identity's sequence until complete.
pub fn scratch(chain: &Chain, table: &Physical<'_>, added: &Added) -> String {
    names::generated("sequence", &[&table.name, &added.physical, &chain.newer.name])
}
