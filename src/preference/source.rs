//! The levels of a configuration that a policy can stand at.

use std::fmt;
use std::rc::Rc;

/// The level that a policy stands at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySource {
    /// The whole configuration.
    Config,
    /// The route of this name.
    Route(Rc<str>),
    /// The key of this name.
    Key(Rc<str>),
}

impl fmt::Display for PolicySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config => f.write_str("the configuration"),
            Self::Route(name) => write!(f, "the policy of route {name}"),
            Self::Key(name) => write!(f, "key {name}"),
        }
    }
}
