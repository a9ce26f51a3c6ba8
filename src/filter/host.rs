//! The host's functions, each wrapped once. Nothing else calls Envoy.
//!
//! The SDK's own wrappers panic on any status that they do not list, which would kill the VM and every stream on the
//! worker; these return it. Header values are bytes: a client may send any.
#![expect(
    unsafe_code,
    reason = "the proxy-wasm ABI is C functions over raw pointers; this is its only user"
)]

use super::contract::OWN_DETAILS;
use super::headers::{self, Headers};
use crate::exchange::Head;
use crate::middleware::Callout;
use std::time::Duration;

/// A body or configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    CallResponseBody = 4,
    PluginConfiguration = 7,
}

/// A set of headers or trailers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Map {
    Request = 0,
    RequestTrailers = 1,
    Response = 2,
    ResponseTrailers = 3,
    CallResponse = 6,
}

/// A direction of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Stream {
    Request = 0,
    Response = 1,
}

/// Kinds of statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Metric {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

/// Levels of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Level {
    Info = 2,
    Warn = 3,
    Error = 4,
}

/// Any status but this is a failure; some calls tell these two apart.
const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const CAS_MISMATCH: u32 = 8;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_buffer_bytes(
        kind: u32,
        start: usize,
        max: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(kind: u32, start: usize, size: usize, data: *const u8, data_size: usize)
    -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_register_shared_queue(name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_enqueue_shared_queue(id: u32, value: *const u8, value_size: usize) -> u32;
    fn proxy_dequeue_shared_queue(id: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
}

/// Takes over memory that the host had us allocate.
fn take(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() || size == 0 {
        return Vec::new();
    }
    // SAFETY: the host filled a buffer of exactly `size` bytes that the SDK's `proxy_on_memory_allocate` made from a boxed
    // slice of that length, and gives it away.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

/// Calls a host function that returns memory.
fn fetch(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Option<Vec<u8>> {
    let mut data = std::ptr::null_mut();
    let mut size = 0;
    let status = call(&raw mut data, &raw mut size);
    let bytes = take(data, size);
    (status == OK).then_some(bytes)
}

pub(super) fn log(level: Level, message: &str) {
    // SAFETY: pointer and length are of one live slice, as in every call below.
    unsafe { proxy_log(level as u32, message.as_ptr(), message.len()) };
}

/// Milliseconds since 1970.
pub(super) fn now_ms() -> u64 {
    let mut nanoseconds = 0;
    // SAFETY: the host writes one u64.
    unsafe { proxy_get_current_time_nanoseconds(&raw mut nanoseconds) };
    nanoseconds / 1_000_000
}

pub(super) fn set_tick_ms(period: u32) {
    // SAFETY: no pointers.
    unsafe { proxy_set_tick_period_milliseconds(period) };
}

/// Bytes of memory that this VM has taken. It never gives any back.
#[cfg(target_arch = "wasm32")]
pub(super) fn memory_bytes() -> u64 {
    const PAGE: u64 = 64 << 10;
    PAGE * core::arch::wasm32::memory_size::<0>() as u64
}

/// A native build, which only tests have, is no VM.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn memory_bytes() -> u64 {
    0
}

/// All bytes that the current callback shows of a body or configuration.
pub(super) fn buffer(kind: Buffer) -> Vec<u8> {
    // SAFETY: the host writes through two valid pointers.
    fetch(|data, size| unsafe { proxy_get_buffer_bytes(kind as u32, 0, usize::MAX, data, size) })
        .unwrap_or_default()
}

/// Replaces all bytes that the current callback shows.
pub(super) fn set_buffer(kind: Buffer, bytes: &[u8]) -> bool {
    // SAFETY: see `log`.
    unsafe { proxy_set_buffer_bytes(kind as u32, 0, usize::MAX, bytes.as_ptr(), bytes.len()) == OK }
}

/// Adds bytes at the end of a held body.
pub(super) fn append_buffer(kind: Buffer, bytes: &[u8]) -> bool {
    // SAFETY: see `log`.
    unsafe { proxy_set_buffer_bytes(kind as u32, usize::MAX, 0, bytes.as_ptr(), bytes.len()) == OK }
}

/// One header; the first value, or several joined by commas, as Envoy gives it.
pub(super) fn header(map: Map, name: &str) -> Option<Vec<u8>> {
    // SAFETY: see `log` and `buffer`.
    fetch(|data, size| unsafe {
        proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, size)
    })
}

/// One header as text; `None` too when it is no UTF-8.
pub(super) fn header_text(map: Map, name: &str) -> Option<String> {
    String::from_utf8(header(map, name)?).ok()
}

/// A whole set of headers, fetched at once: one call costs little more than asking for a single header.
pub(super) fn headers(map: Map) -> Headers {
    // SAFETY: see `buffer`.
    Headers(
        fetch(|data, size| unsafe { proxy_get_header_map_pairs(map as u32, data, size) }).unwrap_or_default(),
    )
}

/// Replaces a whole set of headers.
pub(super) fn set_headers(map: Map, headers: &[(String, String)]) -> bool {
    let bytes = headers::to_bytes(headers);
    // SAFETY: see `log`.
    unsafe { proxy_set_header_map_pairs(map as u32, bytes.as_ptr(), bytes.len()) == OK }
}

/// Empties trailers, inside their callback: none passes, whatever it holds. Envoy ends a stream without any where the map
/// is empty.
pub(super) fn drop_trailers(map: Map) {
    if !set_headers(map, &[]) {
        log(Level::Error, "crosspoint: trailers could not be removed");
    }
}

pub(super) fn set_header(map: Map, name: &str, value: &str) {
    // SAFETY: see `log`.
    unsafe {
        proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len());
    }
}

pub(super) fn remove_header(map: Map, name: &str) {
    // SAFETY: see `log`.
    unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) };
}

/// A property of Envoy's, by its path.
pub(super) fn property(path: &[&str]) -> Option<Vec<u8>> {
    let path = path.join("\0");
    // SAFETY: see `log` and `buffer`.
    fetch(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
}

/// A property as text; empty when it is absent or no UTF-8.
pub(super) fn property_text(path: &[&str]) -> String {
    property(path)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_default()
}

/// Sets filter state `wasm.<name>` of the current stream.
pub(super) fn set_property(name: &str, value: &[u8]) -> bool {
    // SAFETY: see `log`.
    unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) == OK }
}

/// The host would not do it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed;

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    Yes,
    /// The record has another number by now.
    Overtaken,
    Failed,
}

/// A record of shared data with the number that a compare-and-swap needs, told apart from one that cannot be read.
pub(super) fn shared(key: &str) -> Result<Option<(Vec<u8>, u32)>, Failed> {
    let mut data = std::ptr::null_mut();
    let (mut size, mut cas) = (0, 0);
    // SAFETY: see `log` and `buffer`.
    let status = unsafe {
        proxy_get_shared_data(
            key.as_ptr(),
            key.len(),
            &raw mut data,
            &raw mut size,
            &raw mut cas,
        )
    };
    let bytes = take(data, size);
    match status {
        OK => Ok(Some((bytes, cas))),
        NOT_FOUND => Ok(None),
        _ => Err(Failed),
    }
}

/// Writes a record of shared data, if `cas` is its number; 0 writes always.
pub(super) fn set_shared(key: &str, value: &[u8], cas: u32) -> Stored {
    // SAFETY: see `log`.
    let status = unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) };
    match status {
        OK => Stored::Yes,
        CAS_MISMATCH => Stored::Overtaken,
        _ => Stored::Failed,
    }
}

/// Makes a queue whose messages come to the root context that made it, in the event loop's next turn.
pub(super) fn register_queue(name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: see `log`; the host writes one u32.
    let status = unsafe { proxy_register_shared_queue(name.as_ptr(), name.len(), &raw mut id) };
    (status == OK).then_some(id)
}

/// Sends a message.
pub(super) fn enqueue(id: u32, message: &[u8]) -> bool {
    // SAFETY: see `log`.
    unsafe { proxy_enqueue_shared_queue(id, message.as_ptr(), message.len()) == OK }
}

/// Takes a message.
pub(super) fn dequeue(id: u32) -> Option<Vec<u8>> {
    // SAFETY: see `buffer`.
    fetch(|data, size| unsafe { proxy_dequeue_shared_queue(id, data, size) })
}

/// Resumes a paused stream.
pub(super) fn resume(stream: Stream) {
    // SAFETY: no pointers.
    unsafe { proxy_continue_stream(stream as u32) };
}

/// Answers the client from here.
pub(super) fn respond(head: &Head) {
    let headers = headers::to_bytes(&head.headers);
    let details = OWN_DETAILS;
    // SAFETY: see `log`.
    unsafe {
        proxy_send_local_response(
            head.status.into(),
            details.as_ptr(),
            details.len(),
            head.body.as_ptr(),
            head.body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        );
    }
}

/// Makes the calls that follow concern another context, until this callback returns.
pub(super) fn set_effective_context(context: u32) -> bool {
    // SAFETY: no pointers.
    unsafe { proxy_set_effective_context(context) == OK }
}

/// Has Envoy choose the route, and with it the cluster, again.
pub(super) fn clear_route_cache() {
    let name = "clear_route_cache";
    // SAFETY: see `log` and `buffer`.
    let _nothing_returned = fetch(|data, size| unsafe {
        proxy_call_foreign_function(name.as_ptr(), name.len(), std::ptr::null(), 0, data, size)
    });
}

/// The id of a statistic; `None` when the host refuses it.
pub(super) fn define_metric(kind: Metric, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: see `log`; the host writes one u32.
    let status = unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) };
    (status == OK).then_some(id)
}

pub(super) fn increment_metric(id: u32, offset: u64) {
    // SAFETY: no pointers.
    unsafe { proxy_increment_metric(id, i64::try_from(offset).unwrap_or(i64::MAX)) };
}

pub(super) fn record_metric(id: u32, value: u64) {
    // SAFETY: no pointers.
    unsafe { proxy_record_metric(id, value) };
}

/// Makes an HTTP call; its reply comes to the context that made it. `None`: it could not be made.
///
/// This one goes through the SDK, which must know whose call it is; it lists the statuses that Envoy gives here.
pub(super) fn call(callout: &Callout) -> Option<u32> {
    let headers = callout
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let timeout = Duration::from_millis(callout.timeout_ms);
    proxy_wasm::hostcalls::dispatch_http_call(
        &callout.cluster,
        headers,
        Some(&callout.body),
        Vec::new(),
        timeout,
    )
    .ok()
}
