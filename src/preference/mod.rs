//! Preferences of callers and operators: which endpoints may serve a request, and in which order they are tried.
//!
//! It knows no endpoint and no configuration: [`crate::config`] keeps what is read here, and [`crate::route`] acts on it.

pub mod auto;
mod field;
mod invalid;
mod levels;
mod pattern;
mod policy;
mod preferences;
mod read;
pub mod region;
mod sort;
mod source;
pub mod variant;

pub(crate) use field::PreferenceField;
pub use invalid::InvalidPreference;
pub(crate) use pattern::fits;
pub use policy::{Places, Policy};
pub use preferences::{Cutoffs, Preferences};
pub use read::MEMBERS;
pub use region::Regions;
pub use sort::Sort;
pub use source::PolicySource;
pub use variant::Variant;
