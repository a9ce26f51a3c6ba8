//! The callbacks that the filter exports, and a worker to run them on.
#![expect(
    unsafe_code,
    reason = "the SDK exports its callbacks as C functions; setting the environment is unsafe too"
)]

use super::host::{Shared, host};
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, Once};

unsafe extern "C" {
    safe fn proxy_on_context_create(context: u32, root: u32);
    safe fn proxy_on_vm_start(context: u32, size: usize) -> bool;
    safe fn proxy_on_configure(context: u32, size: usize) -> bool;
    safe fn proxy_on_tick(context: u32);
    safe fn proxy_on_queue_ready(context: u32, queue: u32);
    safe fn proxy_on_request_headers(context: u32, count: usize, end: bool) -> u32;
    safe fn proxy_on_request_body(context: u32, size: usize, end: bool) -> u32;
    safe fn proxy_on_request_trailers(context: u32, count: usize) -> u32;
    safe fn proxy_on_response_headers(context: u32, count: usize, end: bool) -> u32;
    safe fn proxy_on_response_body(context: u32, size: usize, end: bool) -> u32;
    safe fn proxy_on_response_trailers(context: u32, count: usize) -> u32;
    safe fn proxy_on_http_call_response(
        context: u32,
        token: u32,
        headers: usize,
        body: usize,
        trailers: usize,
    );
    safe fn proxy_on_log(context: u32);
    safe fn proxy_on_done(context: u32) -> bool;
    safe fn proxy_on_delete(context: u32);
}

/// One callback.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Callback {
    RequestHeaders { end: bool },
    RequestBody { size: usize, end: bool },
    RequestTrailers,
    ResponseHeaders { end: bool },
    ResponseBody { size: usize, end: bool },
    ResponseTrailers,
}

/// Whether the filter lets the stream go on.
pub(crate) fn run(context: u32, callback: Callback) -> bool {
    let action = enter(context, || match callback {
        Callback::RequestHeaders { end } => proxy_on_request_headers(context, 1, end),
        Callback::RequestBody { size, end } => proxy_on_request_body(context, size, end),
        Callback::RequestTrailers => proxy_on_request_trailers(context, 1),
        Callback::ResponseHeaders { end } => proxy_on_response_headers(context, 1, end),
        Callback::ResponseBody { size, end } => proxy_on_response_body(context, size, end),
        Callback::ResponseTrailers => proxy_on_response_trailers(context, 1),
    });
    action == 0
}

pub(crate) fn create(context: u32, root: u32) {
    enter(context, || proxy_on_context_create(context, root));
}

pub(crate) fn configure(root: u32, size: usize) -> bool {
    enter(root, || {
        proxy_on_vm_start(root, 0) && proxy_on_configure(root, size)
    })
}

pub(crate) fn tick(root: u32) {
    enter(root, || proxy_on_tick(root));
}

pub(crate) fn queue_ready(root: u32, queue: u32) {
    enter(root, || proxy_on_queue_ready(root, queue));
}

pub(crate) fn call_response(root: u32, token: u32, headers: usize, body: usize) {
    enter(root, || {
        proxy_on_http_call_response(root, token, headers, body, 0);
    });
}

pub(crate) fn log(context: u32) {
    enter(context, || proxy_on_log(context));
}

/// The end of a context.
pub(crate) fn done(context: u32) {
    enter(context, || {
        assert!(proxy_on_done(context));
        proxy_on_delete(context);
    });
}

fn enter<T>(context: u32, callback: impl FnOnce() -> T) -> T {
    host(|host| host.effective = context);
    let result = callback();
    host(|host| host.effective = 0);
    result
}

/// Runs a worker: a VM of its own on a thread of its own.
pub(crate) fn worker<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    worker_sharing(Arc::default(), work)
}

/// Runs a worker that has its shared data in common with others.
pub(crate) fn worker_sharing<T: Send>(shared: Arc<Mutex<Shared>>, work: impl FnOnce() -> T + Send) -> T {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for provider in ["OPENAI", "ANTHROPIC", "BEDROCK"] {
            // SAFETY: nothing in this process reads the environment but through Rust's own, locked functions.
            unsafe { std::env::set_var(format!("SHELL_{provider}"), format!("key-of-{provider}")) };
        }
        // SAFETY: as above.
        unsafe { std::env::set_var("SHELL_ACCOUNT", include_str!("../support/service_account.json")) };
        // The SDK's callbacks can't unwind, so a panic in the filter aborts before captured output is shown.
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            let _ = writeln!(std::io::stderr(), "{name}: {info}");
            next(info);
        }));
    });
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    let result = std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name(name)
            .spawn_scoped(scope, || {
                host(|host| host.shared = shared);
                crosspoint::filter::start();
                let result = catch_unwind(AssertUnwindSafe(work));
                // Contexts must go before this thread's statics do.
                for context in host(|host| host.contexts.keys().copied().collect::<Vec<_>>()) {
                    proxy_on_delete(context);
                }
                result.unwrap_or_else(|panic| resume_unwind(panic))
            })
            .unwrap()
            .join()
    });
    result.unwrap_or_else(|panic| resume_unwind(panic))
}
