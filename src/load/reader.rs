//! Reads a configuration member by member and keeps every problem with its path, so that an operator sees all at once.
//!
//! serde stops at the first error; this does not. It knows nothing of what the members mean. It runs once per VM and is
//! called in a hundred places, so it is kept out of line: that is 9 KB of code.

use crate::error::quoted;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::fmt;

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The place: `models.a/b.endpoints[0].price.prompt`.
    pub path: String,
    /// The problem, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// Collects problems; shared by all nodes of one reading.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    #[inline(never)]
    pub(super) fn add(&self, path: impl Into<String>, message: impl Into<String>) {
        self.0.borrow_mut().push(Problem {
            path: path.into(),
            message: message.into(),
        });
    }

    pub(super) fn into_inner(self) -> Vec<Problem> {
        self.0.into_inner()
    }
}

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct Node<'a> {
    pub(super) path: String,
    pub(super) value: &'a Value,
    pub(super) problems: &'a Problems,
}

impl<'a> Node<'a> {
    /// Reports a problem at this place.
    #[inline(never)]
    pub(super) fn problem(&self, message: impl Into<String>) {
        self.problems.add(self.path.clone(), message);
    }

    #[inline(never)]
    fn expected(&self, what: &str) {
        let found = match self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(value) => value.to_string(),
            Value::String(value) => quoted(value),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "a mapping".to_owned(),
        };
        self.problem(format!("expected {what}, found {found}"));
    }

    #[inline(never)]
    pub(super) fn string(&self) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.expected("a string");
        }
        text.filter(|text| {
            if text.is_empty() {
                self.problem("is empty");
            }
            !text.is_empty()
        })
    }

    /// A whole number, without a word if it is none. A protobuf `Struct` (Istio's way) knows only doubles, so `5.0` is
    /// one too.
    pub(super) fn as_whole(&self) -> Option<u64> {
        self.value.as_u64().or_else(|| {
            let float = self.value.as_f64()?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked: whole and in range"
            )]
            (float.fract() == 0.0 && (0.0..9e15).contains(&float)).then_some(float as u64)
        })
    }

    /// A whole number.
    #[inline(never)]
    pub(super) fn whole(&self) -> Option<u64> {
        let value = self.as_whole();
        if value.is_none() {
            self.expected("a whole number");
        }
        value
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.expected("true or false");
        }
        value
    }

    #[inline(never)]
    pub(super) fn list(&self) -> Vec<Node<'a>> {
        let Some(items) = self.value.as_array() else {
            self.expected("a list");
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .map(|(index, value)| Node {
                path: format!("{}[{index}]", self.path),
                value,
                problems: self.problems,
            })
            .collect()
    }

    #[inline(never)]
    pub(super) fn members(&self) -> Option<Members<'a>> {
        let Some(map) = self.value.as_object() else {
            self.expected("a mapping");
            return None;
        };
        Some(Members {
            path: self.path.clone(),
            map,
            known: Vec::new(),
            problems: self.problems,
        })
    }
}

/// The members of a mapping; those that no reader asks for are problems.
pub(super) struct Members<'a> {
    path: String,
    map: &'a Map<String, Value>,
    known: Vec<&'static str>,
    problems: &'a Problems,
}

impl<'a> Members<'a> {
    /// A member that may be absent; `null` counts as absent.
    #[inline(never)]
    pub(super) fn optional(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.known.push(name);
        let value = self.map.get(name).filter(|value| !value.is_null())?;
        Some(Node {
            path: join(&self.path, name),
            value,
            problems: self.problems,
        })
    }

    /// A member that must be there.
    #[inline(never)]
    pub(super) fn required(&mut self, name: &'static str) -> Option<Node<'a>> {
        let node = self.optional(name);
        if node.is_none() {
            self.problems.add(join(&self.path, name), "is missing");
        }
        node
    }

    /// True where a member is there and not `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// Reports a problem of a member, be it there or not.
    pub(super) fn problem(&self, name: &str, message: &str) {
        self.problems.add(join(&self.path, name), message);
    }

    /// Every member under its own name, for mappings whose names the operator chooses.
    #[inline(never)]
    pub(super) fn all(&self) -> Vec<(&'a str, Node<'a>)> {
        self.map
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str(),
                    Node {
                        path: join(&self.path, name),
                        value,
                        problems: self.problems,
                    },
                )
            })
            .collect()
    }

    /// Reports every member that no reader has asked for.
    #[inline(never)]
    pub(super) fn done(self) {
        for name in self.map.keys() {
            if !self.known.contains(&name.as_str()) {
                let known = self.known.join(", ");
                self.problems
                    .add(join(&self.path, name), format!("is unknown; known here: {known}"));
            }
        }
    }
}

#[inline(never)]
fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// A duration such as `250ms`, `30s`, `10m`, in milliseconds.
pub(super) fn duration_ms(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let scale = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

/// A size such as `512KiB`, `32MiB`, or plain bytes.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let scale = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}
