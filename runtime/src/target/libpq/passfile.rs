//! The password file: `~/.pgpass`, or that of `PGPASSFILE`.

use std::path::{Path, PathBuf};

/// A file that is there and is not read.
#[derive(Clone, Debug)]
pub(crate) struct Ignored {
    /// The file, and why.
    pub(crate) why: String,
    /// What to do.
    pub(crate) hint: String,
}

/// That of whoever runs the process, by their home; on Windows it is among the settings of applications.
pub(crate) fn usual(home: Option<&Path>, settings: Option<String>) -> Option<PathBuf> {
    match cfg!(windows) {
        true => settings.map(|folder| Path::new(&folder).join("postgresql/pgpass.conf")),
        false => home.map(|home| home.join(".pgpass")),
    }
}

/// The password of the first line that fits. A file that is not there has none, one that others may read is not read.
pub(crate) fn look(file: &Path, wanted: &[Vec<String>; 4]) -> Result<Option<String>, Ignored> {
    let Ok(facts) = std::fs::metadata(file) else { return Ok(None) };
    let name = file.display();
    if !facts.is_file() {
        let hint = "name a file in PGPASSFILE, or give the password in PGPASSWORD".to_owned();
        return Err(Ignored { why: format!("the password file `{name}` is no plain file, and is not read"), hint });
    }
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::mode(&facts) & 0o077 != 0 {
        let why = format!("the password file `{name}` is open to its group or to everybody, and is not read");
        return Err(Ignored { why, hint: format!("close it to others: chmod 600 '{name}'") });
    }
    let Ok(bytes) = std::fs::read(file) else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    Ok(lines.filter(|line| !line.starts_with('#')).find_map(|line| password(line, wanted)))
}

/// The password of a line that fits.
fn password(line: &str, wanted: &[Vec<String>; 4]) -> Option<String> {
    let mut rest = line;
    for words in wanted {
        let (field, is_any, behind) = field(rest)?;
        if !is_any && !words.contains(&field) {
            return None;
        }
        rest = behind?;
    }
    Some(field(rest)?.0)
}

/// A field up to the next colon, without its backslashes; whether it is `*`; and what comes after the colon.
fn field(text: &str) -> Option<(String, bool, Option<&str>)> {
    let (mut word, mut characters) = (String::new(), text.char_indices());
    let rest = loop {
        match characters.next() {
            None => break None,
            Some((at, ':')) => break Some(&text[at + 1..]),
            Some((_, '\\')) => word.push(characters.next().map_or('\\', |(_, next)| next)),
            Some((_, c)) => word.push(c),
        }
    };
    let is_any = text == "*" || text.starts_with("*:");
    Some((word, is_any, rest))
}

#[cfg(test)]
mod tests {
    use super::password;

    #[test]
    fn a_line_fits_as_in_libpq() {
        let wanted =
            [vec!["h".to_owned(), "::1".to_owned()], vec!["5432".to_owned()], vec!["d:b".to_owned()], vec!["u".to_owned()]];
        for (line, found) in [
            ("*:*:*:*:secret", Some("secret")),
            ("h:5432:d\\:b:u:se\\:c\\\\ret", Some("se:c\\ret")),
            ("\\:\\:1:*:*:u:x", Some("x")),
            ("h:5432:d\\:b:u:a:b", Some("a")),
            ("h:5432:d\\:b:u:", Some("")),
            ("h:5432:d\\:b:u", None),
            ("h:5433:*:*:x", None),
            ("\\*:*:*:*:x", None),
            ("h*:*:*:*:x", None),
            ("", None),
        ] {
            assert_eq!(password(line, &wanted).as_deref(), found, "{line}");
        }
    }
}
