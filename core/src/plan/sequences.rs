//! The steps that make, change and drop sequences, and what is asked of the database before.

use std::collections::BTreeMap;

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::model::sequence::Sequence;
use crate::plan::final_form::changes_default;
use crate::plan::{Action, Phase, Steps, Verdict, users};
use crate::sql;
use crate::sql::{Sql, join, literal, qualified};
use crate::statements::own_types;
use crate::statements::sequences::{self, bigint};

/// What an application feels of a change of a sequence.
const LOCK: &str =
    "SHARE ROW EXCLUSIVE on the sequence, instant: it waits for transactions that have drawn, and whoever draws waits for it";

/// The sequences of the older version are there as it knows them, and what changes or goes may do so.
pub(super) fn checks(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    are_there(chain, steps);
    check_owner(chain, steps);
    let hint = "migrate with another `min` or `max`, or leave the type as it is: the counter is never set back, and what it has given stays";
    within_range(chain, hint, steps);
    let hint = "drop what is named above, or let it draw from another sequence, before the migration; or keep the sequence";
    has_room(chain, steps);
    may_be_drawn(chain, tables, steps);
    nothing_uses(chain, tables, false, hint, steps);
    names_in_texts(chain, steps);
    goes_on(chain, steps);
}

/// The same again at complete: the counter has moved, and an object may have come or gone.
pub(super) fn checks_of_complete(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    within_range(chain, "`rollback`, and migrate with another `min`, `max` or type", steps);
    let hint = "drop what is named above, or let it draw from another sequence, and run `complete` again";
    nothing_uses(chain, tables, true, hint, steps);
}

/// The database has the sequences of the older version, and no column owns one: with that column it would go.
fn are_there(chain: &Chain, steps: &mut Steps) {
    let known = &chain.stage.from.sequences;
    if known.is_empty() {
        return;
    }
    let wanted = known.iter().map(|(name, sequence)| {
        let cycle = Sql::trusted(if sequence.cycle { "true" } else { "false" });
        sql!(
            "({}, {}::pg_catalog.regtype, {}, {}, {}, {}, {})",
            literal(name),
            literal(&sequence.sql_type),
            bigint(sequence.increment),
            bigint(sequence.least()),
            bigint(sequence.most()),
            cycle,
            literal(sequences::define(chain, name, sequence).as_str())
        )
    });
    steps.check(
        "the database has the sequences of the older version",
        sql!(
            "SELECT wanted.name, CASE WHEN pg_catalog.to_regclass(pg_catalog.format('%I.%I', {}::pg_catalog.text, wanted.name)) IS NOT NULL THEN wanted.mend END \
             FROM (VALUES {}) AS wanted (name, type_, increment, least, most, cycle, mend) WHERE NOT EXISTS (\
             SELECT FROM pg_catalog.pg_sequence AS there JOIN pg_catalog.pg_class AS class ON class.oid = there.seqrelid \
             JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
             WHERE space.nspname = {} AND class.relname = wanted.name AND there.seqtypid = wanted.type_ AND there.seqincrement = wanted.increment \
             AND there.seqmin = wanted.least AND there.seqmax = wanted.most AND there.seqcycle = wanted.cycle)",
            literal(&chain.base),
            join(wanted.collect::<Vec<_>>(), ", "),
            literal(&chain.base)
        ),
        format!("schema `{}` lacks sequences of the older version, or has them with other options", chain.base),
        "somebody changed the database outside Diptych: put back what was there",
        Verdict::Refuse,
    );
    steps.check(
        "no column owns a sequence of the older version",
        sql!(
            "SELECT pg_catalog.format('%s is owned by %s', class.relname, pg_catalog.pg_describe_object(depend.refclassid, depend.refobjid, depend.refobjsubid)), \
             pg_catalog.format('ALTER SEQUENCE %s OWNED BY NONE', class.oid::pg_catalog.regclass) FROM pg_catalog.pg_class AS class \
             JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace JOIN pg_catalog.pg_depend AS depend \
             ON depend.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.objid = class.oid AND depend.deptype = 'a' \
             WHERE space.nspname = {} AND class.relkind = 'S' AND class.relname IN ({})",
            literal(&chain.base),
            join(known.keys().map(|name| literal(name)), ", ")
        ),
        "a sequence would go with the column that owns it",
        "somebody changed the database outside Diptych: put back what was there",
        Verdict::Refuse,
    );
}

/// The longer step comes before the wider range: what is left of the older one is enough for many draws.
fn has_room(chain: &Chain, steps: &mut Steps) {
    for (name, before, after) in chain.stage.changed_sequences() {
        let shared = before.shared_with(after);
        if shared.increment != before.increment {
            steps.check(
                format!("sequence `{name}` has room for longer steps"),
                sequences::cramped(chain, name, &shared),
                "until complete a sequence has its older range, in which the longer step leaves too few numbers for the two versions",
                "give it the wider `min`, `max` or type in a release of its own before this one",
                Verdict::Refuse,
            );
        }
    }
}

/// Whoever writes to a table may draw from the sequences there are from which it begins to draw: its trigger and its defaults do so with the
/// writer's rights, whichever version that one is of.
fn may_be_drawn(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let known = &chain.stage.from.sequences;
    if known.is_empty() {
        return;
    }
    // by table and sequence, whether an UPDATE draws as well
    let mut pairs: BTreeMap<(&str, String), bool> = BTreeMap::new();
    for (table, newer) in tables.iter().filter_map(|table| Some((table, table.older.and(table.newer)?))) {
        let is_new = |name: &str| table.added.iter().any(|added| added.column.name == name);
        let begins = newer.columns.iter().filter(|column| is_new(&column.name) || changes_default(table, column));
        let defaults = begins.filter_map(|column| column.default.as_ref()).flat_map(|text| text.facts([]).sequences.clone());
        let drawn = defaults.map(|name| (name, false)).chain(table.lineage.drawn().into_iter().map(|name| (name, true)));
        for (name, by_update) in drawn.filter(|(name, _)| known.contains_key(name)) {
            *pairs.entry((&table.name, name)).or_default() |= by_update;
        }
    }
    if pairs.is_empty() {
        return;
    }
    let wanted = pairs.iter().map(|((table, name), by_update)| {
        let place = |name: &str| literal(qualified(&chain.base, name).as_str());
        let by_update = Sql::trusted(if *by_update { "true" } else { "false" });
        sql!("(pg_catalog.to_regclass({}), pg_catalog.to_regclass({}), {})", place(table), place(name), by_update)
    });
    steps.check(
        "whoever writes to a table may draw from its sequences",
        sql!(
            "SELECT DISTINCT pg_catalog.format('%s writes to %s and may not draw from %s', who.name, pair.table_, pair.sequence), \
             pg_catalog.format('GRANT USAGE ON SEQUENCE %s TO %s', pair.sequence, who.name) FROM (VALUES {}) AS pair (table_, sequence, by_update) \
             JOIN pg_catalog.pg_class AS class ON class.oid = pair.table_ \
             CROSS JOIN LATERAL (SELECT class.relacl AS rights UNION ALL SELECT own.attacl FROM pg_catalog.pg_attribute AS own WHERE own.attrelid = class.oid) AS list \
             CROSS JOIN LATERAL pg_catalog.aclexplode(list.rights) AS acl LEFT JOIN pg_catalog.pg_roles AS role ON role.oid = acl.grantee \
             CROSS JOIN LATERAL (SELECT CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(role.rolname) END) AS who (name) \
             WHERE (acl.privilege_type = 'INSERT' OR acl.privilege_type = 'UPDATE' AND pair.by_update) AND NOT pg_catalog.has_sequence_privilege(CASE WHEN acl.grantee = 0 THEN 'public' ELSE role.rolname END, pair.sequence, 'USAGE, UPDATE')",
            join(wanted.collect::<Vec<_>>(), ", ")
        ),
        "roles that write to a table would fail, in the running release as well: the table begins to draw from a sequence without their right to it",
        "give them the right, then run `start` again",
        Verdict::Refuse,
    );
}

/// Whoever changes or drops a sequence has to be its owner.
fn check_owner(chain: &Chain, steps: &mut Steps) {
    let changed = chain.stage.changed_sequences().map(|(name, ..)| name).chain(chain.stage.gone_sequences());
    let changed: Vec<Sql> = changed.map(|name| literal(name)).collect();
    if !changed.is_empty() {
        steps.check(
            "the sequences that change or go are the migration role's own",
            sql!(
                "SELECT pg_catalog.format('%s, which belongs to %s', there.oid::pg_catalog.regclass, there.relowner::pg_catalog.regrole), \
                 pg_catalog.format('ALTER SEQUENCE %s OWNER TO %I', there.oid::pg_catalog.regclass, current_user) \
                 FROM pg_catalog.pg_class AS there JOIN pg_catalog.pg_namespace AS space ON space.oid = there.relnamespace \
                 WHERE space.nspname = {} AND there.relname IN ({}) AND there.relkind = 'S' AND NOT pg_catalog.pg_has_role(there.relowner, 'USAGE')",
                literal(&chain.base),
                join(changed, ", ")
            ),
            "a sequence cannot be changed or dropped by this role",
            "connect as its owner, or have its owner give it to the migration role",
            Verdict::Refuse,
        );
    }
}

/// A range that is not the older version's holds what the counter has given.
fn within_range(chain: &Chain, hint: &str, steps: &mut Steps) {
    let ranged = chain.stage.changed_sequences().filter(|(_, before, after)| narrows(before, after));
    for (name, before, after) in ranged {
        steps.check(
            format!("the counter of sequence `{name}` is within its new range"),
            sequences::outside(chain, name, before, after),
            "a sequence has given numbers that its new range does not have, or hardly has any left there",
            hint,
            Verdict::Refuse,
        );
    }
}

fn narrows(before: &Sequence, after: &Sequence) -> bool {
    after.least() > before.least() || after.most() < before.most()
}

fn nothing_uses(chain: &Chain, tables: &[Physical<'_>], is_published: bool, hint: &str, steps: &mut Steps) {
    let gone: Vec<Sql> = chain.stage.gone_sequences().map(|name| literal(name)).collect();
    if gone.is_empty() {
        return;
    }
    // their defaults change before a sequence goes
    let domains = chain.stage.to.domains.keys().filter(|name| own_types::changes_default(chain, sql::ident(name).as_str()));
    let domains = domains.map(|name| literal(name)).chain([Sql::trusted("NULL")]);
    let used = sql!(
        "used AS (SELECT pg_catalog.format('sequence %I', own.relname) AS what, depend.* FROM pg_catalog.pg_depend AS depend JOIN pg_catalog.pg_class AS own ON own.oid = depend.refobjid \
         JOIN pg_catalog.pg_namespace AS space ON space.oid = own.relnamespace WHERE space.nspname = {} AND own.relkind = 'S' AND own.relname IN ({}) \
         AND depend.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.deptype IN ('n', 'a') AND NOT (depend.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND depend.objid IN (\
         SELECT own.oid FROM pg_catalog.pg_type AS own WHERE own.typnamespace = space.oid AND own.typname IN ({}))))",
        literal(&chain.base),
        join(gone, ", "),
        join(domains, ", ")
    );
    steps.check(
        "nothing that stays draws from the sequences that go",
        users::query(chain, tables, &used, is_published),
        "a sequence cannot be dropped, because other objects draw from it",
        hint,
        Verdict::Refuse,
    );
}

/// What names a sequence that goes in a text, of which PostgreSQL knows nothing until it is run: told, and no more.
fn names_in_texts(chain: &Chain, steps: &mut Steps) {
    for name in chain.stage.gone_sequences() {
        let pattern = literal(&sequences::in_text(name));
        steps.check(
            format!("no text seems to draw from sequence `{name}`, which goes"),
            sql!(
                "SELECT pg_catalog.pg_describe_object('pg_catalog.pg_proc'::pg_catalog.regclass, proc.oid, 0) FROM pg_catalog.pg_proc AS proc \
                 JOIN pg_catalog.pg_namespace AS space ON space.oid = proc.pronamespace WHERE space.nspname = {} AND proc.prosrc ~ {} \
                 UNION ALL SELECT pg_catalog.pg_describe_object('pg_catalog.pg_attrdef'::pg_catalog.regclass, def.oid, 0) FROM pg_catalog.pg_attrdef AS def \
                 JOIN pg_catalog.pg_class AS class ON class.oid = def.adrelid AND class.relkind IN ('r', 'p') JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace \
                 WHERE space.nspname = {} AND pg_catalog.pg_get_expr(def.adbin, def.adrelid) ~ {} AND NOT EXISTS (\
                 SELECT FROM pg_catalog.pg_depend AS depend WHERE depend.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND depend.objid = def.oid \
                 AND depend.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND depend.refobjid = pg_catalog.to_regclass({})::pg_catalog.oid)",
                literal(&chain.base),
                pattern,
                literal(&chain.base),
                pattern,
                literal(qualified(&chain.base, name).as_str())
            ),
            format!("these texts name sequence `{name}`, which is gone after complete"),
            "if they draw from it, change them before complete",
            Verdict::Warn,
        );
    }
}

/// A sequence that comes where others go begins behind what those have given.
fn goes_on(chain: &Chain, steps: &mut Steps) {
    for gone in chain.stage.gone_sequences() {
        let Some(before) = chain.stage.from.sequences.get(gone) else { continue };
        for (name, made) in chain.stage.made_sequences().filter(|(_, made)| made.descends() == before.descends()) {
            let is_behind = Sql::trusted(if made.descends() { "<=" } else { ">=" });
            steps.check(
                format!("sequence `{name}` begins behind what `{gone}` has given"),
                sql!(
                    "SELECT pg_catalog.format('%s begins with %s, and %s stands at %s', {}, {}, {}, own.last_value) FROM {} AS own WHERE own.last_value {} {}",
                    literal(name),
                    literal(&made.first().to_string()),
                    literal(gone),
                    qualified(&chain.base, gone),
                    is_behind,
                    bigint(made.first())
                ),
                format!("if sequence `{name}` is to go on in the place of `{gone}`, it would give numbers once more"),
                "then give it a `start` beyond that, with room for what the older version draws until complete",
                Verdict::Warn,
            );
        }
    }
}

/// Makes what is new, before domains and tables, and lengthens the steps that get longer.
pub(super) fn expand(chain: &Chain, steps: &mut Steps) {
    let mut statements: Vec<Sql> =
        chain.stage.made_sequences().flat_map(|(name, sequence)| sequences::create(chain, name, sequence)).collect();
    if !statements.is_empty() {
        statements.push(sequences::grant(chain));
        steps.transaction(Phase::Expand, "create the new sequences", Vec::new(), statements);
    }
    for (name, before, after) in chain.stage.changed_sequences() {
        let shared = before.shared_with(after);
        if shared.increment != before.increment {
            let title = format!("lengthen the step of sequence `{name}`");
            let statements = vec![sequences::lengthen(chain, name, shared.increment)];
            steps.transaction(Phase::Expand, title, Vec::new(), statements).lock(LOCK);
        }
    }
}

/// The rights of whoever may insert into tables that came after the sequences.
pub(super) fn publish(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let has_new = tables.iter().any(|table| table.older.is_none()) || chain.stage.is_opaque();
    if has_new && chain.stage.made_sequences().next().is_some() {
        let title = "who inserts into the new tables may draw from the new sequences";
        steps.transaction(Phase::Publish, title, Vec::new(), vec![sequences::grant(chain)]);
    }
}

/// What only the older version needed goes, when its views and columns are gone: one sequence at a time.
pub(super) fn contract(chain: &Chain, steps: &mut Steps) {
    for (name, before, after) in chain.stage.changed_sequences() {
        if !after.is_defined_as(&before.shared_with(after)) {
            let title = format!("change sequence `{name}`");
            let statements = sequences::settle(chain, name, &before.shared_with(after), after);
            steps.transaction(Phase::Contract, title, Vec::new(), statements).lock(LOCK);
        }
        if before.comment != after.comment {
            let title = format!("comment on sequence `{name}`");
            steps.transaction(Phase::Contract, title, Vec::new(), vec![sequences::comment(chain, name, after)]);
        }
    }
    for name in chain.stage.gone_sequences() {
        let title = format!("drop sequence `{name}`");
        steps.transaction(Phase::Contract, title, Vec::new(), vec![sequences::drop_gone(chain, name)]);
    }
}

/// What a start made goes, when nothing of its version is left; what somebody else uses by now stays, and is named. Steps get their length back;
/// numbers that were drawn stay drawn.
pub(super) fn undo(chain: &Chain, steps: &mut Steps) {
    for (name, before, after) in chain.stage.changed_sequences() {
        if before.shared_with(after).increment != before.increment {
            let title = format!("shorten the step of sequence `{name}` again");
            steps
                .transaction(
                    Phase::Undo,
                    title,
                    Vec::new(),
                    vec![sequences::shorten(chain, name, &before.shared_with(after), before)],
                )
                .lock(LOCK);
        }
    }
    let mut made = chain.stage.made_sequences().peekable();
    if made.peek().is_none() {
        return;
    }
    let action = Action::Check {
        before: Vec::new(),
        sql: sequences::drawn(chain),
        refusal: "sequences that the start created go, and the next start makes them anew".to_owned(),
        hint: "where rows keep these numbers, give the sequence a `start` beyond them before the next start".to_owned(),
        verdict: Verdict::Warn,
    };
    steps.push(Phase::Undo, "nobody has drawn from the sequences that the start created", action);
    for (name, _) in made {
        let title = format!("drop sequence `{name}`, which the start created");
        steps.transaction(Phase::Undo, title, Vec::new(), vec![sequences::drop_made(chain, name)]);
    }
    let action = Action::Check {
        before: Vec::new(),
        sql: sequences::left_behind(chain),
        refusal: "sequences that the start created stay, because other objects draw from them".to_owned(),
        hint: "before the next start, drop what draws from them, and then".to_owned(),
        verdict: Verdict::Warn,
    };
    steps.push(Phase::Undo, "nothing else draws from the sequences that the start created", action);
}

/// One sentence per change.
pub(super) fn notes(chain: &Chain) -> Vec<String> {
    let made = chain.stage.made_sequences().map(|(name, sequence)| {
        format!(
            "sequence `{name}`: created, begins with {}; rollback drops it, and a start after that begins anew",
            sequence.first()
        )
    });
    let mut notes: Vec<String> = made.collect();
    for (name, before, after) in chain.stage.changed_sequences() {
        let shared = before.shared_with(after);
        if shared.increment != before.increment {
            notes.push(format!(
                "sequence `{name}`: counts in steps of {} from the start on, for both versions; numbers that are drawn stay drawn, also after rollback",
                shared.increment
            ));
        } else if shared.increment != after.increment {
            notes.push(format!("sequence `{name}`: counts in steps of {} until complete, for both versions", shared.increment));
        }
        let longer = Sequence { increment: after.increment, ..shared.clone() };
        if !after.is_defined_as(&longer) {
            notes.push(format!(
                "sequence `{name}`: its other options are the older version's until complete; the counter goes on"
            ));
        }
        if before.comment != after.comment {
            notes.push(format!("sequence `{name}`: gets its comment at complete"));
        }
    }
    let gone = chain.stage.gone_sequences();
    notes.extend(gone.map(|name| format!("sequence `{name}`: stays until complete, because the older version draws from it")));
    notes
}
