//! The shapes of answers, as leniently as they come: every member may be absent or null.

use crate::chat::{ReasoningDetail, UsageReport};
use crate::json::{Count, Listed, Str};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A whole answer, or one chunk of a stream.
#[derive(Deserialize)]
pub(super) struct Response<'a> {
    #[serde(borrow)]
    pub(super) object: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) model: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) choices: Option<Listed<'a>>,
    pub(super) usage: Option<Usage>,
    /// Groq's place for the usage of a stream.
    pub(super) x_groq: Option<XGroq>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct XGroq {
    pub(super) usage: Option<Usage>,
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    pub(super) index: Option<u32>,
    #[serde(borrow)]
    pub(super) delta: Option<&'a RawValue>,
    /// The whole message of a buffered answer. Perplexity repeats what was said so far in it beside every delta:
    /// perplexityai/api-discussion#175.
    #[serde(borrow)]
    pub(super) message: Option<&'a RawValue>,
    /// A completion's text.
    #[serde(borrow)]
    pub(super) text: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) native_finish_reason: Option<Str<'a>>,
    /// OpenRouter's place for what cut this choice short.
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    /// Moonshot's place for the usage of a stream.
    #[serde(borrow)]
    pub(super) usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) refusal: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) reasoning: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) reasoning_content: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) reasoning_details: Option<Vec<ReasoningDetail<'a>>>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<ToolCall<'a>>>,
    #[serde(borrow)]
    pub(super) images: Option<Vec<Image<'a>>>,
    #[serde(borrow)]
    pub(super) annotations: Option<Listed<'a>>,
}

/// The members of [`Choice`] and [`Message`] that are understood; all others are passed on as they are.
pub(super) const CHOICE_MEMBERS: &[&str] = &[
    "index",
    "delta",
    "message",
    "finish_reason",
    "native_finish_reason",
    "usage",
    "error",
];
/// The same, of a completion's choice.
pub(super) const COMPLETION_MEMBERS: &[&str] =
    &["index", "text", "finish_reason", "native_finish_reason", "error"];
pub(super) const MESSAGE_MEMBERS: &[&str] = &[
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
pub(super) const RESPONSE_MEMBERS: &[&str] = &[
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
pub(super) struct ToolCall<'a> {
    pub(super) index: Option<u32>,
    #[serde(borrow)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) function: Option<Function<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Image<'a> {
    #[serde(borrow)]
    pub(super) image_url: ImageUrl<'a>,
}

#[derive(Deserialize)]
pub(super) struct ImageUrl<'a> {
    #[serde(borrow)]
    pub(super) url: Str<'a>,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct Usage {
    pub(super) prompt_tokens: Option<Count>,
    pub(super) completion_tokens: Option<Count>,
    pub(super) total_tokens: Option<Count>,
    pub(super) prompt_tokens_details: Option<PromptDetails>,
    pub(super) completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's name for cached tokens.
    pub(super) prompt_cache_hit_tokens: Option<Count>,
    /// Where DeepSeek on Azure has its thinking tokens.
    pub(super) reasoning_tokens: Option<Count>,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct PromptDetails {
    pub(super) cached_tokens: Option<Count>,
    pub(super) cache_write_tokens: Option<Count>,
    pub(super) audio_tokens: Option<Count>,
    pub(super) image_tokens: Option<Count>,
}

#[derive(Clone, Copy, Deserialize)]
pub(super) struct CompletionDetails {
    pub(super) reasoning_tokens: Option<Count>,
    pub(super) audio_tokens: Option<Count>,
    pub(super) image_tokens: Option<Count>,
}

impl From<Usage> for UsageReport {
    fn from(usage: Usage) -> Self {
        let count = |count: Option<Count>| count.map(|count| count.0);
        let prompt = usage.prompt_tokens_details;
        let completion = usage.completion_tokens_details;
        let input = count(usage.prompt_tokens);
        let reasoning = completion.and_then(|details| details.reasoning_tokens);
        let reasoning = count(reasoning.or(usage.reasoning_tokens));
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
            audio_input: count(prompt.and_then(|details| details.audio_tokens)),
            audio_output: count(completion.and_then(|details| details.audio_tokens)),
            image_input: count(prompt.and_then(|details| details.image_tokens)),
            image_output: count(completion.and_then(|details| details.image_tokens)),
        }
    }
}
