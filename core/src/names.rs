//! Generated names (R7): a readable stem and a hash, at most 63 bytes; and the names that PostgreSQL would choose.

/// The longest identifier that PostgreSQL keeps whole, in bytes (`NAMEDATALEN` - 1).
pub const LONGEST: usize = 63;

/// The schema of everything that is Diptych's own.
pub const OWN_SCHEMA: &str = "diptych";

/// The name of the schema of a version's views: `<base>_<version>`, shortened where it has to be.
pub fn view_schema(base: &str, version: &str) -> String {
    shortened(&format!("{base}_{version}"))
}

/// The name of a base schema's guard.
pub fn guard_schema(base: &str) -> String {
    shortened(&format!("{base}_diptych_guard"))
}

/// The name of the role that puts its sessions on a version, for an application's role: `<role>_<schema of the views>`.
pub fn version_role(role: &str, views: &str) -> String {
    shortened(&format!("{role}_{views}"))
}

/// A name of ours for something that belongs to `parts` (table, column, version, …) in the given role.
pub fn generated(role: &str, parts: &[&str]) -> String {
    let mut hash = Fnv::new();
    hash.add(role);
    for part in parts {
        hash.add(part);
    }
    let stem = format!("_diptych_{role}_{}", parts.join("_"));
    format!("{}_{:010x}", clip(&stem, LONGEST - 11), hash.0 & 0xff_ffff_ffff)
}

/// The beginning of the names of several things of one kind, to which an underscore and a number (an OID) can be added.
pub fn stem(role: &str, parts: &[&str]) -> String {
    let mut hash = Fnv::new();
    hash.add(role);
    for part in parts {
        hash.add(part);
    }
    format!("_diptych_{role}_{:010x}", hash.0 & 0xff_ffff_ffff)
}

/// `name` if it is short enough, else its beginning and a hash of the whole.
pub fn shortened(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let mut hash = Fnv::new();
    hash.add(name);
    format!("{}_{:010x}", clip(name, LONGEST - 11), hash.0 & 0xff_ffff_ffff)
}

/// The name that PostgreSQL gives an unnamed object (`makeObjectName` in `indexcmds.c`): the longer of the
/// two names is clipped until `first_second_label` fits.
pub fn object_name(first: &str, second: Option<&str>, label: &str) -> String {
    let overhead = label.len() + 1 + usize::from(second.is_some());
    let available = LONGEST - overhead;
    let (mut one, mut two) = (first.len(), second.map_or(0, str::len));
    while one + two > available {
        if one > two { one -= 1 } else { two -= 1 }
    }
    match second {
        Some(second) => format!("{}_{}_{label}", clip(first, one), clip(second, two)),
        None => format!("{}_{label}", clip(first, one)),
    }
}

/// The name that PostgreSQL gives the type of a type's arrays.
pub fn array_type(name: &str) -> String {
    format!("_{}", clip(name, LONGEST - 1))
}

/// A stable 64-bit hash (FNV-1a) of a text, for ids and checksums within one release of the tool.
pub fn hash(text: &str) -> u64 {
    let mut hash = Fnv::new();
    hash.add(text);
    hash.0
}

fn clip(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, text: &str) {
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_within_63_bytes_and_apart() {
        let table = "t".repeat(46);
        let (one, two) = ("c".repeat(39) + "1", "c".repeat(39) + "2");
        let a = generated("new", &[&table, &one, "0002"]);
        let b = generated("new", &[&table, &two, "0002"]);
        assert!(a.len() <= LONGEST && b.len() <= LONGEST);
        assert_ne!(a, b);
    }

    #[test]
    fn names_as_postgresql_does() {
        assert_eq!(object_name("users", Some("email"), "key"), "users_email_key");
        assert_eq!(object_name(&"a".repeat(60), None, "pkey").len(), LONGEST);
    }
}
