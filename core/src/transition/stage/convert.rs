//! Columns in another form, and what cannot be given one or cannot go.

use crate::error::{Error, Result};
use crate::model::schema::{Column, Constraint};
use crate::transition::stage::Stage;

impl Stage {
    /// A column in another form: in a shadow, unless both versions can share the one that is there.
    pub(crate) fn convert(&mut self, table: &str, column: Column, up: &str, down: &str) -> Result<()> {
        if self.is_shared(table, &column, up, down)? {
            return self.describe_column(table, column);
        }
        self.refuse_what_cannot_move(table, &column.name)?;
        self.convert_column(table, column, up.into(), down.into())
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
