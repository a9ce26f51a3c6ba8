//! The shell: proxy-wasm callbacks in, calls of the core, host calls out. The only code that knows Envoy.
//!
//! One `.wasm`, two placements in one VM, told apart by the plugin configuration:
//! `{"placement":"gateway","config":{…}}` is the HTTP filter that reads requests, plans and settles; and
//! `{"placement":"attempt"}` is the upstream HTTP filter that runs once per try. No registry borrow is held across a host
//! call.
//!
//! Files import downwards and to the right only:
//!
//! ```text
//! root                                    configuration, contexts, ticks
//! gateway   attempt   timer               callbacks of the two placements, and the passing of time
//! settlement   waiting   dispatch         steps of an exchange that need more than one of those below
//! account   market   gauges
//! downstream   queue   reply   callout   tokens   budget   health   ranking   stats
//! registry   slot   state                 exchanges under way, and what their contexts share
//! identity   request_head   memory   labels   workers
//! store   host   headers   contract       shared data, host calls, names that Envoy's configuration knows too
//! ```

#![allow(clippy::disallowed_methods, reason = "the edge, where effects are")]

mod account;
mod attempt;
mod budget;
mod callout;
mod contract;
mod dispatch;
mod downstream;
mod gateway;
mod gauges;
mod headers;
mod health;
mod host;
mod identity;
mod labels;
mod market;
mod memory;
mod queue;
mod ranking;
mod registry;
mod reply;
mod request_head;
mod root;
mod settlement;
mod slot;
mod state;
mod stats;
mod store;
#[cfg(feature = "shell")]
mod test_hooks;
mod timer;
mod tokens;
mod waiting;
mod workers;

#[cfg(target_os = "wasi")]
pub use memory::Counting;
#[cfg(feature = "shell")]
pub use memory::set_memory_in_use;
#[cfg(feature = "shell")]
pub use test_hooks::add_middleware;

/// Tells the SDK how to make contexts. Called once, when the VM starts.
pub fn start() {
    proxy_wasm::set_root_context(|_| Box::new(root::Root::new()));
}
