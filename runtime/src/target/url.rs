//! A connection URL or `key=value` string as text: parameters are taken out of it, and put in.

use std::ops::Range;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::error::{Error, Result};

/// What becomes of a parameter.
#[derive(PartialEq)]
pub(crate) enum Parameter {
    /// It goes.
    Taken,
    /// It stays.
    Left,
}

/// The text without the parameters that are taken.
pub(crate) fn without(text: &str, take: &mut dyn FnMut(&str, &str) -> Result<Parameter>) -> Result<String> {
    match is_url(text) {
        true => without_in_url(text, take),
        false => without_pairs(text, take),
    }
}

/// The text with one more parameter, before all others: whatever the last one ends with is its own.
pub(crate) fn with(text: &str, key: &str, value: &str) -> String {
    if is_url(text) {
        let mark = text[credentials(text)..].find('?').map_or(text.len(), |at| credentials(text) + at);
        let others = text.get(mark + 1..).filter(|others| !others.is_empty());
        let others = others.map_or_else(String::new, |others| format!("&{others}"));
        return format!("{}?{key}={}{others}", &text[..mark], utf8_percent_encode(value, NON_ALPHANUMERIC));
    }
    let escaped: String = value.chars().flat_map(|c| matches!(c, '\\' | '\'').then_some('\\').into_iter().chain([c])).collect();
    let gap = if text.is_empty() { "" } else { " " };
    format!("{key}='{escaped}'{gap}{text}")
}

/// Whether a URL says on which ports: behind its host, or by naming several hosts, which have the usual one then, as in libpq.
pub(crate) fn has_port(text: &str) -> bool {
    is_url(text) && (text[hosts(text)].contains(',') || behind_name(&text[hosts(text)]).starts_with(':'))
}

/// The text with the port of its host, or with ports for the hosts that are parameters.
pub(crate) fn with_port(text: &str, port: &str) -> String {
    let place = if is_url(text) { hosts(text) } else { 0..0 };
    if place.is_empty() {
        return with(text, "port", port);
    }
    format!("{}:{}{}", &text[..place.end], utf8_percent_encode(port, NON_ALPHANUMERIC), &text[place.end..])
}

/// Where the hosts of a URL stand, those that are no parameters.
fn hosts(url: &str) -> Range<usize> {
    let from = credentials(url).max(url.find("://").map_or(0, |at| at + 3));
    from..url[from..].find(['/', '?']).map_or(url.len(), |at| from + at)
}

/// What follows the name or the bracketed address of a host.
fn behind_name(host: &str) -> &str {
    match host.find(']').filter(|_| host.starts_with('[')) {
        Some(end) => &host[end + 1..],
        None => host.find(':').map_or("", |colon| &host[colon..]),
    }
}

/// The text without its password.
pub(crate) fn without_password(text: &str) -> Result<String> {
    let rest = without(text, &mut |key, _| Ok(if key == "password" { Parameter::Taken } else { Parameter::Left }))?;
    let (Some(from), to @ 1..) = (rest.find("://").filter(|_| is_url(&rest)), credentials(&rest)) else { return Ok(rest) };
    match rest[from + 3..to].find(':') {
        Some(colon) => Ok(format!("{}{}", &rest[..from + 3 + colon], &rest[to - 1..])),
        None => Ok(rest),
    }
}

fn is_url(text: &str) -> bool {
    matches!(text.split_once("://"), Some(("postgres" | "postgresql", _)))
}

/// Where the credentials of a URL end: behind the first `@`, as the driver has it.
fn credentials(url: &str) -> usize {
    url.find('@').map_or(0, |at| at + 1)
}

fn without_in_url(url: &str, take: &mut dyn FnMut(&str, &str) -> Result<Parameter>) -> Result<String> {
    let credentials = credentials(url);
    let Some(mark) = url[credentials..].find('?').map(|at| credentials + at) else {
        return Ok(url.to_owned());
    };
    let mut kept = Vec::new();
    for parameter in url[mark + 1..].split('&') {
        let decoded = |text| percent_decode_str(text).decode_utf8();
        let fate = match parameter.split_once('=').map(|(key, value)| (decoded(key), decoded(value))) {
            Some((Ok(key), Ok(value))) => take(&key, &value)?,
            _ => Parameter::Left,
        };
        if fate == Parameter::Left {
            kept.push(parameter);
        }
    }
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    Ok(format!("{}{query}", &url[..mark]))
}

fn without_pairs(text: &str, take: &mut dyn FnMut(&str, &str) -> Result<Parameter>) -> Result<String> {
    let (mut kept, mut left) = (String::new(), text);
    while let Some((key, value, length)) = first_pair(left) {
        if take(key, &value)? == Parameter::Left {
            kept.push_str(&left[..length]);
        }
        left = &left[length..];
    }
    if left.trim_start().starts_with('=') {
        // the driver would take this for the end of the text
        return Err(Error::refused("the connection string is not valid: a value has no name before its `=`")
            .hint("write it as name=value, with the value in single quotes if it has blanks"));
    }
    Ok(kept + left)
}

/// The first `key = value` of a text, with the length of it all; none where there is none, or it has no end.
fn first_pair(text: &str) -> Option<(&str, String, usize)> {
    let key = text.trim_start();
    let key = &key[..key.find(|c: char| c.is_whitespace() || c == '=')?];
    let after_key = &text[text.len() - text.trim_start().len() + key.len()..];
    let value = after_key.trim_start().strip_prefix('=')?.trim_start();
    let start = text.len() - value.len();
    let quoted = value.starts_with('\'');
    let mut unescaped = String::new();
    let mut characters = value.char_indices().skip(usize::from(quoted));
    let length = loop {
        match characters.next() {
            Some((at, '\'')) if quoted => break at + 1,
            Some((at, c)) if !quoted && c.is_whitespace() => break at,
            Some((_, '\\')) => unescaped.extend(characters.next().map(|(_, c)| c)),
            Some((_, c)) => unescaped.push(c),
            None if quoted => return None,
            None => break value.len(),
        }
    };
    (!key.is_empty() && (quoted || length > 0)).then_some((key, unescaped, start + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_put_in_where_it_belongs() {
        for (text, wanted) in [
            ("postgresql://u@h/db", "postgresql://u@h/db?options=%2Dc%20a%3D%27"),
            ("postgresql://u:p?@h?x=y", "postgresql://u:p?@h?options=%2Dc%20a%3D%27&x=y"),
            ("postgres://h?", "postgres://h?options=%2Dc%20a%3D%27"),
            ("host=h user=u", "options='-c a=\\'' host=h user=u"),
            ("", "options='-c a=\\''"),
        ] {
            assert_eq!(with(text, "options", "-c a='"), wanted);
        }
    }

    #[test]
    fn a_port_is_put_behind_its_host() {
        for (text, ports, wanted, has) in [
            ("postgresql://u:p@h/db", "1", "postgresql://u:p@h:1/db", false),
            ("postgresql://[::1]?x=y", "1", "postgresql://[::1]:1?x=y", false),
            ("postgresql:///db", "1", "postgresql:///db?port=1", false),
            ("host=h", "1,2", "port='1,2' host=h", false),
            ("postgresql://u@h:1/db", "", "", true),
            ("postgresql://h,g", "", "", true),
            ("postgresql://[::1]:1", "", "", true),
        ] {
            assert_eq!(has_port(text), has, "{text}");
            if !has {
                assert_eq!(with_port(text, ports), wanted);
            }
        }
    }

    #[test]
    fn no_password_is_left() {
        for (text, wanted) in [
            ("postgresql://u:secret@h/db?x=y", "postgresql://u@h/db?x=y"),
            ("postgres://u@h:5432/db?password=secret&x=y", "postgres://u@h:5432/db?x=y"),
            ("postgresql:///db?host=/run", "postgresql:///db?host=/run"),
            ("host=h password='sec ret' user=u", "host=h user=u"),
        ] {
            assert_eq!(without_password(text).unwrap(), wanted);
        }
    }
}
