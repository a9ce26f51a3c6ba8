//! The filter's shell on a fake host: the real SDK dispatcher and the real filter, natively, under a program that behaves
//! as a real Envoy was seen to (ENVOY.md): `host` is what a filter may ask of Envoy, `envoy` plays the connection manager
//! and the router around it, and `provider` writes what the providers would send.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "this is how a test fails"
)]

mod envoy;
mod guard;
mod host;
mod imports;
mod provider;
mod schema;
mod vm;

mod access;
mod account;
mod answers;
mod budget_failures;
mod budgets;
mod byok;
mod claims;
mod configure;
mod deadlines;
mod echoes;
mod emptiness;
mod endings;
mod failover;
mod headers;
mod holds;
mod host_failures;
mod insurance;
mod local_replies;
mod memory;
mod models;
mod operations;
mod policies;
mod random;
mod rankings;
mod requests;
mod responses;
mod shared_data;
mod silence;
mod stats;
mod tokens;
mod visible;
mod vm_death;
mod waiting;
