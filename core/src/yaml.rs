//! YAML in and out: the one place that knows which library does it.

use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Error, Result};

/// Reads YAML (or JSON, which is YAML). An error says where in the text.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_yaml::from_str(text).map_err(|error| {
        Error::new(format!("not readable: {error}")).hint("correct the place named above; indentation counts in YAML")
    })
}

/// Writes YAML. Strings that a YAML 1.1 reader would take for something else (`n`, `on`) are quoted.
pub fn write<T: Serialize>(value: &T) -> String {
    serde_yaml::to_string(value).unwrap_or_else(|error| unreachable!("the model is plain data: {error}"))
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
