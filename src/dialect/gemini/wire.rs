//! What Gemini sends, as it stands on the wire: <https://ai.google.dev/api/generate-content#generatecontentresponse>.
//!
//! Everything borrows from the frame. What does not come with every frame is left raw.

use crate::chat::{Finish, UsageReport};
use crate::json::{Count, Members, Str};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A response, or a frame of one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response<'a> {
    #[serde(borrow)]
    pub(super) candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow)]
    pub(super) prompt_feedback: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) usage_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) model_version: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) response_id: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// A choice.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    pub(super) index: Option<Count>,
    #[serde(borrow)]
    pub(super) content: Option<Content<'a>>,
    #[serde(borrow)]
    pub(super) finish_reason: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) grounding_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) logprobs_result: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Content<'a> {
    #[serde(borrow)]
    pub(super) parts: Option<Vec<Part<'a>>>,
}

/// A piece of a choice's message. Parts of other kinds (code that Google runs) have none of these members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Str<'a>>,
    pub(super) thought: Option<bool>,
    #[serde(borrow)]
    pub(super) thought_signature: Option<Str<'a>>,
    #[serde(borrow)]
    pub(super) function_call: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) inline_data: Option<&'a RawValue>,
}

/// The counts of this frame, which are those of everything until now. What Google's own tools put into the prompt is
/// counted apart and belongs to it: the total has it.
pub(super) fn usage(raw: &RawValue) -> UsageReport {
    let members = Members::of(raw);
    let tools = members.count("toolUsePromptTokenCount").unwrap_or(0);
    UsageReport {
        input: members
            .count("promptTokenCount")
            .map(|count| count.saturating_add(tools)),
        output: members.count("candidatesTokenCount"),
        cache_read: members.count("cachedContentTokenCount"),
        reasoning: members.count("thoughtsTokenCount"),
        ..UsageReport::default()
    }
}

/// The unified word for a `finishReason`. One that is not known yet is a plain end; its own word goes along.
pub(super) fn finish(reason: &str, called: bool) -> Finish {
    match reason {
        "MAX_TOKENS" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR" => Finish::ContentFilter,
        "MALFORMED_FUNCTION_CALL"
        | "MALFORMED_RESPONSE"
        | "MISSING_THOUGHT_SIGNATURE"
        | "TOO_MANY_TOOL_CALLS"
        | "UNEXPECTED_TOOL_CALL" => Finish::Error,
        _ if called => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}
