//! Puts what a message proposes where the message says.

use crate::Said;
use crate::cases::Case;

/// The module with each of the proposed lines; where there are several errors, with the first proposal of each.
pub(crate) fn all(case: &Case, said: &[Said]) -> Result<Vec<String>, String> {
    if !case.is_pasted {
        return Ok(Vec::new());
    }
    let mut fills = case.fills.iter();
    let mut ways: Vec<Vec<Proposal>> = Vec::new();
    for said in said {
        let hint = said.text.split_once("hint: ").map(|(_, hint)| hint).unwrap_or_default();
        let mut proposals = proposals(hint);
        for proposal in &mut proposals {
            if proposal.code.contains('…') {
                let fill = fills.next().ok_or_else(|| format!("no line `= …` for `{}`", proposal.code))?;
                proposal.code = proposal.code.replace('…', fill);
            }
        }
        proposals.retain(|proposal| proposal.place != Place::Successor || case.became.is_some());
        if proposals.is_empty() {
            return Err(format!("the message proposes nothing: {}", said.text));
        }
        ways.push(proposals);
    }
    let one = |at: usize| -> Result<String, String> {
        let mut text: Vec<String> = case.text.lines().map(str::to_owned).collect();
        // from the last to the first, so that places stay as they are
        let mut order: Vec<usize> = (0..said.len()).collect();
        order.sort_by_key(|error| std::cmp::Reverse(said[*error].place));
        for error in order {
            let proposal = ways[error].get(at).unwrap_or(&ways[error][0]);
            proposal.paste(&mut text, said[error].place, case)?;
        }
        Ok(text.join("\n") + "\n")
    };
    (0..ways.iter().map(Vec::len).max().unwrap_or(0)).map(one).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The attribute of the field or variant under the caret.
    Field,
    /// The attribute of the struct or enum under the caret.
    Struct,
    /// The attribute of a field that is there in place of the one that went.
    Successor,
    /// The parentheses that open behind the caret.
    Parentheses,
    /// `database!`.
    Database,
}

#[derive(Clone, Debug)]
struct Proposal {
    code: String,
    place: Place,
}

/// What stands in backquotes in a hint, with where it belongs.
fn proposals(hint: &str) -> Vec<Proposal> {
    let mut found = Vec::new();
    let parts: Vec<&str> = hint.split('`').collect();
    let mut at = 1;
    while at < parts.len() {
        let code = parts[at];
        let inner = code.strip_prefix("#[schema(").and_then(|code| code.strip_suffix(")]")).unwrap_or(code);
        let behind = parts[at + 1..].concat();
        let places = [
            ("to the field that it became", Place::Successor),
            ("to the variant that it became", Place::Successor),
            ("to the struct that it became", Place::Successor),
            ("of the struct", Place::Struct),
            ("of the enum", Place::Struct),
            ("within the parentheses", Place::Parentheses),
            ("to database!", Place::Database),
            ("to the field", Place::Field),
            ("of the field", Place::Field),
            ("to the variant", Place::Field),
        ];
        let place = places.iter().filter_map(|(words, place)| Some((behind.find(words)?, *place))).min_by_key(|(at, _)| *at);
        let starts = [
            "up = ",
            "down = ",
            "default = ",
            "renamed_from = ",
            "dropped(",
            "dropped: ",
            "allow(",
            "identity",
            "tables",
            "column = ",
        ];
        if let Some((_, place)) = place
            && starts.iter().any(|start| inner.starts_with(start))
        {
            found.push(Proposal { code: inner.to_owned(), place });
        }
        at += 2;
    }
    // `up = "…"` and `down = "…"` of one sentence belong together
    let mut joined: Vec<Proposal> = Vec::new();
    for proposal in found {
        match joined.last_mut() {
            Some(last) if last.place == proposal.place && hint.contains(&format!("{}` and `{}", last.code, proposal.code)) => {
                last.code = format!("{}, {}", last.code, proposal.code);
            }
            _ => joined.push(proposal),
        }
    }
    joined
}

impl Proposal {
    fn paste(&self, text: &mut [String], (line, column): (usize, usize), case: &Case) -> Result<(), String> {
        match self.place {
            Place::Field => put(&mut text[line], &self.code),
            Place::Struct => {
                let at = (0..=line).rev().find(|at| text[*at].starts_with("#[schema(")).ok_or("no attribute")?;
                put(&mut text[at], &self.code);
            }
            Place::Successor => {
                let name = case.became.as_deref().unwrap_or_default();
                let at = text.iter().position(|line| line.trim().ends_with(name)).ok_or("no successor")?;
                if name.starts_with("pub struct") {
                    let at = (0..=at).rev().find(|at| text[*at].starts_with("#[schema(")).ok_or("no attribute")?;
                    put(&mut text[at], &self.code);
                } else {
                    put(&mut text[at], &self.code);
                }
            }
            Place::Parentheses => {
                let open = column + text[line][column..].find('(').ok_or("no parenthesis")?;
                let close = closing(&text[line], open).ok_or("no closing parenthesis")?;
                text[line].insert_str(close, &format!(", {}", self.code));
            }
            Place::Database => {
                let list = self.code.split_once(": ").ok_or("no list")?;
                let at = text.iter().position(|line| line.trim_start().starts_with(list.0)).ok_or("no list in database!")?;
                text[at] = format!("        {},", self.code);
            }
        }
        Ok(())
    }
}

/// Adds to the attribute of a line, or makes one.
fn put(line: &mut String, code: &str) {
    match line.find("#[schema(") {
        Some(at) => {
            let open = at + "#[schema".len();
            let close = closing(line, open).unwrap_or(line.len());
            line.insert_str(close, &format!(", {code}"));
        }
        None => *line = format!("    #[schema({code})] {}", line.trim_start()),
    }
}

/// Where the parenthesis that opens there closes.
fn closing(line: &str, open: usize) -> Option<usize> {
    let (mut depth, mut is_text) = (0, false);
    for (at, letter) in line.char_indices().skip_while(|(at, _)| *at < open) {
        match letter {
            '"' => is_text = !is_text,
            '(' if !is_text => depth += 1,
            ')' if !is_text => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}
