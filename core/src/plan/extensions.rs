//! The steps that create and drop extensions, and what is asked of the database before.

use crate::layout::chain::Chain;
use crate::layout::tables::Physical;
use crate::plan::{Action, Phase, Steps, Verdict, users};
use crate::sql::{Sql, join, literal};
use crate::{sql, statements::extensions, statements::rights};

/// The extensions of the older version are there, new ones can be created, and nothing uses those that go.
pub(super) fn checks(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    let known = &chain.stage.from.extensions;
    if !known.is_empty() {
        steps.check(
            "the database has the extensions of the older version",
            sql!(
                "SELECT wanted.name, pg_catalog.format('CREATE EXTENSION %I SCHEMA %I', wanted.name, {}) FROM (VALUES {}) AS wanted (name) \
                 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_extension AS there WHERE there.extname = wanted.name)",
                literal(&chain.base),
                rows(known)
            ),
            "the database lacks extensions of the older version",
            "somebody changed the database outside Diptych: put them back",
            Verdict::Refuse,
        );
    }
    let made: Vec<&String> = chain.stage.made_extensions().collect();
    if !made.is_empty() {
        can_be_created(chain, &made, steps);
    }
    let hint = "keep the extension in the list (take the `drop_extension` out); or, before the migration, drop what uses it";
    nothing_uses(chain, tables, hint, steps);
    may_be_dropped(chain, steps);
}

/// The same again at complete: something may have come that uses what goes.
pub(super) fn checks_of_complete(chain: &Chain, tables: &[Physical<'_>], steps: &mut Steps) {
    nothing_uses(chain, tables, "drop what uses it, and run `complete` again; or run `rollback`", steps);
}

/// The server has them and what they need, and the role may create them; told in this order, the last by trying it.
fn can_be_created(chain: &Chain, made: &[&String], steps: &mut Steps) {
    let wanted = rows(made.iter().copied());
    steps.check(
        "the server has the new extensions",
        sql!(
            "SELECT wanted.name FROM (VALUES {}) AS wanted (name) WHERE wanted.name NOT IN (SELECT known.name::pg_catalog.text FROM pg_catalog.pg_available_extensions AS known \
             UNION ALL SELECT there.extname::pg_catalog.text FROM pg_catalog.pg_extension AS there)",
            wanted
        ),
        "the server does not have an extension",
        format!(
            "correct the name; or install its package on the database's server, then run `start` again (on Debian `apt-get install postgresql-contrib` for PostgreSQL's own, and one such as `postgresql-{}-pgvector` for another)",
            chain.server
        ),
        Verdict::Refuse,
    );
    steps.check(
        "what the new extensions need is there, or new as well",
        sql!(
            "SELECT DISTINCT pg_catalog.format('%s needs %s', own.name, needed.name) FROM {} CROSS JOIN LATERAL pg_catalog.unnest(own.requires) AS needed (name) \
             WHERE own.name IN ({}) AND needed.name NOT IN ({}) AND own.name NOT IN (SELECT there.extname FROM pg_catalog.pg_extension AS there) \
             AND needed.name NOT IN (SELECT there.extname FROM pg_catalog.pg_extension AS there) ORDER BY 1",
            extensions::available(),
            extensions::list(made.iter().copied()),
            extensions::list(made.iter().copied())
        ),
        "an extension needs another one that the database does not have",
        "list that one as well: in `extensions` of database!, or as a `create_extension` of the same migration",
        Verdict::Refuse,
    );
    steps.check(
        "the new extensions can be created",
        extensions::attempt(&chain.base, made),
        "an extension cannot be created",
        "see to what the server says above, then run `start` again",
        Verdict::Refuse,
    );
}

/// Creates what is new, before everything else.
pub(super) fn expand(chain: &Chain, steps: &mut Steps) {
    let names: Vec<String> = chain.stage.made_extensions().map(|name| format!("`{name}`")).collect();
    if !names.is_empty() {
        let statements = vec![extensions::create(chain), rights::seal()];
        let title = format!("create extensions that the database lacks: {}", names.join(", "));
        steps.transaction(Phase::Expand, title, Vec::new(), statements);
    }
}

/// What the older version alone needed goes.
pub(super) fn contract(chain: &Chain, steps: &mut Steps) {
    let forgotten = extensions::forget(chain);
    if !forgotten.is_empty() {
        steps.transaction(Phase::Contract, "keep the extensions that the start created", Vec::new(), forgotten);
    }
    for name in chain.stage.gone_extensions() {
        let drop = sql!("DROP EXTENSION IF EXISTS {}", crate::sql::ident(name));
        steps.transaction(Phase::Contract, format!("drop extension `{name}`"), Vec::new(), vec![drop]);
    }
}

/// What a start created goes, when nothing of its version is left; what somebody else uses by now stays, and is named.
pub(super) fn undo(chain: &Chain, steps: &mut Steps) {
    if chain.stage.made_extensions().next().is_none() {
        return;
    }
    steps.transaction(Phase::Undo, "drop the extensions that the start created", Vec::new(), vec![extensions::drop_made(chain)]);
    let action = Action::Check {
        before: Vec::new(),
        sql: extensions::left_behind(chain),
        refusal: "extensions that the start created stay, because other objects use them".to_owned(),
        hint: "they may stay; to be rid of them, drop what uses them, and then".to_owned(),
        verdict: Verdict::Warn,
    };
    steps.push(Phase::Undo, "nothing else uses the extensions that the start created", action);
    let forgotten = extensions::forget(chain);
    steps.transaction(Phase::Undo, "remove the start's extensions from the state", Vec::new(), forgotten);
}

fn rows<'a>(names: impl IntoIterator<Item = &'a String>) -> Sql {
    join(names.into_iter().map(|name| sql!("({})", literal(name))), ", ")
}

/// Whoever drops an extension has to be its owner.
fn may_be_dropped(chain: &Chain, steps: &mut Steps) {
    let gone: Vec<&String> = chain.stage.gone_extensions().filter(|name| chain.stage.from.extensions.contains(*name)).collect();
    if !gone.is_empty() {
        steps.check(
            "the extensions that go are the migration role's own",
            sql!(
                "SELECT pg_catalog.format('%I, which belongs to %s', there.extname, there.extowner::pg_catalog.regrole) FROM pg_catalog.pg_extension AS there \
                 WHERE there.extname IN ({}) AND NOT pg_catalog.pg_has_role(there.extowner, 'USAGE')",
                extensions::list(gone)
            ),
            "an extension cannot be dropped by this role",
            "keep the extension in the list (take the `drop_extension` out), or connect as its owner",
            Verdict::Refuse,
        );
    }
}

fn nothing_uses(chain: &Chain, tables: &[Physical<'_>], hint: &str, steps: &mut Steps) {
    let gone: Vec<&String> = chain.stage.gone_extensions().collect();
    if !gone.is_empty() {
        steps.check(
            "nothing that stays uses the extensions that go",
            users::query(chain, tables, &extensions::used(&sql!("own.extname IN ({})", extensions::list(gone))), false),
            "an extension cannot be dropped, because other objects use it",
            hint,
            Verdict::Refuse,
        );
    }
}
