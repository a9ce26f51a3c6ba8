//! What Gemini's words and counts mean: <https://ai.google.dev/api/generate-content#generatecontentresponse>.

use crate::chat::{Finish, UsageReport};
use crate::json::Members;
use serde_json::value::RawValue;

/// The counts of this frame, which are those of everything until now. What Google's own tools put into the prompt is
/// counted apart and belongs to it: the total has it.
pub(super) fn usage(raw: &RawValue) -> UsageReport {
    let members = Members::of(raw);
    let tools = members.count("toolUsePromptTokenCount").unwrap_or(0);
    // What of it is audio or an image, of tokens that did not come from a cache.
    let prompt = |modality| {
        let cached = tokens_of(&members, "cacheTokensDetails", modality).unwrap_or(0);
        tokens_of(&members, "promptTokensDetails", modality).map(|count| count.saturating_sub(cached))
    };
    UsageReport {
        input: members
            .count("promptTokenCount")
            .map(|count| count.saturating_add(tools)),
        output: members.count("candidatesTokenCount"),
        cache_read: members.count("cachedContentTokenCount"),
        reasoning: members.count("thoughtsTokenCount"),
        audio_input: prompt("AUDIO"),
        audio_output: tokens_of(&members, "candidatesTokensDetails", "AUDIO"),
        image_input: prompt("IMAGE"),
        image_output: tokens_of(&members, "candidatesTokensDetails", "IMAGE"),
        ..UsageReport::default()
    }
}

/// The count of one modality in a list of `{"modality": …, "tokenCount": …}`.
fn tokens_of(members: &Members<'_>, list: &str, modality: &str) -> Option<u64> {
    members.objects(list).find_map(|item| {
        let item = Members::of(item);
        let same = item.text("modality").is_some_and(|name| &*name == modality);
        same.then(|| item.count("tokenCount")).flatten()
    })
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
