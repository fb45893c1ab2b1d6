//! What a start will make and checks of preflight need already: lent to them in a transaction that is rolled back.

use crate::layout::chain::Chain;
use crate::plan::{Action, Phase, Step, Steps, Verdict};
use crate::sql::Sql;
use crate::statements::path::Path;
use crate::statements::{extensions, own_types, sequences};

/// Lends to every check that holds texts of the user's own.
pub(super) fn lend(chain: &Chain, steps: &mut [Step]) {
    for step in steps.iter_mut().filter(|step| step.phase == Phase::Preflight && !step.path.is_own()) {
        if let Action::Check { before, .. } = &mut step.action {
            *before = lent(chain);
        }
    }
}

/// What is lent can be made at all: told by itself, before checks of other things fail for it.
pub(super) fn checks(chain: &Chain, steps: &mut Steps) {
    if chain.stage.made_sequences().next().is_none() && chain.stage.made_types().is_empty() {
        return;
    }
    let action = Action::Check {
        before: lent(chain),
        sql: Sql::trusted("SELECT NULL::pg_catalog.text WHERE false"),
        refusal: "a new sequence, domain or composite type cannot be created".to_owned(),
        hint: "correct its definition, or choose another name".to_owned(),
        verdict: Verdict::Refuse,
    };
    steps.push(Phase::Preflight, "the new sequences, domains and composite types can be created", action);
}

/// The statements for one check: extensions, sequences, and domains and composite types, which may be made of the one's types and draw from the other.
pub(super) fn lent(chain: &Chain) -> Vec<Sql> {
    let made: Vec<&String> = chain.stage.made_extensions().collect();
    let mut statements = Vec::new();
    if !made.is_empty() {
        statements.push(extensions::borrow_all(&chain.base, &made));
    }
    statements.extend(sequences::borrow(chain));
    statements.extend(Path::base(&chain.base).around(own_types::borrow(chain)));
    statements
}
