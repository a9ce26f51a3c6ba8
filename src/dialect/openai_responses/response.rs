//! Responses as deltas.
//!
//! A stream tells items: each is added, grows by deltas and is done, and what is done stands there whole again. The
//! last event has the whole response once more. So what came by no delta is taken from an item's end, and an item that
//! nothing was told of from the response's end. Items are known by their index: some servers give every event another
//! id (vercel/ai `github-copilot-id-rotation.1.chunks.txt`). A buffered response is that last event alone.

mod item;

use super::error;
use crate::chat::{Delta, Finish, Piece, Place, UsageReport};
use crate::dialect::Decoder;
use crate::dialect::shared::blocks::{Blocks, Phase};
use crate::dialect::shared::error::garbled;
use crate::dialect::shared::say::say;
use crate::error::{Error, Kind};
use crate::json::{self, Members, Str};
use crate::wire::Frame;
use item::{Growth, Item, Progress};
use serde::Serialize;
use serde_json::value::RawValue;

/// Reads one response.
#[derive(Debug, Default)]
pub(super) struct Reader {
    items: Blocks<u64, Item>,
    /// The index after all items that have begun.
    next: u64,
    progress: Progress,
}

impl Decoder for Reader {
    fn decode(&mut self, frame: &Frame<'_>, out: &mut Vec<Delta>) {
        // OpenAI has no such end; servers that speak its dialect may.
        if self.items.phase == Phase::Closed || frame.data.is_empty() || frame.data == "[DONE]" {
            return;
        }
        let Ok(raw) = serde_json::from_str::<&RawValue>(frame.data) else {
            return self.items.fail(garbled("a response"), out);
        };
        let event = Members::of(raw);
        let kind = event.text("type").unwrap_or(Str::from(frame.event));
        match &*kind {
            // A proxy in between has no types.
            "error" => self.items.fail(error::of_event(raw), out),
            "" if event.get("error").is_some() => self.items.fail(error::of_event(raw), out),
            kind => self.event(kind, &event, out),
        }
    }

    fn is_done(&self) -> bool {
        self.items.phase == Phase::Closed
    }

    fn finish(&mut self, out: &mut Vec<Delta>) {
        self.items.finish(out);
    }
}

impl Reader {
    /// Reads a buffered response.
    pub(super) fn whole(mut self, body: &str, out: &mut Vec<Delta>) {
        match serde_json::from_str::<&RawValue>(body) {
            Ok(raw) => self.end("", &Members::of(raw), out),
            Err(_) => self.items.fail(garbled("a response"), out),
        }
    }

    fn event(&mut self, kind: &str, event: &Members<'_>, out: &mut Vec<Delta>) {
        let response = || event.get("response").map(Members::of).unwrap_or_default();
        let item = event.get("item").map(Members::of);
        let index = event.count("output_index");
        match (kind, item) {
            ("response.created" | "response.in_progress" | "response.queued", _) => {
                self.start(&response(), out)
            }
            ("response.completed", _) => self.end("completed", &response(), out),
            ("response.incomplete", _) => self.end("incomplete", &response(), out),
            ("response.failed", _) => self.end("failed", &response(), out),
            ("response.cancelled", _) => self.end("cancelled", &response(), out),
            ("response.output_item.added", Some(item)) => {
                let at = index.unwrap_or(self.next);
                // An item whose place is taken anew has lost its end.
                self.done(at, None, out);
                let item = Item::begin(&item, &mut self.progress);
                self.begin(at, item, out);
            }
            ("response.output_item.done", Some(item)) => {
                // Without a place it is that of the item that is open, or of one that was never added.
                let last = self.items.last().unwrap_or(self.next);
                self.done(index.unwrap_or(last), Some(&item), out);
            }
            _ => self.grow(kind, index, event, out),
        }
    }

    fn start(&mut self, response: &Members<'_>, out: &mut Vec<Delta>) {
        if self.items.phase != Phase::Expecting {
            return;
        }
        self.items.phase = Phase::Open;
        let owned = |name| response.text(name).map(Str::into_string);
        let (id, model) = (owned("id"), owned("model"));
        out.push(Delta::Start { id, model });
    }

    fn begin(&mut self, at: u64, item: Item, out: &mut Vec<Delta>) {
        self.start(&Members::default(), out);
        self.next = self.next.saturating_add(1).max(at.saturating_add(1));
        if !self.items.fails_as_full("items", out) {
            item.announce(out);
            self.items.open(at, item);
        }
    }

    /// An item grows. One that was never added is made, so that nothing is lost for that; but a call without a name can
    /// only be told when it is done.
    fn grow(&mut self, kind: &str, index: Option<u64>, event: &Members<'_>, out: &mut Vec<Delta>) {
        let Some(growth) = Growth::of(kind) else { return };
        let at = index.unwrap_or(self.next.saturating_sub(1));
        if self.items.at(at).is_none() {
            match growth.item() {
                Some(item) => self.begin(at, item, out),
                None => return,
            }
        }
        if let Some(open) = self.items.at(at) {
            open.grow(growth, event, &mut self.progress, out);
        }
    }

    fn done(&mut self, at: u64, item: Option<&Members<'_>>, out: &mut Vec<Delta>) {
        if let Some(item) = item.filter(|_| at >= self.next) {
            let item = Item::begin(item, &mut self.progress);
            self.begin(at, item, out);
        }
        if let Some(open) = self.items.take(at) {
            open.end(item, &mut self.progress, out);
        }
    }

    /// The response is complete, or will never be. `kind` is its status where it does not say.
    fn end(&mut self, kind: &str, response: &Members<'_>, out: &mut Vec<Delta>) {
        self.start(response, out);
        let said = response.text("status");
        let status = said.as_deref().unwrap_or(kind);
        let is_whole = matches!(status, "completed" | "incomplete");
        if is_whole {
            for (at, raw) in (0..).zip(response.objects("output")) {
                self.done(at, Some(&Members::of(raw)), out);
            }
            for open in self.items.take_all() {
                open.end(None, &mut self.progress, out);
            }
        }
        if let Some(raw) = response.get("usage") {
            out.push(Delta::Usage(usage(raw)));
        }
        if !is_whole {
            let error = response.get("error").map(error::of_detail);
            return self.items.fail(error.unwrap_or_else(|| unfinished(status)), out);
        }
        self.others(response, out);
        let details = response.get("incomplete_details").map(Members::of);
        let why = details.and_then(|details| details.text("reason"));
        let native = why
            .as_deref()
            .filter(|_| status == "incomplete")
            .unwrap_or(status);
        let reason = match native {
            "max_output_tokens" => Finish::Length,
            "content_filter" => Finish::ContentFilter,
            "completed" if self.progress.has_calls() => Finish::ToolCalls,
            _ => Finish::Stop,
        };
        out.push(Delta::Finish {
            choice: 0,
            reason,
            native: Some(native.to_owned()),
        });
        self.items.phase = Phase::Closed;
    }

    /// What else the unified form has a place for: how it was served, and how often the provider's own search was used,
    /// which is billed by the request and not by the token.
    fn others(&self, response: &Members<'_>, out: &mut Vec<Delta>) {
        #[derive(Serialize)]
        struct Used {
            web_search_requests: u64,
        }
        let mut other = |name: &str, value| {
            let (place, name) = (Place::Response, name.to_owned());
            say(Piece::Other { place, name, value }, out);
        };
        if let Some(raw) = response.get("service_tier") {
            other("service_tier", raw.to_owned());
        }
        let counted = response
            .get("tool_usage")
            .and_then(|raw| Members::of(raw).get("web_search"))
            .and_then(|raw| Members::of(raw).count("num_requests"));
        let web_search_requests = counted.unwrap_or(0).max(self.progress.searches());
        if web_search_requests > 0 {
            other("server_tool_use", json::to_raw(&Used { web_search_requests }));
        }
    }
}

/// The counts: what was read from a cache or written to one is in the input, thinking in the output.
fn usage(raw: &RawValue) -> UsageReport {
    let usage = Members::of(raw);
    let details = |name| usage.get(name).map(Members::of).unwrap_or_default();
    let input = details("input_tokens_details");
    UsageReport {
        input: usage.count("input_tokens"),
        output: usage.count("output_tokens"),
        cache_read: input.count("cached_tokens"),
        cache_write: input.count("cache_write_tokens"),
        reasoning: details("output_tokens_details").count("reasoning_tokens"),
        ..UsageReport::default()
    }
}

fn unfinished(status: &str) -> Error {
    let message = match status {
        "" => "the provider sent something that is no response".to_owned(),
        status => format!("the provider left the response {status}"),
    };
    Error::of_provider(Kind::ProviderUnavailable, &message, None)
}
