//! A value as a file has it, and as SQL for a column.

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;

use crate::error::{Error, Result};
use crate::model::schema::Column;
use crate::model::types;
use crate::sql::{Sql, literal, user};

/// A value. A map whose only key is `sql` is an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// NULL.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, in digits.
    Number(String),
    /// A text, or whatever PostgreSQL reads from one.
    Text(String),
    /// An array, or one of a JSON document.
    List(Vec<Value>),
    /// An object of a JSON document, or an expression.
    Map(BTreeMap<String, Value>),
}

/// The most digits that every number keeps that a file holds without quotes.
const DIGITS: usize = 15;

impl Value {
    /// The value as SQL that becomes the column's type when it is stored; `place` names the column to people.
    pub fn for_column(&self, column: &Column, place: &str) -> Result<Sql> {
        let is_json = |name: &str| matches!(name, "json" | "jsonb");
        let refuse = |what: &str, hint: &str| {
            Err(Error::new(format!("{place} has type {} and takes no {what}", column.sql_type)).hint(hint))
        };
        if let Some(expression) = self.expression() {
            return Ok(user(expression));
        }
        match self {
            Value::Null => Ok(Sql::trusted("NULL")),
            Value::Text(text) => Ok(literal(text)),
            other if is_json(&column.sql_type) => Ok(literal(&other.to_json().to_string())),
            Value::List(items) if types::is_array(&column.sql_type) => {
                match array(items, is_json(&types::element(&column.sql_type))) {
                    Some(text) => Ok(literal(&text)),
                    None => {
                        refuse("map or expression within a list", "give the whole array as an expression: {sql: \"ARRAY[…]\"}")
                    }
                }
            }
            Value::List(_) => refuse("list", "write the value as a text that PostgreSQL reads, or as an expression: {sql: …}"),
            Value::Map(_) => refuse("map", "write the value as a text that PostgreSQL reads, or as an expression: {sql: …}"),
            // as a text they may have been others: 1.10 is 1.1, 007 is 7
            Value::Bool(_) | Value::Number(_) if types::is_text(types::element(&column.sql_type).as_str()) => {
                refuse("value without quotes", "write the text in quotes")
            }
            Value::Bool(value) => Ok(literal(&value.to_string())),
            Value::Number(digits) => Ok(literal(digits)),
        }
    }

    /// The integer that it is.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::Number(text) | Value::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The expression that it is.
    pub fn expression(&self) -> Option<&str> {
        match self {
            Value::Map(map) if map.len() == 1 => match map.get("sql") {
                Some(Value::Text(text)) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(digits) => serde_json::from_str(digits).unwrap_or_default(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Value::to_json).collect(),
            Value::Map(map) => map.iter().map(|(key, value)| (key.clone(), value.to_json())).collect(),
        }
    }
}

/// An array as PostgreSQL reads it; nothing where an item cannot be part of one.
fn array(items: &[Value], of_json: bool) -> Option<String> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let item = |item: &Value| match item {
        Value::Null => Some("NULL".to_owned()),
        Value::Text(text) => Some(quoted(text)),
        _ if of_json => Some(quoted(&item.to_json().to_string())),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(digits) => Some(digits.clone()),
        Value::List(items) => array(items, of_json),
        Value::Map(_) => None,
    };
    let items: Option<Vec<String>> = items.iter().map(item).collect();
    Some(format!("{{{}}}", items?.join(",")))
}

fn too_long<E: de::Error>() -> E {
    E::custom("a number that may have more digits than are kept: write it in quotes")
}

/// A number with a fraction, if all of its digits are kept.
fn digits<E: de::Error>(value: f64) -> std::result::Result<Value, E> {
    let text = if value == 0.0 { "0".to_owned() } else { value.to_string() };
    let significant = text.trim_start_matches(['-', '0', '.']).chars().filter(char::is_ascii_digit).count();
    if !value.is_finite() || value.abs() >= 1e15 || significant > DIGITS {
        return Err(too_long());
    }
    Ok(Value::Number(text))
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(Value::Number(value.to_string()))
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> std::result::Result<Value, E> {
        Err(too_long())
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> std::result::Result<Value, E> {
        Err(too_long())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> std::result::Result<Value, E> {
        digits(value)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((key, value)) = map.next_entry()? {
            entries.insert(key, value);
        }
        Ok(Value::Map(entries))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::Number(digits) => match (digits.parse::<i64>(), digits.parse::<u64>(), digits.parse::<f64>()) {
                (Ok(value), _, _) => serializer.serialize_i64(value),
                (_, Ok(value), _) => serializer.serialize_u64(value),
                (_, _, value) => serializer.serialize_f64(value.unwrap_or_default()),
            },
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(items) => items.serialize(serializer),
            Value::Map(map) => map.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, sql_type: &str) -> String {
        let value = match crate::yaml::read::<Value>(text) {
            Ok(value) => value,
            Err(error) => return error.message().to_owned(),
        };
        assert_eq!(crate::yaml::read::<Value>(&crate::yaml::write(&value)).as_ref(), Ok(&value), "{text}");
        let sql = value.for_column(&Column::new("c", sql_type, true), "`t.c`");
        sql.map_or_else(|error| error.message().to_owned(), |sql| sql.as_str().to_owned())
    }

    #[test]
    fn values_are_what_the_column_is() {
        for (text, sql_type, wanted) in [
            ("null", "text", "NULL"),
            ("it's", "text", "'it''s'"),
            ("'12.50'", "numeric(10,2)", "'12.50'"),
            ("12.5", "numeric(10,2)", "'12.5'"),
            ("-7", "bigint", "'-7'"),
            ("1e3", "double precision", "'1000'"),
            ("true", "boolean", "'true'"),
            ("{sql: now()}", "timestamp with time zone", "(now())"),
            ("{sql: \"1 -- one\"}", "integer", "(1 -- one\n)"),
            ("{a: [1, null, x], b: {c: 1.5}}", "jsonb", "'{\"a\":[1,null,\"x\"],\"b\":{\"c\":1.5}}'"),
            ("[1, [2]]", "json", "'[1,[2]]'"),
            ("[a, 'b\"c', 'd\\e', null]", "text[]", " E'{\"a\",\"b\\\\\"c\",\"d\\\\\\\\e\",NULL}'"),
            ("[[1, 2], [3, 4]]", "integer[]", "'{{1,2},{3,4}}'"),
            ("[]", "text[]", "'{}'"),
            ("[{a: 1}]", "jsonb[]", " E'{\"{\\\\\"a\\\\\":1}\"}'"),
        ] {
            assert_eq!(shown(text, sql_type), wanted, "{text}");
        }
    }

    #[test]
    fn what_would_become_another_value_is_refused() {
        for (text, sql_type, wanted) in [
            ("1.10", "text", "takes no value without quotes"),
            ("true", "character varying(9)", "takes no value without quotes"),
            ("[1]", "integer", "takes no list"),
            ("{a: 1}", "integer", "takes no map"),
            ("[{sql: now()}]", "text[]", "takes no map or expression within a list"),
            ("0.1234567890123456789", "numeric", "write it in quotes"),
            ("9999999999999999999999", "numeric", "write it in quotes"),
            (".inf", "double precision", "write it in quotes"),
        ] {
            let message = shown(text, sql_type);
            assert!(message.contains(wanted), "{text}: {message}");
        }
    }
}
