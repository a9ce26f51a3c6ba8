//! What Gemini's words and counts mean: <https://ai.google.dev/api/generate-content#generatecontentresponse>.

use crate::chat::{Finish, UsageReport};
use crate::json::Members;
use serde_json::value::RawValue;

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
