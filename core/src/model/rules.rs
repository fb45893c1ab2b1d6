//! What a name, a constraint or a list of labels must be, whoever writes it: a file, or a struct.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, Result};
use crate::model::composite::{Attribute, Composite};
use crate::model::domain::Domain;
use crate::model::expression::Expression;
use crate::model::schema::{Constraint, Index, References, Schema, Table};
use crate::model::sequence::Sequence;
use crate::model::statistics::{self, Statistics};
use crate::model::types;
use crate::{names, sql};

/// A referential action in upper case; `NO ACTION` is the absence of one.
pub fn normal_action(action: Option<&str>) -> Option<String> {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
    action.map(words).filter(|text| text != "NO ACTION")
}

/// Adds a constraint under a name that must be free on the table.
pub fn add_constraint(table_name: &str, table: &mut Table, name: &str, constraint: Constraint) -> Result<()> {
    if name.is_empty() {
        return Err(Error::new(format!("a constraint of table `{table_name}` has no name")).hint("add `name: …`"));
    }
    check_name("constraint", name, Some(table_name))?;
    if let Constraint::PrimaryKey { columns, .. } | Constraint::Unique { columns, .. } | Constraint::ForeignKey { columns, .. } =
        &constraint
    {
        if columns.is_empty() {
            return Err(
                Error::new(format!("constraint `{name}` of table `{table_name}` has no columns")).hint("add `columns: […]`")
            );
        }
        for (at, column) in columns.iter().enumerate() {
            table.column(table_name, column)?;
            if columns[..at].contains(column) {
                return Err(Error::new(format!("constraint `{name}` of table `{table_name}` has column `{column}` twice"))
                    .hint("keep one of them"));
            }
        }
    }
    if let Constraint::PrimaryKey { index_parameters, .. }
    | Constraint::Unique { index_parameters, .. }
    | Constraint::Exclude { index_parameters, .. } = &constraint
    {
        for column in &index_parameters.include_columns {
            table.column(table_name, column)?;
        }
    }
    if let Constraint::ForeignKey { columns, references, .. } = &constraint {
        check_references(&format!("foreign key `{name}` of table `{table_name}`"), columns, references)?;
    }
    if matches!(constraint, Constraint::PrimaryKey { .. }) && !table.primary_key().is_empty() {
        return Err(Error::new(format!("table `{table_name}` would have two primary keys")).hint("keep one of them"));
    }
    table.not_valid.remove(name);
    if table.constraints.insert(name.to_owned(), constraint).is_some() {
        return Err(Error::new(format!("table `{table_name}` already has a constraint `{name}`")).hint("choose another name"));
    }
    Ok(())
}

/// The error that lists the constraints there are.
pub fn no_such_constraint(name: &str, table: &Table, constraint: &str) -> Error {
    let there = table.constraints.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Error::new(format!("table `{name}` has no constraint `{constraint}`")).hint(if there.is_empty() {
        "it has none at all".to_owned()
    } else {
        format!("its constraints are {there}")
    })
}

const ACTIONS: [&str; 4] = ["CASCADE", "RESTRICT", "SET NULL", "SET DEFAULT"];

/// The words and columns of a foreign key; its target is looked at where the other tables are known.
pub fn check_references(place: &str, columns: &[String], references: &References) -> Result<()> {
    if references.columns.len() != columns.len() {
        return Err(Error::new(format!("{place} has {} columns and references {}", columns.len(), references.columns.len()))
            .hint("name as many columns on either side"));
    }
    for (word, action) in [("on_delete", &references.on_delete), ("on_update", &references.on_update)] {
        if let Some(action) = action {
            one_of(&format!("{word} of {place}"), action, &ACTIONS)?;
        }
    }
    if let Some(kind) = &references.match_type {
        one_of(&format!("match_type of {place}"), kind, &["FULL"])?;
    }
    let sets = matches!(references.on_delete.as_deref(), Some("SET NULL" | "SET DEFAULT"));
    if !references.on_delete_set_columns.is_empty() && !sets {
        return Err(Error::new(format!("{place} has `on_delete_set_columns`, but sets nothing on delete"))
            .hint("add `on_delete: SET NULL` or `SET DEFAULT`, or remove the columns"));
    }
    match references.on_delete_set_columns.iter().find(|column| !columns.contains(column)) {
        Some(column) => Err(Error::new(format!(
            "`on_delete_set_columns` of {place} names column `{column}`, which is not a column of the foreign key"
        ))
        .hint("name only columns of the foreign key in `on_delete_set_columns`")),
        None => Ok(()),
    }
}

/// The keyword that a file's text stands for, in any case. Keywords are printed as they are, so that nothing else may pass.
pub(crate) fn one_of<'a>(place: &str, given: &str, words: &[&'a str]) -> Result<&'a str> {
    words
        .iter()
        .find(|word| word.eq_ignore_ascii_case(given))
        .copied()
        .ok_or_else(|| Error::new(format!("{place} cannot be `{given}`")).hint(format!("write one of {}", words.join(", "))))
}

/// What can be said of an index without its table: the words of its keys.
pub fn check_index(name: &str, index: &Index) -> Result<()> {
    for key in &index.columns {
        let what =
            key.expression.as_ref().map_or_else(|| format!("column `{}`", key.column), |text| format!("expression `{text}`"));
        let place = |word: &str| format!("{word} of {what} in index `{name}`");
        let is_one = if key.expression.is_some() { key.column.is_empty() } else { !key.column.is_empty() };
        if !is_one || key.expression.as_deref().is_some_and(|text| text.trim().is_empty()) {
            return Err(Error::new(format!("a key of index `{name}` has both or neither of `column` and `expression`"))
                .hint("give each key exactly one of them: a `column` or an `expression`"));
        }
        if let Some(sort) = &key.sort {
            one_of(&place("sort"), sort, &["ASC", "DESC"])?;
        }
        if let Some(nulls) = &key.nulls {
            one_of(&place("nulls"), nulls, &["FIRST", "LAST"])?;
        }
    }
    if index.nulls_not_distinct && !index.unique {
        return Err(Error::new(format!("index `{name}` has `nulls_not_distinct`, which only a unique index can have"))
            .hint("make it `unique`, or remove `nulls_not_distinct`"));
    }
    Ok(())
}

/// What statistics of a table must be, but for what only the server knows.
pub fn check_statistics(name: &str, statistics: &Statistics, columns: &[&str]) -> Result<()> {
    let place = format!("statistics `{name}`");
    for kind in &statistics.kinds {
        one_of(&format!("kind of {place}"), kind, &statistics::KINDS)?;
    }
    let own = &statistics.columns;
    if let Some(twice) = own.iter().enumerate().find(|(at, column)| own[..*at].contains(column)) {
        return Err(Error::new(format!("{place} have column `{}` twice", twice.1)).hint("keep one of them"));
    }
    for text in &statistics.expressions {
        if text.trim().is_empty() {
            return Err(Error::new(format!("an expression of {place} is empty")).hint("write an expression, or remove it"));
        }
        if let Some(column) = columns.iter().find(|column| types::is_column(text, column)) {
            return Err(Error::new(format!("expression `{text}` of {place} is no more than a column"))
                .hint(format!("name `{column}` among the columns")));
        }
    }
    match (own.len(), statistics.expressions.len()) {
        (0, 0) => Err(Error::new(format!("{place} have no columns")).hint("name two columns at least, or an expression")),
        (1, 0) => Err(Error::new(format!("{place} have one column alone, of which PostgreSQL always has statistics"))
            .hint("name another column or an expression with it")),
        (0, 1) if !statistics.kinds.is_empty() => {
            Err(Error::new(format!("{place} have kinds, but one expression alone")).hint("remove the kinds"))
        }
        _ => Ok(()),
    }
}

/// Refuses a domain that PostgreSQL would not take.
pub fn check_domain(name: &str, domain: &Domain) -> Result<()> {
    check_name("domain", name, None)?;
    if domain.sql_type.trim().is_empty() {
        return Err(Error::new(format!("domain `{name}` has no type")).hint("name the type that it is based on: `type: text`"));
    }
    if let Some(base) = types::serial(&domain.sql_type) {
        return Err(Error::new(format!("domain `{name}` cannot be based on {}, which is no type", domain.sql_type))
            .hint(format!("base it on {base}, and let the columns have an identity")));
    }
    if types::element(&domain.sql_type) == name {
        return Err(Error::new(format!("domain `{name}` is based on itself")).hint("name another type"));
    }
    for (check, text) in &domain.checks {
        check_name("check", check, None)?;
        if text.trim().is_empty() {
            return Err(Error::new(format!("check `{check}` of domain `{name}` is empty"))
                .hint("write a condition over VALUE, such as `VALUE >= 0`, or remove it"));
        }
    }
    Ok(())
}

/// Refuses a sequence that PostgreSQL would not take.
pub fn check_sequence(name: &str, sequence: &Sequence) -> Result<()> {
    check_name("sequence", name, None)?;
    let Sequence { sql_type, increment, cache, .. } = sequence;
    let refuse = |what: String, hint: &str| Err(Error::new(format!("sequence `{name}` {what}")).hint(hint));
    if !["smallint", "integer", "bigint"].contains(&sql_type.as_str()) {
        return refuse(
            format!("cannot give numbers of type `{sql_type}`"),
            "write `smallint`, `integer` or `bigint`, or leave the type out",
        );
    }
    if *increment == 0 {
        return refuse(
            "would give one number again and again: its `increment` is 0".to_owned(),
            "write another number, or remove it",
        );
    }
    let ((lowest, highest), least, most, first) = (sequence.limits(), sequence.least(), sequence.most(), sequence.first());
    if least < lowest || most > highest {
        return refuse(
            format!("would give numbers from {least} to {most}, and type {sql_type} has those from {lowest} to {highest}"),
            "choose a wider `type`, or a `min` and `max` within this one",
        );
    }
    if least >= most {
        return refuse(format!("would give numbers from {least} to {most}"), "give a `min` that is smaller than `max`");
    }
    if first < least || first > most {
        return refuse(
            format!("would begin with {first}, and gives numbers from {least} to {most}"),
            "give a `start` between `min` and `max`, or leave it out",
        );
    }
    if *cache < 1 {
        return refuse(format!("has `cache` {cache}"), "write 1 or more, or leave it out");
    }
    Ok(())
}

/// Refuses what cannot become of a sequence while two versions draw from it: that it counts the other way.
pub fn check_change_of_sequence(name: &str, before: &Sequence, after: &Sequence) -> Result<()> {
    if before.descends() == after.descends() {
        return Ok(());
    }
    Err(Error::new(format!(
        "sequence `{name}` would count the other way, from numbers that it has given back to them, and the older version draws from it as well"
    ))
    .hint("create a sequence of another name with its own `start`, let the newer version draw from that one, and drop this one"))
}

/// Refuses a sequence that comes where another one goes and says nothing of where it begins: it would give the same numbers once more.
pub fn check_successors(before: &BTreeMap<String, Sequence>, after: &BTreeMap<String, Sequence>) -> Result<()> {
    let Some(gone) = before.keys().find(|name| !after.contains_key(*name)) else { return Ok(()) };
    let comes = |(name, sequence): &(&String, &Sequence)| !before.contains_key(*name) && sequence.start.is_none();
    match after.iter().find(comes) {
        Some((name, sequence)) => Err(Error::new(format!(
            "sequence `{name}` comes where `{gone}` goes, and would begin with {}: if it is to go on in its place, numbers that `{gone}` has given would come again",
            sequence.first()
        ))
        .hint(format!(
            "give `{name}` a `start` beyond what `{gone}` gives until complete (SELECT last_value FROM {place}); or leave `{gone}` as it is, since PostgreSQL has one name for a sequence, and two releases draw from it; or drop `{gone}` in a later release",
            place = sql::ident(gone)
        ))),
        None => Ok(()),
    }
}

/// Refuses what cannot become of a domain while two versions have it: another type, and rules that it did not have.
pub fn check_change_of_domain(name: &str, before: &Domain, after: &Domain) -> Result<()> {
    if (&before.sql_type, &before.collation) != (&after.sql_type, &after.collation) {
        return Err(Error::new(format!(
            "domain `{name}` would be based on another type or collation, and PostgreSQL cannot change that"
        ))
        .hint("create a domain of another name, give it to the columns with `type`, `up` and `down`, and drop this one"));
    }
    // what holds for a domain holds for every write at once, whichever version's
    let refuse = |rule: String, of_tables: &str| {
        Err(Error::new(format!(
            "domain `{name}` would get {rule}, which would hold for the older version's writes at once, and PostgreSQL would read every table with a column of it while their writers wait"
        ))
        .hint(format!(
            "create a domain of another name with that rule, and give it to the columns with `type`, `up` and `down`; or leave the domain as it is, and give the columns {of_tables}"
        )))
    };
    if after.not_null && !before.not_null {
        return refuse("NOT NULL".to_owned(), "NOT NULL");
    }
    let is_there = |check: &str, text: &Expression| before.checks.get(check).is_some_and(|there| there.says_the_same(text));
    match after.checks.iter().find(|(check, text)| !is_there(check, text)) {
        Some((check, _)) if before.checks.contains_key(check) => refuse(format!("another text for check `{check}`"), "a check"),
        Some((check, _)) => refuse(format!("check `{check}`"), "the check"),
        None => Ok(()),
    }
}

/// Refuses a composite type that PostgreSQL would not take.
pub fn check_composite(name: &str, composite: &Composite) -> Result<()> {
    check_name("composite type", name, None)?;
    for (at, Attribute { name: own, sql_type, .. }) in composite.attributes.iter().enumerate() {
        check_name("attribute", own, None)?;
        if composite.attributes[..at].iter().any(|before| before.name == *own) {
            return Err(Error::new(format!("composite type `{name}` has attribute `{own}` twice")).hint("keep one of them"));
        }
        if sql_type.trim().is_empty() {
            return Err(Error::new(format!("attribute `{own}` of composite type `{name}` has no type"))
                .hint("name its type, such as `text`"));
        }
        if types::is_list(sql_type) {
            return Err(Error::new(format!(
                "attribute `{own}` of composite type `{name}` has `{sql_type}` for a type, which is more than one"
            ))
            .hint("name one type, and list further attributes by themselves"));
        }
        if let Some(base) = types::serial(sql_type) {
            return Err(Error::new(format!(
                "attribute `{own}` of composite type `{name}` cannot be {sql_type}, which is no type"
            ))
            .hint(format!("give it the type {base}")));
        }
        if types::element(sql_type) == name {
            return Err(
                Error::new(format!("composite type `{name}` is made of itself, by attribute `{own}`")).hint("name another type")
            );
        }
    }
    Ok(())
}

/// Refuses what cannot become of a composite type while two versions have it: anything but another comment. `recorded` is the schema that has it.
pub fn check_change_of_composite(recorded: &Schema, name: &str, after: &Composite) -> Result<()> {
    let before = recorded.composite(name)?;
    if before.attributes == after.attributes {
        return Ok(());
    }
    let is_in = |list: &[Attribute], own: &Attribute| list.iter().any(|other| other.name == own.name);
    let come = after.attributes.iter().find(|own| !is_in(&before.attributes, own));
    let goes = before.attributes.iter().find(|own| !is_in(&after.attributes, own));
    let other = after.attributes.iter().find(|own| is_in(&before.attributes, own) && !before.attributes.contains(own));
    let change = match (come, goes, other) {
        (Some(own), None, _) => format!("get attribute `{}`", own.name),
        (None, Some(own), _) => format!("lose attribute `{}`", own.name),
        (Some(to), Some(from), _) => format!("have attribute `{}` in place of `{}`", to.name, from.name),
        (None, None, Some(own)) => format!("have another type or collation for attribute `{}`", own.name),
        (None, None, None) => "have its attributes in another order".to_owned(),
    };
    let value = recorded.columns_of_type(name).find(|(_, column)| !types::is_array(&column.sql_type));
    let value = value.map_or("value", |(_, column)| column.name.as_str());
    let next = format!("{name}_2");
    let up = before.carried_over(after, value, &next);
    Err(Error::new(format!(
        "composite type `{name}` would {change}, and both versions read and write values of the one type that there is"
    ))
    .hint(format!(
        "leave it as it is, and list a composite type `{next}` with these attributes; give it to the columns with `type`, `down` and \
         `up = \"{}\"`; when no column has `{name}` any more, drop it",
        up.replace('"', "\\\"")
    )))
}

/// Refuses names that PostgreSQL would cut off, that it cannot store or that are empty.
pub fn check_name(kind: &str, name: &str, table: Option<&str>) -> Result<()> {
    let place = table.map_or_else(String::new, |table| format!(" of table `{table}`"));
    if name.is_empty() {
        let said = match kind {
            "statistics" => format!("statistics{place} have no name"),
            _ if kind.starts_with(['a', 'e', 'i']) => format!("an {kind}{place} has no name"),
            _ => format!("a {kind}{place} has no name"),
        };
        return Err(Error::new(said).hint("add `name: …`"));
    }
    if name.contains('\0') {
        return Err(
            Error::new(format!("{kind} name `{}`{place} holds a NUL byte", name.escape_debug())).hint("choose another name")
        );
    }
    if name.len() > names::LONGEST {
        return Err(Error::new(format!("{kind} name `{name}`{place} is longer than {} bytes", names::LONGEST))
            .hint("choose a shorter name"));
    }
    if kind == "column" && SYSTEM_COLUMNS.contains(&name) {
        return Err(Error::new(format!("column `{name}`{place} has the name of a column that PostgreSQL has in every table"))
            .hint("choose another name"));
    }
    Ok(())
}

/// The columns that every table has.
const SYSTEM_COLUMNS: [&str; 6] = ["cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"];

/// The table that has an index; one of a constraint is the matter of another operation.
pub fn table_of_index(schema: &Schema, index: &str, of_constraints: &str) -> Result<String> {
    if let Some((table, _)) = schema.tables.iter().find(|(_, table)| table.indexes.contains_key(index)) {
        return Ok(table.clone());
    }
    let owner = schema.tables.iter().find(|(_, table)| table.constraints.contains_key(index));
    Err(match owner {
        Some((table, _)) => Error::new(format!("index `{index}` belongs to a constraint of table `{table}`"))
            .hint(format!("use {of_constraints}")),
        None => Error::new(format!("there is no index `{index}`")).hint("name an index that an earlier migration created"),
    })
}

/// Labels are names, and each is there once.
pub fn check_labels(name: &str, labels: &[String]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for label in labels {
        if label.len() > names::LONGEST || label.contains('\0') {
            return Err(Error::new(format!(
                "label `{}` of enum `{name}` is longer than {} bytes or holds a NUL byte",
                label.escape_debug(),
                names::LONGEST
            ))
            .hint("choose a shorter label"));
        }
        if !seen.insert(label) {
            return Err(Error::new(format!("enum `{name}` has the label `{label}` twice")).hint("remove one of them"));
        }
    }
    Ok(())
}
