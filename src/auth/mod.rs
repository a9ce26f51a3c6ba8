//! Credentials of providers that are more than a header with a key in it, and how any is taken out of what they say.

pub mod google;
pub mod sent;
pub mod sigv4;
pub mod token;
