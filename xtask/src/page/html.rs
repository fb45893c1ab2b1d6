//! HTML as a tree: what comes from a plan is text and nothing else, and text is escaped where it is written.
//!
//! It is written here, and by no template crate: a tag closes itself, no text can become markup, and there is nothing more to know.

use std::fmt::{self, Write};

/// An element with what is in it.
pub(super) struct Element {
    tag: &'static str,
    attributes: Vec<(&'static str, String)>,
    inner: Vec<Node>,
}

/// What is in an element.
pub(super) enum Node {
    Element(Element),
    Text(String),
    /// A style sheet of ours, in which nothing is escaped.
    Style(&'static str),
}

/// An element without anything in it.
pub(super) fn el(tag: &'static str) -> Element {
    Element { tag, attributes: Vec::new(), inner: Vec::new() }
}

/// A text whose `spans` are code.
pub(super) fn prose(text: &str) -> Vec<Node> {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return vec![text.into()];
    }
    let node = |(at, part): (usize, &&str)| if at % 2 == 1 { el("code").with(*part).into() } else { (*part).into() };
    parts.iter().enumerate().map(node).collect()
}

/// A list of texts whose `spans` are code.
pub(super) fn list(points: &[String]) -> Element {
    el("ul").all(points.iter().map(|point| el("li").all(prose(point))))
}

impl Element {
    pub(super) fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    pub(super) fn class(self, names: &'static str) -> Self {
        self.set("class", names)
    }

    pub(super) fn with(mut self, inner: impl Into<Node>) -> Self {
        self.inner.push(inner.into());
        self
    }

    pub(super) fn all(mut self, inner: impl IntoIterator<Item = impl Into<Node>>) -> Self {
        self.inner.extend(inner.into_iter().map(Into::into));
        self
    }
}

impl From<Element> for Node {
    fn from(element: Element) -> Self {
        Node::Element(element)
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Node::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Node::Text(text)
    }
}

/// Elements that have nothing in them and no end.
const VOID: [&str; 1] = ["meta"];

impl fmt::Display for Element {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "<{}", self.tag)?;
        for (name, value) in &self.attributes {
            write!(out, " {name}=\"")?;
            value.chars().try_for_each(|c| escaped(c, out))?;
            out.write_char('"')?;
        }
        if VOID.contains(&self.tag) {
            return out.write_str("/>");
        }
        out.write_char('>')?;
        for node in &self.inner {
            match node {
                Node::Element(element) => write!(out, "{element}")?,
                Node::Text(text) => text.chars().try_for_each(|c| shown(c, out))?,
                Node::Style(text) => out.write_str(text)?,
            }
        }
        write!(out, "</{}>", self.tag)
    }
}

/// A character of a text. One that nobody sees, or that turns the direction of a line round, stays what it is for who copies the text, and has
/// its number beside it for who reads it.
fn shown(c: char, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    if matches!(c, '\n' | '\t') || diptych::internal::printable(c.encode_utf8(&mut [0; 4])) == c.to_string() {
        return escaped(c, out);
    }
    write!(out, "<bdi class=\"unseen\" data-number=\"U+{:04X}\">", u32::from(c))?;
    escaped(c, out)?;
    out.write_str("</bdi>")
}

fn escaped(c: char, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    match c {
        '&' => out.write_str("&amp;"),
        '<' => out.write_str("&lt;"),
        '>' => out.write_str("&gt;"),
        '"' => out.write_str("&quot;"),
        '\'' => out.write_str("&#39;"),
        // as it stands it would be a line end
        '\r' => out.write_str("&#13;"),
        c => out.write_char(c),
    }
}

#[cfg(test)]
mod tests {
    use super::{el, prose};

    #[test]
    fn no_text_becomes_markup() {
        let nasty = "</p><script>alert(\"1\" & '2')</script>\r";
        let made = el("p").set("title", nasty).with(nasty).to_string();
        let told = "&lt;/p&gt;&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;";
        let unseen = "<bdi class=\"unseen\" data-number=\"U+000D\">&#13;</bdi>";
        assert_eq!(made, format!("<p title=\"{told}&#13;\">{told}{unseen}</p>"));
        assert!(el("p").with("a\u{202e}b").to_string().contains("a<bdi class=\"unseen\" data-number=\"U+202E\">\u{202e}</bdi>b"));
    }

    #[test]
    fn spans_are_code_and_a_lonely_tick_is_text() {
        let of = |text: &str| el("p").all(prose(text)).to_string();
        assert_eq!(of("drop `a<b` now"), "<p>drop <code>a&lt;b</code> now</p>");
        assert_eq!(of("a ` b"), "<p>a ` b</p>");
    }
}
