//! Storage parameters of a table, `fillfactor` and those of autovacuum: by name, those of its TOAST table with `toast.` before it.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

use crate::error::{Error, Result};

/// The parameters that a table has, by name.
pub type Storage = BTreeMap<String, Setting>;

/// What comes before the name of a parameter of the TOAST table.
pub const TOAST: &str = "toast.";

/// The parameter that PostgreSQL sets under ACCESS EXCLUSIVE; it sets all others under SHARE UPDATE EXCLUSIVE.
const EXCLUSIVE: &str = "user_catalog_table";

/// The value of a parameter, as the text that the server keeps. A file may have it as a number, as `true` or `false`, or as a text.
///
/// ```
/// use diptych_core::Setting;
///
/// assert_eq!(Setting::from("0.01").as_str(), "0.01");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting(String);

impl Setting {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is written without quotes, as a number or as `true` or `false`, and read as the same text.
    pub fn is_bare(&self) -> bool {
        self.integer().is_some() || self.number().is_some() || self.flag().is_some()
    }

    fn integer(&self) -> Option<i64> {
        self.0.parse().ok().filter(|number: &i64| number.to_string() == self.0)
    }

    fn number(&self) -> Option<f64> {
        self.0.parse().ok().filter(|number: &f64| number.is_finite() && number.to_string() == self.0)
    }

    fn flag(&self) -> Option<bool> {
        self.0.parse().ok()
    }
}

impl From<&str> for Setting {
    fn from(text: &str) -> Self {
        Setting(text.to_owned())
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match (self.integer(), self.number(), self.flag()) {
            (Some(number), ..) => serializer.serialize_i64(number),
            (None, Some(number), _) => serializer.serialize_f64(number),
            (None, None, Some(flag)) => serializer.serialize_bool(flag),
            (None, None, None) => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar)
    }
}

struct Scalar;

macro_rules! scalars {
    ($($visit:ident: $scalar:ty),*) => { $(
        fn $visit<E: de::Error>(self, value: $scalar) -> std::result::Result<Setting, E> { Ok(Setting(value.to_string())) }
    )* };
}

impl Visitor<'_> for Scalar {
    type Value = Setting;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a number, true, false or a text")
    }

    scalars! { visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str }
}

/// Puts a change in, in which none resets a parameter; `table` is the table's name.
pub fn change(table: &str, storage: &mut Storage, change: &BTreeMap<String, Option<Setting>>) -> Result<()> {
    for (name, setting) in change {
        if name == EXCLUSIVE {
            return Err(Error::new(format!(
                "storage parameter `{EXCLUSIVE}` of table `{table}` cannot be changed by an operation: PostgreSQL locks out every reader and writer for it"
            ))
            .hint(format!("change it by an `sql` operation: ALTER TABLE {} SET ({EXCLUSIVE} = …)", crate::sql::ident(table).as_str())));
        }
        match setting {
            Some(setting) => drop(storage.insert(name.clone(), setting.clone())),
            None if storage.remove(name).is_some() => {}
            None => {
                let there = storage.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                let there = if there.is_empty() { "it has none".to_owned() } else { format!("those that it has are {there}") };
                return Err(Error::new(format!("table `{table}` has no storage parameter `{name}` that could be reset"))
                    .hint(format!("take it out, or correct the name: {there}")));
            }
        }
    }
    Ok(())
}

/// What leads from some parameters to others: none resets one.
pub fn between(before: &Storage, after: &Storage) -> BTreeMap<String, Option<Setting>> {
    let gone = before.keys().filter(|name| !after.contains_key(*name)).map(|name| (name.clone(), None));
    let new = after.iter().filter(|(name, setting)| before.get(*name) != Some(*setting));
    gone.chain(new.map(|(name, setting)| (name.clone(), Some(setting.clone())))).collect()
}

#[cfg(test)]
mod tests {
    use super::{Setting, Storage, between};

    #[test]
    fn a_setting_is_the_text_that_the_server_keeps() {
        let text = "{a: 70, b: 0.01, c: -1, d: true, e: off, f: '070', g: '0.010', h: 1e-5, i: 'true '}";
        let read: Storage = crate::yaml::read(text).unwrap();
        let texts: Vec<&str> = read.values().map(Setting::as_str).collect();
        assert_eq!(texts, ["70", "0.01", "-1", "true", "off", "070", "0.010", "0.00001", "true "]);
        let written = crate::yaml::write(&read);
        assert_eq!(crate::yaml::read::<Storage>(&written).unwrap(), read);
        assert!(written.starts_with("a: 70\nb: 0.01\nc: -1\nd: true\ne: 'off'\nf: '070'\n"), "{written}");
        for none in ["null", "[]", "{}"] {
            assert!(crate::yaml::read::<Setting>(none).is_err(), "{none}");
        }
        for text in ["1", "18446744073709551615", "99999999999999999999", "1e5", ".5", "inf", "NaN", "", "True", "-0"] {
            let one = Setting::from(text);
            assert_eq!(crate::yaml::read::<Setting>(&crate::yaml::write(&one)).unwrap(), one, "{text}");
        }
    }

    #[test]
    fn what_differs_is_set_and_what_is_gone_is_reset() {
        let of = |text: &str| crate::yaml::read::<Storage>(text).unwrap();
        let change = between(&of("{a: 1, b: 2, c: 3}"), &of("{a: 1, b: 4, d: 5}"));
        let said: Vec<_> = change.iter().map(|(name, to)| (name.as_str(), to.as_ref().map(Setting::as_str))).collect();
        assert_eq!(said, [("b", Some("4")), ("c", None), ("d", Some("5"))]);
    }
}
