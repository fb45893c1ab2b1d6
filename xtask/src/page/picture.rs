//! Both versions side by side: each table that changes as two boxes with their columns, rules and indexes, and what stays as it is, folded.

use std::collections::BTreeSet;

use diptych_core::layout::chain::Chain;
use diptych_core::model::schema::{Column, Constraint, Index, Schema, Table};
use diptych_core::model::statistics::Statistics;
use diptych_core::transition::lineage::Lineage;
use serde::Serialize;

use super::html::{Element, el};

/// How many lines that stay as they are a box shows; more of them are folded.
const SHOWN: usize = 12;

/// What becomes of a line, told by a sign, a word and a colour.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Same,
    Added,
    Removed,
    Changed,
}

impl Mark {
    /// The sign, the word and the class.
    fn told(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Mark::Same => ("", "", "same"),
            Mark::Added => ("+", "added", "added"),
            Mark::Removed => ("−", "removed", "removed"),
            Mark::Changed => ("≠", "changed", "changed"),
        }
    }

    fn badge(self) -> Element {
        let (sign, word, _) = self.told();
        el("span").class("badge").with(format!("{sign} {word}"))
    }
}

/// An object of one version.
struct Item {
    name: String,
    /// What is shown of it.
    says: String,
    /// By what it is told from another of its name, where that is more than what is shown.
    whole: String,
}

impl Item {
    fn new(name: impl Into<String>, says: String) -> Self {
        Item { name: name.into(), whole: says.clone(), says }
    }
}

struct Line {
    mark: Mark,
    name: String,
    says: String,
}

/// What two versions have of one table, the older first. A side that lacks the table has none.
struct Pair {
    name: String,
    comment: Option<String>,
    mark: Mark,
    columns: [Vec<Line>; 2],
    rules: [Vec<Line>; 2],
    sides: [bool; 2],
}

/// The picture.
pub(super) fn draw(chain: &Chain) -> Element {
    let nothing = Schema::default();
    let older = chain.older.as_ref().map_or(&nothing, |older| &older.schema);
    let versions = [chain.older.as_ref().map(|older| older.name.as_str()), Some(chain.newer.name.as_str())];
    let pairs = pairs(chain, older);
    let (same, changed): (Vec<Pair>, Vec<Pair>) = pairs.into_iter().partition(|pair| pair.mark == Mark::Same);
    let beside = lines(&objects(older), &objects(&chain.newer.schema), |name| Some(name.to_owned()), |_| false);
    let drawn = el("section")
        .set("id", "versions")
        .set("aria-labelledby", "versions-title")
        .with(el("h2").set("id", "versions-title").with("The two versions"))
        .with(legend())
        .all(changed.iter().map(|pair| boxes(pair, versions)));
    let drawn = if changed.is_empty() { drawn.with(el("p").with("No table changes.")) } else { drawn };
    let drawn = if beside.iter().flatten().any(|line| line.mark != Mark::Same) {
        let only = |lines: Vec<Line>| lines.into_iter().filter(|line| line.mark != Mark::Same).collect::<Vec<_>>();
        let name = "Types, extensions and code".to_owned();
        let columns = beside.map(only);
        let pair = Pair { name, comment: None, mark: Mark::Changed, columns, rules: Default::default(), sides: [true; 2] };
        drawn.with(boxes(&pair, versions))
    } else {
        drawn
    };
    if same.is_empty() { drawn } else { drawn.with(unchanged(&same)) }
}

fn legend() -> Element {
    let marks = [Mark::Added, Mark::Removed, Mark::Changed];
    el("p").class("legend").all(marks.map(|mark| el("span").class(mark.told().2).with(mark.badge())))
}

/// The tables that stay as they are, on a line each.
fn unchanged(pairs: &[Pair]) -> Element {
    let noun = if pairs.len() == 1 { "table stays as it is" } else { "tables stay as they are" };
    let line = |pair: &Pair| {
        let names: Vec<&str> = pair.columns[1].iter().map(|line| line.name.as_str()).collect();
        el("li").with(el("b").with(pair.name.as_str())).with(format!(" {}", names.join(", ")))
    };
    el("details")
        .with(el("summary").with(format!("{} {noun}", pairs.len())))
        .with(el("ul").class("plain").all(pairs.iter().map(line)))
}

/// A table's boxes, the older version's first.
fn boxes(pair: &Pair, versions: [Option<&str>; 2]) -> Element {
    let heading = el("h3").with(pair.name.as_str()).with(" ").with(pair.mark.badge());
    let side = |at: usize| {
        let class = if at == 0 { "older" } else { "newer" };
        let version = versions[at].unwrap_or("nothing before");
        let made = el("div").class("box").with(el("p").class(class).with(version));
        if !pair.sides[at] {
            return made.with(el("p").class("none").with("not in this version"));
        }
        let [columns, rules] = [&pair.columns[at], &pair.rules[at]].map(|lines| rows(lines));
        if pair.rules[at].is_empty() { made.all(columns) } else { made.all(columns).with(el("hr")).all(rules) }
    };
    let comment = pair.comment.iter().map(|comment| el("p").class("comment").with(comment.as_str()));
    let class = pair.mark.told().2;
    let made = el("article").set("class", format!("pair {class}")).with(heading).all(comment);
    // of a first version there is nothing to be beside
    let sides = if versions[0].is_none() { vec![side(1)] } else { vec![side(0), side(1)] };
    made.with(el("div").class("sides").all(sides))
}

/// The lines of a box: those that change, and the first of those that do not, in their order; the rest is folded.
fn rows(lines: &[Line]) -> Vec<Element> {
    let same = lines.iter().filter(|line| line.mark == Mark::Same).count();
    let is_long = same > SHOWN;
    let list = |lines: Vec<&Line>| el("ul").class("lines").all(lines.into_iter().map(row));
    if !is_long {
        return if lines.is_empty() { Vec::new() } else { vec![list(lines.iter().collect())] };
    }
    let (rest, first): (Vec<&Line>, Vec<&Line>) = lines.iter().partition(|line| line.mark == Mark::Same);
    let folded = el("details").with(el("summary").with(format!("{same} that stay as they are"))).with(list(rest));
    if first.is_empty() { vec![folded] } else { vec![list(first), folded] }
}

fn row(line: &Line) -> Element {
    let (sign, word, class) = line.mark.told();
    let sign = el("span").class("sign").set("aria-hidden", "true").with(sign);
    let word = (!word.is_empty()).then(|| el("span").class("aloud").with(format!("{word}: ")));
    let made = el("li").class(class).with(sign).all(word).with(el("b").with(line.name.as_str()));
    if line.says.is_empty() { made } else { made.with(" ").with(el("span").class("says").with(line.says.as_str())) }
}

/// Every table of either version: those that change first, each group in the newer version's order, then what it lacks.
fn pairs(chain: &Chain, older: &Schema) -> Vec<Pair> {
    let newer = &chain.newer.schema;
    let mut left: BTreeSet<&String> = older.tables.keys().collect();
    let mut pairs = Vec::new();
    for (name, table) in &newer.tables {
        let lineage = chain.stage.lineages.iter().find(|there| there.in_to && there.newest().table == *name);
        let before = match lineage {
            Some(lineage) => Some(&lineage.oldest().table).filter(|_| lineage.in_from),
            None => Some(name),
        };
        let before = before.and_then(|before| older.tables.get_key_value(before));
        if let Some((before, _)) = before {
            left.remove(before);
        }
        pairs.push(pair(lineage, before, name, table));
    }
    for name in left {
        let lines = |items: Vec<Item>| [marked(items, Mark::Removed), Vec::new()];
        let table = &older.tables[name];
        let [columns, rules] = [columns(table), rules(table)].map(lines);
        let comment = table.comment.clone();
        pairs.push(Pair { name: name.clone(), comment, mark: Mark::Removed, columns, rules, sides: [true, false] });
    }
    pairs
}

fn pair(lineage: Option<&Lineage>, before: Option<(&String, &Table)>, name: &str, table: &Table) -> Pair {
    let comment = table.comment.clone();
    let Some((former, was)) = before else {
        let lines = |items: Vec<Item>| [Vec::new(), marked(items, Mark::Added)];
        let [columns, rules] = [columns(table), rules(table)].map(lines);
        return Pair { name: name.to_owned(), comment, mark: Mark::Added, columns, rules, sides: [false, true] };
    };
    let origin = |column: &str| lineage.map_or_else(|| Some(column.to_owned()), |lineage| lineage.origin(column));
    let is_converted = |column: &str| lineage.is_some_and(|lineage| lineage.is_derived_up(column));
    let columns = lines(&columns(was), &columns(table), origin, is_converted);
    let rules = lines(&rules(was), &rules(table), |name| Some(name.to_owned()), |_| false);
    let is_same = |lines: &[Vec<Line>; 2]| lines.iter().flatten().all(|line| line.mark == Mark::Same);
    let rest = |table: &Table| {
        (table.comment.clone(), table.storage.clone(), table.replica_identity.clone(), table.partition_by.clone())
    };
    let same = former == name && is_same(&columns) && is_same(&rules) && rest(was) == rest(table);
    let mark = if same { Mark::Same } else { Mark::Changed };
    let name = if former == name { name.to_owned() } else { format!("{former} → {name}") };
    Pair { name, comment, mark, columns, rules, sides: [true; 2] }
}

/// The lines of both sides; `origin` says which older object a newer one was.
fn lines(
    older: &[Item],
    newer: &[Item],
    origin: impl Fn(&str) -> Option<String>,
    is_converted: impl Fn(&str) -> bool,
) -> [Vec<Line>; 2] {
    let mut marks = vec![Mark::Removed; older.len()];
    let line = |item: &Item, mark, says: String| Line { mark, name: item.name.clone(), says };
    let mut after = Vec::new();
    for item in newer {
        let at = origin(&item.name).and_then(|before| older.iter().position(|there| there.name == before));
        let Some(at) = at else {
            after.push(line(item, Mark::Added, item.says.clone()));
            continue;
        };
        let was = &older[at];
        let is_same = was.name == item.name && was.whole == item.whole && !is_converted(&item.name);
        marks[at] = if is_same { Mark::Same } else { Mark::Changed };
        let says = if was.name == item.name { item.says.clone() } else { format!("{} (was {})", item.says, was.name) };
        after.push(line(item, marks[at], says));
    }
    [older.iter().zip(marks).map(|(item, mark)| line(item, mark, item.says.clone())).collect(), after]
}

fn marked(items: Vec<Item>, mark: Mark) -> Vec<Line> {
    items.into_iter().map(|item| Line { mark, name: item.name, says: item.says }).collect()
}

fn columns(table: &Table) -> Vec<Item> {
    table.columns.iter().map(|column| Item::new(&column.name, of_column(column))).collect()
}

fn of_column(column: &Column) -> String {
    let mut says = vec![column.sql_type.clone()];
    says.extend(column.collation.iter().map(|name| format!("collate {name}")));
    says.extend((!column.nullable).then(|| "not null".to_owned()));
    says.extend(column.default.iter().map(|text| format!("default {}", text.as_str())));
    if let Some(identity) = &column.identity {
        let options = identity.options.iter().map(|options| format!(" ({options})")).collect::<String>();
        says.push(format!("identity{}{options}", if identity.always { " always" } else { "" }));
    }
    says.extend(column.generated.iter().map(|text| format!("generated as ({})", text.as_str())));
    says.extend(column.comment.iter().map(|comment| format!("“{comment}”")));
    says.join(" ")
}

/// Constraints, indexes and statistics.
fn rules(table: &Table) -> Vec<Item> {
    let constraints = table.constraints.iter().map(|(name, of)| item(name, of_constraint(of), of));
    let indexes = table.indexes.iter().map(|(name, of)| item(name, of_index(of), of));
    let statistics = table.statistics.iter().map(|(name, of)| item(name, of_statistics(of), of));
    constraints.chain(indexes).chain(statistics).collect()
}

fn item(name: &str, says: String, of: &impl Serialize) -> Item {
    let whole = serde_json::to_string(of).unwrap_or_else(|error| unreachable!("a model is plain data: {error}"));
    Item { name: name.to_owned(), says, whole }
}

fn of_constraint(of: &Constraint) -> String {
    match of {
        Constraint::PrimaryKey { columns, .. } => format!("primary key ({})", columns.join(", ")),
        Constraint::Unique { columns, .. } => format!("unique ({})", columns.join(", ")),
        Constraint::Check { check, .. } => format!("check ({})", check.as_str()),
        Constraint::ForeignKey { columns, references, .. } => {
            let [delete, update] = [("delete", &references.on_delete), ("update", &references.on_update)]
                .map(|(word, action)| action.as_ref().map_or_else(String::new, |action| format!(" on {word} {action}")));
            let (own, theirs) = (columns.join(", "), references.columns.join(", "));
            format!("foreign key ({own}) → {} ({theirs}){delete}{update}", references.table)
        }
        Constraint::Exclude { exclude, .. } => format!("exclude ({})", exclude.elements.as_str()),
    }
}

fn of_index(of: &Index) -> String {
    let keys = of.columns.iter().map(|key| key.expression.as_ref().map_or(key.column.as_str(), |text| text.as_str()));
    let keys = keys.collect::<Vec<_>>().join(", ");
    let method = of.method.as_ref().map_or_else(String::new, |method| format!(" using {method}"));
    let rows = of.predicate.as_ref().map_or_else(String::new, |text| format!(" where {}", text.as_str()));
    format!("{}index{method} ({keys}){rows}", if of.unique { "unique " } else { "" })
}

fn of_statistics(of: &Statistics) -> String {
    let texts = of.expressions.iter().map(|text| text.as_str());
    format!("statistics ({})", of.columns.iter().map(String::as_str).chain(texts).collect::<Vec<_>>().join(", "))
}

/// What a schema has besides tables.
fn objects(schema: &Schema) -> Vec<Item> {
    let extensions = schema.extensions.iter().map(|name| Item::new(name, "extension".to_owned()));
    let enums = schema.enums.iter().map(|(name, of)| item(name, format!("enum ({})", of.labels.join(", ")), of));
    let code = schema.code.iter().map(|(name, text)| item(name, "code".to_owned(), text));
    extensions.chain(enums).chain(code).collect()
}
