//! `latest`: the latest published version, and how a session is put on it.

use diptych::{Published, connect};
use serde::Serialize;

use crate::config::{Context, Failure};
use crate::out;

/// What is told of it.
#[derive(Serialize)]
struct Latest<'a> {
    #[serde(flatten)]
    on: &'a Published,
    url: String,
}

pub(crate) async fn run(context: &Context, json: bool, with_password: bool) -> Result<(), Failure> {
    let published = context.migrator().await?.published().await?;
    let Some(on) = published.last() else {
        return Err(Failure::hinted("no version is published in this database", "run `start` first"));
    };
    let url = connect::url_on(context.url()?, &on.search_path)?;
    let url = if with_password { url } else { connect::without_password(&url)? };
    if json {
        return out::json(&Latest { on, url });
    }
    let Published { version, schema, search_path } = on;
    out::say(format!("version      {version}\nschema       {schema}\nsearch_path  {search_path}\nurl          {url}"))
}
