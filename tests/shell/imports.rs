//! The functions that a wasm host exports to the filter, as C functions that the SDK and the shell link to.
#![expect(
    unsafe_code,
    reason = "the proxy-wasm ABI is C functions over raw pointers; here is its other end"
)]

use super::host::{BAD_ARGUMENT, EMPTY, Headers, INTERNAL_FAILURE, NOT_FOUND, OK, call, host};

unsafe extern "C" {
    fn proxy_on_memory_allocate(size: usize) -> *mut u8;
}

unsafe fn bytes<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if size == 0 {
        return &[];
    }
    // SAFETY: the filter passes pointer and length of one live slice.
    unsafe { std::slice::from_raw_parts(data, size) }
}

unsafe fn text(data: *const u8, size: usize) -> String {
    // SAFETY: as above.
    String::from_utf8(unsafe { bytes(data, size) }.to_vec()).unwrap()
}

/// Gives bytes to the filter, in memory that it allocates.
unsafe fn give(value: &[u8], data: *mut *mut u8, size: *mut usize) -> u32 {
    // SAFETY: the filter passes two valid pointers; its allocation is as long as asked.
    unsafe {
        *size = value.len();
        if value.is_empty() {
            *data = std::ptr::null_mut();
            return OK;
        }
        *data = proxy_on_memory_allocate(value.len());
        std::ptr::copy_nonoverlapping(value.as_ptr(), *data, value.len());
    }
    OK
}

/// Declares host functions that take pointers: the filter's own, as the ABI promises.
macro_rules! imports {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block)*) => {
        $(
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name($($argument: $type),*) -> u32 {
                // SAFETY: the pointers are valid for the lengths beside them.
                unsafe { $body }
            }
        )*
    };
}

/// Declares host functions that take none.
macro_rules! plain_imports {
    ($(fn $name:ident($($argument:ident: $type:ty),*) $body:block)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name($($argument: $type),*) -> u32 {
                $body
            }
        )*
    };
}

imports! {
    fn proxy_log(level: u32, message: *const u8, size: usize) {
        let message = text(message, size);
        call("log", |host| {
            host.logs.push((level, message));
            OK
        })
    }

    fn proxy_get_current_time_nanoseconds(time: *mut u64) {
        call("time", |host| {
            *time = host.clock_ms * 1_000_000;
            OK
        })
    }

    fn proxy_get_buffer_bytes(kind: u32, start: usize, max: usize, data: *mut *mut u8, size: *mut usize) {
        call("get_buffer", |host| match host.buffer(kind) {
            Some(buffer) => {
                let start = start.min(buffer.len());
                let end = start.saturating_add(max).min(buffer.len());
                give(&buffer[start..end], data, size)
            }
            None => NOT_FOUND,
        })
    }

    fn proxy_set_buffer_bytes(kind: u32, start: usize, size: usize, data: *const u8, data_size: usize) {
        call("set_buffer", |host| host.set_buffer(kind, start, size, bytes(data, data_size)))
    }

    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) {
        call("get_map", |host| match host.map(map) {
            Some(headers) => give(&headers.to_bytes(), data, size),
            None => BAD_ARGUMENT,
        })
    }

    fn proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize) {
        let headers = Headers::from_bytes(bytes(data, size));
        call("set_map", |host| host.set_map(map, headers))
    }

    fn proxy_get_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) {
        call("get_header", |host| match host.map(map).map(|headers| headers.get(bytes(key, key_size))) {
            Some(Some(value)) => give(&value, data, size),
            Some(None) => NOT_FOUND,
            None => BAD_ARGUMENT,
        })
    }

    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) {
        call("set_header", |host| host.map(map).map_or(BAD_ARGUMENT, |headers| {
            headers.set(bytes(key, key_size), bytes(value, value_size));
            OK
        }))
    }

    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) {
        call("remove_header", |host| host.map(map).map_or(BAD_ARGUMENT, |headers| {
            headers.remove(bytes(key, key_size));
            OK
        }))
    }

    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) {
        call("get_property", |host| match host.property(bytes(path, path_size)) {
            Some(value) => give(&value, data, size),
            None => NOT_FOUND,
        })
    }

    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) {
        call("set_property", |host| {
            host.set_property(bytes(path, path_size), bytes(value, value_size))
        })
    }

    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) {
        let key = text(key, key_size);
        call("get_shared", |host| match host.shared.lock().unwrap().records.get(&key) {
            Some((value, number)) => {
                *cas = *number;
                give(value, data, size)
            }
            None => NOT_FOUND,
        })
    }

    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, value_size: usize, cas: u32) {
        let key = text(key, key_size);
        call("set_shared", |host| {
            host.shared.lock().unwrap().set(&key, bytes(value, value_size), cas)
        })
    }

    fn proxy_register_shared_queue(_name: *const u8, _size: usize, id: *mut u32) {
        call("register_queue", |host| {
            host.queues.push((host.effective, Default::default()));
            *id = u32::try_from(host.queues.len()).unwrap();
            OK
        })
    }

    fn proxy_enqueue_shared_queue(id: u32, value: *const u8, value_size: usize) {
        call("enqueue", |host| match host.queues.get_mut((id as usize).wrapping_sub(1)) {
            Some((_, messages)) => {
                messages.push_back(bytes(value, value_size).to_vec());
                host.ready.push_back(id);
                OK
            }
            None => NOT_FOUND,
        })
    }

    fn proxy_dequeue_shared_queue(id: u32, data: *mut *mut u8, size: *mut usize) {
        call("dequeue", |host| match host.queues.get_mut((id as usize).wrapping_sub(1)) {
            Some((_, messages)) => match messages.pop_front() {
                Some(message) => give(&message, data, size),
                None => EMPTY,
            },
            None => NOT_FOUND,
        })
    }

    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        _grpc_status: i32,
    ) {
        let headers = Headers::from_bytes(bytes(headers, headers_size));
        call("respond", |host| {
            host.defer_reply(status, bytes(details, details_size), headers, bytes(body, body_size))
        })
    }

    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        _arguments: *const u8,
        _arguments_size: usize,
        _data: *mut *mut u8,
        _size: *mut usize,
    ) {
        let name = text(name, name_size);
        call("foreign", |host| match name.as_str() {
            "clear_route_cache" => host.clear_route(),
            _ => NOT_FOUND,
        })
    }

    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) {
        let name = text(name, name_size);
        call("define_metric", |host| {
            *id = host.define_metric(kind, name);
            OK
        })
    }

    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        _trailers: *const u8,
        _trailers_size: usize,
        _timeout: u32,
        token: *mut u32,
    ) {
        let headers = Headers::from_bytes(bytes(headers, headers_size));
        call("http_call", |host| {
            match host.http_call(bytes(cluster, cluster_size), &headers, bytes(body, body_size)) {
                Ok(number) => {
                    *token = number;
                    OK
                }
                Err(status) => status,
            }
        })
    }
}

plain_imports! {
    fn proxy_set_tick_period_milliseconds(period: u32) {
        call("tick", |host| {
            let effective = host.effective;
            host.contexts.get_mut(&effective).map_or(BAD_ARGUMENT, |context| {
                context.tick_ms = period;
                OK
            })
        })
    }

    fn proxy_continue_stream(stream: u32) {
        call("continue", |host| host.defer_continue(stream))
    }

    // Never fails by chance: the SDK panics when Envoy refuses this before a callout's reply, which can't happen.
    fn proxy_set_effective_context(context: u32) {
        host(|host| host.set_effective(context))
    }

    fn proxy_record_metric(id: u32, value: u64) {
        call("record_metric", |host| host.metric(id, value, false))
    }

    fn proxy_increment_metric(id: u32, offset: i64) {
        call("increment_metric", |host| host.metric(id, u64::try_from(offset).unwrap(), true))
    }
}

/// What the filter does not use. The SDK wants it linked all the same.
macro_rules! unused {
    ($($name:ident)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name() -> u32 {
                INTERNAL_FAILURE
            }
        )*
    };
}

unused! {
    proxy_get_log_level
    proxy_set_log_level
    proxy_get_buffer_status
    proxy_add_header_map_value
    proxy_resolve_shared_queue
    proxy_close_stream
    proxy_grpc_call
    proxy_grpc_stream
    proxy_grpc_send
    proxy_grpc_cancel
    proxy_grpc_close
    proxy_get_status
    proxy_done
    proxy_get_metric
}
