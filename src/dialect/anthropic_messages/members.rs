//! What becomes of every member of a request in the dialects that write a body of their own.
//!
//! A member is read by the encoder, or named here as one that cannot be carried and is dropped by policy, or not known
//! at all: then it is the provider's own and is handed on as it came.

use crate::chat::Request;
use serde_json::value::RawValue;

/// What the encoders read.
const READ: &[&str] = &[
    "cache_control",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "n",
    "parallel_tool_calls",
    "reasoning",
    "reasoning_effort",
    "response_format",
    "service_tier",
    "stop",
    "stream",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
    "user",
    "verbosity",
];

/// What neither Anthropic's nor Bedrock's API has a place for, and their own names for what the unified form says in
/// another way. Routing with `require_parameters` keeps a request that
/// needs one of them away from such endpoints; otherwise they are dropped, as OpenRouter does.
const DROPPED: &[&str] = &[
    "audio",
    "debug",
    "frequency_penalty",
    "function_call",
    "functions",
    "image_config",
    "include_reasoning",
    "logit_bias",
    "logprobs",
    "max_tool_calls",
    "metadata",
    "min_p",
    "modalities",
    "models",
    "moderation",
    "output_config",
    "plugins",
    "prediction",
    "presence_penalty",
    "preset",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "provider",
    "repetition_penalty",
    "route",
    "safety_identifier",
    "seed",
    "session_id",
    "stop_sequences",
    "stop_server_tools_when",
    "store",
    "stream_options",
    "system",
    "thinking",
    "top_a",
    "top_logprobs",
    "trace",
    "transforms",
    "usage",
    "web_search_options",
    "x_search_filter",
];

/// The members that are neither read nor dropped.
pub(in crate::dialect) fn unknown(request: &Request) -> impl Iterator<Item = (&str, &RawValue)> {
    outside(request, [READ, DROPPED])
}

/// The members that are in none of these tables.
pub(in crate::dialect) fn outside<'a>(
    request: &'a Request,
    tables: [&'static [&'static str]; 2],
) -> impl Iterator<Item = (&'a str, &'a RawValue)> {
    request
        .members()
        .filter(move |(name, text)| !tables.iter().any(|table| table.contains(name)) && *text != "null")
        // The text of a member has been parsed once: it is JSON.
        .filter_map(|(name, text)| Some((name, serde_json::from_str(text).ok()?)))
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

    #[test]
    fn only_unknown_members_are_handed_on() {
        let text = br#"{"model":"m","seed":1,"container":{"id": "c"},"x":null}"#;
        let request = Request::parse(text.to_vec()).unwrap();
        let rest: Vec<_> = unknown(&request).map(|(name, raw)| (name, raw.get())).collect();
        assert_eq!(rest, [("container", r#"{"id": "c"}"#)]);
    }
}
