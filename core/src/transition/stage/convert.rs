//! Columns in another form, and what cannot be given one or cannot go.

use crate::error::{Error, Result};
use crate::model::expression::Expression;
use crate::model::schema::{Column, Constraint, Table};
use crate::transition::lineage::Link;
use crate::transition::stage::{Stage, refuse_generated, refuse_partition_key};

/// A column in another form, kept in a shadow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// The column as it will be.
    pub column: Column,
    /// Its value over the columns so far.
    pub up: Expression,
    /// The value of the column so far, over the new ones.
    pub down: Expression,
}

impl Stage {
    /// A column in another form: in a shadow, unless both versions can share the one that is there.
    pub(crate) fn convert(&mut self, table: &str, column: Column, up: &str, down: &str) -> Result<()> {
        if self.is_shared(table, &column, up, down)? {
            return self.describe_column(table, column);
        }
        self.refuse_what_cannot_move(table, &column.name)?;
        self.convert_columns(table, vec![Conversion { column, up: up.into(), down: down.into() }])
    }

    /// Columns in another form, all of them computed from one row.
    pub fn convert_columns(&mut self, table: &str, conversions: Vec<Conversion>) -> Result<()> {
        let model = &self.to.table(table)?.clone();
        let mut after = model.clone();
        for Conversion { column, .. } in &conversions {
            self.refuse_what_cannot_be_converted(table, model, &column.name)?;
            *after.column_mut(table, &column.name)? = column.clone();
        }
        let (mut layers, mut names) = (Vec::new(), Vec::new());
        for Conversion { column, up, down } in conversions {
            let (up, down) = (self.know(table, model, up), self.know(table, &after, down));
            refuse_generated(table, model, "up", &column.name, Some(&up))?;
            refuse_generated(table, model, "down", &column.name, Some(&down))?;
            self.supply_what_is_read(table, &up)?;
            layers.push((self.scope_column(&column), up, down));
            names.push(column.name);
        }
        self.lineage_mut(table)?.push_layer(|layer| {
            for (converted, up, down) in layers {
                let name = converted.name.clone();
                for there in layer.columns.iter_mut().filter(|there| there.name == name) {
                    there.clone_from(&converted);
                }
                layer.up.insert(name.clone(), Link::Derived(up));
                layer.down.insert(name, Link::Derived(down));
            }
        });
        for name in &names {
            *self.table_mut(table)?.column_mut(table, name)? = after.column(table, name)?.clone();
        }
        self.prove_what_is_built_anew(table, model, &names)
    }

    fn refuse_what_cannot_be_converted(&self, table: &str, model: &Table, name: &str) -> Result<()> {
        model.column(table, name)?;
        refuse_partition_key(table, model, "convert", name)?;
        // a key of a partitioned table is put together from those of its partitions, which takes place at complete
        if let (true, Some((other, key))) = (model.partition_by.is_some(), self.inbound_on(table, name)) {
            return Err(Error::new(format!(
                "cannot convert `{table}.{name}`: the table is partitioned, and foreign key `{key}` of table `{other}` points at the column"
            ))
            .hint(format!("drop foreign key `{key}` in an earlier migration, and create it again in a later one")));
        }
        if self.numbered(table)?.iter().any(|there| there == name) {
            return Err(Error::new(format!(
                "identity column `{table}.{name}` is added by this migration, and cannot be converted in the same one"
            ))
            .hint("give it its final form when it is added (add_column)"));
        }
        Ok(())
    }

    /// Constraints over columns in another form are built anew, and are valid then.
    fn prove_what_is_built_anew(&mut self, table: &str, model: &Table, names: &[String]) -> Result<()> {
        let is_one = |name: &String| names.contains(name);
        let target = self.table_mut(table)?;
        let built = target.constraints.iter().filter(|(_, there)| there.columns(model).iter().any(is_one));
        let built: Vec<String> = built.map(|(name, _)| name.clone()).collect();
        target.not_valid.retain(|name| !built.contains(name));
        for (other, key) in self.inbound(table) {
            let is_aimed_here = |there: &Constraint| matches!(there, Constraint::ForeignKey { references, .. } if references.columns.iter().any(is_one));
            if self.to.tables[&other].constraints.get(&key).is_some_and(is_aimed_here) {
                self.to.table_mut(&other)?.not_valid.remove(&key);
            }
        }
        Ok(())
    }

    /// A shadow column takes over constraints and plain indexes of the model; what it cannot yet is refused.
    pub(crate) fn refuse_what_cannot_move(&self, table: &str, column: &str) -> Result<()> {
        let model = self.to.table(table)?;
        let there = model.column(table, column)?;
        let refuse = |what: String, hint: &str| {
            Err(Error::new(format!("column `{table}.{column}` cannot be converted: {what}")).hint(hint))
        };
        if there.generated.is_some() {
            return refuse(
                "it is a generated column".into(),
                "add a new column with `up` and drop this one in a later migration",
            );
        }
        for (name, constraint) in &model.constraints {
            if matches!(constraint, Constraint::Exclude { .. }) && constraint.columns(model).iter().any(|there| there == column) {
                return refuse(
                    format!("exclusion constraint `{name}` is on it, and PostgreSQL could only rebuild that while nobody writes"),
                    "drop the constraint in this migration",
                );
            }
        }
        if let Some((key, other, foreign)) = self.key_that_includes(table, column) {
            return refuse(
                format!("it is included in key `{key}`, which foreign key `{foreign}` of table `{other}` may depend on"),
                &format!("drop constraint `{foreign}` of `{other}` first, in the same migration"),
            );
        }
        if let Some(other) = model.generated_from(column) {
            return refuse(format!("generated column `{other}` reads it"), "drop the generated column first");
        }
        Ok(())
    }

    /// A key that foreign keys point at cannot go before them: which of several keys they hang on is the server's secret.
    pub(crate) fn refuse_what_is_referenced(&self, table: &str, name: &str) -> Result<()> {
        let model = self.to.table(table)?;
        let mut columns: Vec<&String> = match (model.constraints.get(name), model.indexes.get(name)) {
            (Some(Constraint::PrimaryKey { columns, .. } | Constraint::Unique { columns, .. }), _) => columns.iter().collect(),
            (None, Some(index)) if index.unique => index.columns.iter().map(|key| &key.column).collect(),
            _ => return Ok(()),
        };
        columns.sort();
        for (other, there) in &self.to.tables {
            for (foreign, constraint) in &there.constraints {
                let Constraint::ForeignKey { references, .. } = constraint else { continue };
                let mut targets: Vec<&String> = references.columns.iter().collect();
                targets.sort();
                if references.table == table && targets == columns {
                    return Err(Error::new(format!(
                        "key `{name}` of table `{table}` cannot be dropped: foreign key `{foreign}` of table `{other}` references it"
                    ))
                    .hint(format!("drop constraint `{foreign}` of `{other}` first, in the same migration")));
                }
            }
        }
        Ok(())
    }
}
