//! Credentials of providers that are more than a header with a key in it.

pub mod sigv4;
