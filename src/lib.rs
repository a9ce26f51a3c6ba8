//! Crosspoint: one WebAssembly filter that turns an Envoy into an OpenAI-compatible gateway in front of every model
//! provider, with failover in the middle of a request and a receipt for every token.
//!
//! This is the map of the code. [`exchange`] is the place to begin: it knows the whole order of an exchange, and calls
//! everything else.
//!
//! ```text
//! config      immutable tables that a configuration is resolved into
//! load        readers of what operators write: they make those tables, and report every problem at once, with its path
//! provider    providers as rows of data, and how each deviates from the dialect that it speaks
//! auth        secrets, credentials, signatures and access tokens, and how what was sent is taken out of what providers say
//! base64      base64, read and written
//! headers     names of the headers that callers send, and that answers carry
//! hash        SHA-256, and a short hash that is the same everywhere
//! bytes       numbers of fixed length: how records stand in shared data
//! time        the calendar
//! json        JSON, read member by member and written in order
//! caps        how many items a request or an answer may have, of each kind: one table
//! chat        the unified form: operations, requests, messages, deltas, usage
//! dialect     wire formats: the provider side, and under dialect::client the client side
//! wire        bytes to frames: SSE, AWS event stream, NDJSON
//! middleware  stages that change requests and deltas, and may wait for a callout
//! preference  what callers and operators prefer of endpoints, and forbid: read, and put together from several levels
//! route       which endpoints an exchange may try, in which order, and why
//! health      how well an endpoint does: a fixed-size record, a pure function of (record, sample, now), what routing sees
//! tokenizer   how many tokens a text is, by OpenAI's vocabularies
//! meter       counting, prices, receipts, budgets, and how much each model is used
//! api         what callers may read: models, endpoints, providers, rankings, their own usage, and the page that shows them
//! error       what a caller sees, what routing does, whose health it counts against: one table
//! exchange    one exchange's life as a state machine without I/O
//! filter      the shell: proxy-wasm in, core calls, host calls out
//! ```
//!
//! What must stay true:
//!
//! 1. Nothing outside `filter` names the proxy-wasm SDK; the core reads no clock, no randomness and no environment.
//! 2. No panic is reachable from request, response, shared-data or configuration bytes: a panic kills the VM and every
//!    stream on that worker.
//! 3. Every byte fed to a decoder is emitted, counted or reported; every decoder has `finish`.
//! 4. Output and receipt do not depend on how the network cut the stream.
//! 5. A member that is not understood is forwarded, or the request is refused with a reason. What a dialect drops, it
//!    names in a table.
//! 6. Exactly one final receipt per exchange ([`exchange::Exchange::settle`] consumes it), and a provisional one in filter
//!    state from admission on. Money and tokens are integers. An estimate never replaces a provider's own count, unless that
//!    is more than the endpoint can have produced ([`meter::Bounds`]), and is marked as one.
//! 7. A provider's credential goes to that provider's cluster only, and a token that all workers share lies in shared
//!    data under a name made from the credential. An attempt that finds no exchange, or no token, sends nothing.
//!    Headers go by allow-list in both directions. No prompt, completion or secret reaches a log line, a metric or an
//!    error body.
//! 8. After the first token errors are events in the client's own dialect; provider bytes never reach a client of another
//!    dialect. What is passed on as it came has been read: it is UTF-8 ([`wire`]) and a JSON object (the decoder).
//! 9. Memory per open stream is bounded and does not grow with the length of the response.
//! 10. Health samples may be lost; receipts may not.
//! 11. Shared data is keyed by a stable hash inside a namespace of the configuration.
//! 12. An exchange carries its configuration from start to end. No registry borrow is held across a host call.
//! 13. A body that was paused never gets more bytes than Envoy's buffer limit: our caps are below it.
//! 14. What a budget holds is computed from what will be sent, never from another reading of the request.

pub mod api;
pub mod auth;
pub mod base64;
mod bytes;
pub mod caps;
pub mod chat;
pub mod config;
pub mod dialect;
pub mod error;
pub mod exchange;
#[cfg(any(target_os = "wasi", feature = "shell"))]
pub mod filter;
pub mod hash;
mod headers;
pub mod health;
pub mod json;
pub mod load;
pub mod meter;
pub mod middleware;
pub mod preference;
pub mod provider;
pub mod route;
pub mod time;
#[cfg(feature = "tokenizer")]
pub mod tokenizer;
pub mod wire;

#[cfg(all(test, not(target_arch = "wasm32")))]
pub(crate) use std::prelude::v1::test;
/// Unit tests of the core run under this attribute on wasm32-unknown-unknown, and under the ordinary one natively.
#[cfg(all(test, target_arch = "wasm32"))]
pub(crate) use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_os = "wasi")]
mod entry {
    #[global_allocator]
    static ALLOCATOR: crate::filter::Counting = crate::filter::Counting;

    proxy_wasm::main! {{ crate::filter::start(); }}
}
