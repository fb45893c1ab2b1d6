//! Domains between two versions: made in the base schema at start, and changed and dropped at complete.

use crate::layout::chain::Chain;
use crate::model::domain::Domain;
use crate::model::expression::Expression;
use crate::model::types;
use crate::sql;
use crate::sql::{Sql, dollar_quoted, ident, join, literal, qualified, user};
use crate::statements::{ddl, enums};

/// Makes those that the older version does not have.
pub fn create(chain: &Chain) -> Vec<Sql> {
    let made = chain.stage.made_domains().into_iter().flat_map(|(name, domain)| {
        let place = qualified(&chain.base, name);
        let comment = domain.comment.as_deref().map(|text| ddl::comment(&sql!("DOMAIN {}", place), Some(text)));
        std::iter::once(sql!("CREATE DOMAIN {} AS {}", place, domain.definition())).chain(comment)
    });
    made.collect()
}

/// The same before anything is there. One that is based on an enum which the start makes as well is text for now, whatever its rules say.
pub fn borrow(chain: &Chain) -> Vec<Sql> {
    let made = chain.stage.made_domains().into_iter().map(|(name, domain)| {
        let is_early = enums::is_made(chain, &domain.sql_type);
        let plain = Domain { sql_type: enums::plain(chain, &domain.sql_type), ..Domain::default() };
        let definition = if is_early { plain.definition() } else { domain.definition() };
        sql!("CREATE DOMAIN {} AS {}", qualified(&chain.base, name), definition)
    });
    made.collect()
}

/// What a domain of both versions loses or gets at complete.
pub fn alter(chain: &Chain) -> Vec<Sql> {
    let mut statements = Vec::new();
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
    chain.stage.gone_domains().into_iter().map(|name| sql!("DROP DOMAIN IF EXISTS {}", qualified(&chain.base, name))).collect()
}

/// At rollback, when no table and no view has them: those that the start made go, unless somebody else uses them.
pub fn drop_made(chain: &Chain) -> Sql {
    let each = chain.stage.made_domains().into_iter().rev().map(|(name, _)| {
        sql!(
            "\n  BEGIN\n    DROP DOMAIN IF EXISTS {};\n  EXCEPTION WHEN dependent_objects_still_exist THEN NULL;\n  END;",
            qualified(&chain.base, name)
        )
    });
    sql!("DO {}", dollar_quoted(&sql!("\nBEGIN{}\nEND\n", join(each.collect::<Vec<_>>(), ""))))
}

/// A query for those that the start made and that are there all the same, with what uses them and the statement that drops them.
pub fn left_behind(chain: &Chain) -> Sql {
    let made = chain.stage.made_domains().into_iter().map(|(name, _)| literal(name));
    sql!(
        "SELECT pg_catalog.format('%s (%s)', own.oid::pg_catalog.regtype, (SELECT pg_catalog.string_agg(DISTINCT pg_catalog.pg_describe_object(depend.classid, depend.objid, depend.objsubid), ', ') \
         FROM pg_catalog.pg_depend AS depend WHERE depend.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass AND depend.refobjid IN (own.oid, own.typarray) AND depend.deptype = 'n')), \
         pg_catalog.format('DROP DOMAIN %s', own.oid::pg_catalog.regtype) FROM pg_catalog.pg_type AS own JOIN pg_catalog.pg_namespace AS space ON space.oid = own.typnamespace \
         WHERE space.nspname = {} AND own.typtype = 'd' AND own.typname IN ({}) ORDER BY own.typname",
        literal(&chain.base),
        join(made, ", ")
    )
}
