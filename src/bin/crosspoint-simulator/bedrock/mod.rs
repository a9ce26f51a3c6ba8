//! Bedrock's Converse API as it is on the wire: one JSON document, or AWS event-stream frames.
//!
//! Seen on the real API and kept: keys in alphabetical order; a padding member `p` of varying length in every event;
//! text blocks have no start event; `totalTokens` includes the cached ones, which come under two names each; a tool
//! call's first `input` is empty. Frames are made by AWS's own Rust library.

mod check;
mod embeddings;
mod features;
mod messages;
mod object;
mod signature;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::{Ask, Thinking};
use crate::fault::Faults;
use crate::piece::Piece;
use crate::provider::{Call, Headers, Provider, Refusal, Secret, Stamp};
use crate::seed::{letters, redacted, sign};
use crate::text::{Answer, Finish, Usage, fragments};

/// Amazon Bedrock.
#[derive(Debug)]
pub(crate) struct Bedrock;

impl Provider for Bedrock {
    fn name(&self) -> &'static str {
        "bedrock"
    }

    fn port(&self) -> u16 {
        18003
    }

    fn secrets(&self) -> &'static [Secret] {
        const SECRETS: &[Secret] = &[
            Secret::key("bedrock", "sim-bedrock-key"),
            // It signs, and is itself sent to nobody.
            Secret {
                sent: false,
                ..Secret::key("bedrock-secret", "")
            },
        ];
        SECRETS
    }

    fn stops_on_cancel(&self) -> bool {
        false
    }

    fn writes_cache(&self) -> bool {
        true
    }

    fn stream_type(&self) -> &'static str {
        "application/vnd.amazon.eventstream"
    }

    fn declares_length(&self) -> bool {
        true
    }

    fn read(&self, call: &Call<'_>) -> Result<Ask, Refusal> {
        check::read(call)
    }

    fn buffered(&self, ask: &Ask, answer: &Answer, faults: &Faults, _stamp: Stamp) -> Vec<u8> {
        match &ask.embed {
            Some(embed) => embeddings::buffered(ask, embed, answer, faults),
            None => buffered(ask, answer, faults),
        }
    }

    fn streamed(&self, ask: &Ask, answer: &Answer, faults: &Faults, _stamp: Stamp) -> Vec<Piece> {
        streamed(ask, answer, faults)
    }

    fn error_event(&self, _ask: &Ask, faults: &Faults, _stamp: Stamp) -> Bytes {
        error_event(faults)
    }

    fn fault(&self, status: u16, _model: &str) -> Refusal {
        fault(status)
    }

    fn refusal_body(&self, refusal: &Refusal, _stamp: Stamp) -> Vec<u8> {
        refusal_body(refusal)
    }

    fn headers(&self, refusal: Option<&Refusal>, stamp: Stamp) -> Headers {
        headers(refusal, stamp)
    }

    fn body_limit(&self) -> usize {
        25 << 20
    }
}

const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

fn stop_reason(answer: &Answer) -> &'static str {
    match answer.finish {
        Finish::Stop => "end_turn",
        Finish::StopSequence(_) => "stop_sequence",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
    }
}

/// Bedrock's input tokens are those that have nothing to do with the cache; its total has everything.
fn usage(usage: &Usage) -> Value {
    json!({
        "cacheReadInputTokenCount": usage.cache_read,
        "cacheReadInputTokens": usage.cache_read,
        "cacheWriteInputTokenCount": usage.cache_write,
        "cacheWriteInputTokens": usage.cache_write,
        "inputTokens": usage.fresh(),
        "outputTokens": usage.completion,
        "totalTokens": usage.prompt + usage.completion,
    })
}

fn buffered(ask: &Ask, answer: &Answer, faults: &Faults) -> Vec<u8> {
    let thought = answer.whole_thought();
    let mut content = Vec::new();
    match answer.thinking {
        Thinking::Off | Thinking::Hidden => {}
        Thinking::Shown => content.push(reasoning(&thought)),
        Thinking::Omitted => content.push(reasoning("")),
        Thinking::Redacted => content.push(json!({"reasoningContent": {"redactedContent": redacted()}})),
    }
    let text = answer.whole_text();
    if !text.is_empty() {
        content.push(json!({"text": text}));
    }
    for (n, call) in answer.calls.iter().enumerate() {
        let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        let id = ask.call_id("tooluse_", n);
        content.push(json!({"toolUse": {"input": input, "name": call.name, "toolUseId": id}}));
    }
    let mut body = json!({
        "metrics": {"latencyMs": 321},
        "output": {"message": {"content": content, "role": "assistant"}},
        "stopReason": stop_reason(answer),
    });
    if let (Some(body), false) = (body.as_object_mut(), faults.no_usage) {
        body.insert("usage".to_owned(), usage(&answer.usage));
    }
    body.to_string().into_bytes()
}

fn reasoning(thought: &str) -> Value {
    json!({"reasoningContent": {"reasoningText": {"signature": sign(thought), "text": thought}}})
}

fn streamed(ask: &Ask, answer: &Answer, faults: &Faults) -> Vec<Piece> {
    let mut writer = Writer {
        pieces: Vec::with_capacity(answer.text.len() + 8),
        index: 0,
    };
    writer.event("messageStart", json!({"role": "assistant"}), 0);
    match answer.thinking {
        Thinking::Off | Thinking::Hidden => {}
        Thinking::Shown => {
            for token in &answer.thought {
                writer.delta(json!({"reasoningContent": {"text": token}}), 1);
            }
            writer.delta(
                json!({"reasoningContent": {"signature": sign(&answer.whole_thought())}}),
                0,
            );
            writer.stop();
        }
        Thinking::Omitted => {
            writer.delta(json!({"reasoningContent": {"signature": sign("")}}), 0);
            writer.hide(answer.usage.reasoning);
            writer.stop();
        }
        Thinking::Redacted => {
            writer.delta(json!({"reasoningContent": {"redactedContent": redacted()}}), 0);
            writer.hide(answer.usage.reasoning);
            writer.stop();
        }
    }
    for token in &answer.text {
        writer.delta(json!({"text": token}), 1);
    }
    if !answer.text.is_empty() {
        writer.stop();
    }
    for (n, call) in answer.calls.iter().enumerate() {
        let start = json!({"toolUse": {"name": call.name, "toolUseId": ask.call_id("tooluse_", n)}});
        writer.event(
            "contentBlockStart",
            json!({"contentBlockIndex": writer.index, "start": start}),
            1,
        );
        writer.delta(json!({"toolUse": {"input": ""}}), 0);
        for piece in fragments(&call.arguments) {
            writer.delta(json!({"toolUse": {"input": piece}}), 1);
        }
        writer.stop();
    }
    let finish = json!({"stopReason": stop_reason(answer)});
    let metadata = json!({"metrics": {"latencyMs": 321}, "usage": usage(&answer.usage)});
    if faults.usage_on_finish && !faults.no_usage {
        writer.event("metadata", metadata, 0);
        writer.event("messageStop", finish, 0);
        return writer.pieces;
    }
    writer.event("messageStop", finish, 0);
    if !faults.no_usage {
        writer.event("metadata", metadata, 0);
    }
    writer.pieces
}

struct Writer {
    pieces: Vec<Piece>,
    /// Of the open block, or the next.
    index: usize,
}

impl Writer {
    fn event(&mut self, name: &'static str, mut payload: Value, tokens: u64) {
        let padding = PADDING
            .get(..1 + self.pieces.len() * 17 % PADDING.len())
            .unwrap_or(PADDING);
        if let Some(payload) = payload.as_object_mut() {
            payload.insert("p".to_owned(), json!(padding));
        }
        self.pieces
            .push(Piece::tokens(frame("event", name, &payload), tokens));
    }

    fn delta(&mut self, delta: Value, tokens: u64) {
        let payload = json!({"contentBlockIndex": self.index, "delta": delta});
        self.event("contentBlockDelta", payload, tokens);
    }

    fn stop(&mut self) {
        self.event("contentBlockStop", json!({"contentBlockIndex": self.index}), 0);
        self.index += 1;
    }

    fn hide(&mut self, tokens: u64) {
        if let Some(piece) = self.pieces.last_mut() {
            piece.hidden = tokens;
        }
    }
}

/// One frame: an `event` of some type, or an `exception`.
fn frame(kind: &'static str, name: &str, payload: &Value) -> Bytes {
    let named = if kind == "event" {
        ":event-type"
    } else {
        ":exception-type"
    };
    let header =
        |name: &'static str, value: &str| Header::new(name, HeaderValue::String(value.to_owned().into()));
    let message = Message::new_from_parts(
        vec![
            header(named, name),
            header(":content-type", "application/json"),
            header(":message-type", kind),
        ],
        Bytes::from(payload.to_string()),
    );
    let mut bytes = Vec::new();
    // The writer only refuses frames larger than the format can say.
    let _ = write_message_to(&message, &mut bytes);
    Bytes::from(bytes)
}

fn error_event(faults: &Faults) -> Bytes {
    let name = faults.error.as_deref().unwrap_or("serviceUnavailableException");
    let message = match name {
        "throttlingException" => "Too many requests, please wait before trying again.",
        _ => "Bedrock is unable to process your request.",
    };
    let mut payload = json!({"message": message});
    if let (Some(payload), "modelStreamErrorException") = (payload.as_object_mut(), name) {
        payload.insert("originalStatusCode".to_owned(), json!(500));
        payload.insert("originalMessage".to_owned(), json!("Internal server error"));
    }
    frame("exception", name, &payload)
}

/// Bedrock's words for an error status.
fn fault(status: u16) -> Refusal {
    let (kind, message) = match status {
        401 | 403 => (
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
        ),
        402 => (
            "ServiceQuotaExceededException",
            "You have exceeded your service quota.",
        ),
        404 => (
            "ResourceNotFoundException",
            "Could not resolve the foundation model from the provided model identifier.",
        ),
        408 => (
            "ModelTimeoutException",
            "Model has timed out in processing the request. Try your request again.",
        ),
        413 => ("RequestEntityTooLargeException", "Request body is too large."),
        424 => ("ModelErrorException", "The model returned an error."),
        429 => (
            "ThrottlingException",
            "Too many tokens, please wait before trying again.",
        ),
        503 => (
            "ServiceUnavailableException",
            "Bedrock is unable to process your request.",
        ),
        400..500 => ("ValidationException", "The request could not be handled."),
        _ => (
            "InternalServerException",
            "The system encountered an unexpected error during processing. Try your request again.",
        ),
    };
    Refusal::new(status, kind, message)
}

/// Bedrock spells the key `Message` where the front end refuses, and `message` where the service does.
fn refusal_body(refusal: &Refusal) -> Vec<u8> {
    let key = match refusal.kind.as_str() {
        "SerializationException" | "AccessDeniedException" | "UnknownOperationException" => "Message",
        _ => "message",
    };
    json!({key: refusal.message}).to_string().into_bytes()
}

fn headers(refusal: Option<&Refusal>, stamp: Stamp) -> Headers {
    let tail = letters(stamp.sequence, 12).to_lowercase();
    let mut headers = vec![("x-amzn-requestid", format!("00000000-0000-4000-8000-{tail}"))];
    match refusal {
        // The real header goes on with a link to the exception's documentation.
        Some(refusal) => headers.push((
            "x-amzn-errortype",
            format!(
                "{}:http://internal.amazon.com/coral/com.amazon.bedrock/",
                refusal.kind
            ),
        )),
        None => headers.push(("x-amzn-bedrock-trace", "sim-trace".to_owned())),
    }
    headers
}

#[cfg(test)]
mod tests;
