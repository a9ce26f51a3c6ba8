//! Crosspoint.
pub mod chat;
pub mod config;
pub mod dialect;
pub mod error;
pub mod exchange;
pub mod hash;
pub mod health;
pub mod json;
pub mod meter;
pub mod middleware;
pub mod provider;
pub mod route;
pub mod wire;

#[cfg(all(test, not(target_arch = "wasm32")))]
pub(crate) use std::prelude::v1::test;
/// Unit tests of the core run under this attribute on wasm32-unknown-unknown, and under the ordinary one natively.
#[cfg(all(test, target_arch = "wasm32"))]
pub(crate) use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(any(target_os = "wasi", feature = "shell"))]
pub mod filter;

#[cfg(target_os = "wasi")]
mod entry {
    proxy_wasm::main! {{ crate::filter::start(); }}
}
