//! YAML in and out: the one place that knows which library does it.

use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Error, Result};

/// Reads YAML (or JSON, which is YAML). An error says where in the text.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_yaml::from_str(text).map_err(|error| {
        Error::new(format!("not readable: {error}")).hint("correct the place named above; indentation counts in YAML")
    })
}

/// Writes YAML. Strings that a YAML 1.1 reader would take for booleans (`n`, `on`) are quoted.
pub fn write<T: Serialize>(value: &T) -> String {
    let plain = "the model is plain data";
    let mut value = serde_yaml::to_value(value).unwrap_or_else(|error| unreachable!("{plain}: {error}"));
    mark(&mut value);
    let mut text = serde_yaml::to_string(&value).unwrap_or_else(|error| unreachable!("{plain}: {error}"));
    for word in AMBIGUOUS {
        for word in [word.to_string(), word.to_uppercase(), word[..1].to_uppercase() + &word[1..]] {
            for end in ["\n", ":"] {
                text = text.replace(&format!("{MARK}{word}{end}"), &format!("'{word}'{end}"));
            }
        }
    }
    text
}

const AMBIGUOUS: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];
const MARK: &str = "diptych-quoted-";

/// Puts a mark before ambiguous words, keys and values alike, by which they are found in the text.
fn mark(value: &mut serde_yaml::Value) {
    use serde_yaml::Value;
    match value {
        Value::String(text) if AMBIGUOUS.contains(&text.to_lowercase().as_str()) => *text = format!("{MARK}{text}"),
        Value::Sequence(items) => items.iter_mut().for_each(mark),
        Value::Mapping(map) => {
            *map = std::mem::take(map)
                .into_iter()
                .map(|(mut key, mut value)| {
                    mark(&mut key);
                    mark(&mut value);
                    (key, value)
                })
                .collect();
        }
        _ => {}
    }
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
}
