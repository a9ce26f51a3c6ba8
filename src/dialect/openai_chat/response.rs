//! What an OpenAI-compatible provider answers: buffered, streamed, and errors.

use super::super::{Decoder, Fidelity};
use crate::chat::{Delta, Finish, Format, Piece, Place, Reasoning, ReasoningDetail, UsageReport};
use crate::error::{Error, Kind};
use crate::json::{self, Count, Members, Shape, Str};
use crate::wire::Frame;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The most choices of one response: OpenAI's limit on `n`. What is kept of a stream grows with them.
const MAX_CHOICES: u32 = 128;
/// The most tool calls of one response, for the same reason.
const MAX_CALLS: usize = 1_024;

/// A whole answer, or one chunk of a stream.
#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow)]
    object: Option<Str<'a>>,
    #[serde(borrow)]
    id: Option<Str<'a>>,
    #[serde(borrow)]
    model: Option<Str<'a>>,
    #[serde(borrow)]
    choices: Option<Vec<&'a RawValue>>,
    usage: Option<Usage>,
    /// Groq's place for the usage of a stream.
    x_groq: Option<XGroq>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct XGroq {
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    index: Option<u32>,
    #[serde(borrow, alias = "message")]
    delta: Option<&'a RawValue>,
    #[serde(borrow)]
    finish_reason: Option<Str<'a>>,
    #[serde(borrow)]
    native_finish_reason: Option<Str<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<Str<'a>>,
    #[serde(borrow)]
    reasoning: Option<Str<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<Str<'a>>,
    #[serde(borrow)]
    reasoning_details: Option<Vec<ReasoningDetail<'a>>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<ToolCall<'a>>>,
    #[serde(borrow)]
    images: Option<Vec<Image<'a>>>,
    #[serde(borrow)]
    annotations: Option<Vec<&'a RawValue>>,
}

/// The members of [`Choice`] and [`Message`] that are understood; all others are passed on as they are.
const CHOICE_MEMBERS: &[&str] = &[
    "index",
    "delta",
    "message",
    "finish_reason",
    "native_finish_reason",
];
const MESSAGE_MEMBERS: &[&str] = &[
    "role",
    "content",
    "refusal",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "tool_calls",
    "images",
    "annotations",
];
/// The members of [`Response`] that are understood, or that the gateway writes itself.
const RESPONSE_MEMBERS: &[&str] = &[
    "id",
    "object",
    "created",
    "model",
    "provider",
    "choices",
    "usage",
    "x_groq",
    "error",
    "obfuscation",
];

#[derive(Deserialize)]
struct ToolCall<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    id: Option<Str<'a>>,
    #[serde(borrow)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<Str<'a>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Image<'a> {
    #[serde(borrow)]
    image_url: ImageUrl<'a>,
}

#[derive(Deserialize)]
struct ImageUrl<'a> {
    #[serde(borrow)]
    url: Str<'a>,
}

/// A part of a content that came as an array, as Mistral's does.
#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<Str<'a>>,
    #[serde(borrow)]
    thinking: Option<Vec<Part<'a>>>,
}

#[derive(Clone, Copy, Deserialize)]
struct Usage {
    prompt_tokens: Option<Count>,
    completion_tokens: Option<Count>,
    total_tokens: Option<Count>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's name for cached tokens.
    prompt_cache_hit_tokens: Option<Count>,
}

#[derive(Clone, Copy, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<Count>,
    cache_write_tokens: Option<Count>,
}

#[derive(Clone, Copy, Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<Count>,
}

impl From<Usage> for UsageReport {
    fn from(usage: Usage) -> Self {
        let count = |count: Option<Count>| count.map(|count| count.0);
        let prompt = usage.prompt_tokens_details;
        let input = count(usage.prompt_tokens);
        let reasoning = count(
            usage
                .completion_tokens_details
                .and_then(|details| details.reasoning_tokens),
        );
        // xAI leaves the thinking out of the completion, and its total tells.
        let output = count(usage.completion_tokens).map(|output| {
            let both = output.saturating_add(reasoning.unwrap_or(0));
            let total = input.unwrap_or(0).saturating_add(both);
            if count(usage.total_tokens) == Some(total) {
                both
            } else {
                output
            }
        });
        Self {
            input,
            output,
            cache_read: count(
                prompt
                    .and_then(|details| details.cached_tokens)
                    .or(usage.prompt_cache_hit_tokens),
            ),
            cache_write: count(prompt.and_then(|details| details.cache_write_tokens)),
            cache_write_1h: None,
            reasoning,
        }
    }
}

/// Reads a stream of `chat.completion.chunk`s.
#[derive(Debug)]
pub(super) struct StreamDecoder {
    reader: Reader,
    ended: bool,
}

impl StreamDecoder {
    pub(super) fn new(fidelity: Fidelity) -> Self {
        Self {
            reader: Reader::new(fidelity),
            ended: false,
        }
    }
}

impl Decoder for StreamDecoder {
    fn decode(&mut self, frame: &Frame<'_>, out: &mut Vec<Delta>) {
        if self.ended || frame.data.is_empty() {
            return;
        }
        if frame.data == b"[DONE]" {
            // A stream that says it is done without ever giving a reason is taken at its word, if it said anything.
            if self.reader.started {
                self.ended = true;
                self.reader.close(out);
            }
            return;
        }
        self.reader.read(frame.data, out);
        self.ended = matches!(out.last(), Some(Delta::Error(_)));
    }

    fn finish(&mut self, out: &mut Vec<Delta>) {
        if self.ended {
            return;
        }
        self.ended = true;
        if self.reader.finished {
            self.reader.close(out);
        } else {
            out.push(Delta::Error(Error::new(
                Kind::ProviderUnavailable,
                "the provider's stream ended before the completion did",
            )));
        }
    }
}

/// Reads a whole `chat.completion`.
pub(super) fn decode_buffered(body: &[u8], fidelity: Fidelity, out: &mut Vec<Delta>) {
    let mut reader = Reader::new(fidelity);
    reader.read(body, out);
    if !matches!(out.last(), Some(Delta::Error(_))) {
        reader.close(out);
    }
}

#[derive(Debug)]
struct Reader {
    fidelity: Fidelity,
    started: bool,
    /// A `finish_reason` was seen.
    finished: bool,
    /// Tool calls that have begun, by choice and index; the value says whether arguments came.
    calls: BTreeMap<(u32, u32), bool>,
}

impl Reader {
    fn new(fidelity: Fidelity) -> Self {
        Self {
            fidelity,
            started: false,
            finished: false,
            calls: BTreeMap::new(),
        }
    }

    fn read(&mut self, data: &[u8], out: &mut Vec<Delta>) {
        let Ok(response) = serde_json::from_slice::<Response<'_>>(data) else {
            out.push(Delta::Error(Error::new(
                Kind::ProviderUnavailable,
                "the provider sent something that is no chat completion",
            )));
            return;
        };
        if let Some(raw) = json::present(response.error) {
            out.push(Delta::Error(in_band(raw)));
            return;
        }
        // vLLM's form: the whole chunk is the error.
        if response.object.as_deref() == Some("error") {
            out.push(Delta::Error(flat(data, None)));
            return;
        }
        // A `ping`, or whatever else is no chunk.
        let Some(choices) = response.choices else { return };
        if !self.started {
            self.started = true;
            let own = |text: Option<Str<'_>>| text.filter(|text| !text.is_empty()).map(Str::into_string);
            out.push(Delta::Start {
                id: own(response.id),
                model: own(response.model),
            });
        }
        if self.fidelity == Fidelity::Full {
            unnamed(data, RESPONSE_MEMBERS, 0, Place::Response, out);
        }
        for (position, raw) in (0..).zip(choices) {
            if self.choice(position, raw, out).is_none() {
                out.push(Delta::Error(Error::new(
                    Kind::ProviderUnavailable,
                    "the provider sent a choice that is no message",
                )));
                return;
            }
        }
        if let Some(usage) = response.usage.or(response.x_groq.and_then(|groq| groq.usage)) {
            out.push(Delta::Usage(usage.into()));
        }
    }

    /// Reads one choice; `None` when it cannot be read.
    fn choice(&mut self, position: u32, raw: &RawValue, out: &mut Vec<Delta>) -> Option<()> {
        let choice: Choice<'_> = serde_json::from_str(raw.get()).ok()?;
        let index = choice.index.unwrap_or(position);
        if index >= MAX_CHOICES {
            return None;
        }
        if self.fidelity == Fidelity::Full {
            unnamed(raw.get().as_bytes(), CHOICE_MEMBERS, index, Place::Choice, out);
        }
        if let Some(raw) = json::present(choice.delta) {
            self.message(index, serde_json::from_str(raw.get()).ok()?, out)?;
            if self.fidelity == Fidelity::Full {
                unnamed(raw.get().as_bytes(), MESSAGE_MEMBERS, index, Place::Message, out);
            }
        }
        if let Some(native) = choice
            .finish_reason
            .as_deref()
            .filter(|reason| !reason.is_empty())
        {
            self.finished = true;
            self.fill_calls(index, out);
            let shown = choice.native_finish_reason.as_deref().unwrap_or(native);
            out.push(Delta::Finish {
                choice: index,
                reason: finish(native),
                native: Some(shown.to_owned()),
            });
        }
        Some(())
    }

    /// Reads a message, or more of one; `None` when it holds too much.
    fn message(&mut self, choice: u32, message: Message<'_>, out: &mut Vec<Delta>) -> Option<()> {
        let mut piece = |piece: Piece| out.push(Delta::Piece { choice, piece });
        let details = message.reasoning_details.unwrap_or_default();
        if details.is_empty() {
            let thinking = message
                .reasoning
                .or(message.reasoning_content)
                .filter(|text| !text.is_empty());
            if let Some(text) = thinking {
                piece(thought(text.into_string()));
            }
        }
        for reasoning in details.into_iter().flat_map(reasoning) {
            piece(Piece::Reasoning(reasoning));
        }
        if let Some(raw) = json::present(message.content) {
            content(raw, &mut piece);
        }
        if let Some(text) = message.refusal.filter(|text| !text.is_empty()) {
            piece(Piece::Refusal(text.into_string()));
        }
        for image in message.images.unwrap_or_default() {
            piece(Piece::Image {
                url: image.image_url.url.into_string(),
            });
        }
        for annotation in message.annotations.unwrap_or_default() {
            piece(Piece::Annotation(annotation.to_owned()));
        }
        for (position, call) in (0..).zip(message.tool_calls.unwrap_or_default()) {
            self.call(choice, position, call, out)?;
        }
        Some(())
    }

    fn call(&mut self, choice: u32, position: u32, call: ToolCall<'_>, out: &mut Vec<Delta>) -> Option<()> {
        let id = call.id.filter(|id| !id.is_empty());
        let index = match call.index {
            Some(index) => index,
            // Gemini, by its compatible address, gives no index: a call with an id is another call.
            None if id.is_some() => self.next_call(choice),
            None => position,
        };
        let is_full = self.calls.len() >= MAX_CALLS;
        let (name, arguments) = call
            .function
            .map_or((None, None), |function| (function.name, function.arguments));
        let mut piece = |piece: Piece| out.push(Delta::Piece { choice, piece });
        // Later fragments of a call repeat an empty id or name at some providers.
        let name = name.filter(|name| !name.is_empty());
        let filled = self.calls.entry((choice, index));
        if let Entry::Vacant(_) = filled {
            if is_full {
                return None;
            }
            let id = id.map_or_else(|| format!("call_{choice}_{index}"), Str::into_string);
            piece(Piece::ToolCall {
                index,
                id,
                name: name.map(Str::into_string).unwrap_or_default(),
            });
        }
        let filled = filled.or_insert(false);
        let Some(raw) = json::present(arguments) else {
            return Some(());
        };
        let json = match json::shape(raw) {
            Shape::String => serde_json::from_str::<String>(raw.get()).unwrap_or_default(),
            // Some send the object itself.
            _ => raw.get().to_owned(),
        };
        if !json.is_empty() {
            *filled = true;
            piece(Piece::ToolArguments { index, json });
        }
        Some(())
    }

    /// The index of a call that comes after all others of its choice.
    fn next_call(&self, choice: u32) -> u32 {
        self.calls
            .range((choice, 0)..=(choice, u32::MAX))
            .next_back()
            .map_or(0, |(&(_, index), _)| index.saturating_add(1))
    }

    /// Gives every call of a choice that got no arguments an empty object, which is what clients parse.
    fn fill_calls(&mut self, choice: u32, out: &mut Vec<Delta>) {
        for (&(_, index), filled) in self.calls.range_mut((choice, 0)..=(choice, u32::MAX)) {
            if !std::mem::replace(filled, true) {
                out.push(Delta::Piece {
                    choice,
                    piece: Piece::ToolArguments {
                        index,
                        json: "{}".to_owned(),
                    },
                });
            }
        }
    }

    /// The response is complete. One that never said why it ended has stopped.
    fn close(&mut self, out: &mut Vec<Delta>) {
        if !self.finished && self.started {
            self.finished = true;
            self.fill_calls(0, out);
            out.push(Delta::Finish {
                choice: 0,
                reason: Finish::Stop,
                native: None,
            });
        }
    }
}

fn thought(text: String) -> Piece {
    Piece::Reasoning(Reasoning::Text {
        index: 0,
        text,
        format: Format::Unknown,
    })
}

/// Content that is a string, or an array of parts.
fn content(raw: &RawValue, piece: &mut impl FnMut(Piece)) {
    match json::shape(raw) {
        Shape::String => {
            let text = serde_json::from_str::<String>(raw.get()).unwrap_or_default();
            if !text.is_empty() {
                piece(Piece::Text(text));
            }
        }
        Shape::Array => {
            for part in serde_json::from_str::<Vec<Part<'_>>>(raw.get()).unwrap_or_default() {
                for thinking in part.thinking.unwrap_or_default() {
                    if let Some(text) = thinking.text.filter(|text| !text.is_empty()) {
                        piece(thought(text.into_string()));
                    }
                }
                if let Some(text) = part.text.filter(|text| !text.is_empty()) {
                    piece(Piece::Text(text.into_string()));
                }
            }
        }
        _ => {}
    }
}

/// What one entry holds: a text and its signature may stand in the same one.
fn reasoning(detail: ReasoningDetail<'_>) -> impl Iterator<Item = Reasoning> {
    let index = detail.index.unwrap_or(0);
    let format = match detail.format.as_deref() {
        Some("anthropic-claude-v1") => Format::Anthropic,
        Some("google-gemini-v1") => Format::Gemini,
        Some("openai-responses-v1") => Format::OpenAiResponses,
        _ => Format::Unknown,
    };
    let own = |text: Option<Str<'_>>| text.filter(|text| !text.is_empty()).map(Str::into_string);
    let (first, second) = match &*detail.kind {
        "reasoning.summary" => (
            own(detail.summary).map(|text| Reasoning::Summary { index, text, format }),
            None,
        ),
        "reasoning.encrypted" => (
            own(detail.data).map(|data| Reasoning::Encrypted {
                index,
                data,
                id: own(detail.id),
                format,
            }),
            None,
        ),
        _ => (
            own(detail.text).map(|text| Reasoning::Text { index, text, format }),
            own(detail.signature).map(|signature| Reasoning::Signature {
                index,
                signature,
                format,
            }),
        ),
    };
    first.into_iter().chain(second)
}

/// Pushes the members of an object that are not in `known`.
fn unnamed(data: &[u8], known: &[&str], choice: u32, place: Place, out: &mut Vec<Delta>) {
    let Ok(Members(members)) = serde_json::from_slice::<Members<'_>>(data) else {
        return;
    };
    for (name, raw) in members {
        if !known.contains(&name.as_str()) && json::shape(raw) != Shape::Null {
            out.push(Delta::Piece {
                choice,
                piece: Piece::Other {
                    place,
                    name,
                    value: raw.to_owned(),
                },
            });
        }
    }
}

fn finish(native: &str) -> Finish {
    match native {
        "length" | "model_length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::ContentFilter,
        "error" => Finish::Error,
        _ => Finish::Stop,
    }
}

#[derive(Default, Deserialize)]
struct WireError<'a> {
    #[serde(borrow)]
    message: Option<Str<'a>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Str<'a>>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
}

/// The error of a response whose status is not 200.
pub(super) fn error(status: u16, body: &[u8]) -> Error {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        error: Option<&'a RawValue>,
        #[serde(borrow)]
        message: Option<Str<'a>>,
    }
    let by_status = Kind::of_provider_status(status);
    let fallback = || {
        Error::of_provider(
            by_status,
            &format!("the provider answered with status {status}"),
            None,
        )
    };
    let Ok(Body { error, message }) = serde_json::from_slice::<Body<'_>>(body) else {
        return fallback();
    };
    match json::present(error) {
        Some(raw) => read_error(raw, Some(status)),
        None if message.is_some_and(|message| !message.is_empty()) => flat(body, Some(status)),
        None => fallback(),
    }
}

/// An error that is the whole body or chunk, as vLLM's and Mistral's are.
fn flat(body: &[u8], status: Option<u16>) -> Error {
    // What cannot be read says nothing.
    of_wire(&serde_json::from_slice(body).unwrap_or_default(), status)
}

/// The error inside a response that had status 200.
fn in_band(raw: &RawValue) -> Error {
    read_error(raw, None)
}

fn read_error(raw: &RawValue, status: Option<u16>) -> Error {
    // What cannot be read says nothing.
    let wire = match json::shape(raw) {
        Shape::String => WireError {
            message: serde_json::from_str(raw.get()).ok(),
            ..Default::default()
        },
        _ => serde_json::from_str(raw.get()).unwrap_or_default(),
    };
    of_wire(&wire, status)
}

fn of_wire(wire: &WireError<'_>, status: Option<u16>) -> Error {
    let code = json::present(wire.code).map(|code| code.get().trim_matches('"'));
    let numeric = code
        .and_then(|code| code.parse::<u16>().ok())
        .filter(|code| (400..600).contains(code));
    let kind_name = wire.kind.as_deref().unwrap_or("");
    let named = match (code.unwrap_or(""), kind_name) {
        ("context_length_exceeded" | "string_above_max_length", _) => Some(Kind::ContextLengthExceeded),
        ("content_filter" | "content_policy_violation", _) => Some(Kind::ContentPolicyViolation),
        ("insufficient_quota", _) | (_, "insufficient_quota") => Some(Kind::PaymentRequired),
        ("rate_limit_exceeded", _) | (_, "rate_limit_error" | "rate_limit_exceeded") => {
            Some(Kind::RateLimitExceeded)
        }
        ("invalid_api_key", _) => Some(Kind::ProviderAuthentication),
        (_, "overloaded_error" | "service_unavailable") => Some(Kind::ProviderOverloaded),
        (_, "invalid_request_error") if status.is_none() => Some(Kind::InvalidRequest),
        _ => None,
    };
    let by_status = status
        .or(numeric)
        .map_or(Kind::ProviderUnavailable, Kind::of_provider_status);
    let message = wire.message.as_deref().filter(|message| !message.is_empty());
    let fallback = || match status {
        Some(status) => format!("the provider answered with status {status}"),
        None => "the provider reported an error".to_owned(),
    };
    let text = message.map_or_else(fallback, ToOwned::to_owned);
    Error::of_provider(
        named.unwrap_or(by_status),
        &text,
        code.or(Some(kind_name).filter(|name| !name.is_empty())),
    )
}
