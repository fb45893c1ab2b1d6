//! A file of code whose triggers fire on tables, taken apart into its statements.
//!
//! A trigger and its function belong to the base schema, as the table does. What the statements do is PostgreSQL's to judge; here is only told
//! which of them are the functions, and which table each trigger is on.

use crate::error::{Error, Result};
use crate::model::lexer::{self, Kind, Token};
use crate::sql::{self, Sql};

/// The statements of a file with triggers on tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Triggers {
    /// Those that create functions.
    pub functions: Vec<Function>,
    /// Those that create triggers.
    pub triggers: Vec<Trigger>,
    /// What belongs to either: comments, rights.
    pub rest: Vec<String>,
}

/// A trigger's function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name, without a schema.
    pub name: String,
    /// The statement, which takes the place of a function that is there.
    pub text: String,
    has_schema: bool,
}

/// A trigger on a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// The table, as the version calls it.
    pub table: String,
    /// The statement up to the table, and what follows it.
    pub around: (String, String),
}

impl Trigger {
    /// The statement that creates it on a table.
    pub fn on(&self, place: &Sql) -> Sql {
        sql::verbatim(&format!("{}{}{}", self.around.0, place.as_str(), self.around.1))
    }
}

impl Triggers {
    /// The statements of a file, if it has a trigger on a table; one in place of a view's writes belongs to a version, as the view does.
    pub fn of(text: &str) -> Option<Self> {
        let tokens = lexer::tokens(text);
        let statements = tokens.split(|token| token.kind == Kind::Symbol(';')).filter(|tokens| !tokens.is_empty());
        let mut found = Triggers::default();
        for tokens in statements {
            let statement = Statement { text, tokens };
            if let Some(trigger) = statement.trigger() {
                found.triggers.push(trigger);
            } else if let Some(function) = statement.function() {
                found.functions.push(function);
            } else {
                found.rest.push(statement.whole().to_owned());
            }
        }
        (!found.triggers.is_empty()).then_some(found)
    }

    /// Whether the file has nothing else.
    pub fn check(&self, name: &str) -> Result<()> {
        let belongs = |text: &&String| {
            let words: Vec<String> = lexer::tokens(text).iter().filter_map(word).map(str::to_owned).collect();
            let first = words.first().map(String::as_str);
            matches!(first, Some("comment" | "grant" | "revoke"))
                || first == Some("alter") && words.get(1).is_some_and(|what| what == "function")
        };
        if let Some(other) = self.rest.iter().find(|text| !belongs(text)) {
            let start: String = other.chars().take(60).collect();
            return Err(Error::new(format!("code `{name}` has a trigger on a table, and something else: `{start}`"))
                .hint("put it into a file of its own: a trigger and its function belong to the table, other code to a version"));
        }
        let placed = |text: &str| text.trim_start().starts_with('.');
        let tables = self.triggers.iter().filter(|trigger| placed(&trigger.around.1)).map(|trigger| &trigger.table);
        let functions = self.functions.iter().filter(|function| function.has_schema).map(|function| &function.name);
        match tables.chain(functions).next() {
            Some(schema) => Err(Error::new(format!("code `{name}` names a schema, `{schema}`"))
                .hint("leave it out: a trigger's table and function are in the base schema, wherever that is")),
            None => Ok(()),
        }
    }
}

struct Statement<'a> {
    text: &'a str,
    tokens: &'a [Token],
}

impl<'a> Statement<'a> {
    fn word(&self, at: usize) -> Option<&str> {
        self.tokens.get(at).and_then(word)
    }

    /// From the beginning of a token to that of another.
    fn part(&self, from: usize, to: usize) -> &'a str {
        let end = self.tokens.get(to).map_or(self.tokens[self.tokens.len() - 1].end, |token| token.start);
        &self.text[self.tokens[from].start..end]
    }

    fn whole(&self) -> &'a str {
        self.part(0, self.tokens.len())
    }

    /// Where the words behind `CREATE`, `CREATE OR REPLACE` begin.
    fn created(&self) -> Option<usize> {
        if self.word(0) != Some("create") {
            return None;
        }
        Some(if (self.word(1), self.word(2)) == (Some("or"), Some("replace")) { 3 } else { 1 })
    }

    fn function(&self) -> Option<Function> {
        let at = self.created().filter(|at| self.word(*at) == Some("function"))?;
        let returns = (at..self.tokens.len()).find(|at| self.word(*at) == Some("returns"))?;
        let name = self.word(at + 1).filter(|_| self.word(returns + 1) == Some("trigger"))?;
        let text = format!("CREATE OR REPLACE {}", self.part(at, self.tokens.len()));
        Some(Function { name: name.to_owned(), text, has_schema: self.tokens[at + 2].kind == Kind::Symbol('.') })
    }

    fn trigger(&self) -> Option<Trigger> {
        let at = self.created()?;
        let trigger = if self.word(at) == Some("constraint") { at + 1 } else { at };
        if self.word(trigger) != Some("trigger") || !matches!(self.word(trigger + 2), Some("before" | "after")) {
            return None;
        }
        let name = self.word(trigger + 1)?.to_owned();
        let table = 1 + (trigger..self.tokens.len()).find(|at| self.tokens[*at].kind == Kind::Keyword("on".to_owned()))?;
        let after = self.tokens.get(table)?.end..self.tokens[self.tokens.len() - 1].end;
        let around = (format!("CREATE {}", self.part(at, table)), self.text[after].to_owned());
        Some(Trigger { name, table: self.word(table)?.to_owned(), around })
    }
}

fn word(token: &Token) -> Option<&str> {
    match &token.kind {
        Kind::Word(word) | Kind::Keyword(word) => Some(word),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Triggers;
    use crate::sql::Sql;

    #[test]
    fn a_file_is_taken_apart() {
        let text = "-- stamps\nCREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := now(); RETURN NEW; END $$;\n\
            CREATE TRIGGER touch BEFORE UPDATE OF a, b ON \"Users\" FOR EACH ROW EXECUTE FUNCTION touch();\n\
            create constraint trigger late after insert on notes deferrable for each row execute function touch();\n\
            COMMENT ON FUNCTION touch() IS 'x;y';";
        let found = Triggers::of(text).expect("triggers");
        assert_eq!(found.functions.len(), 1);
        assert!(
            found.functions[0].text.starts_with("CREATE OR REPLACE FUNCTION touch() RETURNS trigger"),
            "{:?}",
            found.functions
        );
        let on: Vec<String> = found.triggers.iter().map(|trigger| trigger.on(&Sql::trusted("s.t")).as_str().to_owned()).collect();
        assert_eq!(
            on,
            [
                "CREATE TRIGGER touch BEFORE UPDATE OF a, b ON s.t FOR EACH ROW EXECUTE FUNCTION touch()",
                "CREATE constraint trigger late after insert on s.t deferrable for each row execute function touch()"
            ]
        );
        assert_eq!((found.triggers[0].table.as_str(), found.triggers[1].table.as_str()), ("Users", "notes"));
        assert_eq!(found.rest, ["COMMENT ON FUNCTION touch() IS 'x;y'"]);
        assert!(found.check("touch").is_ok());
    }

    #[test]
    fn what_is_no_trigger_on_a_table_is_a_versions() {
        assert_eq!(Triggers::of("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'"), None);
        assert_eq!(Triggers::of("CREATE VIEW v AS SELECT 1; CREATE TRIGGER t INSTEAD OF INSERT ON v EXECUTE FUNCTION f()"), None);
        let mixed =
            Triggers::of("CREATE VIEW v AS SELECT 1; CREATE TRIGGER t AFTER INSERT ON a EXECUTE FUNCTION f()").expect("triggers");
        assert!(mixed.check("t").expect_err("refused").to_string().contains("CREATE VIEW v"));
        let placed = Triggers::of("CREATE TRIGGER t AFTER INSERT ON public.a EXECUTE FUNCTION f()").expect("triggers");
        assert!(placed.check("t").expect_err("refused").to_string().contains("`public`"));
        let placed = Triggers::of(
            "CREATE FUNCTION own.f() RETURNS trigger AS ''; CREATE TRIGGER t AFTER INSERT ON a EXECUTE FUNCTION f()",
        )
        .expect("triggers");
        assert!(placed.check("t").expect_err("refused").to_string().contains("`own`"));
    }
}
