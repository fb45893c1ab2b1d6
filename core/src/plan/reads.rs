//! What the texts of migrations read of other tables: a text has one meaning, where nothing beside it changes what it reads.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::layout::chain::Chain;
use crate::model::expression::Expression;
use crate::model::types;
use crate::transition::lineage::{Layer, Lineage, Link};

/// Whether a text reads a table by this name. Of a text that nobody could be asked about, a word too many refuses too much, and says what to do.
pub(super) fn reads(text: &Expression, name: &str) -> bool {
    let facts = text.facts([]);
    let spelled = types::spelled(name);
    let of_any_schema = format!(".{spelled}");
    let is_assumed = facts.is_assumed && !facts.relations.is_empty() && text.mentions(name);
    is_assumed || facts.relations.iter().any(|there| *there == spelled || there.ends_with(&of_any_schema))
}

/// A sub-select of a conversion reads one version's tables: those of the older one on the way up, of the newer one on the way down. Where
/// they are not the same to it at its place, it is refused.
pub(super) fn refuse_what_changes(chain: &Chain) -> Result<()> {
    let changed = || chain.stage.lineages.iter().enumerate().filter(|(_, lineage)| lineage.layers.len() > 1);
    for (at, own) in changed() {
        let others = || changed().filter(|(other, there)| *other != at && there.in_from && there.in_to).map(|(_, there)| there);
        for layer in &own.layers {
            let up = sub_selects(&layer.up)
                .filter_map(|(column, text)| Some(("up", column, others().find(|other| is_changed_above(other, layer, text))?)));
            let down = sub_selects(&layer.down)
                .filter_map(|(column, text)| Some(("down", column, others().find(|other| is_another(other, text))?)));
            let Some((word, column, other)) = up.chain(down).next() else { continue };
            let name = &other.newest().table;
            return Err(Error::new(format!(
                "`{word}` of `{}.{column}` reads table `{name}`, of which operations of the same start change what it reads",
                layer.table
            ))
            .hint(format!("keep this and the operations on `{name}` in migrations of their own; run `start --to` with the first of them, then `complete`, then `start` again")));
        }
    }
    Ok(())
}

/// The expressions among these links that read other tables, each with its column.
fn sub_selects(links: &BTreeMap<String, Link>) -> impl Iterator<Item = (&String, &Expression)> {
    links.iter().filter_map(|(column, link)| match link {
        Link::Derived(text) if !text.facts([]).relations.is_empty() => Some((column, text)),
        _ => None,
    })
}

/// Whether an operation above has given columns that a text reads other values or names, or their table another name.
fn is_changed_above(other: &Lineage, at: &Layer, text: &Expression) -> bool {
    let mut above = other.layers.iter().skip(1).filter(|layer| layer.turn < at.turn);
    above.any(|layer| {
        let is_renamed = layer.table != other.oldest().table;
        let is_other = |(name, link): (&String, &Link)| match link {
            Link::Same(below) => below != name && text.mentions(name),
            Link::Derived(_) => text.mentions(name),
            Link::Fresh => false,
        };
        reads(text, &layer.table) && (is_renamed || layer.up.iter().any(is_other))
    })
}

/// Whether what a text reads has other names in the two versions: it is tried against the older one, and computed against the newer one.
fn is_another(other: &Lineage, text: &Expression) -> bool {
    let (oldest, newest) = (other.oldest(), other.newest());
    if !reads(text, &oldest.table) && !reads(text, &newest.table) {
        return false;
    }
    let mut names = oldest.columns.iter().chain(&newest.columns).map(|column| &column.name);
    let is_other = |name: &String| text.mentions(name) && other.origin(name).as_ref() != Some(name);
    oldest.table != newest.table || names.any(is_other)
}
