//! `openai-chat` and `openai-completions`, the client side, with OpenRouter's additions: `provider`, `native_finish_reason`, `reasoning`,
//! `reasoning_details`, `images`, `annotations`, and errors inside a stream.
//!
//! Shapes: <https://platform.openai.com/docs/api-reference/chat>, <https://openrouter.ai/docs/api-reference/streaming>.

mod buffered;
mod mend;
mod stream;
mod usage;

use super::{Answer, ClientDialect, Encoder};
use crate::chat::{Format, Operation, Reasoning};
use crate::error::{Availability, Error, Excluded, PreviousError, Routed};
use crate::json::{self, Members};
use buffered::Buffered;
use serde::Serialize;
use std::collections::BTreeMap;
use stream::Stream;
use usage::UsageBody;
pub(super) use usage::{charge, priced};

/// The client side of `openai-chat`.
#[derive(Debug)]
pub(super) struct OpenAiChat;

/// The client side of `openai-completions`.
#[derive(Debug)]
pub(super) struct OpenAiCompletions;

impl ClientDialect for OpenAiChat {
    fn name(&self) -> &'static str {
        crate::dialect::openai_chat::NAME
    }

    fn operation(&self) -> Operation {
        Operation::Chat
    }

    fn encoder(&self, answer: Answer) -> Box<dyn Encoder> {
        encoder(answer, Form::Chat)
    }

    fn error(&self, error: &Error, previous: &[PreviousError]) -> Vec<u8> {
        error_body(error, previous)
    }
}

impl ClientDialect for OpenAiCompletions {
    fn name(&self) -> &'static str {
        crate::dialect::openai_chat::COMPLETIONS
    }

    fn operation(&self) -> Operation {
        Operation::Completions
    }

    fn encoder(&self, answer: Answer) -> Box<dyn Encoder> {
        encoder(answer, Form::Completion)
    }

    fn error(&self, error: &Error, previous: &[PreviousError]) -> Vec<u8> {
        error_body(error, previous)
    }
}

/// Which of the two forms an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Choices with a message.
    Chat,
    /// Choices with a text. Nothing else ever comes of such a provider.
    Completion,
}

impl Form {
    /// The `object` of a whole answer.
    const fn whole(self) -> &'static str {
        match self {
            Self::Chat => "chat.completion",
            Self::Completion => "text_completion",
        }
    }

    /// The `object` of a chunk.
    const fn chunk(self) -> &'static str {
        match self {
            Self::Chat => "chat.completion.chunk",
            Self::Completion => "text_completion",
        }
    }

    /// The member that holds the text.
    const fn text(self) -> &'static str {
        match self {
            Self::Chat => "content",
            Self::Completion => "text",
        }
    }
}

fn encoder(answer: Answer, form: Form) -> Box<dyn Encoder> {
    if answer.stream {
        Box::new(Stream::new(answer, form))
    } else {
        Box::new(Buffered::new(answer, form))
    }
}

/// OpenRouter's name for how a request was routed.
const METADATA: &str = "openrouter_metadata";

/// The body of an answer that is nothing but an error: the same for all operations.
pub(super) fn error_body(error: &Error, previous: &[PreviousError]) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        error: ErrorBody<'a>,
    }
    let mut body = json::to_vec(&Body {
        error: ErrorBody::new(error, previous),
    });
    if let Some(Routed(routed)) = error.metadata.as_deref() {
        body.pop();
        metadata(&mut body, Some(routed));
        body.push(b'}');
    }
    body
}

/// Appends how the request was routed to the members of an answer or an error, if its caller wants to see it.
pub(super) fn metadata(out: &mut Vec<u8>, metadata: Option<&str>) {
    if let Some(metadata) = metadata {
        json::member(out, METADATA, |out| out.extend_from_slice(metadata.as_bytes()));
    }
}

/// The same for an answer of a provider's that was passed on.
pub(super) fn add_metadata(out: &mut Vec<u8>, added: Option<&str>) {
    if added.is_none() {
        return;
    }
    let body = std::mem::take(out);
    match Members::of_bytes(&body) {
        Some(members) => {
            // Who is a gateway too may have one of its own.
            let others = members.iter().filter(|(name, _)| &**name != METADATA);
            json::object(out, others, &mut |out, _, raw| json::write(out, raw));
            out.pop();
            metadata(out, added);
            out.push(b'}');
        }
        None => *out = body,
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: u16,
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    availability: Option<AvailabilityBody<'a>>,
}

/// OpenRouter's members, and beside them every endpoint with what excludes it.
#[derive(Serialize)]
struct AvailabilityBody<'a> {
    code: &'static str,
    retryable: bool,
    requested_models: &'a [String],
    affected_providers: Vec<&'a str>,
    excluded_by: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    constraint: Option<Constraint<'a>>,
    endpoints: &'a [Excluded],
}

/// One of them, for who looks at one.
#[derive(Serialize)]
struct Constraint<'a> {
    field: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_by: Option<&'a str>,
    detail: &'a str,
}

impl<'a> AvailabilityBody<'a> {
    fn new(availability: &'a Availability) -> Self {
        let endpoints = availability.endpoints.as_slice();
        let mut affected_providers: Vec<_> = endpoints.iter().map(|one| one.provider.as_str()).collect();
        let mut excluded_by: Vec<_> = endpoints.iter().map(|one| one.excluded_by).collect();
        affected_providers.sort_unstable();
        affected_providers.dedup();
        excluded_by.sort_unstable();
        excluded_by.dedup();
        Self {
            code: availability.code,
            // The same request would be refused again.
            retryable: false,
            requested_models: &availability.requested_models,
            affected_providers,
            excluded_by,
            constraint: endpoints.first().map(|one| Constraint {
                field: &one.field,
                set_by: one.set_by.as_deref(),
                detail: &one.detail,
            }),
            endpoints,
        }
    }
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
    /// The headers of a limit of ours, for clients that show nothing but the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<&'static str, String>>,
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
                headers: error.rate_limit.as_ref().map(|limit| limit.headers().into()),
            },
            availability: error.availability.as_deref().map(AvailabilityBody::new),
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

/// What a tool call calls.
#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
    arguments: &'a str,
}

pub(super) fn member<T: Serialize + ?Sized>(out: &mut Vec<u8>, name: &str, value: &T) {
    json::write(out, name);
    out.push(b':');
    json::write(out, value);
}
