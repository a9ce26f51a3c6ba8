//! Cohere's Chat API, version 2, as it is on the wire: one JSON document, or server-sent events that end in `[DONE]`.
//!
//! Seen on the real API and kept: what is said before calls is a plan, not text; `tool_calls` and `citations` are single
//! objects in events; a call without arguments has no fragments; tokens are counted twice, once with what Cohere puts
//! around a prompt, and the cached ones among those. A model that thinks does so unless told otherwise.

mod check;
mod embeddings;
mod features;
mod messages;
mod object;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::{Ask, Thinking};
use crate::fault::Faults;
use crate::piece::Piece;
use crate::provider::{Call, Headers, Provider, Refusal, Secret, Stamp, sse};
use crate::seed::letters;
use crate::text::{Answer, Finish, Usage, fragments};

/// Cohere.
#[derive(Debug)]
pub(crate) struct Cohere;

impl Provider for Cohere {
    fn name(&self) -> &'static str {
        "cohere"
    }

    fn port(&self) -> u16 {
        18005
    }

    fn secrets(&self) -> &'static [Secret] {
        const SECRETS: &[Secret] = &[Secret::key("cohere", "sim-cohere-key")];
        SECRETS
    }

    fn read(&self, call: &Call<'_>) -> Result<Ask, Refusal> {
        check::read(call)
    }

    fn buffered(&self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<u8> {
        match &ask.embed {
            Some(embed) => embeddings::buffered(embed, answer, faults, stamp),
            None => buffered(ask, answer, faults, stamp),
        }
    }

    fn streamed(&self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<Piece> {
        streamed(ask, answer, faults, stamp)
    }

    fn error_event(&self, _ask: &Ask, faults: &Faults, _stamp: Stamp) -> Bytes {
        error_event(faults)
    }

    fn fault(&self, status: u16, model: &str) -> Refusal {
        fault(status, model)
    }

    fn refusal_body(&self, refusal: &Refusal, stamp: Stamp) -> Vec<u8> {
        json!({"id": id(stamp), "message": refusal.message})
            .to_string()
            .into_bytes()
    }

    fn headers(&self, _refusal: Option<&Refusal>, stamp: Stamp) -> Headers {
        vec![
            ("access-control-expose-headers", "X-Debug-Trace-ID".to_owned()),
            ("cache-control", "no-cache, no-store, no-transform".to_owned()),
            ("vary", "Origin".to_owned()),
            ("x-debug-trace-id", letters(stamp.sequence ^ 0xc0, 32)),
        ]
    }

    fn body_limit(&self) -> usize {
        20 << 20
    }
}

/// What Cohere puts around every prompt, and does not bill.
const TEMPLATE: u64 = 495;
/// The marks that a model writes around its words, not billed either.
const MARKS: u64 = 3;

fn id(stamp: Stamp) -> String {
    let part = |n: u64, len| letters(stamp.sequence ^ n, len).to_lowercase();
    format!(
        "{}-{}-{}-{}-{}",
        part(1, 8),
        part(2, 4),
        part(3, 4),
        part(4, 4),
        part(5, 12)
    )
}

/// Adds a member to an object.
fn put(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn reason(answer: &Answer) -> &'static str {
    match answer.finish {
        Finish::Stop => "COMPLETE",
        Finish::StopSequence(_) => "STOP_SEQUENCE",
        Finish::Length => "MAX_TOKENS",
        Finish::ToolCalls => "TOOL_CALL",
    }
}

/// What is cached is the beginning of the prompt: Cohere's own words, and then some of the caller's.
fn usage(usage: &Usage) -> Value {
    let cached = match usage.cache_read {
        0 => TEMPLATE - 47,
        read => TEMPLATE + read,
    };
    json!({
        "billed_units": {"input_tokens": usage.prompt, "output_tokens": usage.completion},
        "tokens": {"input_tokens": usage.prompt + TEMPLATE, "output_tokens": usage.completion + MARKS},
        "cached_tokens": cached,
    })
}

/// The first word, if it is from a document of the request's: `features` notes the first of them.
fn citation(ask: &Ask, answer: &Answer) -> Option<Value> {
    let source = ask.source.as_ref()?;
    let word = answer.text.first()?;
    Some(
        json!({"start": 0, "end": word.chars().count(), "text": word, "sources": [source], "type": "TEXT_CONTENT"}),
    )
}

fn probability(token: &str) -> Value {
    json!({"text": token, "token_ids": [token.len()], "logprobs": [-0.5]})
}

fn buffered(ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<u8> {
    let mut message = json!({"role": "assistant"});
    let mut set = |name: &str, value: Value| put(&mut message, name, value);
    let mut content = Vec::new();
    if answer.thinking == Thinking::Shown {
        content.push(json!({"type": "thinking", "thinking": answer.whole_thought()}));
    }
    if answer.calls.is_empty() {
        content.push(json!({"type": "text", "text": answer.whole_text()}));
    } else {
        if !answer.text.is_empty() {
            set("tool_plan", json!(answer.whole_text()));
        }
        let calls: Vec<Value> = answer
            .calls
            .iter()
            .enumerate()
            .map(|(n, call)| {
                let arguments = if call.arguments.is_empty() {
                    "{}"
                } else {
                    &call.arguments
                };
                json!({"id": ask.call_id(&format!("{}_", call.name), n), "type": "function",
                    "function": {"name": call.name, "arguments": arguments}})
            })
            .collect();
        set("tool_calls", json!(calls));
    }
    if !content.is_empty() {
        set("content", json!(content));
    }
    if let Some(citation) = citation(ask, answer) {
        set("citations", json!([citation]));
    }
    let mut body = json!({"id": id(stamp), "message": message, "finish_reason": reason(answer)});
    if ask.logprobs {
        let all = answer.text.iter().map(|token| probability(token));
        put(&mut body, "logprobs", all.collect());
    }
    if !faults.no_usage {
        put(&mut body, "usage", usage(&answer.usage));
    }
    body.to_string().into_bytes()
}

fn streamed(ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<Piece> {
    let mut writer = Writer {
        faults,
        pieces: Vec::with_capacity(answer.text.len() + 8),
    };
    let start =
        json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
    let start = json!({"id": id(stamp), "type": "message-start", "delta": {"message": start}});
    writer.push(&start, 0);
    let mut blocks = 0;
    if answer.thinking == Thinking::Shown {
        writer.block(blocks, "thinking", &answer.thought, false);
        blocks += 1;
    }
    if !answer.calls.is_empty() {
        for token in &answer.text {
            writer.event("tool-plan-delta", None, json!({"tool_plan": token}), 1);
        }
    } else if !answer.text.is_empty() {
        writer.block(blocks, "text", &answer.text, ask.logprobs);
    }
    if let Some(citation) = citation(ask, answer) {
        writer.event("citation-start", Some(0), json!({"citations": citation}), 0);
        writer.end("citation-end", 0);
    }
    for (n, call) in answer.calls.iter().enumerate() {
        let head = json!({"id": ask.call_id(&format!("{}_", call.name), n), "type": "function",
            "function": {"name": call.name, "arguments": ""}});
        writer.event("tool-call-start", Some(n), json!({"tool_calls": head}), 1);
        for fragment in fragments(&call.arguments) {
            let more = json!({"tool_calls": {"function": {"arguments": fragment}}});
            writer.event("tool-call-delta", Some(n), more, 1);
        }
        writer.end("tool-call-end", n);
    }
    let mut delta = json!({"finish_reason": reason(answer)});
    if !faults.no_usage {
        put(&mut delta, "usage", usage(&answer.usage));
    }
    writer.push(&json!({"type": "message-end", "delta": delta}), 0);
    if !faults.no_done {
        writer.pieces.push(Piece::plain(sse(None, "[DONE]", faults)));
    }
    writer.pieces
}

struct Writer<'a> {
    faults: &'a Faults,
    pieces: Vec<Piece>,
}

impl Writer<'_> {
    fn push(&mut self, event: &Value, tokens: u64) {
        let kind = event["type"].as_str();
        let bytes = sse(kind, &event.to_string(), self.faults);
        self.pieces.push(Piece::tokens(bytes, tokens));
    }

    fn event(&mut self, kind: &str, index: Option<usize>, message: Value, tokens: u64) {
        let mut event = json!({"type": kind, "delta": {"message": message}});
        if let Some(index) = index {
            put(&mut event, "index", json!(index));
        }
        self.push(&event, tokens);
    }

    fn end(&mut self, kind: &str, index: usize) {
        self.push(&json!({"type": kind, "index": index}), 0);
    }

    /// A block of content, token by token.
    fn block(&mut self, index: usize, kind: &str, tokens: &[String], logprobs: bool) {
        let start = json!({"content": {"type": kind, kind: ""}});
        self.event("content-start", Some(index), start, 0);
        for token in tokens {
            let mut event = json!({"type": "content-delta", "index": index,
                "delta": {"message": {"content": {kind: token}}}});
            if logprobs {
                put(&mut event, "logprobs", probability(token));
            }
            self.push(&event, 1);
        }
        self.end("content-end", index);
    }
}

/// A stream has no event for errors: it ends with one.
fn error_event(faults: &Faults) -> Bytes {
    let reason = faults.error.as_deref().unwrap_or("ERROR");
    let event = json!({"type": "message-end",
        "delta": {"error": "internal server error", "finish_reason": reason}});
    sse(Some("message-end"), &event.to_string(), faults)
}

/// Cohere's words for an error status.
fn fault(status: u16, model: &str) -> Refusal {
    let message = match status {
        400 => "invalid request".to_owned(),
        401 => "invalid api token".to_owned(),
        402 => {
            "Please add or update your payment method at https://dashboard.cohere.com/billing?tab=payment to continue"
                .to_owned()
        }
        403 => "this key may not do that".to_owned(),
        404 => format!(
            "model '{model}' not found, make sure the correct model ID was used and that you have access to the model."
        ),
        413 => "request body is too large".to_owned(),
        429 => "You are past the per minute request limit, please wait and try again later.".to_owned(),
        498 => "invalid token".to_owned(),
        499 => "request cancelled".to_owned(),
        503 => "service unavailable".to_owned(),
        504 => "gateway timeout".to_owned(),
        _ => "internal server error".to_owned(),
    };
    Refusal::new(status, "", message)
}

#[cfg(test)]
mod tests;
