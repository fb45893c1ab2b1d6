//! A small reader of SQL, independent of what prints it: which text stands outside of every quote?

/// A piece of SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A word, a number or `$1`.
    Bare(String),
    /// `"…"`, with its doubled quotes undone.
    Ident(String),
    /// `'…'` or `E'…'`, with its escapes undone.
    Literal(String),
    /// `$tag$…$tag$`.
    Dollar(String),
    /// Anything else, one character each.
    Sign(char),
    Comment(String),
}

/// How a plain literal is read: the server's `standard_conforming_strings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backslash {
    IsPlain,
    Escapes,
}

/// The tokens of a text, or what is not closed in it.
pub(crate) fn lex(text: &str, backslash: Backslash) -> Result<Vec<Token>, String> {
    let mut reader = Reader { rest: text, tokens: Vec::new(), backslash };
    while let Some(first) = reader.rest.chars().next() {
        reader.step(first)?;
    }
    Ok(reader.tokens)
}

struct Reader<'a> {
    rest: &'a str,
    tokens: Vec<Token>,
    backslash: Backslash,
}

impl<'a> Reader<'a> {
    fn step(&mut self, first: char) -> Result<(), String> {
        if first.is_whitespace() {
            self.rest = &self.rest[first.len_utf8()..];
        } else if self.rest.starts_with("--") {
            let end = self.rest.find(['\n', '\r']).unwrap_or(self.rest.len());
            let comment = self.take(end);
            self.tokens.push(Token::Comment(comment.to_owned()));
        } else if self.rest.starts_with("/*") {
            self.comment()?;
        } else if first == '"' {
            let name = self.quoted('"', Backslash::IsPlain)?;
            self.tokens.push(Token::Ident(name));
        } else if first == '\'' {
            let text = self.quoted('\'', self.backslash)?;
            self.tokens.push(Token::Literal(text));
        } else if let Some(tag) = dollar_tag(self.rest) {
            self.take(tag.len());
            let end = self.rest.find(tag).ok_or_else(|| format!("{tag} is not closed"))?;
            let body = self.take(end);
            self.take(tag.len());
            self.tokens.push(Token::Dollar(body.to_owned()));
        } else if is_word(first) {
            let end = self.rest.find(|c| !is_word(c) && c != '$').unwrap_or(self.rest.len());
            let word = self.take(end);
            if word.eq_ignore_ascii_case("e") && self.rest.starts_with('\'') {
                let text = self.quoted('\'', Backslash::Escapes)?;
                self.tokens.push(Token::Literal(text));
            } else {
                self.tokens.push(Token::Bare(word.to_owned()));
            }
        } else {
            self.take(first.len_utf8());
            self.tokens.push(Token::Sign(first));
        }
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (head, tail) = self.rest.split_at(bytes);
        self.rest = tail;
        head
    }

    fn quoted(&mut self, quote: char, backslash: Backslash) -> Result<String, String> {
        self.take(1);
        let mut text = String::new();
        loop {
            let next = self.rest.chars().next().ok_or_else(|| format!("{quote}{text} is not closed"))?;
            self.take(next.len_utf8());
            if next == quote {
                if !self.rest.starts_with(quote) {
                    return Ok(text);
                }
                self.take(1);
            } else if next == '\\' && backslash == Backslash::Escapes {
                let escaped = self.rest.chars().next().ok_or("a backslash at the end")?;
                self.take(escaped.len_utf8());
                text.push(escaped);
                continue;
            }
            text.push(next);
        }
    }

    fn comment(&mut self) -> Result<(), String> {
        let whole = self.rest;
        let mut depth = 0;
        loop {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.take(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.take(2);
                if depth == 0 {
                    self.tokens.push(Token::Comment(whole[..whole.len() - self.rest.len()].to_owned()));
                    return Ok(());
                }
            } else {
                let next = self.rest.chars().next().ok_or("a comment is not closed")?;
                self.take(next.len_utf8());
            }
        }
    }
}

/// `$tag$` or `$$` at the beginning.
fn dollar_tag(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('$')?;
    let length = inner.find('$')?;
    let tag = &inner[..length];
    let good = tag.chars().all(is_word) && !tag.starts_with(|c: char| c.is_ascii_digit());
    good.then(|| &text[..length + 2])
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

#[test]
fn tells_what_is_quoted() {
    use Token::{Bare, Comment, Dollar, Ident, Literal, Sign};
    let own = |text: &str| text.to_owned();
    let read = |text| lex(text, Backslash::IsPlain).unwrap();
    assert_eq!(read(r#"a "b""c" 'd''e'"#), [Bare(own("a")), Ident(own("b\"c")), Literal(own("d'e"))]);
    assert_eq!(read(r"E'a\'b' '\'"), [Literal(own("a'b")), Literal(own("\\"))]);
    assert_eq!(
        read("$$a$b$$ $x$ $$ $x$ $1 a$b$"),
        [Dollar(own("a$b")), Dollar(own(" $$ ")), Sign('$'), Bare(own("1")), Bare(own("a$b$"))]
    );
    assert_eq!(read("-- a ' \n/* /* \" */ */;"), [Comment(own("-- a ' ")), Comment(own("/* /* \" */ */")), Sign(';')]);
    assert_eq!(lex(r"'a\'b' 'c'", Backslash::Escapes).unwrap(), [Literal(own("a'b")), Literal(own("c"))]);
    for open in ["'a", "\"a", "$$a", "/* a", "E'a\\'"] {
        assert!(lex(open, Backslash::IsPlain).is_err(), "{open}");
    }
}
