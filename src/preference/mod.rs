//! Preferences of callers and operators: which endpoints may serve a request, and in which order they are tried.
//!
//! It knows no endpoint and no configuration: [`crate::config`] keeps what is read here, and [`crate::route`] acts on it.

mod pattern;
mod sort;
pub mod variant;

pub(crate) use pattern::fits;
pub use sort::Sort;
pub use variant::Variant;
