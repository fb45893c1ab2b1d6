//! Findings as SARIF 2.1.0, which code scanning shows beside the lines that they are about.

use std::path::{Component, Path};

use serde_json::{Value, json};

use crate::commands::explain;
use crate::findings::{Finding, Rule};

/// One run of `check` with what it found.
pub(crate) fn log(findings: &[Finding], dir: &Path) -> Value {
    let rules = explain::findings().zip(Rule::ALL).map(|((code, title, text), (rule, _))| {
        json!({
            "id": code,
            "shortDescription": { "text": title },
            "fullDescription": { "text": title },
            "help": { "text": text, "markdown": text },
            "defaultConfiguration": { "level": rule.level() },
        })
    });
    let driver = json!({
        "name": "diptych",
        "version": env!("CARGO_PKG_VERSION"),
        "informationUri": env!("CARGO_PKG_REPOSITORY"),
        "rules": rules.collect::<Vec<_>>(),
    });
    let results: Vec<Value> = findings.iter().map(|finding| result(finding, dir)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": driver }, "columnKind": "unicodeCodePoints", "results": results }],
    })
}

fn result(finding: &Finding, dir: &Path) -> Value {
    let (index, code) = Rule::ALL
        .iter()
        .enumerate()
        .find_map(|(at, (rule, code))| (*rule == finding.rule).then_some((at, *code)))
        .unwrap_or_else(|| unreachable!("every rule has a code"));
    let (file, line, column) = finding.spot(dir);
    let hint = finding.hint.as_ref().map_or_else(String::new, |hint| format!("\nhint: {hint}"));
    json!({
        "ruleId": code,
        "ruleIndex": index,
        "level": finding.rule.level(),
        "message": { "text": format!("{}{hint}", finding.message) },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&file) },
            "region": { "startLine": line, "startColumn": column },
        } }],
    })
}

/// A file by its path from the root of the repository, as code scanning asks for it; by its whole path where it is elsewhere.
fn uri(file: &Path) -> String {
    let whole = std::fs::canonicalize(file).unwrap_or_else(|_| std::path::absolute(file).unwrap_or_else(|_| file.to_owned()));
    let here = std::env::current_dir().and_then(std::fs::canonicalize).unwrap_or_default();
    let root = here.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(&here);
    match whole.strip_prefix(root) {
        Ok(path) => encoded(path),
        Err(_) => format!("file:///{}", encoded(&whole)),
    }
}

fn encoded(path: &Path) -> String {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(part) => Some(part.to_string_lossy().bytes().map(byte).collect::<String>()),
        _ => None,
    });
    let made = parts.collect::<Vec<_>>().join("/");
    // the root itself
    if made.is_empty() { ".".to_owned() } else { made }
}

fn byte(byte: u8) -> String {
    let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if is_plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}
