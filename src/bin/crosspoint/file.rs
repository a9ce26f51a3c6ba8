//! Reads an operator's file. What is wrong with it comes back as text, one problem a line.

use crosspoint::config::Config;
use crosspoint::load::{self, Problem};
use serde_json::Value;
use std::path::Path;

/// An operator's file as it stands there, and what it means.
pub(crate) struct File {
    pub(crate) value: Value,
    pub(crate) config: Config,
}

/// Reads the file at `path`; `-` is standard input. Looks no key up.
pub(crate) fn read(path: &Path) -> Result<File, String> {
    let stdin = path.as_os_str() == "-";
    let shown = if stdin {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let text = if stdin {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| format!("{shown}: cannot be read: {error}"))?;
    let value: Value = serde_saphyr::from_str(&text).map_err(|error| syntax(&shown, &error))?;
    let config = resolve(&value).map_err(|problems| format!("{problems}\n{shown}: {}", count(&problems)))?;
    Ok(File { value, config })
}

/// What a configuration means.
pub(crate) fn resolve(value: &Value) -> Result<Config, String> {
    load::config(value, None).map_err(|problems| {
        problems
            .iter()
            .map(Problem::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    })
}

fn count(problems: &str) -> String {
    match problems.lines().count() {
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    }
}

fn syntax(shown: &str, error: &serde_saphyr::Error) -> String {
    let message = error.without_snippet();
    match error.location() {
        Some(at) => format!("{shown}:{}:{}: is not YAML: {message}", at.line(), at.column()),
        None => format!("{shown}: is not YAML: {message}"),
    }
}
