//! Middleware that a test adds to every configuration read on its thread: none that a configuration can name waits for a
//! callout. Not in the wasm.

use crate::config::Config;
use crate::middleware::Middleware;
use std::cell::RefCell;
use std::rc::Rc;

thread_local! {
    static STAGES: RefCell<Vec<Rc<dyn Middleware>>> = const { RefCell::new(Vec::new()) };
}

/// Adds a stage, behind those of the configuration, to every gateway that is configured on this thread from now on.
pub fn add_middleware(stage: Rc<dyn Middleware>) {
    STAGES.with_borrow_mut(|stages| stages.push(stage));
}

/// `config`, with the stages that were added.
pub(super) fn with_added(mut config: Config) -> Config {
    config.middleware.extend(STAGES.with_borrow(Clone::clone));
    config
}
