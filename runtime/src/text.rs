//! Texts of others, as they may be shown to people.

/// A text on one line: line ends are spaces, other control characters and what turns the direction of a line round are replaced, so
/// that nothing of it can pass for a line, a colour or a word of the tool's own.
pub fn printable(text: &str) -> String {
    let plain = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(plain).collect()
}

#[cfg(feature = "migrator")]
/// How many processes or sessions are told by name.
pub const PROCESSES: usize = 10;

#[cfg(feature = "migrator")]
/// The first of a list, and how many more there are.
pub fn few(items: &[String], most: usize, separator: &str) -> String {
    let first = items[..items.len().min(most)].join(separator);
    match items.len().saturating_sub(most) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "migrator")]
    use super::few;
    use super::printable;

    #[cfg(feature = "migrator")]
    #[test]
    fn a_long_list_is_a_few_and_a_count() {
        let list = ["a", "b", "c"].map(str::to_owned);
        assert_eq!([few(&list, 3, "; "), few(&list, 2, ", "), few(&[], 2, ", ")], ["a; b; c", "a, b and 1 more", ""]);
    }

    #[test]
    fn nothing_of_a_text_passes_for_a_line_of_ours() {
        assert_eq!(printable("a\nb\u{1b}[31m\u{9b}\u{202e}\u{7f}é"), "a b\u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}é");
    }
}
