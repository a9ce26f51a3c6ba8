//! The router: chooses the cluster, begins attempts, retries.

use super::manager::take_trailers;
use super::{ATTEMPT_ROOT, Cluster, Envoy, Live, Sent, Way, set_details, violation};
use crate::host::{Headers, host};

impl Envoy {
    pub(super) fn route_if_ended(&mut self, id: u32) {
        let stream = self.streams.get_mut(&id).unwrap();
        if !stream.request_end || stream.routed {
            return;
        }
        stream.routed = true;
        let headers = &stream.request_headers;
        if let Some(length) = headers.number("content-length")
            && length != stream.request_body.len() as u64
        {
            violation("the request's content-length is not its body's");
        }
        stream.retries = headers.number("x-envoy-max-retries").unwrap_or(1);
        stream.per_try_ms = headers.number("x-envoy-upstream-rq-per-try-timeout-ms");
        stream.forwarded = stream.request_headers.clone();
        for name in ["x-envoy-max-retries", "x-envoy-upstream-rq-per-try-timeout-ms"] {
            stream.request_headers.remove(name.as_bytes());
        }
        if !host(|host| host.streams[&id].route_cleared) {
            violation("the route was not chosen again");
        }
        self.try_once(id);
    }

    pub(super) fn try_once(&mut self, id: u32) {
        let cluster = host(|host| host.streams[&id].filter_state.get("crosspoint_cluster").cloned());
        let mut cluster = String::from_utf8(cluster.unwrap_or_default()).unwrap();
        match self.clusters.get(&cluster).cloned() {
            Some(Cluster::Up) => {}
            Some(Cluster::Misrouted(other)) => other.clone_into(&mut cluster),
            Some(Cluster::NoHosts) => {
                return self.local_reply(id, 503, "no_healthy_upstream", "no healthy upstream");
            }
            Some(Cluster::Overflow) => {
                let details = "upstream_reset_before_response_started{overflow}";
                return self.local_reply(id, 503, details, "upstream connect error");
            }
            None => return self.local_reply(id, 503, "cluster_not_found", ""),
        }
        host(|host| {
            let info = host.streams.get_mut(&id).unwrap();
            info.cluster.clone_from(&cluster);
        });
        if self.other_vm {
            host(|host| {
                let state = &mut host.streams.get_mut(&id).unwrap().filter_state;
                state.insert("crosspoint_exchange".to_owned(), b"gen-of-another-vm".to_vec());
            });
        }
        let context = self.context(id, ATTEMPT_ROOT);
        let now = host(|host| host.clock_ms);
        let stream = self.streams.get_mut(&id).unwrap();
        let mut headers = stream.request_headers.clone();
        headers.set(
            b"x-envoy-attempt-count",
            (stream.sent.len() + 1).to_string().as_bytes(),
        );
        headers.set(b"x-envoy-expected-rq-timeout-ms", b"15000");
        let body = stream.request_body.clone();
        stream.attempt = Some(Live {
            context,
            cluster: cluster.clone(),
            deadline_ms: stream.per_try_ms.map(|ms| now + ms),
            answered: false,
            begun: false,
            ended: false,
        });
        let Some(headers) = self.pass_headers(context, Way::Request, headers, false) else {
            return;
        };
        for name in [":method", ":path", ":authority", ":scheme"] {
            if headers.text(name).is_none() {
                violation(format!("missing required header {name}"));
            }
        }
        let trailers = self.streams[&id].request_trailers.clone();
        let Some((_, body)) = self.pass_data(context, Way::Request, &body, trailers.is_none()) else {
            return violation("an attempt held its request's body");
        };
        let trailers = trailers.and_then(|trailers| {
            if self.pass_trailers(context, Way::Request, trailers).is_none() {
                violation("an attempt held its request's trailers");
            }
            take_trailers(context, Way::Request)
        });
        if headers.number("content-length") != Some(body.len() as u64) {
            violation("an attempt's content-length is not its body's");
        }
        let stream = self.streams.get_mut(&id).unwrap();
        // All attempts share one map: the next one starts from what this one wrote.
        stream.request_headers = headers.clone();
        stream.sent.push(Sent {
            cluster,
            headers,
            body,
            trailers,
        });
    }

    pub(super) fn take_from_attempt(
        &mut self,
        id: u32,
        headers: Option<Headers>,
        body: Option<Vec<u8>>,
        end: bool,
    ) {
        if let Some(headers) = headers
            && !self.hand_to_router(id, headers, end && body.is_none())
        {
            return;
        }
        if let Some(body) = body
            && !self.streams[&id].ended
            && let Some((_, out)) = self.pass_data(id, Way::Response, &body, end)
        {
            self.hand_to_client(id, &out, end);
        }
        if end {
            self.leave_attempt(id);
        }
    }

    /// The attempt has handed on all of its answer, whatever the gateway makes of it.
    pub(super) fn leave_attempt(&mut self, id: u32) {
        let stream = self.streams.get_mut(&id).unwrap();
        stream.gone.extend(stream.attempt.take().map(|live| live.context));
        self.tell_gone(id);
    }

    /// An attempt has let its trailers go, and they are no answer that Envoy was asked to drop.
    pub(super) fn hand_trailers_on(&mut self, id: u32, attempt: u32, trailers: Headers) {
        let stream = &self.streams[&id];
        let current = stream.attempt.as_ref().map(|live| live.context);
        if current == Some(attempt) && !stream.ended {
            match self.pass_trailers(id, Way::Response, trailers) {
                Some((_, out)) => self.hand_to_client(id, &out, true),
                None => self.leave_attempt(id),
            }
        }
    }

    /// The router has an attempt's response headers; `false`: they went no further.
    pub(super) fn hand_to_router(&mut self, id: u32, headers: Headers, end: bool) -> bool {
        let asks = headers.text("x-crosspoint-retry").is_some();
        let stream = self.streams.get_mut(&id).unwrap();
        if let Some(live) = &mut stream.attempt {
            live.answered = true;
        }
        if asks && stream.retries > 0 && !self.refuse_retries {
            self.retry(id);
            return false;
        }
        set_details(id, "via_upstream");
        match self.pass_headers(id, Way::Response, headers, end) {
            Some(headers) => self.client_headers(id, headers, end),
            // It may do so to answer otherwise, or to wait.
            None => return !self.streams[&id].ended,
        }
        true
    }

    pub(super) fn retry_or_reply(&mut self, id: u32, status: u32, details: &str, body: &str) {
        if self.streams[&id].retries > 0 && !self.refuse_retries {
            self.retry(id);
        } else {
            self.local_reply(id, status, details, body);
        }
    }

    pub(super) fn retry(&mut self, id: u32) {
        let stream = self.streams.get_mut(&id).unwrap();
        stream.retries -= 1;
        stream.gone.extend(stream.attempt.take().map(|live| live.context));
        if !self.late_done {
            self.tell_gone(id);
        }
        self.try_once(id);
        self.tell_gone(id);
    }
}
