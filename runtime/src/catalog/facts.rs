//! Puts the planner's open questions to the server: what texts of the user's own read.

use std::collections::BTreeSet;

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::error::{Error, Result};
use diptych_core::model::book::{Answer, Book, Question};
use diptych_core::model::texts::Purpose;
use diptych_core::sql;
use diptych_core::sql::{Sql, ident, join, literal};
use diptych_core::statements::extensions;
use diptych_core::statements::path::Path;

/// The schema in which texts are looked at; nobody else ever sees it.
const SCRATCH: &str = "_diptych_asked";

/// Questions in one request.
const TOGETHER: usize = 100;

/// Makes something of what is known, until there are no open questions: what is known then decides. `views` are those of the older
/// version, which conversions may read.
pub(crate) async fn settle<T>(
    client: &Client,
    base: &str,
    views: Option<&str>,
    book: &mut Book,
    make: impl Fn(&mut Book) -> diptych_core::Result<T>,
) -> Result<T> {
    loop {
        let made = make(book);
        let open: Vec<Question> = book.open().cloned().collect();
        if open.is_empty() {
            return Ok(made?);
        }
        for questions in open.chunks(TOGETHER) {
            for (question, answer) in questions.iter().zip(ask(client, base, views, questions).await?) {
                book.answer(question, answer);
            }
        }
    }
}

async fn ask(client: &Client, base: &str, views: Option<&str>, questions: &[Question]) -> Result<Vec<Answer>> {
    let calls = questions.iter().map(|question| {
        let mut path = Path::base(base);
        if let Some(views) = views.filter(|_| question.purpose == Purpose::Value) {
            path = path.behind(views);
        }
        let path = path.behind(SCRATCH).value();
        let question = serde_json::to_string(question).unwrap_or_else(|error| unreachable!("a question is plain data: {error}"));
        sql!("SELECT {}.ask({}, {}::pg_catalog.jsonb)", ident(SCRATCH), literal(path.as_str()), literal(&question))
    });
    let lacking: BTreeSet<&String> = questions.iter().flat_map(|question| &question.extensions).collect();
    let lacking: Vec<&String> = lacking.into_iter().collect();
    let mut begin = vec![Sql::trusted("BEGIN READ WRITE"), Sql::trusted("SET LOCAL lock_timeout = '5s'")];
    // what cannot be created is for preflight to tell
    begin.extend((!lacking.is_empty()).then(|| extensions::borrow_some(base, &lacking)));
    let function = include_str!("facts/ask.sql").replace("{scratch}", SCRATCH);
    let text = sql!(
        "{}; CREATE SCHEMA {}; {}; {}; ROLLBACK",
        join(begin, "; "),
        ident(SCRATCH),
        Sql::trusted(function),
        join(calls, "; ")
    );
    let rows = match client.simple_query(text.as_str()).await {
        Ok(rows) => rows,
        Err(error) => {
            let _ = client.simple_query("ROLLBACK").await;
            return Err(Error::during("cannot ask the server what the migrations' expressions read", error).or_hint(
                "the migration role needs CREATE on the database, and the server must accept writes: GRANT CREATE ON DATABASE … TO …",
            ));
        }
    };
    let answers = rows.iter().filter_map(|row| match row {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    let answers = answers.map(|text| {
        serde_json::from_str(text).map_err(|error| {
            Error::refused(format!("the server's answer cannot be read: {error}")).hint("report this as a bug in Diptych")
        })
    });
    answers.collect()
}
