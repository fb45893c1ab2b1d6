//! Attributes of structs as their source files have them, and edits that remove some and leave every other character as it is.

use std::ops::Range;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A struct, an enum or a `database!` of a file.
pub(crate) struct Item {
    pub(crate) kind: Kind,
    /// The name in code.
    name: String,
    /// The attributes `#[schema(…)]`; of `database!` its keys.
    pub(crate) lists: Vec<List>,
    /// Fields or variants.
    pub(crate) members: Vec<Member>,
    /// Where its body ends: the closing brace.
    pub(crate) end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Struct,
    Enum,
    Database,
}

/// A field or variant.
pub(crate) struct Member {
    name: String,
    pub(crate) lists: Vec<List>,
}

/// Entries with commas between them.
pub(crate) struct List {
    /// Everything that goes when no entry is left; nothing does for a list that may be empty.
    whole: Option<Range<usize>>,
    entries: Vec<Entry>,
    commas: Vec<Range<usize>>,
}

/// An entry such as `up = "…"` or `dropped(name)`.
pub(crate) struct Entry {
    pub(crate) range: Range<usize>,
    tokens: Vec<TokenTree>,
}

/// The items of a file, those within modules and functions too; none where it is no Rust.
pub(crate) fn items(text: &str) -> Vec<Item> {
    let mut found = Vec::new();
    if let Ok(tokens) = text.parse::<TokenStream>() {
        scan(tokens, &mut found);
    }
    found
}

/// Where a place in a text is: its line and column, from 1.
pub(crate) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let begin = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[begin..].chars().count() + 1)
}

impl Item {
    /// What to put in where so that `database!` has another key.
    pub(crate) fn with_key(&self, key: &str, value: &str) -> Option<(usize, String)> {
        let first = self.lists.first()?.entries.first()?;
        Some((first.range.start, format!("{key}: {value}, ")))
    }

    /// The text that a key of `database!` has.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        let mut entries = self.lists.iter().flat_map(|list| &list.entries);
        text_of(entries.find(|entry| entry.is(key, None))?.tokens.get(2)?)
    }

    /// The texts that a key of `database!` lists.
    pub(crate) fn texts(&self, key: &str) -> Vec<String> {
        self.listed(key).iter().filter_map(text_of).collect()
    }

    /// The names of what a key of `database!` lists with parentheses behind each: words, or texts.
    pub(crate) fn names(&self, key: &str) -> Vec<String> {
        let is_named = |token: &&TokenTree| matches!(token, TokenTree::Ident(_) | TokenTree::Literal(_));
        let named = self.listed(key);
        let names = named.iter().filter(is_named);
        names.map(|token| text_of(token).unwrap_or_else(|| plain(token))).collect()
    }

    fn listed(&self, key: &str) -> Vec<TokenTree> {
        let entries = self.lists.iter().flat_map(|list| &list.entries);
        let list = entries.filter(|entry| entry.is(key, None)).find_map(|entry| match entry.tokens.get(2) {
            Some(TokenTree::Group(group)) => Some(group.stream()),
            _ => None,
        });
        list.into_iter().flatten().collect()
    }

    /// The name of the table or enum: given, else that of the code in snake case.
    pub(crate) fn named(&self, key: &str) -> String {
        value(&self.lists, key).unwrap_or_else(|| snake_case(&self.name))
    }

    /// The name in code.
    pub(crate) fn ident(&self) -> &str {
        &self.name
    }

    /// The folder of migrations, relative to the package.
    pub(crate) fn folder(&self) -> String {
        value(&self.lists, "migrations").unwrap_or_else(|| "migrations".to_owned())
    }
}

impl Item {
    /// What to put in where so that a key of `database!` lists these types as well.
    pub(crate) fn listing(&self, text: &str, key: &str, types: &[String]) -> Option<(usize, String)> {
        let keys = self.lists.first()?;
        if types.is_empty() {
            return None;
        }
        let types = types.join(", ");
        let Some(entry) = keys.entries.iter().find(|entry| entry.is(key, None)) else {
            return self.with_key(key, &format!("[{types}]"));
        };
        let Some(TokenTree::Group(group)) = entry.tokens.get(2) else { return None };
        let end = group.span_close().byte_range().start;
        let inside = text[group.span_open().byte_range().end..end].trim_end();
        let comma = if inside.is_empty() || inside.ends_with(',') { "" } else { ", " };
        Some((end, format!("{comma}{types}")))
    }
}

impl Member {
    /// The column that a field stands for.
    pub(crate) fn column(&self) -> String {
        value(&self.lists, "column").unwrap_or_else(|| self.name.clone())
    }

    /// The label of a variant.
    pub(crate) fn label(&self) -> String {
        value(&self.lists, "label").unwrap_or_else(|| snake_case(&self.name))
    }
}

impl Entry {
    fn key(&self) -> String {
        self.tokens.first().map(ToString::to_string).unwrap_or_default()
    }

    /// The text after `=` or `:`.
    fn value(&self) -> Option<String> {
        self.tokens.get(2).and_then(text_of)
    }

    /// Whether it is `key`, with this word as its first argument where one is given.
    pub(crate) fn is(&self, key: &str, argument: Option<&str>) -> bool {
        let first = || match self.tokens.get(1) {
            Some(TokenTree::Group(group)) => group.stream().into_iter().next(),
            _ => None,
        };
        let is_it = |word: &str| first().is_some_and(|token| text_of(&token).unwrap_or_else(|| plain(&token)) == word);
        self.key() == key && argument.is_none_or(is_it)
    }

    /// The list of texts in brackets that a key of `database!` has.
    fn texts(&self) -> Option<List> {
        match self.tokens.get(2) {
            Some(TokenTree::Group(group)) => Some(List::of(group, None)),
            _ => None,
        }
    }
}

impl List {
    fn of(group: &Group, whole: Option<Range<usize>>) -> Self {
        let (mut list, mut tokens) = (List { whole, entries: Vec::new(), commas: Vec::new() }, Vec::new());
        for token in group.stream() {
            match token {
                TokenTree::Punct(comma) if comma.as_char() == ',' => {
                    list.commas.push(comma.span().byte_range());
                    list.close(&mut tokens);
                }
                token => tokens.push(token),
            }
        }
        list.close(&mut tokens);
        list
    }

    fn close(&mut self, tokens: &mut Vec<TokenTree>) {
        if let (Some(first), Some(last)) = (tokens.first(), tokens.last()) {
            let range = first.span().byte_range().start..last.span().byte_range().end;
            self.entries.push(Entry { range, tokens: std::mem::take(tokens) });
        }
    }

    /// What to cut so that these entries are gone, and the entries.
    pub(crate) fn without(&self, text: &str, goes: impl Fn(&Entry) -> bool) -> (Vec<Range<usize>>, Vec<&Entry>) {
        let (gone, kept): (Vec<&Entry>, Vec<&Entry>) = self.entries.iter().partition(|entry| goes(entry));
        let mut cuts = Vec::new();
        match (&self.whole, &gone[..], &kept[..]) {
            (_, [], _) => return (cuts, gone),
            (Some(whole), _, []) => return (vec![with_line(text, whole.clone())], gone),
            _ => {}
        }
        for entry in &gone {
            match self.commas.iter().find(|comma| comma.start >= entry.range.end) {
                Some(comma) if text[entry.range.end..comma.start].trim().is_empty() => {
                    cuts.push(with_line(text, entry.range.start..comma.end));
                }
                // a comment stands between the two
                Some(comma) => cuts.extend([entry.range.clone(), comma.clone()]),
                None => cuts.push(line(text, &entry.range).unwrap_or_else(|| entry.range.clone())),
            }
        }
        // the comma before what was last
        let last = kept.last().map_or(0, |entry| entry.range.end);
        let ends_bare = self.commas.len() < self.entries.len();
        let comma = self.commas.iter().find(|comma| comma.start >= last);
        let comma = comma.filter(|_| ends_bare && gone.last().is_some_and(|entry| entry.range.start > last));
        if let Some(comma) = comma {
            let end = text[comma.end..].find(|c: char| c != ' ').map_or(comma.end, |at| comma.end + at);
            let is_followed = cuts.iter().any(|cut| cut.start == end);
            cuts.push(comma.start..if is_followed { end } else { comma.end });
        }
        (cuts, gone)
    }

    /// The same for texts in the brackets of a key, which goes where none is left. Gives the cuts alone.
    pub(crate) fn without_texts(&self, text: &str, key: &str, goes: &[&str]) -> Vec<Range<usize>> {
        let found = self.entries.iter().find(|entry| entry.is(key, None)).and_then(|entry| Some((entry, entry.texts()?)));
        let Some((entry, texts)) = found else { return Vec::new() };
        let is_gone = |text: &Entry| text.tokens.first().and_then(text_of).is_some_and(|text| goes.contains(&text.as_str()));
        match texts.entries.iter().all(is_gone) {
            true => self.without(text, |there| there.range == entry.range).0,
            false => texts.without(text, is_gone).0,
        }
    }
}

/// A text without these ranges.
pub(crate) fn cut(text: &str, mut cuts: Vec<Range<usize>>) -> String {
    cuts.sort_by_key(|cut| cut.start);
    let (mut made, mut from) = (String::new(), 0);
    for cut in cuts {
        made.push_str(&text[from.min(cut.start)..cut.start]);
        from = from.max(cut.end);
    }
    made + &text[from..]
}

/// The whole line of a range, where nothing else is on it.
fn line(text: &str, range: &Range<usize>) -> Option<Range<usize>> {
    let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[range.end..].find('\n').map_or(text.len(), |at| range.end + at + 1);
    let is_alone = text[start..range.start].trim().is_empty() && text[range.end..end].trim().is_empty();
    is_alone.then_some(start..end)
}

/// A range with its whole line where nothing else is on it, else with the spaces after it.
fn with_line(text: &str, range: Range<usize>) -> Range<usize> {
    if let Some(line) = line(text, &range) {
        return line;
    }
    let end = range.end + text[range.end..].find(|c: char| c != ' ').unwrap_or_default();
    // none are left before the end of a line or list
    let start = match text[end..].starts_with(['\n', '\r', ')', ']']) {
        true => text[..range.start].trim_end_matches(' ').len(),
        false => range.start,
    };
    start..end
}

fn scan(tokens: TokenStream, found: &mut Vec<Item>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut lists = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at..] {
            [TokenTree::Punct(hash), TokenTree::Group(group), ..] if hash.as_char() == '#' => {
                lists.extend(attribute(hash.span().byte_range().start, group));
                at += 1;
            }
            [TokenTree::Ident(word), TokenTree::Ident(name), ..] if *word == "struct" || *word == "enum" => {
                let kind = if *word == "struct" { Kind::Struct } else { Kind::Enum };
                let is_end =
                    |token: &TokenTree| is_brace(token) || matches!(token, TokenTree::Punct(end) if end.as_char() == ';');
                at += tokens[at..].iter().position(is_end).unwrap_or(0);
                let (members, end) = match &tokens[at] {
                    TokenTree::Group(body) => (members(body), body.span_close().byte_range().start),
                    other => (Vec::new(), other.span().byte_range().start),
                };
                found.push(Item {
                    kind,
                    name: plain(&TokenTree::Ident(name.clone())),
                    lists: std::mem::take(&mut lists),
                    members,
                    end,
                });
            }
            [TokenTree::Ident(word), TokenTree::Punct(call), TokenTree::Group(body), ..]
                if *word == "database" && call.as_char() == '!' =>
            {
                let keys = body.stream().into_iter().find_map(|token| match token {
                    TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
                    _ => None,
                });
                let end = keys.as_ref().unwrap_or(body).span_close().byte_range().start;
                found.push(Item {
                    kind: Kind::Database,
                    name: String::new(),
                    lists: keys.iter().map(|keys| List::of(keys, None)).collect(),
                    members: Vec::new(),
                    end,
                });
                at += 2;
            }
            [TokenTree::Group(group), ..] => {
                scan(group.stream(), found);
                if group.delimiter() == Delimiter::Brace {
                    lists.clear();
                }
            }
            [TokenTree::Punct(end), ..] if end.as_char() == ';' => lists.clear(),
            _ => {}
        }
        at += 1;
    }
}

/// The list of an attribute `#[schema(…)]`.
fn attribute(start: usize, group: &Group) -> Option<List> {
    match &group.stream().into_iter().collect::<Vec<_>>()[..] {
        [TokenTree::Ident(word), TokenTree::Group(list)] if *word == "schema" => {
            Some(List::of(list, Some(start..group.span_close().byte_range().end)))
        }
        _ => None,
    }
}

/// Fields or variants.
fn members(body: &Group) -> Vec<Member> {
    let tokens: Vec<TokenTree> = body.stream().into_iter().collect();
    let (mut found, mut lists, mut name) = (Vec::new(), Vec::new(), None);
    // commas between the arguments of a type are none between fields
    let mut depth = 0_usize;
    let mut last = ' ';
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) if last == '#' && name.is_none() => {
                let start = tokens[at - 1].span().byte_range().start;
                lists.extend(attribute(start, group));
            }
            TokenTree::Ident(word) if name.is_none() && *word != "pub" => name = Some(plain(token)),
            TokenTree::Punct(punct) => match punct.as_char() {
                '<' => depth += 1,
                '>' if last != '-' => depth = depth.saturating_sub(1),
                ',' if depth == 0 => {
                    found.extend(name.take().map(|name| Member { name, lists: std::mem::take(&mut lists) }));
                }
                _ => {}
            },
            _ => {}
        }
        last = if let TokenTree::Punct(punct) = token { punct.as_char() } else { ' ' };
    }
    found.extend(name.map(|name| Member { name, lists }));
    found
}

fn value(lists: &[List], key: &str) -> Option<String> {
    lists.iter().flat_map(|list| &list.entries).find(|entry| entry.is(key, None))?.value()
}

fn is_brace(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

/// The value of a text, written plainly.
fn text_of(token: &TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = token else { return None };
    Some(literal.to_string().trim_start_matches('r').trim_matches('#').strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

/// A word without `r#`.
fn plain(token: &TokenTree) -> String {
    token.to_string().trim_start_matches("r#").to_owned()
}

/// As the derive makes names.
pub(crate) fn snake_case(name: &str) -> String {
    let mut result = String::new();
    for (at, character) in name.chars().enumerate() {
        if character.is_uppercase() && at > 0 {
            result.push('_');
        }
        result.extend(character.to_lowercase());
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file without `up` and `dropped`, on structs and fields.
    fn without(text: &str) -> String {
        let goes = |entry: &Entry| entry.is("up", None) || entry.is("dropped", Some("name"));
        let items = items(text);
        let lists = items.iter().flat_map(|item| item.lists.iter().chain(item.members.iter().flat_map(|member| &member.lists)));
        cut(text, lists.flat_map(|list| list.without(text, goes).0).collect())
    }

    #[test]
    fn what_goes_is_cut_and_the_rest_is_as_it_was() {
        for (text, wanted) in [
            ("struct A {\n    #[schema(up = \"1\")]\n    a: i32,\n}\n", "struct A {\n    a: i32,\n}\n"),
            ("struct A { #[schema(up = \"1\")] a: i32 }", "struct A { a: i32 }"),
            ("struct A { #[schema(up = \"ä,)\", unique)] a: i32 }", "struct A { #[schema(unique)] a: i32 }"),
            ("struct A { #[schema(unique,  up = r#\"\"x\"\"#)] a: i32 }", "struct A { #[schema(unique)] a: i32 }"),
            ("struct A { #[schema(unique, up = \"1\", index)] a: i32 }", "struct A { #[schema(unique, index)] a: i32 }"),
            ("struct A { #[schema(unique, up = \"1\",)] a: i32 }", "struct A { #[schema(unique,)] a: i32 }"),
            (
                "#[schema(\n    table = \"a\", // one\n    dropped(name, down = \"1\"),\n    dropped(other)\n)]\nstruct A;",
                "#[schema(\n    table = \"a\", // one\n    dropped(other)\n)]\nstruct A;",
            ),
            (
                "#[schema(\n    table = \"a\",\n    // why\n    dropped(name)\n)]\nstruct A;",
                "#[schema(\n    table = \"a\"\n    // why\n)]\nstruct A;",
            ),
            (
                "mod m {\r\n    struct A<T> {\r\n        b: Map<u8, Fn() -> u8>,\r\n        #[schema(up = \"1\")]\r\n        pub(crate) r#type: T,\r\n    }\r\n}",
                "mod m {\r\n    struct A<T> {\r\n        b: Map<u8, Fn() -> u8>,\r\n        pub(crate) r#type: T,\r\n    }\r\n}",
            ),
            ("fn not { #[schema(up = 1)] }", "fn not { #[schema(up = 1)] }"),
        ] {
            assert_eq!(without(text), wanted, "{text}");
        }
    }

    #[test]
    fn names_are_those_that_the_derive_gives() {
        let text = "#[schema(name = \"m\")] enum Mood { #[schema(label = \"SAD\")] Sad, VeryOk }\nstruct BigUser { pub r#type: i32, #[schema(column = \"x\")] y: Map<A, B>, z: i32 }";
        let items = items(text);
        assert_eq!((items[0].named("name"), items[1].named("table")), ("m".to_owned(), "big_user".to_owned()));
        assert_eq!(items[0].members.iter().map(Member::label).collect::<Vec<_>>(), ["SAD", "very_ok"]);
        assert_eq!(items[1].members.iter().map(Member::column).collect::<Vec<_>>(), ["type", "x", "z"]);
        assert_eq!(items[1].folder(), "migrations");
    }

    #[test]
    fn a_key_of_the_database_goes_with_its_last_text() {
        let text = "database! { pub struct A { tables: [B], dropped: [\"x\", \"y\"] } }";
        let cut_of = |goes: &[&str]| cut(text, items(text)[0].lists[0].without_texts(text, "dropped", goes));
        assert_eq!(cut_of(&["x"]), "database! { pub struct A { tables: [B], dropped: [\"y\"] } }");
        assert_eq!(cut_of(&["x", "y"]), "database! { pub struct A { tables: [B] } }");
        assert_eq!(cut_of(&["z"]), text);
    }
}
