//! Readers of what operators write: one file a section.
//!
//! [`config`] takes a configuration as a JSON value (YAML in the native tool, JSON in Envoy), reports every problem at
//! once with its path, and gives a [`Config`](crate::config::Config) in which nothing needs to be looked up by name again.
//! It reads no environment itself: keys come from a function that the caller gives.

mod base_url;
mod billing;
mod client_keys;
mod credential;
mod limits;
mod middleware;
mod models;
mod names;
mod parse;
mod policy;
mod price;
mod providers;
mod reader;
mod routes;
mod timeouts;

pub use parse::config;
pub use reader::Problem;

/// Gives the value of an environment variable.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;
type Env<'e> = Option<Environment<'e>>;
