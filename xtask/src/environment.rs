//! `diptych.toml`: what stands for options that a call does not give, for all calls or by environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::Arg;
use clap::builder::Resettable;
use toml_edit::{DocumentMut, Item, TableLike, TomlError};

use crate::config::Failure;

/// The file that is read where it is there and none is named.
const FILE: &str = "diptych.toml";
/// The variable that names the environment where the call does not.
const VARIABLE: &str = "DIPTYCH_ENV";
/// The options that may stand in it, and whether a value is a path, which begins at the file's folder.
const OPTIONS: [(&str, bool); 8] = [
    ("url", false),
    ("dir", true),
    ("schema", false),
    ("hooks", true),
    ("lock-timeout", false),
    ("timeout", false),
    ("batch", false),
    ("workers", false),
];
/// The name of a variable that has the URL, which is a secret.
const URL_FROM: &str = "url-from";

/// What a file says, by the option's name.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    values: BTreeMap<String, String>,
    /// An environment is named: its URL comes before that of the shell, which may be another environment's.
    is_named: bool,
}

impl Settings {
    /// What stands for the options of a call, before these are read.
    pub(crate) fn of(arguments: &[OsString]) -> Result<Self, Failure> {
        let given = |option: &str| value_of(arguments, option);
        let name = given("--env").or_else(|| std::env::var_os(VARIABLE).filter(|name| !name.is_empty()));
        let file = given("--config").map(PathBuf::from);
        let path = file.clone().unwrap_or_else(|| PathBuf::from(FILE));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.is_none() && name.is_none() => {
                return Ok(Settings::default());
            }
            Err(error) => {
                return Err(Failure::hinted(
                    format!("cannot read `{}`: {error}", path.display()),
                    "name the file with --config, run the command where it is, or leave out --env and DIPTYCH_ENV",
                ));
            }
        };
        let name = name.map(|name| name.to_string_lossy().into_owned());
        read(&text, path.parent().unwrap_or(Path::new("")), name.as_deref())
            .map_err(|message| Failure::hinted(format!("`{}`: {message}", path.display()), HINT))
    }

    /// An option as the file has it.
    pub(crate) fn apply(&self, option: Arg) -> Arg {
        let Some(value) = option.get_long().and_then(|name| self.values.get(name)) else { return option };
        let is_secret = option.get_id() == "url";
        let option = if is_secret && self.is_named { option.env(Resettable::Reset) } else { option };
        // for as long as the process lives
        let value: &'static str = value.clone().leak();
        option.default_value(value).hide_default_value(is_secret)
    }
}

const HINT: &str = "a file has options of all commands (url or url-from, dir, schema, hooks, lock-timeout, timeout, batch, workers), and the same below [environments.NAME]";

/// The value of an option that is read before the others; what is behind `--` is a command of the user's.
fn value_of(arguments: &[OsString], option: &str) -> Option<OsString> {
    let own = arguments.iter().take_while(|argument| *argument != "--");
    let mut own = own.skip(1);
    while let Some(argument) = own.next() {
        if argument == option {
            return own.next().cloned();
        }
        let text = argument.to_str().and_then(|text| text.strip_prefix(option)?.strip_prefix('='));
        if let Some(value) = text {
            return Some(OsStr::new(value).to_owned());
        }
    }
    None
}

fn read(text: &str, folder: &Path, name: Option<&str>) -> Result<Settings, String> {
    let document: DocumentMut = text.parse().map_err(|error| is_not_toml(text, &error))?;
    let mut environments = BTreeMap::new();
    let mut settings = Settings { is_named: name.is_some(), ..Settings::default() };
    for (key, item) in document.iter() {
        if key != "environments" {
            let (option, value) = option(key, item, folder)?;
            settings.values.insert(option, value);
            continue;
        }
        let table = item.as_table_like().ok_or("`environments` is not a table")?;
        for (name, item) in table.iter() {
            environments.insert(name, item.as_table_like().ok_or_else(|| format!("`environments.{name}` is not a table"))?);
        }
    }
    let all: Vec<&str> = environments.keys().copied().collect();
    for (name, table) in &environments {
        check(name, *table, folder)?;
    }
    let Some(name) = name else { return Ok(settings) };
    let table = environments.get(name).ok_or_else(|| match all.as_slice() {
        [] => format!("has no environment `{name}`, nor any other"),
        all => format!("has no environment `{name}`; it has {}", all.join(", ")),
    })?;
    for (key, item) in table.iter() {
        let (option, value) = option(key, item, folder).map_err(|message| format!("environment `{name}`: {message}"))?;
        settings.values.insert(option, value);
    }
    Ok(settings)
}

/// What is wrong, and in which line. The line itself is not told: there may be a password in it.
fn is_not_toml(text: &str, error: &TomlError) -> String {
    let line = error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.matches('\n').count() + 1);
    format!("line {line} is not TOML: {}", error.message().replace('\n', ", "))
}

/// The other environments of a file are read as well: a slip in one is told before it is needed. Their secrets may not be there.
fn check(name: &str, table: &dyn TableLike, folder: &Path) -> Result<(), String> {
    for (key, item) in table.iter().filter(|(key, _)| *key != URL_FROM) {
        option(key, item, folder).map_err(|message| format!("environment `{name}`: {message}"))?;
    }
    if table.contains_key("url") && table.contains_key(URL_FROM) {
        return Err(format!("environment `{name}`: `url` and `{URL_FROM}` are both there"));
    }
    Ok(())
}

/// An option's name with its value.
fn option(key: &str, item: &Item, folder: &Path) -> Result<(String, String), String> {
    let text = match (item.as_str(), item.as_integer()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(number)) => number.to_string(),
        (None, None) => return Err(format!("the value of `{key}` is neither a text nor a number")),
    };
    if key == URL_FROM {
        let value = std::env::var(&text).ok().filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| format!("the variable `{text}`, which `{URL_FROM}` names, is not set"))?;
        return Ok(("url".to_owned(), value));
    }
    let (name, is_path) = OPTIONS.iter().find(|(name, _)| *name == key).ok_or_else(|| format!("there is no option `{key}`"))?;
    let value = if *is_path { folder.join(text).display().to_string() } else { text };
    Ok(((*name).to_owned(), value))
}
