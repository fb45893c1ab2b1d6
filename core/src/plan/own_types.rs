//! The steps that make, change and drop domains and composite types, and what is asked of the database before.

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::model::own_type::OwnType;
use crate::model::schema::Column;
use crate::model::types;
use crate::plan::{Action, Phase, Steps, Verdict};
use crate::sql;
use crate::sql::{Sql, join, literal, user};
use crate::statements::path::Path;
use crate::statements::{ddl, enums, own_types};

/// The types of the older version are there as they are to be: domains with their rules and no others, composite types with their attributes.
pub(super) fn checks(chain: &Chain, steps: &mut Steps) {
    check_domains(chain, steps);
    check_composites(chain, steps);
    if !(chain.stage.from.domains.is_empty() && chain.stage.from.composites.is_empty()) {
        check_owner(chain, steps);
    }
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> Sql {
    sql!("ARRAY[{}]::pg_catalog.text[]", join(names.map(|name| literal(name)), ", "))
}

fn check_domains(chain: &Chain, steps: &mut Steps) {
    let known = chain.stage.from.domains.iter().map(|(name, domain)| {
        let not_null = Sql::trusted(if domain.not_null { "true" } else { "false" });
        sql!("({}, {}, {})", literal(name), not_null, list(domain.checks.keys()))
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
}

fn check_composites(chain: &Chain, steps: &mut Steps) {
    let known = chain.stage.from.composites.iter();
    let known = known.map(|(name, own)| sql!("({}, {})", literal(name), list(own.attributes.iter().map(|own| &own.name))));
    let known: Vec<Sql> = known.collect();
    if known.is_empty() {
        return;
    }
    steps.check(
        "the database has the composite types of the older version",
        sql!(
            "SELECT wanted.name FROM (VALUES {}) AS wanted (name, attributes) WHERE NOT EXISTS (\
             SELECT FROM pg_catalog.pg_class AS there JOIN pg_catalog.pg_namespace AS space ON space.oid = there.relnamespace \
             WHERE space.nspname = {} AND there.relname = wanted.name AND there.relkind = 'c' \
             AND wanted.attributes = ARRAY(SELECT own.attname::pg_catalog.text FROM pg_catalog.pg_attribute AS own WHERE own.attrelid = there.oid \
             AND own.attnum > 0 AND NOT own.attisdropped ORDER BY own.attnum))",
            join(known, ", "),
            literal(&chain.base)
        ),
        format!("schema `{}` lacks composite types of the older version, or has them with other attributes", chain.base),
        "somebody changed the database outside Diptych: put back what was there",
        Verdict::Refuse,
    );
}

/// Whoever changes or drops a type has to be its owner.
fn check_owner(chain: &Chain, steps: &mut Steps) {
    let (from, to) = (&chain.stage.from, &chain.stage.to);
    let domains = from.domains.iter().filter(|(name, before)| to.domains.get(*name) != Some(*before)).map(|(name, _)| name);
    let composites = from.composites.iter().filter(|(name, before)| to.composites.get(*name) != Some(*before));
    let changed = domains.chain(composites.map(|(name, _)| name)).map(|name| literal(name));
    let changed: Vec<Sql> = changed.collect();
    if !changed.is_empty() {
        steps.check(
            "the domains and composite types that change or go are the migration role's own",
            sql!(
                "SELECT pg_catalog.format('%s, which belongs to %s', there.oid::pg_catalog.regtype, there.typowner::pg_catalog.regrole), \
                 pg_catalog.format('ALTER %s %s OWNER TO %I', CASE there.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, there.oid::pg_catalog.regtype, current_user) \
                 FROM pg_catalog.pg_type AS there JOIN pg_catalog.pg_namespace AS space ON space.oid = there.typnamespace \
                 WHERE space.nspname = {} AND there.typname IN ({}) AND there.typtype IN ('c', 'd') AND NOT pg_catalog.pg_has_role(there.typowner, 'USAGE')",
                literal(&chain.base),
                join(changed, ", ")
            ),
            "a domain or composite type cannot be changed or dropped by this role",
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
    let created = own_types::create(chain);
    if !created.is_empty() {
        let statements = Path::newer(chain, &chain.newer.scratch()).around(created);
        let title = format!("create the new {}", kinds(&chain.stage.made_types()));
        steps.transaction(Phase::Expand, title, Vec::new(), statements);
    }
}

/// What only the older version needed goes, when its code, views and columns are gone; a composite type makes room for a relation of its name.
pub(super) fn contract(chain: &Chain, steps: &mut Steps) {
    let changed = own_types::alter(chain);
    if !changed.is_empty() {
        let statements = Path::newer(chain, &chain.newer.views).around(changed);
        let shared = chain.stage.to.own_types().filter(|(name, _)| chain.stage.from.has_own_type(name));
        let title = format!("change the {}", kinds(&shared.collect::<Vec<_>>()));
        steps.transaction(Phase::Contract, title, Vec::new(), statements);
    }
    let gone = own_types::drop_gone(chain);
    if !gone.is_empty() {
        let title = format!("drop the {} that only the older version had", kinds(&chain.stage.gone_types()));
        steps.transaction(Phase::Contract, title, Vec::new(), gone);
    }
}

/// What a start made goes, when no table and no view of its version is left; what somebody else uses by now stays, and is named.
pub(super) fn undo(chain: &Chain, steps: &mut Steps) {
    let made = chain.stage.made_types();
    if made.is_empty() {
        return;
    }
    let kinds = kinds(&made);
    steps.transaction(
        Phase::Undo,
        format!("drop the {kinds} that the start created"),
        Vec::new(),
        vec![own_types::drop_made(chain)],
    );
    let action = Action::Check {
        before: Vec::new(),
        sql: own_types::left_behind(chain),
        refusal: format!("{kinds} that the start created stay, because other objects use them"),
        hint: "before the next start, drop what uses them, and then".to_owned(),
        verdict: Verdict::Warn,
    };
    steps.push(Phase::Undo, format!("nothing else uses the {kinds} that the start created"), action);
}

/// What these are, in words.
fn kinds(types: &[(&String, OwnType<'_>)]) -> String {
    let has = |kind: &str| types.iter().any(|(_, own)| own.kind() == kind);
    let kinds = ["domain", "composite type"].into_iter().filter(|kind| has(kind)).map(|kind| format!("{kind}s"));
    kinds.collect::<Vec<_>>().join(" and ")
}

/// One sentence per change.
pub(super) fn notes(chain: &Chain) -> Vec<String> {
    let (from, to) = (&chain.stage.from, &chain.stage.to);
    let made = chain.stage.made_types().into_iter().map(|(name, own)| format!("{} `{name}`: created", own.kind()));
    let mut notes: Vec<String> = made.collect();
    for (name, before, after) in from.domains.iter().filter_map(|(name, before)| Some((name, before, to.domains.get(name)?))) {
        let rules =
            before.checks.keys().filter(|check| !after.checks.contains_key(*check)).map(|check| format!("check `{check}`"));
        let rules = rules.chain((before.not_null && !after.not_null).then(|| "NOT NULL".to_owned()));
        notes.extend(rules.map(|rule| format!("domain `{name}`: {rule} holds until complete, for both versions")));
        if own_types::changes_default(chain, sql::ident(name).as_str()) {
            notes.push(format!(
                "domain `{name}`: each version's views have its own default; the domain gets the newer one at complete"
            ));
        }
    }
    let after = |name: &String| to.own_types().find(|(there, _)| *there == name).map(|(_, own)| own);
    for (name, own) in from.own_types() {
        if after(name).is_some_and(|after| after.comment() != own.comment()) {
            notes.push(format!("{} `{name}`: gets its comment at complete", own.kind()));
        }
    }
    let gone = chain.stage.gone_types().into_iter();
    notes.extend(
        gone.map(|(name, own)| format!("{} `{name}`: stays until complete, because the older version uses it", own.kind())),
    );
    notes
}
