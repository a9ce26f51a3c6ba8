//! What Converse sends, as it stands on the wire:
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>.
//!
//! Everything borrows from the frame. Members that are not named here, the padding `p` among them, are passed over.

use crate::chat::{Finish, UsageReport};
use crate::json::{Listed, Str};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The payload of `contentBlockStart`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockStart<'a> {
    #[serde(default)]
    pub(super) content_block_index: u32,
    #[serde(borrow)]
    pub(super) start: Option<Start<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start<'a> {
    #[serde(borrow)]
    pub(super) tool_use: Option<ToolUse<'a>>,
    #[serde(borrow)]
    pub(super) image: Option<ImageStart<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ImageStart<'a> {
    #[serde(borrow)]
    pub(super) format: Str<'a>,
}

/// A call: its beginning in a stream, or all of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolUse<'a> {
    #[serde(borrow, default)]
    pub(super) tool_use_id: Str<'a>,
    #[serde(borrow, default)]
    pub(super) name: Str<'a>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
    /// `server_tool_use` where Bedrock runs the tool itself.
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Str<'a>>,
}

/// The payload of `contentBlockDelta`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockDelta<'a> {
    #[serde(default)]
    pub(super) content_block_index: u32,
    #[serde(borrow)]
    pub(super) delta: Option<Change<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Change<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) tool_use: Option<Input<'a>>,
    #[serde(borrow)]
    pub(super) reasoning_content: Option<Thought<'a>>,
    #[serde(borrow)]
    pub(super) citation: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) image: Option<ImageDelta<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Input<'a> {
    #[serde(borrow)]
    pub(super) input: Option<Str<'a>>,
}

/// A piece of thinking; whole, its text and signature stand one level deeper.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Thought<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) redacted_content: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) reasoning_text: Option<ThoughtText<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ThoughtText<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) signature: Option<Str<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ImageDelta<'a> {
    #[serde(borrow)]
    pub(super) source: Option<ImageSource<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ImageSource<'a> {
    #[serde(borrow)]
    pub(super) bytes: Option<Str<'a>>,
}

/// The payload of `contentBlockStop`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockStop {
    #[serde(default)]
    pub(super) content_block_index: u32,
}

/// The payload of `messageStop`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageStop<'a> {
    #[serde(borrow, default)]
    pub(super) stop_reason: Str<'a>,
}

/// The payload of `metadata`.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) usage: Option<Usage>,
}

/// A buffered response.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response<'a> {
    #[serde(borrow)]
    pub(super) output: Option<Output<'a>>,
    #[serde(borrow)]
    pub(super) stop_reason: Option<Str<'a>>,
    pub(super) usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Output<'a> {
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow, default)]
    pub(super) content: Vec<Block<'a>>,
}

/// A block of a buffered message: exactly one of its members stands there.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Block<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) tool_use: Option<ToolUse<'a>>,
    #[serde(borrow)]
    pub(super) reasoning_content: Option<Thought<'a>>,
    #[serde(borrow)]
    pub(super) citations_content: Option<CitedText<'a>>,
    #[serde(borrow)]
    pub(super) image: Option<Image<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Image<'a> {
    #[serde(borrow, default)]
    pub(super) format: Str<'a>,
    #[serde(borrow)]
    pub(super) source: Option<ImageSource<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CitedText<'a> {
    #[serde(borrow, default)]
    pub(super) content: Vec<Generated<'a>>,
    #[serde(borrow, default)]
    pub(super) citations: Listed<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Generated<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Str<'a>>,
}

/// Token counts of the whole response.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Usage {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
    #[serde(default)]
    cache_details: Option<Vec<CacheDetail>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CacheDetail {
    ttl: Option<String>,
    input_tokens: Option<u64>,
}

impl Usage {
    pub(super) fn report(&self) -> UsageReport {
        let written_1h = |details: &Vec<CacheDetail>| {
            let hours = details
                .iter()
                .filter(|detail| detail.ttl.as_deref() == Some("1h"));
            hours
                .filter_map(|detail| detail.input_tokens)
                .fold(0, u64::saturating_add)
        };
        UsageReport {
            input: self.input_tokens,
            output: self.output_tokens,
            cache_read: self.cache_read_input_tokens,
            cache_write: self.cache_write_input_tokens,
            cache_write_1h: self.cache_details.as_ref().map(written_1h),
            ..UsageReport::default()
        }
    }
}

/// The unified word for a `stopReason`. One that is not known yet is a plain end; its own word goes along.
pub(super) fn finish(stop_reason: &str) -> Finish {
    match stop_reason {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "guardrail_intervened" | "content_filtered" => Finish::ContentFilter,
        "malformed_model_output" | "malformed_tool_use" => Finish::Error,
        _ => Finish::Stop,
    }
}
