//! A filter that does nothing: in either placement it takes every piece of a body and puts it back as it was.
//!
//! `make bench` measures it beside Crosspoint, because this is what any filter that may change a body costs in Envoy.

#[cfg(target_os = "wasi")]
mod filter {
    use proxy_wasm::hostcalls::{get_buffer, set_buffer};
    use proxy_wasm::traits::{Context, HttpContext, RootContext};
    use proxy_wasm::types::{Action, BufferType, ContextType};

    struct Root;

    impl Context for Root {}

    impl RootContext for Root {
        fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
            Some(Box::new(Stream))
        }

        fn get_type(&self) -> Option<ContextType> {
            Some(ContextType::HttpContext)
        }
    }

    struct Stream;

    impl Context for Stream {}

    impl HttpContext for Stream {
        fn on_http_request_body(&mut self, size: usize, _end_of_stream: bool) -> Action {
            copy(BufferType::HttpRequestBody, size)
        }

        fn on_http_response_body(&mut self, size: usize, _end_of_stream: bool) -> Action {
            copy(BufferType::HttpResponseBody, size)
        }
    }

    fn copy(buffer: BufferType, size: usize) -> Action {
        if let Ok(Some(bytes)) = get_buffer(buffer, 0, size) {
            let _ = set_buffer(buffer, 0, size, &bytes);
        }
        Action::Continue
    }

    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(Root));
    }}
}
