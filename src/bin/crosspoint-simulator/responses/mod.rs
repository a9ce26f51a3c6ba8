//! OpenAI's Responses API as it is on the wire: one JSON document, or typed events that end in `response.completed`.
//!
//! It is a provider of its own here, with a key of its own, because a request and its answer take another path than a
//! chat's. Seen on the real API and kept: every event has a number, deltas are padded with `obfuscation`, what is
//! encrypted is another when an item is added than when it is done, and an error comes as an event and then as a
//! failed response.

mod check;
mod features;
mod input;
mod object;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::{Ask, Thinking};
use crate::fault::Faults;
use crate::openai::refusal;
use crate::piece::Piece;
use crate::provider::{Call, Headers, Provider, Refusal, Secret, Stamp, sse};
use crate::seed::{letters, sign};
use crate::text::{Answer, Finish, Usage, fragments};

/// The name of its key.
const KEY: &str = "responses";

/// The Responses API.
#[derive(Debug)]
pub(crate) struct Responses;

impl Provider for Responses {
    fn name(&self) -> &'static str {
        "responses"
    }

    fn port(&self) -> u16 {
        18007
    }

    fn secrets(&self) -> &'static [Secret] {
        const SECRETS: &[Secret] = &[Secret::key(KEY, "sim-responses-key")];
        SECRETS
    }

    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    fn read(&self, call: &Call<'_>) -> Result<Ask, Refusal> {
        check::read(call)
    }

    fn buffered(&self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<u8> {
        let output: Vec<Value> = items(ask, answer, stamp)
            .into_iter()
            .map(|item| item.done)
            .collect();
        let mut response = response(ask, stamp);
        end(&mut response, answer, faults, output);
        // Nothing here has a map with odd keys, the only thing that serde_json refuses to write.
        serde_json::to_vec_pretty(&response).unwrap_or_default()
    }

    fn streamed(&self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<Piece> {
        streamed(ask, answer, faults, stamp)
    }

    fn error_event(&self, ask: &Ask, faults: &Faults, stamp: Stamp) -> Bytes {
        let refusal = refusal::fault(500, "");
        let kind = faults.error.as_deref().unwrap_or(&refusal.kind);
        let error = json!({"type": kind, "code": kind, "message": refusal.message, "param": null});
        let event = json!({"type": "error", "sequence_number": 900, "error": error});
        let mut failed = response(ask, stamp);
        set(&mut failed, "status", json!("failed"));
        set(
            &mut failed,
            "error",
            json!({"code": kind, "message": refusal.message}),
        );
        let failed = json!({"type": "response.failed", "sequence_number": 901, "response": failed});
        let mut bytes = sse(Some("error"), &event.to_string(), faults).to_vec();
        bytes.extend(sse(Some("response.failed"), &failed.to_string(), faults));
        bytes.into()
    }

    fn fault(&self, status: u16, model: &str) -> Refusal {
        refusal::fault(status, model)
    }

    fn refusal_body(&self, refusal: &Refusal, _stamp: Stamp) -> Vec<u8> {
        serde_json::to_vec_pretty(&refusal::failure(refusal)).unwrap_or_default()
    }

    fn headers(&self, _refusal: Option<&Refusal>, stamp: Stamp) -> Headers {
        refusal::headers(stamp)
    }

    fn body_limit(&self) -> usize {
        50 << 20
    }
}

/// Sets a member of an object.
fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// A response that has begun.
fn response(ask: &Ask, stamp: Stamp) -> Value {
    json!({
        "id": format!("resp_{}", letters(stamp.sequence, 48)),
        "object": "response",
        "created_at": stamp.now,
        "status": "in_progress",
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": null,
        "max_output_tokens": ask.max_tokens,
        "max_tool_calls": null,
        "model": ask.model(),
        "output": [],
        "parallel_tool_calls": !ask.one_call,
        "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null},
        "service_tier": "auto",
        "store": false,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": null,
        "user": null,
        "metadata": {},
    })
}

/// The response is complete.
fn end(response: &mut Value, answer: &Answer, faults: &Faults, output: Vec<Value>) {
    let cut = answer.finish == Finish::Length;
    set(
        response,
        "status",
        json!(if cut { "incomplete" } else { "completed" }),
    );
    if cut {
        set(
            response,
            "incomplete_details",
            json!({"reason": "max_output_tokens"}),
        );
    }
    set(response, "output", Value::Array(output));
    set(response, "service_tier", json!("default"));
    if !faults.no_usage {
        set(response, "usage", usage(&answer.usage));
    }
}

/// Input tokens include the cached ones, output tokens those of thinking.
fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.completion,
    })
}

/// An item of the output: as it is added, as it grows, and as it is done.
struct Item {
    added: Value,
    growth: Growth,
    done: Value,
}

/// What an item grows by, token by token.
enum Growth {
    Nothing,
    Summary(Vec<String>),
    Text(Vec<String>),
    Arguments(Vec<String>),
}

fn items(ask: &Ask, answer: &Answer, stamp: Stamp) -> Vec<Item> {
    let id = |prefix: &str, n: u64| format!("{prefix}_{}", letters(stamp.sequence ^ (n << 32), 50));
    let mut items = Vec::new();
    if matches!(answer.thinking, Thinking::Shown | Thinking::Redacted) {
        items.push(thinking(ask, answer, &id("rs", 1)));
    }
    // An answer without anything to say has no message either.
    if !answer.text.is_empty() {
        let part =
            json!({"type": "output_text", "annotations": [], "logprobs": [], "text": answer.whole_text()});
        let message = |status: &str, content: Value| json!({"id": id("msg", 2), "type": "message", "status": status, "content": content, "role": "assistant"});
        let cut = answer.finish == Finish::Length;
        items.push(Item {
            added: message("in_progress", json!([])),
            growth: Growth::Text(answer.text.clone()),
            done: message(if cut { "incomplete" } else { "completed" }, json!([part])),
        });
    }
    for (n, call) in answer.calls.iter().enumerate() {
        let written = if call.arguments.is_empty() {
            "{}"
        } else {
            &call.arguments
        };
        let call_id = ask.call_id("call_", n);
        let item = |status: &str, arguments: &str| json!({"id": id("fc", 3 + n as u64), "type": "function_call", "status": status, "arguments": arguments, "call_id": call_id, "name": call.name});
        items.push(Item {
            added: item("in_progress", ""),
            growth: Growth::Arguments(
                fragments(&call.arguments)
                    .into_iter()
                    .map(str::to_owned)
                    .collect(),
            ),
            done: item("completed", written),
        });
    }
    items
}

fn thinking(ask: &Ask, answer: &Answer, id: &str) -> Item {
    let shown = answer.thinking == Thinking::Shown;
    let summary = match shown {
        true => json!([{"type": "summary_text", "text": answer.whole_thought()}]),
        false => json!([]),
    };
    let item = |summary: Value, data: String| {
        let mut item = json!({"id": id, "type": "reasoning", "summary": summary});
        if ask.sealed {
            set(&mut item, "encrypted_content", json!(data));
        }
        item
    };
    Item {
        added: item(json!([]), sign("not yet")),
        growth: match shown {
            true => Growth::Summary(answer.thought.clone()),
            false => Growth::Nothing,
        },
        done: item(summary, sign(id)),
    }
}

fn streamed(ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<Piece> {
    let mut writer = Writer {
        ask,
        faults,
        pieces: Vec::new(),
    };
    let mut whole = response(ask, stamp);
    for kind in ["response.created", "response.in_progress"] {
        writer.write(kind, json!({"response": whole}), 0);
    }
    let mut output = Vec::new();
    for (at, item) in items(ask, answer, stamp).into_iter().enumerate() {
        let calls = u64::from(matches!(item.growth, Growth::Arguments(_)));
        writer.write(
            "response.output_item.added",
            json!({"output_index": at, "item": item.added}),
            calls,
        );
        writer.grow(at, &item);
        writer.write(
            "response.output_item.done",
            json!({"output_index": at, "item": item.done}),
            0,
        );
        output.push(item.done);
    }
    if matches!(answer.thinking, Thinking::Hidden | Thinking::Redacted)
        && let Some(first) = writer.pieces.first_mut()
    {
        first.hidden = answer.usage.reasoning;
    }
    end(&mut whole, answer, faults, output);
    if !faults.no_done {
        let kind = match answer.finish {
            Finish::Length => "response.incomplete",
            _ => "response.completed",
        };
        writer.write(kind, json!({"response": whole}), 0);
    }
    writer.pieces
}

struct Writer<'a> {
    ask: &'a Ask,
    faults: &'a Faults,
    pieces: Vec<Piece>,
}

impl Writer<'_> {
    fn write(&mut self, kind: &str, mut event: Value, tokens: u64) {
        let number = self.pieces.len();
        set(&mut event, "type", json!(kind));
        set(&mut event, "sequence_number", json!(number));
        if self.ask.padding && event.get("delta").is_some() {
            set(
                &mut event,
                "obfuscation",
                json!(letters(number as u64, 1 + number * 7 % 13)),
            );
        }
        let bytes = sse(Some(kind), &event.to_string(), self.faults);
        self.pieces.push(Piece::tokens(bytes, tokens));
    }

    /// The events between an item's beginning and its end.
    fn grow(&mut self, at: usize, item: &Item) {
        let id = item.done.get("id").cloned().unwrap_or_default();
        let event = |more: Value| {
            let mut event = json!({"item_id": id, "output_index": at});
            if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
                event.extend(more);
            }
            event
        };
        match &item.growth {
            Growth::Nothing => {}
            Growth::Summary(tokens) => {
                let part =
                    |text: &str| json!({"summary_index": 0, "part": {"type": "summary_text", "text": text}});
                self.write("response.reasoning_summary_part.added", event(part("")), 0);
                for token in tokens {
                    let delta = event(json!({"summary_index": 0, "delta": token}));
                    self.write("response.reasoning_summary_text.delta", delta, 1);
                }
                let text = tokens.concat();
                let done = event(json!({"summary_index": 0, "text": text}));
                self.write("response.reasoning_summary_text.done", done, 0);
                self.write("response.reasoning_summary_part.done", event(part(&text)), 0);
            }
            Growth::Text(tokens) => {
                let part = |text: &str| json!({"content_index": 0, "part": {"type": "output_text", "annotations": [], "logprobs": [], "text": text}});
                self.write("response.content_part.added", event(part("")), 0);
                for token in tokens {
                    let delta = event(json!({"content_index": 0, "delta": token, "logprobs": []}));
                    self.write("response.output_text.delta", delta, 1);
                }
                let text = tokens.concat();
                let done = event(json!({"content_index": 0, "text": text, "logprobs": []}));
                self.write("response.output_text.done", done, 0);
                self.write("response.content_part.done", event(part(&text)), 0);
            }
            Growth::Arguments(pieces) => {
                for piece in pieces {
                    self.write(
                        "response.function_call_arguments.delta",
                        event(json!({"delta": piece})),
                        1,
                    );
                }
                let done = json!({"arguments": item.done.get("arguments"), "name": item.done.get("name")});
                self.write("response.function_call_arguments.done", event(done), 0);
            }
        }
    }
}

#[cfg(test)]
mod tests;
