//! Anthropic's Messages API as it is on the wire: one JSON document, or named server-sent events.
//!
//! Seen on the real API and kept: data lines are padded with spaces before the last brace; a `ping` follows the first
//! block's start; a tool block's first `partial_json` is empty, and the only one when there are no arguments; usage in
//! `message_delta` is cumulative.

mod check;
mod features;
mod messages;
mod object;
mod refusal;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use crate::ask::{Ask, Thinking};
use crate::fault::Faults;
use crate::piece::Piece;
use crate::provider::{Call, Headers, Provider, Refusal, Secret, Stamp, sse};
use crate::seed::{letters, redacted, sign};
use crate::text::{Answer, Finish, Usage, fragments};

use refusal::fault;

/// Anthropic.
#[derive(Debug)]
pub(crate) struct Anthropic;

impl Provider for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn port(&self) -> u16 {
        18002
    }

    fn secrets(&self) -> &'static [Secret] {
        const SECRETS: &[Secret] = &[Secret::key("anthropic", "sim-anthropic-key")];
        SECRETS
    }

    fn key_header(&self) -> (&'static str, &'static str) {
        ("x-api-key", "")
    }

    fn writes_cache(&self) -> bool {
        true
    }

    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    fn overloaded(&self) -> u16 {
        529
    }

    fn read(&self, call: &Call<'_>) -> Result<Ask, Refusal> {
        check::read(call)
    }

    fn buffered(&self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<u8> {
        buffered(ask, answer, faults, stamp)
    }

    fn streamed(&self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<Piece> {
        streamed(ask, answer, faults, stamp)
    }

    fn error_event(&self, _ask: &Ask, faults: &Faults, stamp: Stamp) -> Bytes {
        refusal::error_event(faults, stamp)
    }

    fn fault(&self, status: u16, model: &str) -> Refusal {
        fault(status, model)
    }

    fn refusal_body(&self, refusal: &Refusal, stamp: Stamp) -> Vec<u8> {
        refusal::refusal_body(refusal, stamp)
    }

    fn headers(&self, _refusal: Option<&Refusal>, stamp: Stamp) -> Headers {
        refusal::headers(stamp)
    }

    fn body_limit(&self) -> usize {
        32 << 20
    }
}

#[derive(Serialize)]
struct Message<'a> {
    model: &'a str,
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    content: Vec<Block<'a>>,
    stop_reason: Option<&'static str>,
    stop_sequence: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageBody>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text { text: &'a str },
    Thinking { thinking: &'a str, signature: &'a str },
    RedactedThinking { data: &'a str },
    ToolUse { id: String, name: &'a str, input: Value },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event<'a> {
    MessageStart {
        message: Message<'a>,
    },
    Ping,
    ContentBlockStart {
        index: usize,
        content_block: Block<'a>,
    },
    ContentBlockDelta {
        index: usize,
        delta: Delta<'a>,
    },
    ContentBlockStop {
        index: usize,
    },
    MessageDelta {
        delta: Stop<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        usage: Option<FinalUsage>,
    },
    MessageStop,
    Error {
        error: Failure<'a>,
        request_id: String,
    },
}

impl Event<'_> {
    fn name(&self) -> &'static str {
        match self {
            Event::MessageStart { .. } => "message_start",
            Event::Ping => "ping",
            Event::ContentBlockStart { .. } => "content_block_start",
            Event::ContentBlockDelta { .. } => "content_block_delta",
            Event::ContentBlockStop { .. } => "content_block_stop",
            Event::MessageDelta { .. } => "message_delta",
            Event::MessageStop => "message_stop",
            Event::Error { .. } => "error",
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: &'a str },
}

#[derive(Serialize)]
struct Stop<'a> {
    stop_reason: &'static str,
    stop_sequence: Option<&'a str>,
}

#[derive(Serialize)]
struct UsageBody {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    cache_creation: CacheCreation,
    output_tokens: u64,
    service_tier: &'static str,
}

#[derive(Serialize)]
struct CacheCreation {
    ephemeral_5m_input_tokens: u64,
    ephemeral_1h_input_tokens: u64,
}

#[derive(Serialize)]
struct FinalUsage {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
}

#[derive(Serialize)]
struct Failure<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    message: &'a str,
}

/// Anthropic's input tokens are those that have nothing to do with the cache.
fn usage(usage: &Usage, output_tokens: u64, late_input: u64) -> UsageBody {
    UsageBody {
        input_tokens: usage.fresh().saturating_sub(late_input),
        cache_creation_input_tokens: usage.cache_write,
        cache_read_input_tokens: usage.cache_read,
        cache_creation: CacheCreation {
            ephemeral_5m_input_tokens: usage.cache_write,
            ephemeral_1h_input_tokens: 0,
        },
        output_tokens,
        service_tier: "standard",
    }
}

fn stop(answer: &Answer) -> Stop<'_> {
    let (stop_reason, stop_sequence) = match &answer.finish {
        Finish::Stop => ("end_turn", None),
        Finish::StopSequence(sequence) => ("stop_sequence", Some(sequence.as_str())),
        Finish::Length => ("max_tokens", None),
        Finish::ToolCalls => ("tool_use", None),
    };
    Stop {
        stop_reason,
        stop_sequence,
    }
}

fn id(stamp: Stamp) -> String {
    format!("msg_01{}", letters(stamp.sequence, 22))
}

fn request_id(stamp: Stamp) -> String {
    format!("req_011C{}", letters(stamp.sequence ^ 0xa1, 20))
}

fn buffered(ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<u8> {
    let text = answer.whole_text();
    let thought = answer.whole_thought();
    let signature = sign(&thought);
    let (omitted, opaque) = (sign(""), redacted());
    let mut content = Vec::new();
    match answer.thinking {
        Thinking::Off | Thinking::Hidden => {}
        Thinking::Shown => content.push(Block::Thinking {
            thinking: &thought,
            signature: &signature,
        }),
        Thinking::Omitted => content.push(Block::Thinking {
            thinking: "",
            signature: &omitted,
        }),
        Thinking::Redacted => content.push(Block::RedactedThinking { data: &opaque }),
    }
    if !text.is_empty() {
        content.push(Block::Text { text: &text });
    }
    for (n, call) in answer.calls.iter().enumerate() {
        let input =
            serde_json::from_str(&call.arguments).unwrap_or_else(|_| Value::Object(Default::default()));
        content.push(Block::ToolUse {
            id: ask.call_id("toolu_01", n),
            name: &call.name,
            input,
        });
    }
    let Stop {
        stop_reason,
        stop_sequence,
    } = stop(answer);
    let message = Message {
        model: ask.model(),
        id: id(stamp),
        kind: "message",
        role: "assistant",
        content,
        stop_reason: Some(stop_reason),
        stop_sequence,
        usage: (!faults.no_usage).then(|| usage(&answer.usage, answer.usage.completion, 0)),
    };
    // Nothing here has a map with odd keys, the only thing that serde_json refuses to write.
    serde_json::to_vec(&message).unwrap_or_default()
}

fn streamed(ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<Piece> {
    let mut writer = Writer {
        faults,
        pieces: Vec::with_capacity(answer.text.len() + 8),
        index: 0,
        pinged: false,
    };
    let first_output = answer.usage.completion.min(1);
    let message = Message {
        model: ask.model(),
        id: id(stamp),
        kind: "message",
        role: "assistant",
        content: Vec::new(),
        stop_reason: None,
        stop_sequence: None,
        usage: (!faults.no_usage).then(|| usage(&answer.usage, first_output, faults.late_input)),
    };
    writer.write(&Event::MessageStart { message }, 0);
    let thought = answer.whole_thought();
    match answer.thinking {
        Thinking::Off | Thinking::Hidden => {}
        Thinking::Shown => writer.thinking(&answer.thought, &sign(&thought), 0),
        Thinking::Omitted => writer.thinking(&[], &sign(""), answer.usage.reasoning),
        Thinking::Redacted => {
            writer.start(Block::RedactedThinking { data: &redacted() }, 0);
            writer.hide(answer.usage.reasoning);
            writer.stop();
        }
    }
    if !answer.text.is_empty() {
        writer.start(Block::Text { text: "" }, 0);
        for token in &answer.text {
            writer.delta(Delta::Text { text: token }, 1);
        }
        writer.stop();
    }
    for (n, call) in answer.calls.iter().enumerate() {
        let input = Value::Object(Default::default());
        writer.start(
            Block::ToolUse {
                id: ask.call_id("toolu_01", n),
                name: &call.name,
                input,
            },
            1,
        );
        writer.delta(Delta::Input { partial_json: "" }, 0);
        for piece in fragments(&call.arguments) {
            writer.delta(Delta::Input { partial_json: piece }, 1);
        }
        writer.stop();
    }
    writer.ping();
    let last = FinalUsage {
        input_tokens: answer.usage.fresh(),
        cache_creation_input_tokens: answer.usage.cache_write,
        cache_read_input_tokens: answer.usage.cache_read,
        output_tokens: answer.usage.completion,
    };
    writer.write(
        &Event::MessageDelta {
            delta: stop(answer),
            usage: (!faults.no_usage).then_some(last),
        },
        0,
    );
    if !faults.no_done {
        writer.write(&Event::MessageStop, 0);
    }
    writer.pieces
}

struct Writer<'a> {
    faults: &'a Faults,
    pieces: Vec<Piece>,
    /// Of the open block, or the next.
    index: usize,
    pinged: bool,
}

impl Writer<'_> {
    fn write(&mut self, event: &Event<'_>, tokens: u64) {
        let data = padded(event, self.pieces.len());
        self.pieces
            .push(Piece::tokens(sse(Some(event.name()), &data, self.faults), tokens));
    }

    fn ping(&mut self) {
        if !self.pinged {
            self.pinged = true;
            let data = r#"{"type": "ping"}"#;
            self.pieces
                .push(Piece::plain(sse(Some(Event::Ping.name()), data, self.faults)));
        }
    }

    fn start(&mut self, content_block: Block<'_>, tokens: u64) {
        self.write(
            &Event::ContentBlockStart {
                index: self.index,
                content_block,
            },
            tokens,
        );
        self.ping();
    }

    fn delta(&mut self, delta: Delta<'_>, tokens: u64) {
        self.write(
            &Event::ContentBlockDelta {
                index: self.index,
                delta,
            },
            tokens,
        );
    }

    fn stop(&mut self) {
        self.write(&Event::ContentBlockStop { index: self.index }, 0);
        self.index += 1;
    }

    fn hide(&mut self, tokens: u64) {
        if let Some(piece) = self.pieces.last_mut() {
            piece.hidden = tokens;
        }
    }

    fn thinking(&mut self, tokens: &[String], signature: &str, hidden: u64) {
        self.start(
            Block::Thinking {
                thinking: "",
                signature: "",
            },
            0,
        );
        for token in tokens {
            self.delta(Delta::Thinking { thinking: token }, 1);
        }
        self.delta(Delta::Signature { signature }, 0);
        self.hide(hidden);
        self.stop();
    }
}

/// The event's JSON with some spaces before its last brace.
fn padded(event: &Event<'_>, seed: usize) -> String {
    let mut data = serde_json::to_string(event).unwrap_or_default();
    if data.pop().is_some() {
        data.extend(std::iter::repeat_n(' ', seed * 5 % 14));
        data.push('}');
    }
    data
}

#[cfg(test)]
mod tests;
