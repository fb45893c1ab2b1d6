//! Texts of others, as they may be shown to people.

/// A text on one line: line ends are spaces, other control characters and what turns the direction of a line round are replaced, so
/// that nothing of it can pass for a line, a colour or a word of the tool's own.
pub(crate) fn printable(text: &str) -> String {
    let plain = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_of_a_text_passes_for_a_line_of_ours() {
        assert_eq!(printable("a\nb\u{1b}[31m\u{9b}\u{202e}\u{7f}é"), "a b\u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}é");
    }
}
