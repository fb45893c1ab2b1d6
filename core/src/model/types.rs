//! Type names in PostgreSQL's own spelling.

/// The spelling that `format_type` prints: `int8` becomes `bigint`, `varchar(10)` `character varying(10)`.
pub fn normalize(name: &str) -> String {
    let name = name.trim();
    if let Some(element) = name.strip_suffix("[]") {
        return format!("{}[]", normalize(element));
    }
    if name.contains('"') {
        return name.to_owned();
    }
    let lower = name.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let (head, modifier, tail) = match (lower.find('('), lower.rfind(')')) {
        (Some(open), Some(close)) if open < close => {
            let inside = lower[open + 1..close].replace(' ', "");
            (lower[..open].trim().to_owned(), Some(inside), lower[close + 1..].trim().to_owned())
        }
        _ => (lower, None, String::new()),
    };
    let spelled = if tail.is_empty() { head } else { format!("{head} {tail}") };
    let (canonical, suffix) = match spelled.as_str() {
        "int8" => ("bigint", ""),
        "int" | "int4" => ("integer", ""),
        "int2" => ("smallint", ""),
        "bool" => ("boolean", ""),
        "float8" | "float" => ("double precision", ""),
        "float4" => ("real", ""),
        "decimal" => ("numeric", ""),
        "varchar" => ("character varying", ""),
        "char" | "bpchar" if modifier.is_some() => ("character", ""),
        "char" | "character" if modifier.is_none() => return "character(1)".to_owned(),
        "varbit" => ("bit varying", ""),
        "timestamptz" | "timestamp with time zone" => ("timestamp", " with time zone"),
        "timestamp" | "timestamp without time zone" => ("timestamp", " without time zone"),
        "timetz" | "time with time zone" => ("time", " with time zone"),
        "time" | "time without time zone" => ("time", " without time zone"),
        other => (other, ""),
    };
    match modifier {
        Some(inside) if canonical == "numeric" && !inside.contains(',') => format!("numeric({inside},0)"),
        Some(inside) => format!("{canonical}({inside}){suffix}"),
        None => format!("{canonical}{suffix}"),
    }
}

/// The type behind `serial` and its like, which are a notation of CREATE TABLE and no types.
pub fn serial(name: &str) -> Option<&'static str> {
    match name.trim().to_lowercase().as_str() {
        "serial" | "serial4" => Some("integer"),
        "bigserial" | "serial8" => Some("bigint"),
        "smallserial" | "serial2" => Some("smallint"),
        _ => None,
    }
}

/// The name of a type, or of an array's elements, as the catalog has it: `"Mood"[]` becomes `Mood`.
pub fn element(name: &str) -> String {
    let name = name.trim_end_matches("[]");
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

/// A type's name as `format_type` prints it: quoted where it has to be.
pub fn spelled(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let is_plain = name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty();
    if is_plain && !KEYWORDS.contains(&name) { name.to_owned() } else { crate::sql::ident(name).as_str().to_owned() }
}

/// Whether a text has a comma outside parentheses and quotes, as a list of definitions has.
pub fn is_list(text: &str) -> bool {
    let (mut depth, mut is_quoted) = (0_usize, false);
    text.chars().any(|c| {
        match c {
            '"' => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0 && !is_quoted
    })
}

/// Whether an expression is nothing but a column.
pub fn is_column(expression: &str, name: &str) -> bool {
    let expression = expression.trim();
    expression == spelled(name) || expression == crate::sql::ident(name).as_str()
}

/// Words that cannot be the name of a type without quotes.
const KEYWORDS: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "between",
    "bigint",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "column",
    "constraint",
    "create",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "from",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "in",
    "initially",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "lateral",
    "leading",
    "least",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "nchar",
    "none",
    "normalize",
    "not",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "row",
    "select",
    "session_user",
    "setof",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "system_user",
    "table",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
];

/// Whether it is an array.
pub fn is_array(name: &str) -> bool {
    name.ends_with("[]")
}

/// The type without a length: an explicit cast to one with a length cuts values off silently, where an assignment refuses them.
pub fn without_length(name: &str) -> String {
    if let Some(element) = name.strip_suffix("[]") {
        return format!("{}[]", without_length(element));
    }
    let head = name.split('(').next().unwrap_or(name);
    match head {
        "character varying" | "bit varying" => head.to_owned(),
        "character" => "bpchar".to_owned(),
        "bit" => "bit varying".to_owned(),
        _ => name.to_owned(),
    }
}

/// The length that a type gives its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// What is counted.
    pub kind: Measure,
    /// The limit.
    pub limit: usize,
    /// It holds for every element.
    pub array: bool,
}

/// What the length of a type counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// `varchar(n)`, `char(n)`.
    Characters,
    /// `varbit(n)`.
    BitsAtMost,
    /// `bit(n)`.
    BitsExactly,
}

/// The length of a type in PostgreSQL's spelling, where it has one.
pub fn length(name: &str) -> Option<Length> {
    let element = name.trim_end_matches("[]");
    let (head, rest) = element.split_once('(')?;
    let kind = match head {
        "character varying" | "character" => Measure::Characters,
        "bit varying" => Measure::BitsAtMost,
        "bit" => Measure::BitsExactly,
        _ => return None,
    };
    let limit = rest.strip_suffix(')')?.parse().ok()?;
    Some(Length { kind, limit, array: element.len() < name.len() })
}

/// Whether a type is one of text that has the default collation, or an array of such.
pub fn is_text(name: &str) -> bool {
    let element = name.trim_end_matches("[]");
    element == "text" || element.starts_with("character varying") || element.starts_with("character(")
}

/// Whether every value of one type is the same value in another, and different ones stay different.
pub fn widens(from: &str, to: &str) -> bool {
    let integer = |name: &str| ["smallint", "integer", "bigint"].iter().position(|there| *there == name);
    let is_text = |name: &str| is_text(name) && !name.ends_with(']') && !name.starts_with("character(");
    from == to
        || matches!((integer(from), integer(to)), (Some(from), Some(to)) if from <= to)
        || is_text(from)
            && is_text(to)
            && match (length(from), length(to)) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(from), Some(to)) => from.limit <= to.limit,
            }
}

#[cfg(test)]
mod tests {
    use super::{length, normalize, widens, without_length};

    #[test]
    fn tells_a_wider_type_from_a_narrower_one() {
        for (from, to) in
            [("integer", "bigint"), ("character varying(5)", "text"), ("character varying(5)", "character varying(9)")]
        {
            assert!(widens(from, to) && !widens(to, from), "{from} {to}");
        }
        assert!(widens("text", "character varying") && !widens("text", "integer") && !widens("character varying[]", "text"));
        assert_eq!(length("character varying(5)[]").map(|length| (length.limit, length.array)), Some((5, true)));
        assert_eq!(length("numeric(5,2)"), None);
    }

    #[test]
    fn a_cast_cuts_nothing_off() {
        for (given, expected) in [
            ("character varying(5)", "character varying"),
            ("character(5)[]", "bpchar[]"),
            ("bit(3)", "bit varying"),
            ("numeric(5,2)", "numeric(5,2)"),
        ] {
            assert_eq!(without_length(given), expected);
        }
    }

    #[test]
    fn spells_types_as_postgresql_does() {
        for (given, expected) in [
            ("INT8", "bigint"),
            ("varchar( 10 )", "character varying(10)"),
            ("timestamptz(3)", "timestamp(3) with time zone"),
            ("timestamp", "timestamp without time zone"),
            ("numeric(5)", "numeric(5,0)"),
            ("character(12)", "character(12)"),
            ("char", "character(1)"),
            ("int[]", "integer[]"),
            ("\"Mood\"", "\"Mood\""),
        ] {
            assert_eq!(normalize(given), expected);
        }
    }
}
