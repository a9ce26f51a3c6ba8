//! Ollama's own API as it is on the wire: one JSON document, or one a line, of which the last is marked.
//!
//! Seen in its sources (`server/routes.go`) and kept: a stream is what comes when nobody says otherwise; calls come whole,
//! with arguments as an object; a call ends like any other answer; a count of zero is left out. A model id with `oldtools`
//! in it gives calls without ids, as older servers do.

mod check;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::{Ask, Thinking};
use crate::fault::Faults;
use crate::piece::Piece;
use crate::provider::{Call, Headers, Provider, Refusal, Secret, Stamp, set};
use crate::text::{Answer, Finish};

/// Ollama.
#[derive(Debug)]
pub(crate) struct Ollama;

impl Provider for Ollama {
    fn name(&self) -> &'static str {
        "ollama"
    }

    fn port(&self) -> u16 {
        18005
    }

    fn secrets(&self) -> &'static [Secret] {
        const SECRETS: &[Secret] = &[Secret::key("ollama", "sim-ollama-key")];
        SECRETS
    }

    fn read(&self, call: &Call<'_>) -> Result<Ask, Refusal> {
        check::read(call)
    }

    fn buffered(&self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<u8> {
        let mut message = json!({"role": "assistant", "content": answer.whole_text()});
        if answer.thinking == Thinking::Shown {
            set(&mut message, "thinking", answer.whole_thought());
        }
        if !answer.calls.is_empty() {
            set(&mut message, "tool_calls", calls(ask, answer));
        }
        last(ask, answer, faults, stamp, message).to_string().into_bytes()
    }

    fn streamed(&self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<Piece> {
        let mut pieces = Vec::with_capacity(answer.text.len() + 2);
        let mut say = |message: Value, tokens: u64| {
            let mut body = head(ask, stamp);
            set(&mut body, "message", message);
            set(&mut body, "done", false);
            pieces.push(Piece::tokens(line(&body, faults), tokens));
        };
        if answer.thinking == Thinking::Shown {
            for token in &answer.thought {
                say(json!({"role": "assistant", "content": "", "thinking": token}), 1);
            }
        }
        for token in &answer.text {
            say(json!({"role": "assistant", "content": token}), 1);
        }
        if !answer.calls.is_empty() {
            let said: u64 = (answer.thought.len() + answer.text.len()) as u64;
            let calls = calls(ask, answer);
            let tokens = answer.usage.completion.saturating_sub(said);
            say(
                json!({"role": "assistant", "content": "", "tool_calls": calls}),
                tokens,
            );
        }
        let end = last(
            ask,
            answer,
            faults,
            stamp,
            json!({"role": "assistant", "content": ""}),
        );
        pieces.push(Piece::plain(line(&end, faults)));
        pieces
    }

    fn error_event(&self, _ask: &Ask, faults: &Faults, _stamp: Stamp) -> Bytes {
        line(
            &json!({"error": "an error was encountered while running the model"}),
            faults,
        )
    }

    fn fault(&self, status: u16, model: &str) -> Refusal {
        let message = match status {
            401 => "unauthorized".to_owned(),
            404 => format!("model '{model}' not found"),
            429 => "too many requests".to_owned(),
            503 => "server busy, please try again.  maximum pending requests exceeded".to_owned(),
            400..500 => "the request could not be handled".to_owned(),
            _ => "model runner has unexpectedly stopped".to_owned(),
        };
        Refusal::new(status, "", message)
    }

    fn refusal_body(&self, refusal: &Refusal, _stamp: Stamp) -> Vec<u8> {
        json!({"error": refusal.message}).to_string().into_bytes()
    }

    fn headers(&self, _refusal: Option<&Refusal>, _stamp: Stamp) -> Headers {
        Vec::new()
    }

    fn stream_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn declares_length(&self) -> bool {
        true
    }

    fn body_limit(&self) -> usize {
        64 << 20
    }
}

/// One line, spelled as the faults want it.
fn line(body: &Value, faults: &Faults) -> Bytes {
    let end = if faults.crlf { "\r\n" } else { "\n" };
    let blank = if faults.comments { end } else { "" };
    Bytes::from(format!("{blank}{body}{end}"))
}

fn head(ask: &Ask, stamp: Stamp) -> Value {
    let (seconds, nanos) = (stamp.now % 60, stamp.sequence % 1_000_000_000);
    json!({
        "model": ask.model(),
        "created_at": format!("2026-11-22T00:00:{seconds:02}.{nanos:09}Z"),
    })
}

/// The last line, or all of a buffered answer.
fn last(ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp, message: Value) -> Value {
    let mut body = head(ask, stamp);
    set(&mut body, "message", message);
    set(&mut body, "done", true);
    set(
        &mut body,
        "done_reason",
        match answer.finish {
            Finish::Length => "length",
            Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls => "stop",
        },
    );
    for name in [
        "total_duration",
        "load_duration",
        "prompt_eval_duration",
        "eval_duration",
    ] {
        set(&mut body, name, 13_074_791);
    }
    let counts = [
        ("prompt_eval_count", answer.usage.prompt),
        ("eval_count", answer.usage.completion),
    ];
    for (name, count) in counts {
        if count > 0 && !faults.no_usage {
            set(&mut body, name, count);
        }
    }
    body
}

fn calls(ask: &Ask, answer: &Answer) -> Value {
    let with_ids = !ask.model().contains("oldtools");
    let call = |(index, call): (usize, &crate::text::ToolCall)| {
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        if !with_ids {
            return json!({"function": {"name": call.name, "arguments": arguments}});
        }
        let function = json!({"index": index, "name": call.name, "arguments": arguments});
        json!({"id": ask.call_id("call_", index), "function": function})
    };
    answer.calls.iter().enumerate().map(call).collect()
}

#[cfg(test)]
mod tests;
