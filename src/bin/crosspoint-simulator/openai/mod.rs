//! OpenAI's Chat Completions (and, beside them, embeddings and the older completions) as it is on the wire: one JSON document, or server-sent chunks that end in `[DONE]`.
//!
//! Seen on the real API and kept: buffered answers are pretty-printed; a single tool call starts in the role chunk;
//! `finish_reason` is `stop` when one function was forced by name; chunks are padded with `obfuscation`.

mod azure;
mod body;
pub(crate) mod check;
mod completions;
mod embeddings;
pub(crate) mod features;
mod messages;
mod mistral;
pub(crate) mod object;
mod options;
pub(crate) mod refusal;

use bytes::Bytes;
use serde_json::Value;

use crate::ask::{Ask, Choice, Thinking};
use crate::fault::Faults;
use crate::piece::Piece;
use crate::provider::{Call as Request, Headers, Provider, Refusal, Secret, Stamp, sse};
use crate::seed::letters;
use crate::text::{Answer, Finish, fragments};

use body::{Call, Chunk, Completion, Delta, Function, Message, Part, UsageBody, Whole, usage};
use object::Object;
use refusal::fault;

pub(crate) use azure::AZURE;
pub(crate) use mistral::MISTRAL;

/// A provider that speaks OpenAI's dialect, and where it goes its own way.
#[derive(Debug)]
pub(crate) struct OpenAi {
    name: &'static str,
    port: u16,
    secrets: &'static [Secret],
    key_header: (&'static str, &'static str),
    /// Whether a request came to the right place with the right key; the model, where the path names it.
    admits: fn(&Request<'_>) -> Result<Option<String>, Refusal>,
    /// A body in OpenAI's words, after everything that OpenAI would not refuse was.
    translated: fn(Object) -> Result<Object, Refusal>,
    /// What it knows of the request that OpenAI does not.
    noted: fn(&mut Ask),
    /// What it writes otherwise than OpenAI, in an answer or a chunk.
    altered: fn(&Ask, &mut Value),
    /// What it says before the first chunk.
    opening: fn(&Ask) -> Option<Value>,
    /// The body of an error.
    failure: fn(&Refusal) -> Value,
    /// Whether usage comes with the end of a choice, without being asked for.
    usage_on_finish: bool,
}

/// OpenAI.
pub(crate) static OPENAI: OpenAi = OpenAi {
    name: "openai",
    port: 18001,
    secrets: &[Secret::key("openai", "sim-openai-key")],
    key_header: ("authorization", "Bearer "),
    admits: check::admits,
    translated: Ok,
    noted: |_| {},
    altered: |_, _| {},
    opening: |_| None,
    failure: refusal::failure,
    usage_on_finish: false,
};

impl Provider for OpenAi {
    fn name(&self) -> &'static str {
        self.name
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn secrets(&self) -> &'static [Secret] {
        self.secrets
    }

    fn key_header(&self) -> (&'static str, &'static str) {
        self.key_header
    }

    fn stream_type(&self) -> &'static str {
        "text/event-stream; charset=utf-8"
    }

    fn read(&self, call: &Request<'_>) -> Result<Ask, Refusal> {
        check::read(self, call)
    }

    fn buffered(&self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<u8> {
        match &ask.embed {
            Some(embed) => embeddings::buffered(ask, embed, answer, faults),
            None if ask.older => completions::buffered(ask, answer, faults, stamp),
            None => self.whole(ask, answer, faults, stamp),
        }
    }

    fn streamed(&self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<Piece> {
        if ask.older {
            return completions::streamed(ask, answer, faults, stamp);
        }
        self.chunks(ask, answer, faults, stamp)
    }

    fn error_event(&self, _ask: &Ask, faults: &Faults, _stamp: Stamp) -> Bytes {
        refusal::error_event(self.failure, faults)
    }

    fn fault(&self, status: u16, model: &str) -> Refusal {
        fault(status, model)
    }

    fn refusal_body(&self, refusal: &Refusal, _stamp: Stamp) -> Vec<u8> {
        serde_json::to_vec_pretty(&(self.failure)(refusal)).unwrap_or_default()
    }

    fn headers(&self, _refusal: Option<&Refusal>, stamp: Stamp) -> Headers {
        refusal::headers(stamp)
    }

    fn body_limit(&self) -> usize {
        50 << 20
    }
}

const FINGERPRINT: &str = "fp_51db84afab";

fn finish_reason(ask: &Ask, answer: &Answer) -> &'static str {
    match answer.finish {
        Finish::ToolCalls if matches!(ask.choice, Choice::Named(_)) => "stop",
        Finish::ToolCalls => "tool_calls",
        Finish::Length => "length",
        Finish::Stop | Finish::StopSequence(_) => "stop",
    }
}

fn id(stamp: Stamp) -> String {
    format!("chatcmpl-{}", letters(stamp.sequence, 29))
}

/// A call without arguments is `{}` here.
fn arguments(written: &str) -> &str {
    if written.is_empty() { "{}" } else { written }
}

impl OpenAi {
    fn whole(&self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<u8> {
        let text = answer.whole_text();
        let thought = answer.whole_thought();
        let calls = answer.calls.iter().enumerate().map(|(index, call)| Call {
            index: None,
            id: Some(ask.call_id("call_", index)),
            kind: Some("function"),
            function: Function {
                name: Some(&call.name),
                arguments: arguments(&call.arguments),
            },
        });
        let calls: Vec<Call<'_>> = calls.collect();
        let choices = (0..ask.copies).map(|index| Whole {
            index,
            message: Message {
                role: "assistant",
                content: if calls.is_empty() || !text.is_empty() {
                    Some(&text)
                } else {
                    None
                },
                reasoning_content: (answer.thinking == Thinking::Shown).then_some(thought.as_str()),
                tool_calls: calls.clone(),
                refusal: None,
                annotations: [],
            },
            logprobs: None,
            finish_reason: finish_reason(ask, answer),
        });
        let body = Completion {
            id: id(stamp),
            object: "chat.completion",
            created: stamp.now,
            model: ask.model(),
            choices: choices.collect(),
            usage: (!faults.no_usage).then(|| usage(&answer.usage, ask.copies)),
            service_tier: "default",
            system_fingerprint: FINGERPRINT,
        };
        // Nothing here has a map with odd keys, the only thing that serde_json refuses to write.
        let mut body = serde_json::to_value(&body).unwrap_or_default();
        (self.altered)(ask, &mut body);
        let mut bytes = serde_json::to_vec_pretty(&body).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    fn chunks(&self, ask: &Ask, answer: &Answer, faults: &Faults, stamp: Stamp) -> Vec<Piece> {
        let id = id(stamp);
        let usage_on_finish = faults.usage_on_finish || self.usage_on_finish;
        let mut writer = Writer {
            provider: self,
            ask,
            faults,
            stamp,
            id: &id,
            pieces: Vec::new(),
        };
        let mut steps = deltas(ask, answer, faults.nulls);
        let finish = finish_reason(ask, answer);
        steps.push((Delta::default(), 0));
        let last = steps.len() - 1;
        let numbers = usage(&answer.usage, ask.copies);
        let with_usage = (ask.usage_chunk || self.usage_on_finish) && !faults.no_usage;
        if let Some(opening) = (self.opening)(ask) {
            writer.push(&opening, 0);
        }
        for (n, (delta, tokens)) in steps.into_iter().enumerate() {
            for index in 0..ask.copies {
                let reason = (n == last).then_some(finish);
                let with_finish = usage_on_finish && n == last && index + 1 == ask.copies;
                let usage = if with_finish {
                    Some(Some(numbers))
                } else {
                    (with_usage && !self.usage_on_finish).then_some(None)
                };
                let part = Part {
                    index,
                    delta: delta.clone(),
                    logprobs: None,
                    finish_reason: reason,
                };
                writer.write(vec![part], usage, tokens);
            }
        }
        if with_usage && !usage_on_finish {
            writer.write(Vec::new(), Some(Some(numbers)), 0);
        }
        if answer.thinking == Thinking::Hidden
            && let Some(first) = writer.pieces.first_mut()
        {
            first.hidden = answer.usage.reasoning * ask.copies;
        }
        if !faults.no_done {
            writer.pieces.push(Piece::plain(sse(None, "[DONE]", faults)));
        }
        writer.pieces
    }
}

/// The choices of an answer or a chunk.
fn choices(body: &mut Value) -> impl Iterator<Item = &mut Value> {
    let choices = body.get_mut("choices").and_then(Value::as_array_mut);
    choices.into_iter().flatten()
}

/// What one choice streams, with the tokens in each delta.
fn deltas<'a>(ask: &Ask, answer: &'a Answer, nulls: bool) -> Vec<(Delta<'a>, u64)> {
    let role = Some(Some("assistant"));
    let mut steps = Vec::with_capacity(answer.text.len() + 2);
    let starts: Vec<Call<'a>> = answer
        .calls
        .iter()
        .enumerate()
        .map(|(n, call)| start(ask, n, call))
        .collect();
    let combined = starts.len() == 1 && answer.text.is_empty();
    let first = if combined {
        Delta {
            role,
            content: Some(None),
            tool_calls: Some(Some(starts.clone())),
            ..Delta::default()
        }
    } else if starts.is_empty() || !answer.text.is_empty() {
        Delta {
            role,
            content: Some(Some("")),
            refusal: Some(None),
            ..Delta::default()
        }
    } else {
        Delta {
            role,
            content: Some(None),
            ..Delta::default()
        }
    };
    steps.push((first, u64::from(combined)));
    let filler = || Delta {
        role: nulls.then_some(None),
        tool_calls: nulls.then_some(None),
        ..Delta::default()
    };
    if answer.thinking == Thinking::Shown {
        for token in &answer.thought {
            steps.push((
                Delta {
                    content: Some(None),
                    reasoning_content: Some(token),
                    ..filler()
                },
                1,
            ));
        }
    }
    for token in &answer.text {
        steps.push((
            Delta {
                content: Some(Some(token)),
                ..filler()
            },
            1,
        ));
    }
    for (n, (call, begin)) in answer.calls.iter().zip(starts).enumerate() {
        if !combined {
            steps.push((
                Delta {
                    tool_calls: Some(Some(vec![begin])),
                    ..Delta::default()
                },
                1,
            ));
        }
        if call.arguments.is_empty() && !nulls {
            steps.push((more(n, "{}", nulls), 0));
        }
        steps.extend(
            fragments(&call.arguments)
                .into_iter()
                .map(|piece| (more(n, piece, nulls), 1)),
        );
    }
    steps
}

fn start<'a>(ask: &Ask, index: usize, call: &'a crate::text::ToolCall) -> Call<'a> {
    Call {
        index: Some(index),
        id: Some(ask.call_id("call_", index)),
        kind: Some("function"),
        function: Function {
            name: Some(&call.name),
            arguments: "",
        },
    }
}

fn more(index: usize, arguments: &str, nulls: bool) -> Delta<'_> {
    let call = Call {
        index: Some(index),
        id: nulls.then(String::new),
        kind: None,
        function: Function {
            name: nulls.then_some(""),
            arguments,
        },
    };
    Delta {
        tool_calls: Some(Some(vec![call])),
        ..Delta::default()
    }
}

struct Writer<'a> {
    provider: &'a OpenAi,
    ask: &'a Ask,
    faults: &'a Faults,
    stamp: Stamp,
    id: &'a str,
    pieces: Vec<Piece>,
}

impl Writer<'_> {
    fn write(&mut self, choices: Vec<Part<'_>>, usage: Option<Option<UsageBody>>, tokens: u64) {
        let seed = self.pieces.len();
        let chunk = Chunk {
            id: self.id,
            object: "chat.completion.chunk",
            created: self.stamp.now,
            model: self.ask.model(),
            service_tier: "default",
            system_fingerprint: FINGERPRINT,
            choices,
            usage,
            obfuscation: self.ask.padding.then(|| letters(seed as u64, 1 + seed * 7 % 13)),
        };
        // As above: nothing here that serde_json refuses.
        let mut chunk = serde_json::to_value(&chunk).unwrap_or_default();
        (self.provider.altered)(self.ask, &mut chunk);
        self.push(&chunk, tokens);
    }

    fn push(&mut self, chunk: &Value, tokens: u64) {
        let event = sse(None, &chunk.to_string(), self.faults);
        self.pieces.push(Piece::tokens(event, tokens));
    }
}

#[cfg(test)]
mod tests;
