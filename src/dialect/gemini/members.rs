//! What becomes of every member of a request in Gemini's form. See the tables of Anthropic's for what they mean.

use crate::chat::Request;
use crate::dialect::anthropic_messages::members::outside;
use serde_json::value::RawValue;

/// What the encoder reads.
const READ: &[&str] = &[
    "frequency_penalty",
    "image_config",
    "include_reasoning",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "modalities",
    "model",
    "n",
    "presence_penalty",
    "reasoning",
    "reasoning_effort",
    "response_format",
    "seed",
    "service_tier",
    "stop",
    "stream",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
];

/// What Gemini's API has no place for, and its own names for what the unified form says in another way. Routing with
/// `require_parameters` keeps a request that needs one of them away from such endpoints; otherwise they are dropped, as
/// OpenRouter does. Prompts are cached without being asked, so `cache_control` has nothing to say.
const DROPPED: &[&str] = &[
    "audio",
    "cache_control",
    "contents",
    "debug",
    "function_call",
    "functions",
    "generationConfig",
    "logit_bias",
    "max_tool_calls",
    "metadata",
    "min_p",
    "models",
    "moderation",
    "parallel_tool_calls",
    "plugins",
    "prediction",
    "preset",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "provider",
    "repetition_penalty",
    "route",
    "safety_identifier",
    "session_id",
    "stop_server_tools_when",
    "store",
    "stream_options",
    "systemInstruction",
    "toolConfig",
    "top_a",
    "trace",
    "transforms",
    "usage",
    "user",
    "verbosity",
    "web_search_options",
    "x_search_filter",
];

/// The members of `generationConfig` that the unified form has no word for.
const CONFIG: &[&str] = &["enableEnhancedCivicAnswers", "mediaResolution", "speechConfig"];

/// The members that are neither read nor dropped: first those of `generationConfig`, then all others.
pub(super) type Native<'a> = Vec<(&'a str, &'a RawValue)>;

pub(super) fn native(request: &Request) -> (Native<'_>, Native<'_>) {
    outside(request, [READ, DROPPED]).partition(|(name, _)| CONFIG.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn no_member_is_both_read_and_dropped() {
        assert!(READ.is_sorted() && DROPPED.is_sorted());
        assert!(!READ.iter().any(|name| DROPPED.contains(name)));
    }
}
