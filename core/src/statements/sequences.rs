//! Sequences between two versions: made in the base schema at start, changed and dropped at complete, and never set back.

use crate::layout::chain::Chain;
use crate::model::sequence::Sequence;
use crate::sql;
use crate::sql::{Sql, dollar_quoted, join, literal, qualified};
use crate::statements::ddl;

/// Makes one that the older version does not have.
pub fn create(chain: &Chain, name: &str, sequence: &Sequence) -> Vec<Sql> {
    let place = qualified(&chain.base, name);
    let comment = sequence.comment.as_deref().map(|text| ddl::comment(&sql!("SEQUENCE {}", place), Some(text)));
    std::iter::once(sql!("CREATE SEQUENCE {} {}", place, sequence.definition())).chain(comment).collect()
}

/// The same before anything is there.
pub fn borrow(chain: &Chain) -> Vec<Sql> {
    let made = chain.stage.made_sequences();
    made.map(|(name, sequence)| sql!("CREATE SEQUENCE {} {}", qualified(&chain.base, name), sequence.definition())).collect()
}

/// Whoever may insert into a table of the versions, or into columns of one, may draw from what the start makes, and do no more with it:
/// default privileges are for tables, mostly.
pub fn grant(chain: &Chain) -> Sql {
    let places = chain.stage.made_sequences().map(|(name, _)| qualified(&chain.base, name));
    let tables = chain.stage.from.tables.keys().chain(chain.stage.to.tables.keys());
    let text = sql!(
        "
DECLARE
  right_ record;
BEGIN
  FOR right_ IN
    SELECT DISTINCT CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(role.rolname) END AS role
    FROM pg_catalog.pg_class AS class JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
    CROSS JOIN LATERAL (SELECT class.relacl AS rights UNION ALL SELECT own.attacl FROM pg_catalog.pg_attribute AS own WHERE own.attrelid = class.oid) AS list
    CROSS JOIN LATERAL pg_catalog.aclexplode(list.rights) AS acl LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = acl.grantee
    WHERE space.nspname = {} AND class.relname IN ({}) AND class.relkind IN ('r', 'p') AND acl.privilege_type = 'INSERT' AND (acl.grantee = 0 OR role.rolname <> current_user)
  LOOP
    EXECUTE pg_catalog.format('GRANT USAGE ON SEQUENCE %s TO %s', {}, right_.role);
  END LOOP;
END
",
        literal(&chain.base),
        join(tables.map(|name| literal(name)).chain([Sql::trusted("NULL")]), ", "),
        literal(join(places, ", ").as_str())
    );
    sql!("DO {}", dollar_quoted(&text))
}

/// Gives a sequence all of its options. It has no RESTART: the counter stays where it is.
pub fn define(chain: &Chain, name: &str, known: &Sequence) -> Sql {
    sql!("ALTER SEQUENCE {} {}", qualified(&chain.base, name), known.definition())
}

/// The longer step, for as long as two versions draw.
pub fn lengthen(chain: &Chain, name: &str, increment: i64) -> Sql {
    sql!("ALTER SEQUENCE IF EXISTS {} INCREMENT BY {}", qualified(&chain.base, name), increment)
}

/// The shorter step again.
pub fn shorten(chain: &Chain, name: &str, shared: &Sequence, before: &Sequence) -> Sql {
    let place = qualified(&chain.base, name);
    let text = sql!(
        "\nBEGIN\n  IF pg_catalog.to_regclass({}) IS NOT NULL THEN\n    ALTER SEQUENCE {} INCREMENT BY {};\n    PERFORM {};\n  END IF;\nEND\n",
        literal(place.as_str()),
        place,
        before.increment,
        walked(chain, name, shared, before)
    );
    sql!("DO {}", dollar_quoted(&text))
}

/// The newer version's form.
pub fn settle(chain: &Chain, name: &str, shared: &Sequence, after: &Sequence) -> Vec<Sql> {
    let change = define(chain, name, after);
    let walks = after.increment.unsigned_abs() < shared.increment.unsigned_abs();
    std::iter::once(change).chain(walks.then(|| sql!("SELECT {}", walked(chain, name, shared, after)))).collect()
}

/// After the last of the longer steps the counter goes on behind that step, and not within it: who took the whole of it for a block meets nobody.
/// Behind ALTER SEQUENCE, in the same transaction: nobody draws between the two, and both are undone together.
fn walked(chain: &Chain, name: &str, longer: &Sequence, shorter: &Sequence) -> Sql {
    let place = qualified(&chain.base, name);
    let (clamp, end) = if shorter.descends() { ("greatest", shorter.least()) } else { ("least", shorter.most()) };
    sql!(
        "pg_catalog.setval({}::pg_catalog.regclass, {}(own.last_value::pg_catalog.numeric + {}, {})::pg_catalog.int8) FROM {} AS own WHERE own.is_called",
        literal(place.as_str()),
        Sql::trusted(clamp),
        literal(&(i128::from(longer.increment) - i128::from(shorter.increment)).to_string()),
        literal(&end.to_string()),
        place
    )
}

/// The newer version's comment.
pub fn comment(chain: &Chain, name: &str, after: &Sequence) -> Sql {
    ddl::comment(&sql!("SEQUENCE {}", qualified(&chain.base, name)), after.comment.as_deref())
}

/// Drops one that the newer version does not have.
pub fn drop_gone(chain: &Chain, name: &str) -> Sql {
    sql!("DROP SEQUENCE IF EXISTS {}", qualified(&chain.base, name))
}

/// At rollback, when no table and no domain draws from it: one that the start made goes, unless somebody else uses it, or has put something else in
/// its place.
pub fn drop_made(chain: &Chain, name: &str) -> Sql {
    let text = sql!(
        "\nBEGIN\n  DROP SEQUENCE IF EXISTS {};\nEXCEPTION WHEN dependent_objects_still_exist OR wrong_object_type THEN NULL;\nEND\n",
        qualified(&chain.base, name)
    );
    sql!("DO {}", dollar_quoted(&text))
}

/// A query for those that the start made and that somebody has drawn from, with the last number.
pub fn drawn(chain: &Chain) -> Sql {
    let made = chain.stage.made_sequences().map(|(name, _)| literal(name));
    sql!(
        "SELECT pg_catalog.format('%s has given numbers up to %s', own.relname, last.number) FROM pg_catalog.pg_class AS own \
         JOIN pg_catalog.pg_namespace AS space ON space.oid = own.relnamespace CROSS JOIN LATERAL (SELECT CASE own.relkind WHEN 'S' THEN \
         pg_catalog.pg_sequence_last_value(own.oid::pg_catalog.regclass) END) AS last (number) WHERE space.nspname = {} AND own.relname IN ({}) \
         AND last.number IS NOT NULL ORDER BY own.relname",
        literal(&chain.base),
        join(made, ", ")
    )
}

/// The regular expression of a name where a text has it as a string, alone or with its schema.
pub fn in_text(name: &str) -> String {
    let escaped = |c: char| if c.is_ascii_punctuation() { format!("\\{c}") } else { c.to_string() };
    format!("['.\"]{}['\"]", name.chars().map(escaped).collect::<String>())
}

/// A query for those that the start made and that are there all the same, with what uses them and the statement that drops them.
pub fn left_behind(chain: &Chain) -> Sql {
    let made = chain.stage.made_sequences().map(|(name, _)| literal(name));
    sql!(
        "SELECT pg_catalog.format('%s (%s)', own.oid::pg_catalog.regclass, (SELECT pg_catalog.string_agg(DISTINCT pg_catalog.pg_describe_object(depend.classid, depend.objid, depend.objsubid), ', ') \
         FROM pg_catalog.pg_depend AS depend WHERE depend.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.refobjid = own.oid AND depend.deptype = 'n')), \
         pg_catalog.format('DROP SEQUENCE %s', own.oid::pg_catalog.regclass) FROM pg_catalog.pg_class AS own JOIN pg_catalog.pg_namespace AS space ON space.oid = own.relnamespace \
         WHERE space.nspname = {} AND own.relkind = 'S' AND own.relname IN ({}) ORDER BY own.relname",
        literal(&chain.base),
        join(made, ", ")
    )
}

/// A query for one that has fewer than a hundred numbers left in the longer step: where it stands. One that begins again behind its last number
/// has room for a step at least.
pub fn cramped(chain: &Chain, name: &str, shared: &Sequence) -> Sql {
    let (from, to) = match (shared.cycle, shared.descends()) {
        (true, _) => (bigint(shared.least()), bigint(shared.most())),
        (false, false) => (Sql::trusted("own.last_value"), bigint(shared.most())),
        (false, true) => (bigint(shared.least()), Sql::trusted("own.last_value")),
    };
    let step = literal(&shared.increment.unsigned_abs().to_string());
    sql!(
        "SELECT pg_catalog.format('%s stands at %s, gives numbers from %s to %s, and would step by %s', {}, own.last_value, {}, {}, {}) FROM {} AS own \
         WHERE pg_catalog.div({}::pg_catalog.numeric - {}::pg_catalog.numeric, {}::pg_catalog.numeric) < {}",
        literal(name),
        literal(&shared.least().to_string()),
        literal(&shared.most().to_string()),
        literal(&shared.increment.to_string()),
        qualified(&chain.base, name),
        to,
        from,
        step,
        Sql::trusted(if shared.cycle { "1" } else { "100" })
    )
}

/// A query for one whose counter is not within the newer version's range, which PostgreSQL would not take, or would leave it within a thousand
/// draws, which it may do before the range comes: where it stands, and what would do.
pub fn outside(chain: &Chain, name: &str, before: &Sequence, after: &Sequence) -> Sql {
    let room = (i128::from(after.most()) - i128::from(after.least())) / 10;
    let margin = room.min(1000 * i128::from(after.increment.unsigned_abs()));
    let is_near =
        |end: i64, narrows: bool, sign: i128| literal(&(i128::from(end) - if narrows { sign * margin } else { 0 }).to_string());
    let most = is_near(after.most(), !after.descends() && after.most() < before.most(), 1);
    let least = is_near(after.least(), after.descends() && after.least() > before.least(), -1);
    sql!(
        "SELECT pg_catalog.format('%s stands at %s, and would give numbers from %s to %s', {}, own.last_value, {}, {}) FROM {} AS own \
         WHERE own.last_value NOT BETWEEN {}::pg_catalog.int8 AND {}::pg_catalog.int8",
        literal(name),
        literal(&after.least().to_string()),
        literal(&after.most().to_string()),
        qualified(&chain.base, name),
        least,
        most
    )
}

/// A number as it stands in a comparison: the smallest one has no literal without quotes.
pub fn bigint(number: i64) -> Sql {
    sql!("{}::pg_catalog.int8", literal(&number.to_string()))
}
