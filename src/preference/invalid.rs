//! Error for a preference that cannot be read, or is not honoured.

use crate::error::Error;

/// A preference that cannot be read, or is not honoured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidPreference {
    /// The member, and what is inside it: `sort.by`.
    pub path: String,
    /// The problem.
    pub message: String,
}

impl InvalidPreference {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl From<InvalidPreference> for Error {
    fn from(InvalidPreference { path, message }: InvalidPreference) -> Self {
        Self::invalid(format!("provider.{path}: {message}"))
    }
}

/// The error for a member that has another form.
pub(super) fn expected(name: &str, what: &str) -> InvalidPreference {
    InvalidPreference::new(name, format!("expected {what}"))
}
