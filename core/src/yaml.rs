//! YAML in and out: the one place that knows which library does it.

use serde::Serialize;
use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read};
use std::marker::PhantomData;

use crate::error::{Error, Place, Result};

/// Reads YAML (or JSON, which is YAML). An error says where in the text.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    if nesting(text) > DEEPEST {
        return Err(Error::new("not readable: nested too deeply").hint("close the brackets that are open"));
    }
    serde_yaml::from_str::<Sound>(text).and_then(|_| serde_yaml::from_str(text)).map_err(|error| {
        let found =
            Error::new(format!("not readable: {error}")).hint("correct the place named above; indentation counts in YAML");
        error.location().map_or(found.clone(), |at| found.at(Place::Text { line: at.line(), column: at.column() }))
    })
}

/// The longest text that is read, in bytes.
pub const LONGEST: u64 = 16 << 20;

/// A text, of which no more is read than of the longest one.
pub fn text(source: impl Read) -> io::Result<String> {
    let mut text = String::new();
    source.take(LONGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other(format!("it is longer than {} MB", LONGEST >> 20)));
    }
    Ok(text)
}

/// A list, or a map whose keys are the items' `key`: older files have columns so.
pub fn list_or_map<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
    key: &'static str,
) -> std::result::Result<Vec<T>, D::Error> {
    deserializer.deserialize_any(ListOrMap { key, item: PhantomData })
}

/// Whether something holds: what YAML 1.1 calls a boolean as well (`yes`, `on`), as older files have it.
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<bool, D::Error> {
    deserializer.deserialize_any(Flag)
}

/// The same where it may be left out.
pub fn maybe_flag<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<bool>, D::Error> {
    deserializer.deserialize_option(MaybeFlag)
}

struct Flag;

impl Visitor<'_> for Flag {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("true or false")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> std::result::Result<bool, E> {
        Ok(value)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> std::result::Result<bool, E> {
        match value.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" => Ok(true),
            "false" | "no" | "off" | "n" => Ok(false),
            _ => Err(E::invalid_value(de::Unexpected::Str(value), &self)),
        }
    }
}

struct MaybeFlag;

impl<'de> Visitor<'de> for MaybeFlag {
    type Value = Option<bool>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("true or false")
    }

    fn visit_none<E: de::Error>(self) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: de::Error>(self) -> std::result::Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Self::Value, D::Error> {
        flag(deserializer).map(Some)
    }
}

/// A text; none where it is empty, as pgroll writes what was not said.
pub fn unless_empty<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.trim().is_empty()))
}

/// A map; an empty one where it is null.
pub fn or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<BTreeMap<String, String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

struct ListOrMap<T> {
    key: &'static str,
    item: PhantomData<T>,
}

impl<'de, T: DeserializeOwned> Visitor<'de> for ListOrMap<T> {
    type Value = Vec<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list, or a map by name")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Vec<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(Item { key: self.key, item: PhantomData })? {
            items.push(item);
        }
        Ok(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Vec<T>, A::Error> {
        let mut items = Vec::new();
        while let Some((name, fields)) = map.next_entry::<String, Option<serde_yaml::Mapping>>()? {
            let mut fields = fields.unwrap_or_default();
            fields.entry(self.key.into()).or_insert(name.into());
            items.push(serde_yaml::from_value(fields.into()).map_err(de::Error::custom)?);
        }
        Ok(items)
    }
}

/// An item of such a list: its fields, or the value of `key` alone.
struct Item<T> {
    key: &'static str,
    item: PhantomData<T>,
}

impl<'de, T: DeserializeOwned> DeserializeSeed<'de> for Item<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: DeserializeOwned> Visitor<'de> for Item<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a map, or the value of `{}` alone", self.key)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> std::result::Result<T, E> {
        T::deserialize(MapDeserializer::new([(self.key, value)].into_iter()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// Writes YAML. Strings that a YAML 1.1 reader would take for booleans (`n`, `on`) are quoted.
pub fn write<T: Serialize>(value: &T) -> String {
    let plain = "the model is plain data";
    let mut value = serde_yaml::to_value(value).unwrap_or_else(|error| unreachable!("{plain}: {error}"));
    let print = |value: &_| serde_yaml::to_string(value).unwrap_or_else(|error| unreachable!("{plain}: {error}"));
    let unmarked = print(&value);
    // a mark that the text itself holds would be taken away from it
    let sign = (0..).map(|n| format!("diptych-quoted{n}-")).find(|sign| !unmarked.contains(sign)).unwrap_or_default();
    let mut words = BTreeSet::new();
    mark(&mut value, &sign, &mut words);
    if words.is_empty() {
        return unmarked;
    }
    let mut text = print(&value);
    for word in words {
        for end in ["\n", ":"] {
            text = text.replace(&format!("{sign}{word}{end}"), &format!("'{word}'{end}"));
        }
    }
    text
}

/// What no file may hold, whatever is read from it: a NUL byte, a key twice (of which one would be lost), a tag.
///
/// The text of a scalar, by which keys are compared.
struct Sound(String);

impl<'de> Deserialize<'de> for Sound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(SoundVisitor)
    }
}

struct SoundVisitor;

macro_rules! scalars {
    ($($visit:ident: $scalar:ty),*) => { $(
        fn $visit<E: de::Error>(self, value: $scalar) -> std::result::Result<Sound, E> { Ok(Sound(value.to_string())) }
    )* };
}

impl<'de> Visitor<'de> for SoundVisitor {
    type Value = Sound;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("plain YAML")
    }

    scalars! { visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_i128: i128, visit_u128: u128, visit_f64: f64 }

    fn visit_unit<E: de::Error>(self) -> std::result::Result<Sound, E> {
        Ok(Sound("null".to_owned()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Sound, E> {
        if text.contains('\0') { Err(E::custom("a NUL byte, which PostgreSQL cannot store")) } else { Ok(Sound(text.to_owned())) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Sound, A::Error> {
        while list.next_element::<Sound>()?.is_some() {}
        Ok(Sound(String::new()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Sound, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some((Sound(key), _)) = map.next_entry::<Sound, Sound>()? {
            if let Some(key) = keys.replace(key) {
                return Err(de::Error::custom(format!("the key `{key}` appears twice")));
            }
        }
        Ok(Sound(String::new()))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> std::result::Result<Sound, A::Error> {
        Err(de::Error::custom("a tag (`!…`), which is not supported here"))
    }
}

/// Brackets and list marks in one another. The library takes time by their square before it counts them.
const DEEPEST: usize = 1000;

/// How deeply the text may be nested, strings and comments included.
fn nesting(text: &str) -> usize {
    let (mut open, mut deepest) = (0usize, 0usize);
    for line in text.lines() {
        deepest = deepest
            .max(line.split(' ').take_while(|part| matches!(*part, "" | "-" | "?")).filter(|part| !part.is_empty()).count());
        for byte in line.bytes() {
            match byte {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(open);
        }
    }
    deepest
}

const AMBIGUOUS: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];

/// Puts a sign before ambiguous words, keys and values alike, by which they are found in the text.
fn mark(value: &mut serde_yaml::Value, sign: &str, words: &mut BTreeSet<String>) {
    use serde_yaml::Value;
    match value {
        Value::String(text) if AMBIGUOUS.contains(&text.to_lowercase().as_str()) => {
            words.insert(text.clone());
            *text = format!("{sign}{text}");
        }
        Value::Sequence(items) => items.iter_mut().for_each(|item| mark(item, sign, words)),
        Value::Mapping(map) => {
            *map = std::mem::take(map)
                .into_iter()
                .map(|(mut key, mut value)| {
                    mark(&mut key, sign, words);
                    mark(&mut value, sign, words);
                    (key, value)
                })
                .collect();
        }
        _ => {}
    }
}

/// A key that may be there with `null`: absence is something else.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Left out of a file where it is false.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(crate) fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_that_look_like_booleans_stay_words() {
        let names: Vec<String> = super::read("[n, y, on, off, no]").unwrap();
        assert_eq!(names, ["n", "y", "on", "off", "no"]);
        let written = super::write(&names);
        assert!(written.lines().all(|line| line.contains('\'') || line.contains('"')), "{written}");
    }

    #[test]
    fn what_looks_like_a_mark_stays_what_it_is() {
        for text in ["diptych-quoted0-no", "yEs", "oN", "a\ndiptych-quoted-on:\nno\n"] {
            let texts = vec![text.to_owned(), "no".to_owned()];
            assert_eq!(super::read::<Vec<String>>(&super::write(&texts)).unwrap(), texts);
        }
    }

    #[test]
    fn nothing_is_lost_in_silence() {
        use std::collections::BTreeMap;
        for text in ["a: 1\na: 2", "{a: 1, 'a': 2}", "a: \"x\\0y\"", "\"a\\0\": x", "a: !tag x", "a: &a [*a]"] {
            let error = super::read::<BTreeMap<String, String>>(text).unwrap_err().to_string();
            assert!(error.contains("not readable: ") && error.contains("hint: "), "{error}");
        }
        let error = super::read::<BTreeMap<String, String>>("b: 1\nc:\n  a: 1\n  a: 2").unwrap_err().to_string();
        assert!(error.contains("`a` appears twice") && error.contains("line 3"), "{error}");
    }
}
