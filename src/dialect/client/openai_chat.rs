//! `openai-chat`, the client side, with OpenRouter's additions: `provider`, `native_finish_reason`, `reasoning`,
//! `reasoning_details`, `images`, `annotations`, and errors inside a stream.
//!
//! Shapes: <https://platform.openai.com/docs/api-reference/chat>, <https://openrouter.ai/docs/api-reference/streaming>.

use super::{Answer, ClientDialect, Encoder};
use crate::chat::{Delta, Finish, Folded, FoldedChoice, Format, Piece, Place, Reasoning, Usage};
use crate::error::{Error, PreviousError};
use crate::json::{self, Members};
use crate::wire::Frame;
use serde::Serialize;
use serde_json::value::RawValue;

/// The client side of `openai-chat`.
#[derive(Debug)]
pub(super) struct OpenAiChat;

impl ClientDialect for OpenAiChat {
    fn name(&self) -> &'static str {
        crate::dialect::openai_chat::NAME
    }

    fn encoder(&self, answer: Answer) -> Box<dyn Encoder> {
        if answer.stream {
            Box::new(Stream::new(answer))
        } else {
            Box::new(Buffered::new(answer))
        }
    }

    fn error(&self, error: &Error, previous: &[PreviousError]) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body<'a> {
            error: ErrorBody<'a>,
        }
        json::to_vec(&Body {
            error: ErrorBody::new(error, previous),
        })
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: u16,
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    error_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_code: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    previous_errors: &'a [PreviousError],
}

impl<'a> ErrorBody<'a> {
    fn new(error: &'a Error, previous: &'a [PreviousError]) -> Self {
        let facts = error.kind.facts();
        Self {
            code: facts.status,
            message: &error.message,
            kind: facts.openai_type,
            metadata: Metadata {
                error_type: facts.error_type,
                provider_name: error.provider.as_deref(),
                provider_code: error.provider_code.as_deref(),
                previous_errors: previous,
            },
        }
    }
}

/// The members that every answer and every chunk begins with.
#[derive(Serialize)]
struct Head<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    provider: &'a str,
}

impl<'a> Head<'a> {
    fn new(answer: &'a Answer, object: &'static str) -> Self {
        Self {
            id: &answer.id,
            object,
            created: answer.created,
            model: &answer.model,
            provider: &answer.provider,
        }
    }
}

#[derive(Serialize)]
struct UsageBody {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl From<&Usage> for UsageBody {
    fn from(usage: &Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt,
            completion_tokens: usage.completion,
            total_tokens: usage.total(),
            prompt_tokens_details: PromptDetails {
                cached_tokens: usage.cache_read,
                cache_write_tokens: usage.cache_write,
            },
            completion_tokens_details: CompletionDetails {
                reasoning_tokens: usage.reasoning,
            },
        }
    }
}

/// One entry of `reasoning_details`.
#[derive(Serialize)]
struct Detail<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    format: &'static str,
    index: u32,
}

impl<'a> Detail<'a> {
    fn new(reasoning: &'a Reasoning) -> Self {
        let empty = |kind, format: Format, index| Self {
            kind,
            text: None,
            summary: None,
            data: None,
            signature: None,
            id: None,
            format: format.name(),
            index,
        };
        match reasoning {
            Reasoning::Text { index, text, format } => Self {
                text: Some(text),
                ..empty("reasoning.text", *format, *index)
            },
            Reasoning::Summary { index, text, format } => Self {
                summary: Some(text),
                ..empty("reasoning.summary", *format, *index)
            },
            Reasoning::Signature {
                index,
                signature,
                format,
            } => Self {
                signature: Some(signature),
                ..empty("reasoning.text", *format, *index)
            },
            Reasoning::Encrypted {
                index,
                data,
                id,
                format,
            } => Self {
                data: Some(data),
                id: id.as_deref(),
                ..empty("reasoning.encrypted", *format, *index)
            },
        }
    }
}

/// The text that `reasoning` shows of a piece of thinking.
const fn shown(reasoning: &Reasoning) -> Option<&String> {
    match reasoning {
        Reasoning::Text { text, .. } | Reasoning::Summary { text, .. } => Some(text),
        Reasoning::Signature { .. } | Reasoning::Encrypted { .. } => None,
    }
}

#[derive(Serialize)]
struct ImageBody<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    image_url: ImageUrl<'a>,
}

#[derive(Serialize)]
struct ImageUrl<'a> {
    url: &'a str,
}

impl<'a> ImageBody<'a> {
    const fn new(url: &'a str) -> Self {
        Self {
            kind: "image_url",
            image_url: ImageUrl { url },
        }
    }
}

/// Writes `chat.completion.chunk`s.
#[derive(Debug)]
struct Stream {
    answer: Answer,
    /// `data: {` and the members that every chunk begins with.
    head: Vec<u8>,
    /// The choices whose first chunk, which names the role, was written.
    begun: Vec<u32>,
    /// Unnamed members for the next chunk, beside `choices` …
    response_members: Pending,
    /// … and beside the next `delta` of this choice.
    choice_members: (u32, Pending),
    /// A frame of the provider's that was passed on showed token counts.
    usage_shown: bool,
    done: bool,
}

/// How many unnamed members wait for a chunk to stand in; a chunk of their own is written for more.
const MAX_PENDING: usize = 64;

/// Unnamed members that wait for a chunk to stand in, each name once.
#[derive(Debug, Default)]
struct Pending(Vec<(String, Box<RawValue>)>);

impl Pending {
    fn set(&mut self, name: &str, value: &RawValue) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_owned()));
    }

    fn is_full(&self) -> bool {
        self.0.len() >= MAX_PENDING
    }

    /// Writes the members, each after a comma.
    fn write(&mut self, out: &mut Vec<u8>) {
        for (name, value) in self.0.drain(..) {
            out.push(b',');
            member_line(out, &name, &value);
        }
    }
}

impl Stream {
    fn new(answer: Answer) -> Self {
        let mut head = b"data: ".to_vec();
        json::write(&mut head, &Head::new(&answer, "chat.completion.chunk"));
        head.pop();
        Self {
            answer,
            head,
            begun: Vec::new(),
            response_members: Pending::default(),
            choice_members: (0, Pending::default()),
            usage_shown: false,
            done: false,
        }
    }

    /// Begins a chunk, up to and without `choices`.
    fn begin(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        self.response_members.write(out);
    }

    /// Writes a chunk without choices: token counts, or unnamed members alone.
    fn bare_chunk(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        self.begin(out);
        out.extend_from_slice(b",\"choices\":[]");
        if let Some(usage) = usage {
            out.push(b',');
            member(out, "usage", &UsageBody::from(usage));
        }
        out.extend_from_slice(b"}\n\n");
    }

    /// Writes a chunk of one choice; `fill` writes the members of its delta.
    fn chunk(
        &mut self,
        choice: u32,
        finish: Option<(Finish, Option<&str>)>,
        out: &mut Vec<u8>,
        fill: impl FnOnce(&mut Vec<u8>),
    ) {
        self.begin(out);
        out.extend_from_slice(b",\"choices\":[{\"index\":");
        json::write(out, &choice);
        out.extend_from_slice(b",\"delta\":{");
        if !self.begun.contains(&choice) {
            self.begun.push(choice);
            out.extend_from_slice(b"\"role\":\"assistant\",");
        }
        let before = out.len();
        fill(out);
        if out.len() == before && out.last() == Some(&b',') {
            out.pop();
        }
        out.extend_from_slice(b"},\"finish_reason\":");
        json::write(out, &finish.map(|(reason, _)| reason.name()));
        out.extend_from_slice(b",\"native_finish_reason\":");
        json::write(out, &finish.and_then(|(_, native)| native));
        if self.choice_members.0 == choice {
            self.choice_members.1.write(out);
        }
        out.extend_from_slice(b"}]}\n\n");
    }

    fn piece(&mut self, choice: u32, piece: &Piece, out: &mut Vec<u8>) {
        match piece {
            Piece::Text(text) => self.chunk(choice, None, out, |out| member(out, "content", text)),
            Piece::Refusal(text) => self.chunk(choice, None, out, |out| member(out, "refusal", text)),
            Piece::Reasoning(reasoning) => self.chunk(choice, None, out, |out| {
                if let Some(text) = shown(reasoning) {
                    member(out, "reasoning", text);
                    out.push(b',');
                }
                member(out, "reasoning_details", &[Detail::new(reasoning)]);
            }),
            Piece::ToolCall { index, id, name } => {
                let call = CallStart {
                    index: *index,
                    id,
                    kind: "function",
                    function: Name { name, arguments: "" },
                };
                self.chunk(choice, None, out, |out| member(out, "tool_calls", &[call]));
            }
            Piece::ToolArguments { index, json } => {
                let call = CallMore {
                    index: *index,
                    function: Arguments { arguments: json },
                };
                self.chunk(choice, None, out, |out| member(out, "tool_calls", &[call]));
            }
            Piece::Image { url } => self.chunk(choice, None, out, |out| {
                member(out, "images", &[ImageBody::new(url)])
            }),
            Piece::Annotation(raw) => self.chunk(choice, None, out, |out| {
                out.extend_from_slice(b"\"annotations\":[");
                raw_line(out, raw);
                out.push(b']');
            }),
            Piece::Other {
                place: Place::Message,
                name,
                value,
            } => {
                self.chunk(choice, None, out, |out| member_line(out, name, value));
            }
            Piece::Other {
                place: Place::Choice,
                name,
                value,
            } => {
                if self.choice_members.0 != choice || self.choice_members.1.is_full() {
                    self.flush_choice_members(out);
                    self.choice_members.0 = choice;
                }
                self.choice_members.1.set(name, value);
            }
            Piece::Other {
                place: Place::Response,
                name,
                value,
            } => {
                if self.response_members.is_full() {
                    self.bare_chunk(None, out);
                }
                self.response_members.set(name, value);
            }
        }
    }

    fn flush_choice_members(&mut self, out: &mut Vec<u8>) {
        if !self.choice_members.1.0.is_empty() {
            self.chunk(self.choice_members.0, None, out, |_| {});
        }
    }
}

#[derive(Serialize)]
struct CallStart<'a> {
    index: u32,
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Name<'a>,
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct CallMore<'a> {
    index: u32,
    function: Arguments<'a>,
}

#[derive(Serialize)]
struct Arguments<'a> {
    arguments: &'a str,
}

fn member<T: Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, value: &T) {
    json::write(out, name);
    out.push(b':');
    json::write(out, value);
}

/// Appends a value that may have line breaks between its tokens, on one line: a line break would end the `data:` line.
fn raw_line(out: &mut Vec<u8>, value: &RawValue) {
    let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
    out.extend(value.get().bytes().filter(|byte| !is_break(byte)));
}

fn member_line(out: &mut Vec<u8>, name: &str, value: &RawValue) {
    json::write(out, name);
    out.push(b':');
    raw_line(out, value);
}

impl Encoder for Stream {
    fn content_type(&self) -> &'static str {
        "text/event-stream"
    }

    fn delta(&mut self, delta: Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Start { .. } | Delta::Usage(_) => {}
            Delta::Piece { choice, piece } => self.piece(choice, &piece, out),
            Delta::Finish {
                choice,
                reason,
                native,
            } => {
                self.chunk(choice, Some((reason, native.as_deref())), out, |_| {});
            }
            Delta::Error(error) => self.error(&error, out),
        }
    }

    fn forward(&mut self, frame: &Frame<'_>, deltas: &[Delta], usage: Option<&Usage>, out: &mut Vec<u8>) {
        if self.done {
            return;
        }
        if frame.data == b"[DONE]" {
            self.show_usage(usage, out);
            self.done = true;
        }
        // Token counts are for callers who asked for them, as we always do.
        if deltas.iter().any(|delta| matches!(delta, Delta::Usage(_)))
            && let Ok(Members(members)) = serde_json::from_slice(frame.data)
        {
            let shows =
                |(name, raw): &(String, &RawValue)| name == "usage" && json::present(Some(raw)).is_some();
            if self.answer.include_usage {
                self.usage_shown |= members.iter().any(shows);
            } else if members.iter().any(shows) {
                let means_more = deltas.iter().any(|delta| !matches!(delta, Delta::Usage(_)));
                if means_more {
                    without_usage(&members, out);
                }
                return;
            }
        }
        let end = frame
            .raw
            .iter()
            .rposition(|byte| !matches!(byte, b'\n' | b'\r'))
            .map_or(0, |at| at + 1);
        out.extend_from_slice(frame.raw.get(..end).unwrap_or_default());
        out.extend_from_slice(b"\n\n");
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        self.begin(out);
        out.push(b',');
        member(out, "error", &ErrorBody::new(error, &[]));
        out.extend_from_slice(
            b",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}\n\n",
        );
    }

    fn finish(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        self.flush_choice_members(out);
        self.show_usage(usage, out);
        if !self.response_members.0.is_empty() {
            self.bare_chunk(None, out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

impl Stream {
    /// Writes the chunk of token counts, if the caller asked for it and has not seen the provider's.
    fn show_usage(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        if self.answer.include_usage
            && !self.usage_shown
            && let Some(usage) = usage
        {
            self.bare_chunk(Some(usage), out);
        }
    }
}

/// Writes a provider's chunk anew, but for its token counts.
fn without_usage(members: &[(String, &RawValue)], out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: {");
    let others = members.iter().filter(|(name, _)| name != "usage");
    for (at, (name, raw)) in others.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        member_line(out, name, raw);
    }
    out.extend_from_slice(b"}\n\n");
}

/// Writes one `chat.completion`.
#[derive(Debug)]
struct Buffered {
    answer: Answer,
    folded: Folded,
    done: bool,
}

impl Buffered {
    fn new(answer: Answer) -> Self {
        Self {
            answer,
            folded: Folded::default(),
            done: false,
        }
    }
}

impl Encoder for Buffered {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn held(&self) -> usize {
        self.folded.weight()
    }

    fn delta(&mut self, delta: Delta, _out: &mut Vec<u8>) {
        self.folded.push(delta);
    }

    fn forward(&mut self, frame: &Frame<'_>, _: &[Delta], _: Option<&Usage>, out: &mut Vec<u8>) {
        self.done = true;
        out.extend_from_slice(frame.raw);
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.done, true) {
            out.extend_from_slice(&OpenAiChat.error(error, &[]));
        }
    }

    fn finish(&mut self, usage: Option<&Usage>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        json::write(out, &Head::new(&self.answer, "chat.completion"));
        out.pop();
        out.extend_from_slice(b",\"choices\":[");
        for (at, (index, choice)) in self.folded.choices.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_choice(*index, choice, out);
        }
        out.push(b']');
        for (name, value) in self.folded.others.members() {
            out.push(b',');
            member(out, name, value);
        }
        if let Some(usage) = usage {
            out.push(b',');
            member(out, "usage", &UsageBody::from(usage));
        }
        out.push(b'}');
    }
}

#[derive(Serialize)]
struct WholeCall<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Name<'a>,
}

#[derive(Serialize)]
struct WholeMessage<'a> {
    role: &'static str,
    content: Option<&'a str>,
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<Detail<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WholeCall<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<ImageBody<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    annotations: &'a [Box<RawValue>],
}

fn write_choice(index: u32, choice: &FoldedChoice, out: &mut Vec<u8>) {
    let reasoning: String = choice
        .reasoning
        .iter()
        .filter_map(shown)
        .map(String::as_str)
        .collect();
    let message = WholeMessage {
        role: "assistant",
        // A message that only calls tools or refuses has no content; an empty answer has an empty one.
        content: (!choice.text.is_empty() || (choice.calls.is_empty() && choice.refusal.is_empty()))
            .then_some(choice.text.as_str()),
        refusal: (!choice.refusal.is_empty()).then_some(choice.refusal.as_str()),
        reasoning: (!reasoning.is_empty()).then_some(reasoning),
        reasoning_details: details(&choice.reasoning),
        tool_calls: choice
            .calls
            .values()
            .map(|call| WholeCall {
                id: &call.id,
                kind: "function",
                function: Name {
                    name: &call.name,
                    arguments: &call.arguments,
                },
            })
            .collect(),
        images: choice.images.iter().map(|url| ImageBody::new(url)).collect(),
        annotations: &choice.annotations,
    };
    out.extend_from_slice(b"{\"index\":");
    json::write(out, &index);
    out.extend_from_slice(b",\"message\":");
    json::write(out, &message);
    for (name, value) in choice.message_others.members() {
        // The message is an object with members: another goes before its brace.
        out.pop();
        out.push(b',');
        member(out, name, value);
        out.push(b'}');
    }
    let (reason, native) = match &choice.finish {
        Some((reason, native)) => (Some(reason.name()), native.as_deref()),
        None => (None, None),
    };
    out.extend_from_slice(b",\"finish_reason\":");
    json::write(out, &reason);
    out.extend_from_slice(b",\"native_finish_reason\":");
    json::write(out, &native);
    out.extend_from_slice(b",\"logprobs\":");
    json::write(out, &choice.joined_logprobs());
    for (name, value) in choice.others.members() {
        out.push(b',');
        member(out, name, value);
    }
    out.push(b'}');
}

/// The blocks of thinking; a block's signature stands in the same entry as its text.
fn details(reasoning: &[Reasoning]) -> Vec<Detail<'_>> {
    let mut details: Vec<Detail<'_>> = Vec::with_capacity(reasoning.len());
    for piece in reasoning {
        match (piece, details.last_mut()) {
            (Reasoning::Signature { index, signature, .. }, Some(last))
                if last.index == *index && last.text.is_some() =>
            {
                last.signature = Some(signature);
            }
            _ => details.push(Detail::new(piece)),
        }
    }
    details
}
