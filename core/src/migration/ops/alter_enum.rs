//! `alter_enum`: an enum with other labels: added, renamed, removed, in another order; or with another comment.
//!
//! PostgreSQL cannot take a label away, so that a label added in place could not be rolled back: other labels are another type of
//! the same name, and every column of it (arrays too) gets a shadow column that is converted label by label. Each version goes on to
//! find its own type under that name. Locks are those of `alter_column`; a comment alone takes none.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::operate::Operate;
use crate::error::{Error, Result};
use crate::model::expression::Expression;
use crate::model::lexer;
use crate::model::rules::check_labels;
use crate::model::schema::{Column, Enum};
use crate::model::texts::Place;
use crate::model::types;
use crate::sql;
use crate::sql::{Sql, ident, literal};
use crate::transition::stage::{Conversion, Stage};
use crate::yaml::present;

/// The operation (not in pgroll's dialect).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlterEnum {
    /// The type's name.
    pub name: String,
    /// The labels to be, in order; as they are where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// Labels that get another name: `old: new`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
    /// For each label that goes, the one that takes its place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub up: BTreeMap<String, String>,
    /// For each new label, the one that the older version reads in its place.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub down: BTreeMap<String, String>,
    /// New labels may be without `down`: the older version reads the column's default in their place, or NULL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Allowed>,
    /// The new comment; `null` drops it, absence leaves it alone.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub comment: Option<Option<String>>,
}

/// What a change of labels may do to the older version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allowed {
    /// It reads rows with labels that it does not know.
    OldReadsNewLabels,
}

impl Operate for AlterEnum {
    fn apply(&self, stage: &mut Stage) -> Result<()> {
        let before = stage.to.enum_type(&self.name)?.clone();
        if self.labels.is_none() && self.comment.is_none() {
            return Err(
                Error::new(format!("no change is given for enum `{}`", self.name)).hint("add what changes: labels or comment")
            );
        }
        let model = Enum {
            labels: self.labels.clone().unwrap_or_else(|| before.labels.clone()),
            comment: self.comment.clone().unwrap_or_else(|| before.comment.clone()),
        };
        check_labels(&self.name, &model.labels)?;
        let labels = Labels::of(self, &before.labels, &model.labels)?;
        if before.labels == model.labels && labels.up.is_empty() {
            return stage.alter_enum(&self.name, model);
        }
        let columns: Vec<(String, Column)> =
            stage.to.columns_of_type(&self.name).map(|(table, column)| (table.to_owned(), column.clone())).collect();
        let mut tables: Vec<&String> = columns.iter().map(|(table, _)| table).collect();
        tables.dedup();
        // texts follow the new names of labels; what mentions one that goes is refused when the new type is there to be asked
        let followed: Vec<(&String, Vec<Place>)> =
            tables.into_iter().map(|table| (table, stage.relabel(table, &self.name, &self.rename))).collect();
        let mut converted = Vec::new();
        for (table, older) in &columns {
            stage.refuse_what_cannot_move(table, &older.name)?;
            let column = stage.to.table(table)?.column(table, &older.name)?.clone();
            let (up, down) = (labels.up_of(older), labels.down_of(table, older)?);
            converted.push((table, Column { default: labels.default(&column), ..column }, up, down));
        }
        stage.alter_enum(&self.name, model.clone())?;
        for (table, column, up, down) in converted {
            let name = column.name.clone();
            let over = |text: Sql| Expression::over(&name, text.as_str());
            stage.convert_columns(table, vec![Conversion { column, up: over(up), down: over(down) }])?;
        }
        for (table, places) in &followed {
            places.iter().try_for_each(|place| labels.refuse_what_goes(stage, table, place))?;
        }
        Ok(())
    }
}

/// What becomes of every label that does not stay what it is.
struct Labels<'a> {
    name: &'a str,
    before: &'a [String],
    after: &'a [String],
    /// Newer labels that an older one has become, or has stayed.
    kept: BTreeSet<&'a str>,
    /// Older labels that the newer version has under another name or not at all.
    up: BTreeMap<&'a str, &'a str>,
    /// The other way; none where the older version has none for it.
    down: BTreeMap<&'a str, Option<&'a str>>,
    /// Older labels with the names that they have got.
    renamed: &'a BTreeMap<String, String>,
}

impl<'a> Labels<'a> {
    fn of(operation: &'a AlterEnum, before: &'a [String], after: &'a [String]) -> Result<Self> {
        let mut labels = Labels {
            name: &operation.name,
            before,
            after,
            kept: BTreeSet::new(),
            up: BTreeMap::new(),
            down: BTreeMap::new(),
            renamed: &operation.rename,
        };
        labels.rename(&operation.rename)?;
        labels.keep_or_replace(operation)?;
        labels.show_to_older(operation)?;
        labels.refuse_idle(operation)?;
        Ok(labels)
    }

    fn rename(&mut self, rename: &'a BTreeMap<String, String>) -> Result<()> {
        for (from, to) in rename {
            if !self.before.contains(from) || !self.after.contains(to) {
                let which = if self.before.contains(from) {
                    format!("`labels` has no label `{to}`")
                } else {
                    format!("there is no label `{from}`")
                };
                return self.refuse(
                    format!("label `{from}` cannot be renamed to `{to}`: {which}"),
                    "correct `rename` or `labels`".to_owned(),
                );
            }
            let stays = self.before.contains(to) && !rename.contains_key(to);
            if stays || !self.kept.insert(to) {
                return self.refuse(
                    format!("label `{from}` cannot be renamed to `{to}`, because another label already has that name"),
                    format!("drop the label instead: `up: {{{from}: {to}}}`"),
                );
            }
            self.up.insert(from, to);
            self.down.insert(to, Some(from));
        }
        Ok(())
    }

    /// An older label that gets no other name stays, or another one takes its place.
    fn keep_or_replace(&mut self, AlterEnum { rename, up, .. }: &'a AlterEnum) -> Result<()> {
        for label in self.before.iter().filter(|label| !rename.contains_key(*label)) {
            if self.after.contains(label) && self.kept.insert(label) {
                continue;
            }
            let Some(to) = up.get(label) else {
                return self.refuse(
                    format!("label `{label}` is removed without `up`, and rows may hold it"),
                    format!("add `up: {{{label}: …}}` with the label that takes its place, or `rename: {{{label}: …}}`"),
                );
            };
            if !self.after.contains(to) {
                return self.refuse(
                    format!("`up` of label `{label}` is `{to}`, which is not in `labels`"),
                    "name a label that is in `labels`".to_owned(),
                );
            }
            self.up.insert(label, to);
        }
        Ok(())
    }

    /// What the older version reads in the place of each new label.
    fn show_to_older(&mut self, AlterEnum { down, allow, .. }: &'a AlterEnum) -> Result<()> {
        for label in self.after {
            if self.kept.contains(label.as_str()) {
                continue;
            }
            let to = down.get(label);
            if let Some(to) = to.filter(|to| !self.before.contains(to)) {
                return self.refuse(
                    format!("`down` of label `{label}` is `{to}`, which the older version does not have"),
                    "name a label of the older version".to_owned(),
                );
            }
            if to.is_none() && allow.is_none() {
                return self.refuse(
                    format!("label `{label}` is new, and the older version cannot read it"),
                    format!(
                        "add `down: {{{label}: …}}` with the label that it reads in its place, or `allow: old_reads_new_labels`: it then reads the column's default, or NULL"
                    ),
                );
            }
            self.down.insert(label, to.map(String::as_str));
        }
        Ok(())
    }

    /// Every entry of `up` and `down` converts something.
    fn refuse_idle(&self, AlterEnum { up, down, .. }: &AlterEnum) -> Result<()> {
        let is_idle_up = |(label, to): &(&String, &String)| self.up.get(label.as_str()) != Some(&to.as_str());
        let is_idle_down = |label: &&String| !self.down.contains_key(label.as_str()) || self.kept.contains(label.as_str());
        let idle_up = up.iter().find(is_idle_up).map(|(label, _)| ("up", label));
        let idle = idle_up.or_else(|| down.keys().find(is_idle_down).map(|label| ("down", label)));
        idle.map_or(Ok(()), |(what, label)| {
            self.refuse(
                format!("`{what}` has an entry for label `{label}`, which needs no conversion"),
                format!("remove it from `{what}`"),
            )
        })
    }

    fn refuse(&self, what: String, hint: String) -> Result<()> {
        Err(Error::new(format!("enum `{}`: {what}", self.name)).hint(hint))
    }

    fn up_of(&self, column: &Column) -> Sql {
        let map: Vec<_> = self.up.iter().map(|(from, to)| (*from, Some(*to))).collect();
        mapped(column, &map)
    }

    fn down_of(&self, table: &str, column: &Column) -> Result<Sql> {
        let default = column.default.as_deref().and_then(|text| Some(sql::label_of(text)?.0));
        let fallback = default.filter(|label| self.before.contains(label));
        let is_array = types::is_array(&column.sql_type);
        let mut map = Vec::new();
        for (from, to) in &self.down {
            let to = to.or_else(|| fallback.as_deref().filter(|_| !is_array));
            if to.is_none() && !column.nullable && !is_array {
                return Err(Error::new(format!(
                    "label `{from}` of enum `{}` is new, and column `{table}.{}` has neither a default nor NULL for the older version to read",
                    self.name, column.name
                ))
                .hint(format!("add `down: {{{from}: …}}` with the label that it reads in its place")));
            }
            map.push((*from, to));
        }
        Ok(mapped(column, &map))
    }

    /// The default: of a plain literal the label that takes its place.
    fn default(&self, column: &Column) -> Option<Expression> {
        let text = column.default.as_ref()?;
        let plain = sql::label_of(text).filter(|_| !types::is_array(&column.sql_type));
        let other = plain.and_then(|(label, rest)| Some((self.up.get(label.as_str())?, rest)));
        Some(match other {
            Some((to, rest)) => Expression::constant(&format!("{}{rest}", literal(to).as_str().trim_start())),
            None => text.clone(),
        })
    }

    /// A text that mentions a label which goes would not be valid any more.
    fn refuse_what_goes(&self, stage: &mut Stage, table: &str, place: &Place) -> Result<()> {
        let refused = stage.refusal(table, place);
        let model = stage.to.table(table)?;
        let Some((_, text)) = model.texts().into_iter().find(|(there, _)| there == place) else { return Ok(()) };
        let is_assumed = text.known().is_none_or(|facts| facts.is_assumed);
        // as text, a label that has another name is compared with what no row has any more
        let concerns = |label: &str| is_assumed || self.renamed.contains_key(label);
        let goes = |label: &&str| !self.after.iter().any(|there| there == label) && concerns(label) && names(text, label);
        let why = match (refused, self.up.keys().copied().find(|label| goes(label))) {
            (Some(words), _) => words,
            (None, Some(label)) => format!("it mentions label `{label}`"),
            (None, None) => return Ok(()),
        };
        let (what, hint) = match place {
            Place::Default(column) => (
                format!("the default of column `{table}.{column}`"),
                "in the same migration, drop the default with alter_column before this operation, and set the new one with alter_column after it",
            ),
            Place::Check(name) | Place::Elements(name) | Place::Excluded(name) => (
                format!("constraint `{name}` of table `{table}`"),
                "drop it before this operation and create it again after it, in the same migration",
            ),
            Place::Key(name, _) | Place::Predicate(name) => (
                format!("index `{name}` of table `{table}`"),
                "drop it before this operation and create it again after it, in the same migration",
            ),
            Place::Generated(column) => {
                (format!("generated column `{table}.{column}`"), "drop it before this operation, in the same migration")
            }
            Place::Statistics(name, _) => (
                format!("statistics `{name}` of table `{table}`"),
                "drop them before this operation and create them again after it, in the same migration",
            ),
            Place::Partition => (format!("the partition key of table `{table}`"), "keep that label in the enum"),
        };
        Err(Error::new(format!("{what} does not fit the new labels of enum `{}`: {why}", self.name)).hint(hint))
    }
}

/// Whether a string literal of an expression is the label, or an array with it.
fn names(text: &str, label: &str) -> bool {
    let strings = lexer::tokens(text).into_iter().filter(|token| token.kind == lexer::Kind::String);
    strings.map(|token| &text[token.start..token.end]).any(|literal| match sql::quoted(literal) {
        Some((value, _)) => value == label || value.starts_with('{') && elements(&value).iter().any(|element| element == label),
        // what is written in a way that PostgreSQL never prints
        None => literal.contains(label),
    })
}

/// The elements of an array's text, however deep they are.
fn elements(text: &str) -> Vec<String> {
    let mut elements = vec![String::new()];
    let (mut within, mut rest) = (false, text.chars());
    while let Some(c) = rest.next() {
        let last = elements.last_mut().expect("one at least");
        match c {
            '"' => within = !within,
            '\\' => last.extend(rest.next()),
            ',' | '{' | '}' if !within => elements.push(String::new()),
            c => last.push(c),
        }
    }
    elements
}

/// A column's labels as text, some of them replaced; those without a replacement by NULL.
fn mapped(column: &Column, map: &[(&str, Option<&str>)]) -> Sql {
    let to = |label: &Option<&str>| label.map_or_else(|| Sql::trusted("NULL"), literal);
    if types::is_array(&column.sql_type) {
        let replace = |value: Sql, from: &str, to: Sql| sql!("pg_catalog.array_replace({}, {}, {})", value, literal(from), to);
        let value = sql!("CAST({} AS pg_catalog.text[])", ident(&column.name));
        // longer than any label: two that change places are put aside first
        let aside = |label: &str| format!("{label}{}", "+".repeat(crate::names::LONGEST));
        let circular = map.iter().any(|(_, to)| map.iter().any(|(from, _)| *to == Some(from)));
        if !circular {
            return map.iter().fold(value, |value, (from, label)| replace(value, from, to(label)));
        }
        let value = map.iter().fold(value, |value, (from, _)| replace(value, from, literal(&aside(from))));
        return map.iter().fold(value, |value, (from, label)| replace(value, &aside(from), to(label)));
    }
    let value = sql!("CAST({} AS pg_catalog.text)", ident(&column.name));
    if map.is_empty() {
        return value;
    }
    let arms = map.iter().map(|(from, label)| sql!("WHEN {} THEN {}", literal(from), to(label)));
    sql!("CASE {} {} ELSE {} END", value, sql::join(arms, " "), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_label_of_a_default() {
        for (text, expected) in [
            ("'ok'::mood", Some(("ok", "::mood"))),
            ("'it''s'", Some(("it's", ""))),
            ("'a' || 'b'", None),
            ("pick('ok')", None),
            ("'ok'::text::mood", Some(("ok", "::text::mood"))),
            ("E'it\\\\s\\''::mood", Some(("it\\s'", "::mood"))),
            ("E'a\\nb'::mood", None),
        ] {
            assert_eq!(sql::label_of(text), expected.map(|(label, rest)| (label.to_owned(), rest)), "{text}");
        }
    }

    #[test]
    fn finds_labels_in_expressions() {
        for (text, expected) in [
            ("mood = 'ok'::mood", true),
            ("mood = ANY ('{sad,ok}'::mood[])", true),
            ("moods <> E'{{\"o\\\\k\"},{\"ok\"}}'", true),
            ("\"ok\" = 'okay' AND \"it's\" <> 'not ok'", false),
            ("moods = '{okay,not ok}'", false),
        ] {
            assert_eq!(names(text, "ok"), expected, "{text}");
        }
    }

    #[test]
    fn labels_are_put_aside_where_they_change_places() {
        let column = Column::new("m", "mood[]", false);
        let text = mapped(&column, &[("a", Some("b")), ("b", Some("a"))]).as_str().to_owned();
        assert_eq!(text.matches("array_replace").count(), 4, "{text}");
    }
}
