//! The connection manager: takes headers, bodies and trailers through a filter, holds what it holds, and ends streams.

use super::{Envoy, Live, Way, set_details, violation};
use crate::host::{BUFFER_LIMIT, Context, Deferred, Headers, Side, host};
use crate::vm::{self, Callback};

impl Envoy {
    pub(super) fn context(&mut self, stream: u32, root: u32) -> u32 {
        self.next_context += 1;
        let context = self.next_context;
        host(|host| {
            let stream = if stream == 0 { context } else { stream };
            host.contexts.insert(
                context,
                Context {
                    stream,
                    ..Context::default()
                },
            )
        });
        vm::create(context, root);
        context
    }

    pub(super) fn turn_if_fast(&mut self) {
        if !self.slow_loop {
            self.turn();
        }
    }

    pub(super) fn live(&mut self, id: u32) -> Option<&mut Live> {
        let stream = self.streams.get_mut(&id).filter(|stream| !stream.ended)?;
        stream.attempt.as_mut().filter(|live| !live.ended)
    }

    pub(super) fn takes_request(&self, id: u32) -> bool {
        let stream = &self.streams[&id];
        !(stream.ended || stream.routed || stream.request_end)
    }

    pub(super) fn pass_headers(
        &mut self,
        context: u32,
        way: Way,
        headers: Headers,
        end: bool,
    ) -> Option<Headers> {
        side(context, way, |side| {
            side.headers = Some(headers);
            side.end = end;
        })?;
        let go = vm::run(
            context,
            match way {
                Way::Request => Callback::RequestHeaders { end },
                Way::Response => Callback::ResponseHeaders { end },
            },
        );
        self.after();
        side(context, way, |side| {
            side.headers_held = !go;
            side.stopped = !go;
            go.then(|| side.headers.take())
        })??
    }

    /// An attempt has paused: it must not with the end of its upstream's answer, unless it was the last thing it did.
    fn check_end(context: u32, way: Way, end: bool) {
        let is_attempt = host(|host| {
            let context_of = host.contexts.get(&context);
            context_of.is_some_and(|found| found.stream != context)
        });
        if end && is_attempt && matches!(way, Way::Response) {
            violation("an attempt holds the end of its upstream's answer: this crashes Envoy");
        }
    }

    pub(super) fn pass_data(
        &mut self,
        context: u32,
        way: Way,
        bytes: &[u8],
        end: bool,
    ) -> Option<(Option<Headers>, Vec<u8>)> {
        let size = side(context, way, |side| {
            side.end |= end;
            if side.buffering {
                side.held.extend_from_slice(bytes);
                side.held.len()
            } else {
                side.current = Some(bytes.to_vec());
                bytes.len()
            }
        })?;
        let go = vm::run(
            context,
            match way {
                Way::Request => Callback::RequestBody { size, end },
                Way::Response => Callback::ResponseBody { size, end },
            },
        );
        self.after();
        let passed = side(context, way, |side| {
            let current = side.current.take();
            if !side.buffering {
                side.held = current.unwrap_or_default();
            }
            side.buffering = !go;
            side.stopped = !go;
            go.then(|| release(side))
        })?;
        if passed.is_none() {
            Self::check_end(context, way, end);
        }
        let held = side(context, way, |side| side.held.len())?;
        if passed.is_none() && held > BUFFER_LIMIT {
            let id = host(|host| host.contexts[&context].stream);
            match way {
                Way::Request => self.local_reply(id, 413, "request_payload_too_large", "Payload Too Large"),
                Way::Response => self.local_reply(id, 500, "response_payload_too_large", "Internal Error"),
            }
        }
        passed
    }

    /// The trailers themselves go when the filter lets them: see `take_trailers`.
    pub(super) fn pass_trailers(
        &mut self,
        context: u32,
        way: Way,
        trailers: Headers,
    ) -> Option<(Option<Headers>, Vec<u8>)> {
        side(context, way, |side| {
            side.trailers = Some(trailers);
            side.end = true;
        })?;
        let go = vm::run(
            context,
            match way {
                Way::Request => Callback::RequestTrailers,
                Way::Response => Callback::ResponseTrailers,
            },
        );
        self.after();
        if !go {
            Self::check_end(context, way, true);
        }
        side(context, way, |side| {
            side.stopped = !go;
            go.then(|| release(side))
        })?
    }

    /// Does what the last callback left to be done.
    pub(super) fn after(&mut self) {
        while let Some(deferred) = host(|host| host.deferred.pop_front()) {
            let (Deferred::LocalReply { context, .. } | Deferred::Continue { context, .. }) = deferred;
            let Some(id) = host(|host| host.contexts.get(&context).map(|context| context.stream)) else {
                continue;
            };
            match deferred {
                Deferred::LocalReply {
                    status,
                    headers,
                    body,
                    details,
                    ..
                } => self.reply(id, status, headers, &body, &details),
                Deferred::Continue { response, .. } => self.go_on(id, context, response),
            }
        }
    }

    /// A filter lets go what it held.
    pub(super) fn go_on(&mut self, id: u32, context: u32, response: bool) {
        let way = if response { Way::Response } else { Way::Request };
        // What `filter::downstream` cannot do by Envoy's rules, and Envoy's release builds do all the same.
        let of_gateway = response && context == id;
        let Some((headers, body, end, held)) = side(context, way, |side| {
            let held = side.stopped || (of_gateway && side.buffering && !side.end);
            side.stopped = false;
            let (headers, body) = release(side);
            (headers, body, side.end, held)
        }) else {
            return;
        };
        if !held {
            violation("a filter goes on that does not hold: Envoy asserts against it");
        }
        match (response, context == id) {
            (false, true) => self.forward_request(id, headers, body),
            (false, false) => violation("an attempt let its request go later"),
            (true, true) => {
                if let Some(headers) = headers {
                    self.client_headers(id, headers, false);
                }
                self.hand_to_client(id, &body, end);
            }
            (true, false) => {
                let current = self.streams[&id].attempt.as_ref().map(|live| live.context);
                if current == Some(context) {
                    let trailers = take_trailers(context, way);
                    let end = end && trailers.is_none();
                    let body = Some(body).filter(|body| !body.is_empty() || end);
                    self.take_from_attempt(id, headers, body, end);
                    if let Some(trailers) = trailers {
                        self.hand_trailers_on(id, context, trailers);
                    }
                }
            }
        }
    }

    pub(super) fn forward_request(&mut self, id: u32, headers: Option<Headers>, body: Vec<u8>) {
        let stream = self.streams.get_mut(&id).unwrap();
        if stream.ended || stream.routed {
            return;
        }
        if let Some(headers) = headers {
            stream.request_headers = headers;
        }
        stream.request_body.extend(body);
        stream.request_trailers = take_trailers(id, Way::Request);
        self.route_if_ended(id);
    }

    pub(super) fn reply(&mut self, id: u32, status: u32, mut headers: Headers, body: &[u8], details: &str) {
        let stream = self.streams.get_mut(&id).unwrap();
        if stream.ended {
            return;
        }
        stream.routed = true;
        if stream.client.headers.is_some() {
            self.finish(id, details);
            return;
        }
        stream.gone.extend(stream.attempt.take().map(|live| live.context));
        set_details(id, details);
        headers.set(b":status", status.to_string().as_bytes());
        if !body.is_empty() {
            headers.set(b"content-length", body.len().to_string().as_bytes());
        }
        let end = body.is_empty();
        if let Some(headers) = self.pass_headers(id, Way::Response, headers, end) {
            self.client_headers(id, headers, end);
        }
        if !end && let Some((_, out)) = self.pass_data(id, Way::Response, body, true) {
            self.hand_to_client(id, &out, true);
        }
    }

    pub(super) fn client_headers(&mut self, id: u32, headers: Headers, end: bool) {
        if headers.number(":status").is_none() {
            violation("a response without a status");
        }
        self.streams.get_mut(&id).unwrap().client.headers = Some(headers);
        if end {
            self.hand_to_client(id, b"", true);
        }
    }

    pub(super) fn hand_to_client(&mut self, id: u32, bytes: &[u8], end: bool) {
        let client = &mut self.streams.get_mut(&id).unwrap().client;
        client.body.extend_from_slice(bytes);
        if !end {
            return;
        }
        client.complete = true;
        client.trailers = take_trailers(id, Way::Response);
        let declared = client
            .headers
            .as_ref()
            .and_then(|headers| headers.number("content-length"));
        if declared.is_some_and(|length| length != client.body.len() as u64) {
            violation(format!(
                "content-length {declared:?}, but {} bytes: the client waits for ever",
                client.body.len()
            ));
        }
        let details = host(|host| host.streams[&id].code_details.clone());
        self.finish(id, &details);
    }

    pub(super) fn finish(&mut self, id: u32, details: &str) {
        let stream = self.streams.get_mut(&id).unwrap();
        if std::mem::replace(&mut stream.ended, true) {
            return;
        }
        stream.gone.extend(stream.attempt.take().map(|live| live.context));
        set_details(id, details);
        if self.attempt_done_first {
            self.tell_gone(id);
        }
        vm::log(id);
        self.end_context(id);
        self.tell_gone(id);
    }

    pub(super) fn end_context(&mut self, context: u32) {
        vm::done(context);
        host(|host| {
            host.contexts.remove(&context);
            host.callouts.retain(|callout| callout.context != context);
        });
        self.after();
    }

    pub(super) fn tell_gone(&mut self, id: u32) {
        let gone = std::mem::take(&mut self.streams.get_mut(&id).unwrap().gone);
        for context in gone {
            self.end_context(context);
        }
    }
}

fn side<T>(context: u32, way: Way, work: impl FnOnce(&mut Side) -> T) -> Option<T> {
    host(|host| {
        let context = host.contexts.get_mut(&context)?;
        Some(work(match way {
            Way::Request => &mut context.request,
            Way::Response => &mut context.response,
        }))
    })
}

/// The trailers of a context that has let them go.
pub(super) fn take_trailers(context: u32, way: Way) -> Option<Headers> {
    side(context, way, |side| side.trailers.take())?
}

fn release(side: &mut Side) -> (Option<Headers>, Vec<u8>) {
    let held = std::mem::take(&mut side.headers_held);
    (
        side.headers.take().filter(|_| held),
        std::mem::take(&mut side.held),
    )
}
