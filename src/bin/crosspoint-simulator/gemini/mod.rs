//! Google's Gemini API (AI Studio) as it is on the wire: one indented JSON document, or server-sent events with CRLF.
//!
//! Seen on the real API and kept: every event has the form of a whole response, with the counts until then; a count of
//! zero is left out; a call comes in one piece and without an id; signatures stand on the first call, or on an empty text
//! at the end of a stream; there is no `[DONE]`. A model id with `blocked` in it gets a refused prompt, one with `-image`
//! draws.

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
use crate::seed::{letters, sign};
use crate::text::{Answer, Finish, ToolCall, fragments};

/// Gemini at AI Studio.
#[derive(Debug)]
pub(crate) struct Gemini;

impl Provider for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn port(&self) -> u16 {
        18004
    }

    fn secrets(&self) -> &'static [Secret] {
        const SECRETS: &[Secret] = &[Secret::key("gemini", "sim-gemini-key")];
        SECRETS
    }

    fn key_header(&self) -> (&'static str, &'static str) {
        ("x-goog-api-key", "")
    }

    fn stops_on_cancel(&self) -> bool {
        false
    }

    fn read(&self, call: &Call<'_>) -> Result<Ask, Refusal> {
        check::read(call)
    }

    fn buffered(&self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<u8> {
        match &ask.embed {
            Some(embed) => embeddings::buffered(ask, embed, answer, faults),
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

    fn refusal_body(&self, refusal: &Refusal, _stamp: Stamp) -> Vec<u8> {
        refusal_body(refusal)
    }

    fn headers(&self, _refusal: Option<&Refusal>, stamp: Stamp) -> Headers {
        headers(stamp)
    }

    fn body_limit(&self) -> usize {
        20 << 20
    }
}

/// A picture of one pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=";

fn reason(answer: &Answer) -> &'static str {
    match answer.finish {
        // A call ends like any other answer.
        Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls => "STOP",
        Finish::Length => "MAX_TOKENS",
    }
}

/// Generation 3 signs whether or not its thinking is shown.
fn signs(ask: &Ask, answer: &Answer) -> bool {
    answer.thinking != Thinking::Off || ask.model().contains("gemini-3")
}

fn arguments(call: &ToolCall) -> Value {
    serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}))
}

/// What a call's signature is made of: its arguments in one spelling.
fn call_seed(name: &str, args: &Value) -> String {
    format!("{name}{args}")
}

fn calls(answer: &Answer, signed: bool) -> Vec<Value> {
    let mut parts: Vec<Value> = Vec::new();
    for (n, call) in answer.calls.iter().enumerate() {
        let args = arguments(call);
        let mut part = json!({"functionCall": {"name": call.name, "args": args}});
        if let (Some(part), true, 0) = (part.as_object_mut(), signed, n) {
            let signature = sign(&call_seed(&call.name, &arguments(call)));
            part.insert("thoughtSignature".to_owned(), json!(signature));
        }
        parts.push(part);
    }
    parts
}

fn picture() -> Value {
    json!({"inlineData": {"mimeType": "image/png", "data": PIXEL}})
}

/// One event, or all of a response, without its candidates.
struct Frame<'a> {
    ask: &'a Ask,
    answer: &'a Answer,
    faults: &'a Faults,
    id: String,
}

impl Frame<'_> {
    /// `visible` and `thought`: what of the completion has been said until now.
    fn with(&self, candidates: Value, visible: u64, thought: u64) -> Value {
        let usage = &self.answer.usage;
        let mut body =
            json!({"candidates": candidates, "modelVersion": self.ask.model(), "responseId": self.id});
        let mut counts = json!({
            "promptTokenCount": usage.prompt,
            "totalTokenCount": usage.prompt + visible + thought,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": usage.prompt}],
        });
        let more = [
            ("candidatesTokenCount", visible),
            ("thoughtsTokenCount", thought),
            ("cachedContentTokenCount", usage.cache_read),
        ];
        if let (Some(body), Some(counts_of)) = (body.as_object_mut(), counts.as_object_mut()) {
            counts_of.extend(
                more.into_iter()
                    .filter(|(_, count)| *count > 0)
                    .map(|(name, count)| (name.to_owned(), json!(count))),
            );
            if !self.faults.no_usage {
                body.insert("usageMetadata".to_owned(), counts);
            }
        }
        body
    }

    /// A prompt that Google refuses.
    fn blocked(&self) -> Value {
        let mut body = self.with(Value::Null, 0, 0);
        if let Some(body) = body.as_object_mut() {
            body.remove("candidates");
            body.insert(
                "promptFeedback".to_owned(),
                json!({"blockReason": "PROHIBITED_CONTENT"}),
            );
        }
        body
    }
}

fn candidate(index: u64, parts: Value, finish: Option<&str>) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": index});
    if let (Some(candidate), Some(finish)) = (candidate.as_object_mut(), finish) {
        candidate.insert("finishReason".to_owned(), json!(finish));
    }
    candidate
}

fn id(stamp: Stamp) -> String {
    letters(stamp.sequence ^ 0x9e, 23)
}

fn buffered(ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<u8> {
    let frame = Frame {
        ask,
        answer,
        faults,
        id: id(stamp),
    };
    let mut parts = Vec::new();
    if answer.thinking == Thinking::Shown {
        parts.push(json!({"text": answer.whole_thought(), "thought": true}));
    }
    let text = answer.whole_text();
    if !text.is_empty() {
        let mut part = json!({"text": text});
        if let (Some(part), true, true) = (part.as_object_mut(), signs(ask, answer), answer.calls.is_empty())
        {
            part.insert("thoughtSignature".to_owned(), json!(sign(&text)));
        }
        parts.push(part);
    }
    parts.extend(calls(answer, signs(ask, answer)));
    if ask.model().contains("-image") {
        parts.push(picture());
    }
    let copies = ask.copies.max(1);
    let candidates: Vec<Value> = (0..copies)
        .map(|index| candidate(index, json!(parts), Some(reason(answer))))
        .collect();
    let thought = answer.usage.reasoning * copies;
    let body = if ask.model().contains("blocked") {
        frame.blocked()
    } else {
        frame.with(
            json!(candidates),
            answer.usage.completion * copies - thought,
            thought,
        )
    };
    // Nothing here has a map with odd keys, the only thing that serde_json refuses to write.
    serde_json::to_vec_pretty(&body).unwrap_or_default()
}

fn streamed(ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<Piece> {
    let crlf = Faults {
        crlf: true,
        ..faults.clone()
    };
    let mut writer = Writer {
        frame: Frame {
            ask,
            answer,
            faults,
            id: id(stamp),
        },
        crlf: &crlf,
        pieces: Vec::with_capacity(answer.text.len() + 8),
        visible: 0,
        thought: 0,
    };
    if ask.model().contains("blocked") {
        writer.push(&writer.frame.blocked(), 0);
        return writer.pieces;
    }
    for index in 0..ask.copies.max(1) {
        match answer.thinking {
            Thinking::Shown => {
                for token in &answer.thought {
                    writer.think(index, token);
                }
            }
            _ => writer.thought += answer.usage.reasoning,
        }
        for token in &answer.text {
            writer.say(index, json!([{"text": token}]), 1);
        }
        for (part, call) in calls(answer, signs(ask, answer)).into_iter().zip(&answer.calls) {
            let tokens = 1 + fragments(&call.arguments).len() as u64;
            writer.say(index, json!([part]), tokens);
        }
        if ask.model().contains("-image") {
            writer.say(index, json!([picture()]), 0);
        }
        let mut last = json!({"text": ""});
        if let (Some(last), true, true) = (last.as_object_mut(), signs(ask, answer), answer.calls.is_empty())
            && !answer.text.is_empty()
        {
            last.insert("thoughtSignature".to_owned(), json!(sign(&answer.whole_text())));
        }
        let end = candidate(index, json!([last]), Some(reason(answer)));
        let end = writer.frame.with(json!([end]), writer.visible, writer.thought);
        writer.push(&end, 0);
        if answer.thinking != Thinking::Shown
            && let Some(piece) = writer.pieces.last_mut()
        {
            piece.hidden = answer.usage.reasoning;
        }
    }
    writer.pieces
}

struct Writer<'a> {
    frame: Frame<'a>,
    crlf: &'a Faults,
    pieces: Vec<Piece>,
    visible: u64,
    thought: u64,
}

impl Writer<'_> {
    fn push(&mut self, frame: &Value, tokens: u64) {
        self.pieces
            .push(Piece::tokens(sse(None, &frame.to_string(), self.crlf), tokens));
    }

    fn say(&mut self, index: u64, parts: Value, tokens: u64) {
        self.visible += tokens;
        let candidates = json!([candidate(index, parts, None)]);
        self.push(&self.frame.with(candidates, self.visible, self.thought), tokens);
    }

    fn think(&mut self, index: u64, token: &str) {
        self.thought += 1;
        let candidates = json!([candidate(index, json!([{"text": token, "thought": true}]), None)]);
        self.push(&self.frame.with(candidates, self.visible, self.thought), 1);
    }
}

fn error_event(faults: &Faults) -> Bytes {
    let status = faults.error.as_deref().unwrap_or("UNAVAILABLE");
    let (code, message) = match status {
        "RESOURCE_EXHAUSTED" => (429, "Resource has been exhausted (e.g. check quota)."),
        "INTERNAL" => (500, "An internal error has occurred."),
        _ => (503, "The model is overloaded. Please try again later."),
    };
    let crlf = Faults {
        crlf: true,
        ..faults.clone()
    };
    let error = json!({"error": {"code": code, "message": message, "status": status}});
    sse(None, &error.to_string(), &crlf)
}

/// Google's words for an error status.
fn fault(status: u16, model: &str) -> Refusal {
    let (kind, message) = match status {
        401 => (
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials.".to_owned(),
        ),
        402 | 429 => (
            "RESOURCE_EXHAUSTED",
            "You exceeded your current quota, please check your plan and billing details.".to_owned(),
        ),
        403 => (
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity).".to_owned(),
        ),
        404 => (
            "NOT_FOUND",
            format!(
                "models/{model} is not found for API version v1beta, or is not supported for generateContent."
            ),
        ),
        413 => (
            "INVALID_ARGUMENT",
            "Request payload size exceeds the limit: 20971520 bytes.".to_owned(),
        ),
        499 => ("CANCELLED", "The operation was cancelled.".to_owned()),
        503 => (
            "UNAVAILABLE",
            "The model is overloaded. Please try again later.".to_owned(),
        ),
        504 => (
            "DEADLINE_EXCEEDED",
            "Deadline expired before operation could complete.".to_owned(),
        ),
        400..500 => (
            "INVALID_ARGUMENT",
            "Request contains an invalid argument.".to_owned(),
        ),
        _ => ("INTERNAL", "An internal error has occurred.".to_owned()),
    };
    Refusal::new(status, kind, message)
}

fn refusal_body(refusal: &Refusal) -> Vec<u8> {
    let code = if refusal.status == 200 {
        500
    } else {
        refusal.status
    };
    let body = json!({"error": {"code": code, "message": refusal.message, "status": refusal.kind}});
    serde_json::to_vec_pretty(&body).unwrap_or_default()
}

fn headers(stamp: Stamp) -> Headers {
    vec![
        ("vary", "Origin, X-Origin, Referer".to_owned()),
        ("server", "scaffolding on HTTPServer2".to_owned()),
        ("x-xss-protection", "0".to_owned()),
        ("x-frame-options", "SAMEORIGIN".to_owned()),
        ("x-content-type-options", "nosniff".to_owned()),
        (
            "server-timing",
            format!("gfet4t7; dur={}", 300 + stamp.sequence % 50),
        ),
        ("alt-svc", "h3=\":443\"; ma=2592000".to_owned()),
    ]
}

#[cfg(test)]
mod tests;
