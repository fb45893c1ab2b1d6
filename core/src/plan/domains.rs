//! The steps that make, change and drop domains, and what is asked of the database before.

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::model::schema::Column;
use crate::model::types;
use crate::plan::{Action, Phase, Steps, Verdict};
use crate::sql;
use crate::sql::{Sql, join, literal, user};
use crate::statements::path::Path;
use crate::statements::{ddl, domains, enums};

/// The domains of the older version are there, with the rules that they are to have and no others.
pub(super) fn checks(chain: &Chain, steps: &mut Steps) {
    let list =
        |names: Vec<&String>| sql!("ARRAY[{}]::pg_catalog.text[]", join(names.into_iter().map(|name| literal(name)), ", "));
    let known = chain.stage.from.domains.iter().map(|(name, domain)| {
        let not_null = Sql::trusted(if domain.not_null { "true" } else { "false" });
        sql!("({}, {}, {})", literal(name), not_null, list(domain.checks.keys().collect()))
    });
    let known: Vec<Sql> = known.collect();
    if known.is_empty() {
        return;
    }
    steps.check(
        "the database has the domains of the older version",
        sql!(
            "SELECT wanted.name FROM (VALUES {}) AS wanted (name, not_null, checks) WHERE NOT EXISTS (\
             SELECT FROM pg_catalog.pg_type AS there JOIN pg_catalog.pg_namespace AS space ON space.oid = there.typnamespace \
             WHERE space.nspname = {} AND there.typname = wanted.name AND there.typtype = 'd' AND there.typnotnull = wanted.not_null \
             AND wanted.checks = ARRAY(SELECT con.conname::pg_catalog.text FROM pg_catalog.pg_constraint AS con WHERE con.contypid = there.oid AND con.contype = 'c' \
             ORDER BY con.conname::pg_catalog.text COLLATE pg_catalog.\"C\"))",
            join(known, ", "),
            literal(&chain.base)
        ),
        format!("schema `{}` lacks domains of the older version, or has them with other rules", chain.base),
        "somebody changed the database outside Diptych: put back what was there",
        Verdict::Refuse,
    );
    check_owner(chain, steps);
}

/// Whoever changes or drops a domain has to be its owner.
fn check_owner(chain: &Chain, steps: &mut Steps) {
    let (from, to) = (&chain.stage.from.domains, &chain.stage.to.domains);
    let changed = from.iter().filter(|(name, before)| to.get(*name) != Some(*before));
    let changed: Vec<Sql> = changed.map(|(name, _)| literal(name)).collect();
    if !changed.is_empty() {
        steps.check(
            "the domains that change or go are the migration role's own",
            sql!(
                "SELECT pg_catalog.format('%s, which belongs to %s', there.oid::pg_catalog.regtype, there.typowner::pg_catalog.regrole), \
                 pg_catalog.format('ALTER DOMAIN %s OWNER TO %I', there.oid::pg_catalog.regtype, current_user) \
                 FROM pg_catalog.pg_type AS there JOIN pg_catalog.pg_namespace AS space ON space.oid = there.typnamespace \
                 WHERE space.nspname = {} AND there.typname IN ({}) AND there.typtype = 'd' AND NOT pg_catalog.pg_has_role(there.typowner, 'USAGE')",
                literal(&chain.base),
                join(changed, ", ")
            ),
            "a domain cannot be changed or dropped by this role",
            "connect as its owner, or have its owner give it to the migration role",
            Verdict::Refuse,
        );
    }
}

/// A row that one of the two versions writes lacks the columns that only the other has: PostgreSQL holds the rules of a domain against their NULL before
/// any trigger could give them a value.
pub(super) fn may_be_left_out(chain: &Chain, table: &Physical<'_>, steps: &mut Steps) {
    let Some(older) = table.older.filter(|_| table.is_kept()) else { return };
    let is_told = |column: &Column| {
        let is_domain = chain.behind_rules(&column.sql_type).is_some() || column.sql_type.contains('.');
        is_domain && !types::is_array(&column.sql_type) && column.identity.is_none() && column.generated.is_none()
    };
    let gone = older.columns.iter().filter(|column| table.removed.contains(&column.name) && is_told(column));
    let gone: Vec<_> = gone.map(|column| (column, column.default.as_deref().map(user))).collect();
    let new = table.added.iter().filter(|added| is_told(&added.column));
    let new: Vec<_> = new
        .map(|added| {
            let bare = added.is_bare.then(|| Sql::trusted("NULL"));
            (&added.column, added.default.as_deref().map(user).or(bare))
        })
        .collect();
    for (columns, who, hint) in [
        (
            gone,
            "newer",
            "in a migration of its own before this one, let the domain take NULL (`alter_domain` with `not_null: false`, or with `checks` that accept it), or give it a default; the column has its own NOT NULL",
        ),
        (
            new,
            "older",
            "give the column the type that the domain is based on, with `nullable: false` and a `check` of its own in place of the domain's",
        ),
    ] {
        if columns.is_empty() {
            continue;
        }
        let names = columns.iter().map(|(column, _)| format!("`{}`", column.name)).collect::<Vec<_>>().join(", ");
        let tried: Vec<(&str, Option<Sql>)> =
            columns.iter().map(|(column, default)| (column.sql_type.as_str(), default.clone())).collect();
        let step = steps.check(
            format!("the {who} version can write rows of `{}` without {names}", table.name),
            ddl::try_without(enums::attempt(chain), &tried),
            format!("every INSERT of the {who} version into table `{}` would fail, since it does not give {names}", table.name),
            hint,
            Verdict::Refuse,
        );
        step.path(Path::base(&chain.base));
    }
}

/// Makes what is new, before the tables.
pub(super) fn expand(chain: &Chain, steps: &mut Steps) {
    let created = domains::create(chain);
    if !created.is_empty() {
        let statements = Path::newer(chain, &chain.newer.scratch()).around(created);
        steps.transaction(Phase::Expand, "create the new domains", Vec::new(), statements);
    }
}

/// What only the older version needed goes, when its views and columns are gone.
pub(super) fn contract(chain: &Chain, steps: &mut Steps) {
    let changed = domains::alter(chain);
    if !changed.is_empty() {
        let statements = Path::newer(chain, &chain.newer.views).around(changed);
        steps.transaction(Phase::Contract, "change the domains", Vec::new(), statements);
    }
    let gone = domains::drop_gone(chain);
    if !gone.is_empty() {
        steps.transaction(Phase::Contract, "drop the domains that only the older version had", Vec::new(), gone);
    }
}

/// What a start made goes, when no table and no view of its version is left; what somebody else uses by now stays, and is named.
pub(super) fn undo(chain: &Chain, steps: &mut Steps) {
    if chain.stage.made_domains().is_empty() {
        return;
    }
    steps.transaction(Phase::Undo, "drop the domains that the start created", Vec::new(), vec![domains::drop_made(chain)]);
    let action = Action::Check {
        before: Vec::new(),
        sql: domains::left_behind(chain),
        refusal: "domains that the start created stay, because other objects use them".to_owned(),
        hint: "before the next start, drop what uses them, and then".to_owned(),
        verdict: Verdict::Warn,
    };
    steps.push(Phase::Undo, "nothing else uses the domains that the start created", action);
}

/// One sentence per change.
pub(super) fn notes(chain: &Chain) -> Vec<String> {
    let (from, to) = (&chain.stage.from.domains, &chain.stage.to.domains);
    let made = chain.stage.made_domains().into_iter().map(|(name, _)| format!("domain `{name}`: created"));
    let mut notes: Vec<String> = made.collect();
    for (name, before, after) in from.iter().filter_map(|(name, before)| Some((name, before, to.get(name)?))) {
        let rules =
            before.checks.keys().filter(|check| !after.checks.contains_key(*check)).map(|check| format!("check `{check}`"));
        let rules = rules.chain((before.not_null && !after.not_null).then(|| "NOT NULL".to_owned()));
        notes.extend(rules.map(|rule| format!("domain `{name}`: {rule} holds until complete, for both versions")));
        if domains::changes_default(chain, sql::ident(name).as_str()) {
            notes.push(format!(
                "domain `{name}`: each version's views have its own default; the domain gets the newer one at complete"
            ));
        }
        if before.comment != after.comment {
            notes.push(format!("domain `{name}`: gets its comment at complete"));
        }
    }
    let gone = chain.stage.gone_domains().into_iter();
    notes.extend(gone.map(|name| format!("domain `{name}`: stays until complete, because the older version uses it")));
    notes
}
