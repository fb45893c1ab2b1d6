//! Domains and composite types between two versions: made in the base schema at start, and changed and dropped at complete.

use crate::layout::chain::Chain;
use crate::model::domain::Domain;
use crate::model::expression::Expression;
use crate::model::own_type::OwnType;
use crate::model::types;
use crate::sql;
use crate::sql::{Sql, dollar_quoted, ident, join, literal, qualified, user};
use crate::statements::{ddl, enums};

/// Makes those that the older version does not have.
pub fn create(chain: &Chain) -> Vec<Sql> {
    let made = chain.stage.made_types().into_iter().flat_map(|(name, own)| {
        let place = sql!("{} {}", Sql::trusted(own.word()), qualified(&chain.base, name));
        let comment = own.comment().map(|text| ddl::comment(&place, Some(text)));
        std::iter::once(sql!("CREATE {} AS {}", place, own.definition())).chain(comment)
    });
    made.collect()
}

/// The same before anything is there. A domain that is based on an enum which the start makes as well is text for now, whatever its rules say,
/// and so is an attribute of such an enum.
pub fn borrow(chain: &Chain) -> Vec<Sql> {
    let made = chain.stage.made_types().into_iter().map(|(name, own)| {
        let definition = match own {
            OwnType::Domain(domain) if enums::is_made(chain, &domain.sql_type) => {
                Domain { sql_type: enums::plain(chain, &domain.sql_type), ..Domain::default() }.definition()
            }
            OwnType::Domain(domain) => domain.definition(),
            OwnType::Composite(composite) => {
                let mut plain = composite.clone();
                plain.attributes.iter_mut().for_each(|own| own.sql_type = enums::plain(chain, &own.sql_type));
                plain.definition()
            }
        };
        sql!("CREATE {} {} AS {}", Sql::trusted(own.word()), qualified(&chain.base, name), definition)
    });
    made.collect()
}

/// What a domain of both versions loses or gets at complete, and the comments of composite types.
pub fn alter(chain: &Chain) -> Vec<Sql> {
    let mut statements = Vec::new();
    for (name, after) in &chain.stage.to.composites {
        if chain.stage.from.composites.get(name).is_some_and(|before| before.comment != after.comment) {
            statements.push(ddl::comment(&sql!("TYPE {}", qualified(&chain.base, name)), after.comment.as_deref()));
        }
    }
    for (name, after) in &chain.stage.to.domains {
        let Some(before) = chain.stage.from.domains.get(name) else { continue };
        let place = qualified(&chain.base, name);
        let gone = before.checks.keys().filter(|check| !after.checks.contains_key(*check));
        statements.extend(gone.map(|check| sql!("ALTER DOMAIN {} DROP CONSTRAINT IF EXISTS {}", place, ident(check))));
        if before.not_null && !after.not_null {
            statements.push(sql!("ALTER DOMAIN {} DROP NOT NULL", place));
        }
        let own = sql::ident(name);
        if changes_default(chain, own.as_str()) {
            let change = chain
                .stage
                .to
                .default_of_type(own.as_str())
                .map(Expression::as_str)
                .map_or_else(|| Sql::trusted("DROP DEFAULT"), |text| sql!("SET DEFAULT {}", user(text)));
            statements.push(sql!("ALTER DOMAIN {} {}", place, change));
        }
        if before.comment != after.comment {
            statements.push(ddl::comment(&sql!("DOMAIN {}", place), after.comment.as_deref()));
        }
    }
    statements
}

/// Whether a column of this type without a default of its own gets another value in one version than in the other.
pub fn changes_default(chain: &Chain, sql_type: &str) -> bool {
    let (from, to) = (&chain.stage.from, &chain.stage.to);
    let is_shared = from.domains.contains_key(&types::element(sql_type)) && to.domains.contains_key(&types::element(sql_type));
    is_shared && from.default_of_type(sql_type) != to.default_of_type(sql_type)
}

/// Drops those that the newer version does not have.
pub fn drop_gone(chain: &Chain) -> Vec<Sql> {
    chain.stage.gone_types().into_iter().map(|(name, own)| drop(chain, name, own)).collect()
}

fn drop(chain: &Chain, name: &str, own: OwnType<'_>) -> Sql {
    sql!("DROP {} IF EXISTS {}", Sql::trusted(own.word()), qualified(&chain.base, name))
}

/// At rollback, when no table and no view has them: those that the start made go, unless somebody else uses them, or has put
/// something else in their place.
pub fn drop_made(chain: &Chain) -> Sql {
    let each = chain.stage.made_types().into_iter().rev().map(|(name, own)| {
        sql!(
            "\n  BEGIN\n    {};\n  EXCEPTION WHEN dependent_objects_still_exist OR wrong_object_type THEN NULL;\n  END;",
            drop(chain, name, own)
        )
    });
    sql!("DO {}", dollar_quoted(&sql!("\nBEGIN{}\nEND\n", join(each.collect::<Vec<_>>(), ""))))
}

/// A query for those that the start made and that are there all the same, with what uses them and the statement that drops them.
pub fn left_behind(chain: &Chain) -> Sql {
    let made = chain.stage.made_types().into_iter().map(|(name, _)| literal(name));
    sql!(
        "SELECT pg_catalog.format('%s (%s)', own.oid::pg_catalog.regtype, (SELECT pg_catalog.string_agg(DISTINCT pg_catalog.pg_describe_object(depend.classid, depend.objid, depend.objsubid), ', ') \
         FROM pg_catalog.pg_depend AS depend WHERE depend.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND depend.refobjid IN (own.oid, own.typarray) AND depend.deptype = 'n')), \
         pg_catalog.format('DROP %s %s', CASE own.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, own.oid::pg_catalog.regtype) \
         FROM pg_catalog.pg_type AS own JOIN pg_catalog.pg_namespace AS space ON space.oid = own.typnamespace \
         WHERE space.nspname = {} AND own.typtype IN ('c', 'd') AND own.typname IN ({}) ORDER BY own.typname",
        literal(&chain.base),
        join(made, ", ")
    )
}
