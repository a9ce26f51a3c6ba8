//! The answers to `GET`: models, endpoints, providers and rankings ([`models`]), the caller's own usage ([`account`]), and
//! the page that shows the former to people ([`console`]).
//!
//! All are pure functions of the configuration and of records. The shell reads the records, and serves the answers.

pub mod account;
pub mod console;
mod data;
pub mod models;
mod parameters;
