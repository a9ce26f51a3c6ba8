//! What Anthropic sends, as it stands on the wire: <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.
//!
//! Everything borrows from the frame. What comes once a block (`message`, `content_block`) is left raw until it is known
//! to be of a kind that matters, so that an unknown kind with members of other types is no error.

use crate::chat::{Finish, UsageReport};
use crate::json::{Listed, Str};
use serde::Deserialize;
use serde_json::value::RawValue;

/// One event of a stream, of any type.
#[derive(Debug, Deserialize)]
pub(super) struct Event<'a> {
    #[serde(borrow, rename = "type", default)]
    pub(super) kind: Str<'a>,
    pub(super) index: Option<u32>,
    #[serde(borrow)]
    pub(super) message: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) content_block: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) delta: Option<BlockDelta<'a>>,
    #[serde(borrow)]
    pub(super) usage: Option<Usage<'a>>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// The `delta` of `content_block_delta`, and of `message_delta`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct BlockDelta<'a> {
    #[serde(borrow, rename = "type", default)]
    pub(super) kind: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) text: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) partial_json: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) citation: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<Str<'a>>,
}

/// A whole message: a buffered response, or the beginning of a stream.
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) model: Option<Str<'a>>,
    #[serde(borrow, default)]
    pub(super) content: Option<Listed<'a>>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) usage: Option<Usage<'a>>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// The type of a block.
#[derive(Debug, Deserialize)]
pub(super) struct BlockKind<'a> {
    #[serde(borrow, rename = "type", default)]
    pub(super) kind: Str<'a>,
}

/// A block of one of the types that matter.
#[derive(Debug, Deserialize)]
pub(super) struct Block<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) citations: Option<Listed<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) data: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) name: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
}

/// Where a sentence was taken from. Only sources on the web have an address.
#[derive(Debug, Deserialize)]
pub(super) struct Citation<'a> {
    #[serde(borrow)]
    pub(super) url: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) title: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) cited_text: Option<Str<'a>>,
}

/// Token counts: cumulative, and those of `message_delta` correct those of `message_start`.
#[derive(Debug, Deserialize)]
pub(super) struct Usage<'a> {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation: Option<CacheCreation>,
    output_tokens_details: Option<OutputDetails>,
    #[serde(borrow)]
    pub(super) server_tool_use: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct CacheCreation {
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

impl Usage<'_> {
    /// The counts of this frame. A bare zero for the prompt is no correction: compatible servers fill the member so.
    pub(super) fn report(&self, first: bool) -> UsageReport {
        let cached = [self.cache_creation_input_tokens, self.cache_read_input_tokens];
        let blank = !first && !cached.iter().any(|count| count.is_some_and(|count| count > 0));
        let correction = |count: Option<u64>| count.filter(|count| *count > 0 || !blank);
        UsageReport {
            input: correction(self.input_tokens),
            output: self.output_tokens,
            cache_read: correction(self.cache_read_input_tokens),
            cache_write: correction(self.cache_creation_input_tokens),
            cache_write_1h: self
                .cache_creation
                .as_ref()
                .and_then(|created| created.ephemeral_1h_input_tokens),
            reasoning: self
                .output_tokens_details
                .as_ref()
                .and_then(|details| details.thinking_tokens),
            ..UsageReport::default()
        }
    }
}

/// The unified word for a `stop_reason`. One that is not known yet is a plain end; its own word goes along.
pub(super) fn finish(stop_reason: &str) -> Finish {
    match stop_reason {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::ContentFilter,
        _ => Finish::Stop,
    }
}
