//! Types with their values, conversions and index methods, as SQL text.

use std::collections::BTreeMap;

use diptych_core::sql::{ident, literal};
use diptych_core::{Attribute, Composite, Domain, Sequence};
use fastrand::Rng;

use super::enums::{self, Enums};

/// A column type, and what a random schema may do with it.
pub(crate) struct Kind {
    /// PostgreSQL's spelling.
    pub(crate) sql: &'static str,
    /// The n-th value, without its type.
    value: fn(u64) -> String,
    /// An enum's labels, which are the values then; empty for all other types.
    labels: &'static [String],
    /// A value made of a text, the same for the same text, NULL for NULL; `{}` stands for the text.
    of_text: &'static str,
    /// Whether different texts give different values.
    pub(crate) injective: bool,
    /// Defaults that are another value for each row or transaction.
    computed: &'static [&'static str],
    /// Whether it has a B-tree.
    pub(crate) ordered: bool,
    /// Other index methods, each with an operator class and its parameter, where one must or may be named.
    pub(crate) methods: &'static [(&'static str, Option<&'static str>, Option<&'static str>)],
    /// Operator classes of the B-tree beside the usual one.
    pub(crate) classes: &'static [&'static str],
}

const PLAIN: Kind = Kind {
    sql: "text",
    value: text,
    labels: &[],
    of_text: "{}",
    injective: true,
    computed: &["md5(random()::text)"],
    ordered: true,
    methods: &[("hash", None, None), ("spgist", None, None), ("brin", None, None)],
    classes: &["text_pattern_ops"],
};
const NUMBER: Kind = Kind {
    sql: "bigint",
    value: number,
    labels: &[],
    of_text: "CAST(length({}) AS bigint)",
    injective: false,
    computed: &["(random() * 100)::bigint"],
    ordered: true,
    methods: &[("hash", None, None), ("brin", None, None)],
    classes: &[],
};
const OTHER: Kind = Kind { computed: &[], methods: &[("hash", None, None)], injective: false, ..NUMBER };

/// The domains that every schema has.
pub(crate) fn domains() -> BTreeMap<String, Domain> {
    let domain = |name: &str, sql_type: &str, collation: Option<&str>, checks: &[(&str, &str)]| {
        let checks = checks.iter().map(|(name, check)| ((*name).to_owned(), (*check).into()));
        let collation = collation.map(str::to_owned);
        (name.to_owned(), Domain { sql_type: sql_type.to_owned(), collation, checks: checks.collect(), ..Domain::default() })
    };
    BTreeMap::from([
        domain("quantity", "integer", None, &[("quantity_check", "VALUE >= 0")]),
        domain("Short Text", "text", Some("C"), &[("short", "length(VALUE) < 5000")]),
        domain("price", "numeric(12,2)", None, &[("positive", "VALUE > -1"), ("small", "VALUE < 1000000")]),
    ])
}

/// The composite types that every schema has.
pub(crate) fn composites() -> BTreeMap<String, Composite> {
    let composite = |name: &str, attributes: &[(&str, &str)]| {
        let attribute = |(name, sql_type): &(&str, &str)| Attribute {
            name: (*name).to_owned(),
            sql_type: (*sql_type).to_owned(),
            collation: None,
        };
        (name.to_owned(), Composite { attributes: attributes.iter().map(attribute).collect(), comment: None })
    };
    BTreeMap::from([
        composite("Odd Row", &[("Pair", "pair"), ("many", "quantity[]"), ("text", "json")]),
        composite("pair", &[("left", "text"), ("right", "integer")]),
    ])
}

/// One that no column has, in every other schema: it may go.
pub(crate) fn spare_composite(mut copy: Rng) -> Option<(String, Composite)> {
    copy.bool().then(|| ("row to spare".to_owned(), Composite::default()))
}

/// One that no column has, in every other schema: it may go.
pub(crate) fn spare(mut copy: Rng) -> Option<(String, Domain)> {
    copy.bool().then(|| ("to spare".to_owned(), Domain { sql_type: "uuid".to_owned(), not_null: true, ..Domain::default() }))
}

/// A sequence with options of every kind.
pub(crate) fn sequence(rng: &mut Rng) -> Sequence {
    let sql_type = ["smallint", "integer", "bigint"][rng.usize(..3)].to_owned();
    let increment = [1, 2, 50, -1, -7][rng.usize(..5)];
    let (min, max) = (rng.bool().then(|| rng.i64(-100..-9)), rng.bool().then(|| rng.i64(100..30_000)));
    let start = rng.bool().then_some(if increment < 0 { -1 } else { 1 });
    let cache = if rng.bool() { 1 } else { rng.i64(1..9) };
    let comment = rng.bool().then(|| "of all".to_owned());
    Sequence { sql_type, start, increment, min, max, cache, cycle: rng.bool(), comment }.normal()
}

/// Every type that is tried.
pub(crate) const KINDS: &[Kind] = &[
    PLAIN,
    NUMBER,
    Kind { sql: "integer", of_text: "length({})", computed: &["floor(random() * 100)::integer"], ..NUMBER },
    Kind { sql: "smallint", of_text: "CAST(length({}) AS smallint)", computed: &[], ..NUMBER },
    Kind { sql: "character varying(40)", of_text: "left({}, 40)", classes: &["varchar_pattern_ops"], injective: false, ..PLAIN },
    Kind { sql: "character varying", classes: &[], ..PLAIN },
    Kind {
        sql: "character(12)",
        value: |n| format!("c{n}"),
        of_text: "CAST(left({}, 12) AS character(12))",
        injective: false,
        computed: &[],
        methods: &[("hash", None, None)],
        classes: &["bpchar_pattern_ops"],
        ..PLAIN
    },
    Kind { sql: "boolean", value: |n| if n % 2 == 0 { "true" } else { "false" }.to_owned(), of_text: "length({}) > 2", ..OTHER },
    Kind { sql: "numeric", value: |n| format!("{n}.50"), of_text: "CAST(length({}) AS numeric)", ..OTHER },
    Kind { sql: "numeric(9,2)", value: |n| format!("{n}.25"), of_text: "CAST(length({}) AS numeric(9,2))", ..OTHER },
    Kind {
        sql: "double precision",
        value: |n| format!("{n}.125"),
        of_text: "CAST(length({}) AS double precision)",
        computed: &["random()"],
        ..OTHER
    },
    Kind { sql: "real", value: |n| format!("{n}.5"), of_text: "CAST(length({}) AS real)", ..OTHER },
    Kind {
        sql: "uuid",
        value: |n| format!("00000000-0000-4000-8000-{n:012}"),
        of_text: "CAST(md5({}) AS uuid)",
        injective: true,
        computed: &["gen_random_uuid()"],
        ..OTHER
    },
    Kind {
        sql: "timestamp with time zone",
        value: |n| format!("2024-01-01 00:00:{:02}+00", n % 60),
        of_text: "timestamptz '2020-01-01 00:00+00' + make_interval(secs => length({}))",
        computed: &["now()", "clock_timestamp()", "CURRENT_TIMESTAMP"],
        methods: &[("hash", None, None), ("brin", None, None)],
        ..OTHER
    },
    Kind {
        sql: "timestamp(3) without time zone",
        value: |n| format!("2024-01-01 00:00:{:02}.125", n % 60),
        of_text: "CAST(timestamp '2020-01-01' + make_interval(secs => length({})) AS timestamp(3))",
        computed: &["LOCALTIMESTAMP"],
        ..OTHER
    },
    Kind {
        sql: "date",
        value: |n| format!("2024-02-{:02}", n % 28 + 1),
        of_text: "date '2020-01-01' + length({})",
        computed: &["CURRENT_DATE"],
        ..OTHER
    },
    Kind {
        sql: "time without time zone",
        value: |n| format!("10:00:{:02}", n % 60),
        of_text: "time '08:00' + make_interval(secs => length({}))",
        ..OTHER
    },
    Kind { sql: "interval", value: |n| format!("{n} hours"), of_text: "make_interval(secs => length({}))", ..OTHER },
    Kind {
        sql: "bytea",
        value: |n| format!("\\x{:04x}", n % 0xffff),
        of_text: "convert_to({}, 'UTF8')",
        injective: true,
        ..OTHER
    },
    Kind {
        sql: "jsonb",
        value: |n| format!("{{\"n\": {n}, \"a\": [1.0, null]}}"),
        of_text: "to_jsonb({})",
        injective: true,
        methods: &[("gin", None, None), ("gin", Some("jsonb_path_ops"), None), ("hash", None, None)],
        ..OTHER
    },
    Kind { sql: "json", value: |n| format!("{{\"n\":  {n}}}"), of_text: "to_json({})", ordered: false, methods: &[], ..OTHER },
    Kind {
        sql: "text[]",
        value: |n| format!("{{a,\"b {n}\",NULL}}"),
        of_text: "string_to_array({}, ' ')",
        methods: &[("gin", None, None), ("hash", None, None)],
        ..OTHER
    },
    Kind {
        sql: "integer[]",
        value: |n| format!("{{{n},2}}"),
        of_text: "CASE WHEN {} IS NOT NULL THEN ARRAY[length({})] END",
        methods: &[("gin", None, None)],
        ..OTHER
    },
    Kind {
        sql: "inet",
        value: |n| format!("10.0.{}.{}/24", n / 256 % 256, n % 256),
        of_text: "inet '10.0.0.1' + length({})",
        methods: &[("hash", None, None), ("gist", Some("inet_ops"), None)],
        ..OTHER
    },
    Kind {
        sql: "int4range",
        value: |n| format!("[{n},{})", n + 2),
        of_text: "int4range(0, length({}) + 1) * CASE WHEN {} IS NOT NULL THEN int4range(0, NULL) END",
        methods: &[("gist", None, None), ("spgist", None, None)],
        ..OTHER
    },
    Kind {
        sql: "tsvector",
        value: |n| format!("word{n}"),
        of_text: "to_tsvector('simple'::regconfig, left(md5({}), 6))",
        ordered: false,
        methods: &[("gin", None, None), ("gist", Some("tsvector_ops"), Some("siglen='100'"))],
        ..OTHER
    },
    Kind {
        sql: "point",
        value: |n| format!("({n},1)"),
        of_text: "point(length({}), 2)",
        ordered: false,
        methods: &[("gist", None, None), ("spgist", Some("kd_point_ops"), None)],
        ..OTHER
    },
    Kind {
        sql: "bit varying(64)",
        value: |n| format!("1{n:b}"),
        of_text: "CAST(CAST(length({}) AS bit(32)) AS bit varying(64))",
        methods: &[],
        ..OTHER
    },
    Kind { sql: "quantity", of_text: "CAST(length({}) AS quantity)", ..OTHER },
    Kind { sql: "\"Short Text\"", of_text: "CAST({} AS \"Short Text\")", computed: &[], classes: &[], ..PLAIN },
    // of these no value is NULL, and few are NOT NULL
    Kind {
        sql: "pair",
        value: |n| if n % 2 == 0 { format!("(\"a {n}\",)") } else { format!("(,{n})") },
        of_text: "CASE WHEN {} IS NOT NULL THEN CAST(ROW({}, NULL) AS pair) END",
        injective: true,
        methods: &[],
        ..OTHER
    },
    Kind {
        sql: "\"Odd Row\"",
        value: |n| format!("(\"({n},)\",{{{n}}},\"{{\"\"n\"\": 1.0}}\")"),
        of_text: "CASE WHEN {} IS NOT NULL THEN CAST(ROW(NULL, CASE WHEN length({}) > 3 THEN ARRAY[1] END, NULL) AS \"Odd Row\") END",
        ordered: false,
        methods: &[],
        ..OTHER
    },
    Kind { sql: "price", value: |n| format!("{n}.25"), of_text: "CAST(length({}) AS price)", ..OTHER },
];

/// The kind of this type.
pub(crate) fn kind(enums: &Enums, sql_type: &str) -> &'static Kind {
    let known = KINDS.iter().find(|kind| kind.sql == sql_type);
    known.or_else(|| enums::kind(enums, sql_type)).unwrap_or(&PLAIN)
}

/// Any kind, often an enum's where there is one.
pub(crate) fn any(rng: &mut Rng, enums: &Enums, fits: impl Fn(&Kind) -> bool) -> Option<&'static Kind> {
    let own: Vec<&'static Kind> = enums::kinds(enums).into_iter().filter(|kind| fits(kind)).collect();
    match rng.choice(own).filter(|_| rng.u8(..3) == 0) {
        Some(kind) => Some(kind),
        None => rng.choice(KINDS.iter().filter(|kind| fits(kind)).collect::<Vec<_>>()),
    }
}

/// The kind of an enum with these labels, or of arrays of it.
pub(crate) fn of_labels(sql: &'static str, labels: &'static [String]) -> Kind {
    let list = labels.iter().map(|label| literal(label).as_str().trim_start().to_owned()).collect::<Vec<_>>().join(", ");
    let one = format!("(ARRAY[{list}]::text[])[1 + length({{}}) % {}]", labels.len().max(1));
    let (of_text, methods): (String, &[_]) = if sql.ends_with("[]") {
        (format!("CASE WHEN {{}} IS NOT NULL THEN ARRAY[{one}, NULL] END"), &[("gin", None, None), ("hash", None, None)])
    } else {
        (one, &[("hash", None, None)])
    };
    Kind { sql, labels, of_text: of_text.leak(), methods, ..OTHER }
}

impl Kind {
    /// The n-th value, with its type.
    pub(crate) fn literal(&self, number: u64) -> String {
        format!("{}::{}", literal(&self.text(number)), self.sql)
    }

    /// The n-th value for an expression: a label as the text that it is, since a type may be another one in either version.
    pub(crate) fn given(&self, number: u64) -> String {
        match (self.labels.is_empty(), self.sql.ends_with("[]")) {
            (true, _) => self.literal(number),
            (false, true) => format!("{}::text[]", literal(&self.text(number))),
            (false, false) => format!("{}::text", literal(&self.text(number))),
        }
    }

    /// The same, now and then by way of its type, which the older version may not have.
    pub(crate) fn written(&self, rng: &mut Rng, number: u64) -> String {
        if self.labels.is_empty() || rng.u8(..12) > 0 { self.given(number) } else { self.itself(&self.literal(number)) }
    }

    /// The n-th value as text.
    pub(crate) fn text(&self, number: u64) -> String {
        if self.labels.is_empty() {
            return (self.value)(number);
        }
        let label = |number: u64| &self.labels[number as usize % self.labels.len()];
        if !self.sql.ends_with("[]") {
            return label(number).clone();
        }
        let quoted = |label: &String| format!("\"{}\"", label.replace('\\', "\\\\").replace('"', "\\\""));
        match number % 5 {
            0 => "{}".to_owned(),
            1 => format!("{{{},NULL}}", quoted(label(number))),
            _ => format!("{{{},{}}}", quoted(label(number)), quoted(label(number / 2))),
        }
    }

    /// A value of this type made of another expression, a label as its text; NULL only where that is NULL.
    pub(crate) fn made_of(&self, expression: &str) -> String {
        self.of_text.replace("{}", &format!("CAST({expression} AS text)"))
    }

    /// An expression that is of this type already, as the same that [`Kind::made_of`] gives.
    pub(crate) fn itself(&self, expression: &str) -> String {
        match (self.labels.is_empty(), self.sql.ends_with("[]")) {
            (true, _) => expression.to_owned(),
            (false, true) => format!("CAST({expression} AS text[])"),
            (false, false) => format!("CAST({expression} AS text)"),
        }
    }

    /// A default: a constant, or what is computed for each row or transaction.
    pub(crate) fn default(&self, rng: &mut Rng) -> String {
        match rng.choice(self.computed) {
            Some(computed) if rng.u8(..3) == 0 => (*computed).to_owned(),
            _ => self.literal(rng.u64(..9)),
        }
    }
}

/// Whether everybody sees the same value in this default.
pub(crate) fn is_constant(default: &str) -> bool {
    default.trim_start().starts_with('\'') || default.trim_start().starts_with("E'")
}

/// A condition that every value of every type meets.
pub(crate) fn harmless(column: &str, rng: &mut Rng) -> String {
    let name = literal(column);
    let column = ident(column);
    match rng.u8(..5) {
        // its name, where it is no name
        2 => format!("CAST({column} AS text) IS DISTINCT FROM {name} || '!?'"),
        3 => format!(
            "CAST({column} AS text) IS DISTINCT FROM 'none' /* {} */",
            column.as_str().replace("*/", "").replace("/*", "")
        ),
        0 => format!("length(CAST({column} AS text)) < 5000"),
        1 => format!("{column} IS NULL OR CAST({column} AS text) <> 'it''s none'"),
        _ => format!("CAST({column} AS text) IS DISTINCT FROM 'none' -- whatever it is"),
    }
}

fn number(n: u64) -> String {
    n.to_string()
}

fn text(n: u64) -> String {
    match n % 6 {
        0 => format!("v{n}"),
        1 => format!("it's \"v\" {n}"),
        2 => format!("naïve 日本 {n}"),
        3 => format!("back\\slash {n}"),
        4 => format!("$1 {{}} % {n} --"),
        _ => format!("{n}"),
    }
}
