//! What the texts of migrations read of other tables: a text has one meaning, where nothing beside it changes what it reads.

use crate::error::{Error, Result};
use crate::layout::chain::Chain;
use crate::model::expression::Expression;
use crate::model::types;
use crate::transition::lineage::{Layer, Lineage, Link};

/// Whether a text reads a table by this name. Of a text that nobody could be asked about, a word too many refuses too much, and says what to do.
pub(super) fn reads(text: &Expression, name: &str) -> bool {
    let facts = text.facts([]);
    if facts.relations.is_empty() {
        return false;
    }
    let spelled = types::spelled(name);
    let of_any_schema = format!(".{spelled}");
    let is_assumed = facts.is_assumed && text.mentions(name);
    is_assumed || facts.relations.iter().any(|there| *there == spelled || there.ends_with(&of_any_schema))
}

/// A sub-select of a conversion reads one version's tables: those of the older one on the way up, of the newer one on the way down. Where
/// they are not the same to it at its place, it is refused.
pub(super) fn refuse_what_changes(chain: &Chain) -> Result<()> {
    let kept = || chain.stage.lineages.iter().filter(|lineage| lineage.in_from && lineage.in_to && lineage.layers.len() > 1);
    for (at, own) in chain.stage.lineages.iter().enumerate().filter(|(_, lineage)| lineage.layers.len() > 1) {
        let others = || kept().filter(|other| !std::ptr::eq(*other, &raw const chain.stage.lineages[at]));
        for layer in &own.layers {
            for (word, column, text) in texts(layer) {
                let changes = |other: &&Lineage| match word {
                    "up" => is_changed_above(other, layer, text),
                    _ => is_another(other, text),
                };
                let Some(other) = others().find(changes) else { continue };
                let name = &other.newest().table;
                return Err(Error::new(format!(
                    "`{word}` of `{}.{column}` reads table `{name}`, of which operations of the same start change what it reads",
                    layer.table
                ))
                .hint(format!("put the operations on `{name}` into a migration of their own, and run `start --to` with it and `complete` before the other one")));
            }
        }
    }
    Ok(())
}

/// The expressions of a layer, each with its direction and its column.
fn texts(layer: &Layer) -> impl Iterator<Item = (&'static str, &String, &Expression)> {
    let ups = layer.up.iter().map(|(column, link)| ("up", column, link));
    let downs = layer.down.iter().map(|(column, link)| ("down", column, link));
    ups.chain(downs).filter_map(|(word, column, link)| match link {
        Link::Derived(text) => Some((word, column, text)),
        _ => None,
    })
}

/// Whether an operation above has given columns that a text reads other values or names, or their table another name.
fn is_changed_above(other: &Lineage, at: &Layer, text: &Expression) -> bool {
    let above = other.layers.iter().skip(1).filter(|layer| layer.turn < at.turn);
    above.into_iter().any(|layer| {
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
    let names = oldest.columns.iter().chain(&newest.columns).map(|column| &column.name);
    let is_other = |name: &String| text.mentions(name) && other.origin(name).as_ref() != Some(name);
    oldest.table != newest.table || names.into_iter().any(is_other)
}
