//! Credentials of providers that are more than a header with a key in it.

pub mod google;
pub mod sigv4;
pub mod token;
