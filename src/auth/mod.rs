//! Credentials of providers that are more than a header with a key in it, and how any is taken out of what they say.

mod base_url;
pub mod google;
mod secret;
pub mod sent;
pub mod sigv4;
pub mod token;

pub use base_url::BaseUrl;
pub use secret::Secret;
