//! What a caller may ask for in a request: every parameter and every kind of content that OpenAI and OpenRouter document,
//! each with a small sample. From this one list follow which members a dialect may not hand on as the provider's own, what
//! `provider.require_parameters` looks for, and the tests of [`gaps`](super::gaps).
//!
//! What the gateway does itself, whatever the dialect, is in [`GATEWAY`] instead.
//!
//! A name is the path of a member (`reasoning.effort`), with a value behind `: ` where only that value is meant
//! (`tool_choice: none`).
//!
//! Sources: <https://platform.openai.com/docs/api-reference/chat/create>,
//! <https://openrouter.ai/docs/api-reference/parameters>.

use crate::chat::{Operation, Request};
use crate::error::Error;
use crate::json::{self, Members, Shape};
use serde_json::value::RawValue;

/// Members that speak to the gateway, or of which it takes care itself.
pub(super) const GATEWAY: &[&str] = &[
    "debug",
    "include_reasoning",
    "messages",
    "model",
    "models",
    "plugins",
    "preset",
    "provider",
    "route",
    "session_id",
    "stop_server_tools_when",
    "stream",
    "stream_options",
    "trace",
    "transforms",
    "usage",
];

/// One thing that a caller may ask for.
#[derive(Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// In a request for what.
    operation: Operation,
    /// A request without it.
    base: &'static str,
    /// What the request with it has more, or has otherwise.
    sample: &'static str,
    /// The JSON of a value that asks for nothing; empty where there is none.
    neutral: &'static str,
}

const TALK: &str = r#"{"messages":[{"role":"user","content":"Hi."}]}"#;
const PART: &str = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi."}]}]}"#;
const IMAGE: &str = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi."},{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}}]}]}"#;
const PDF: &str = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi."},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,QQ=="}}]}]}"#;
const TURNS: &str = r#"{"messages":[{"role":"user","content":"Hi."},{"role":"assistant","content":"Hi."},{"role":"user","content":"Hi."}]}"#;
const TOOLS: &str = r#"{"messages":[{"role":"user","content":"Hi."}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"x":{"type":"string"}},"required":["x"]}}}],"tool_choice":"auto"}"#;

const fn over(base: &'static str, name: &'static str, sample: &'static str) -> Feature {
    Feature {
        name,
        operation: Operation::Chat,
        base,
        sample,
        neutral: "",
    }
}

const fn parameter(name: &'static str, sample: &'static str) -> Feature {
    over(TALK, name, sample)
}

const fn of_completions(name: &'static str, sample: &'static str) -> Feature {
    Feature {
        operation: Operation::Completions,
        ..over(r#"{"prompt":"Hi."}"#, name, sample)
    }
}

const fn of_embeddings(name: &'static str, sample: &'static str) -> Feature {
    Feature {
        operation: Operation::Embeddings,
        ..over(r#"{"input":"Hi."}"#, name, sample)
    }
}

impl Feature {
    const fn neutral(self, neutral: &'static str) -> Self {
        Self { neutral, ..self }
    }
}

/// All of them.
#[rustfmt::skip] // One feature, one line.
pub static FEATURES: &[Feature] = &[
    // How much, and with which chances.
    parameter("max_tokens", r#"{"max_tokens":77}"#),
    parameter("max_completion_tokens", r#"{"max_completion_tokens":77}"#),
    parameter("temperature", r#"{"temperature":0.3}"#),
    parameter("top_p", r#"{"top_p":0.97}"#),
    parameter("top_k", r#"{"top_k":5}"#).neutral("0"),
    parameter("top_a", r#"{"top_a":0.2}"#).neutral("0"),
    parameter("min_p", r#"{"min_p":0.1}"#).neutral("0"),
    parameter("frequency_penalty", r#"{"frequency_penalty":0.5}"#).neutral("0"),
    parameter("presence_penalty", r#"{"presence_penalty":0.5}"#).neutral("0"),
    parameter("repetition_penalty", r#"{"repetition_penalty":1.1}"#).neutral("1"),
    parameter("logit_bias", r#"{"logit_bias":{"50":10}}"#).neutral("{}"),
    parameter("seed", r#"{"seed":7}"#),
    parameter("stop", r#"{"stop":["END"]}"#).neutral("[]"),
    parameter("n", r#"{"n":2}"#).neutral("1"),
    parameter("logprobs", r#"{"logprobs":true}"#).neutral("false"),
    over(r#"{"messages":[{"role":"user","content":"Hi."}],"logprobs":true}"#, "top_logprobs", r#"{"top_logprobs":3}"#).neutral("0"),
    parameter("prediction", r#"{"prediction":{"type":"content","content":"Hi."}}"#),
    // The form of the answer.
    parameter("response_format: json_object", r#"{"response_format":{"type":"json_object"}}"#),
    parameter("response_format: json_schema", r#"{"response_format":{"type":"json_schema","json_schema":{"name":"s","strict":true,"schema":{"type":"object","properties":{},"additionalProperties":false}}}}"#),
    parameter("response_format: grammar", r#"{"response_format":{"type":"grammar","grammar":"root ::= \"a\""}}"#),
    parameter("verbosity", r#"{"verbosity":"low"}"#),
    parameter("modalities: image", r#"{"modalities":["image","text"]}"#),
    parameter("modalities: audio", r#"{"modalities":["audio","text"]}"#),
    parameter("audio", r#"{"audio":{"voice":"alloy","format":"wav"}}"#),
    parameter("image_config", r#"{"image_config":{"aspect_ratio":"1:1"}}"#).neutral("{}"),
    // Thinking. To leave it out of the answer is the gateway's work.
    parameter("reasoning.effort", r#"{"reasoning":{"effort":"high"}}"#),
    parameter("reasoning.max_tokens", r#"{"reasoning":{"max_tokens":2000}}"#),
    parameter("reasoning.enabled", r#"{"reasoning":{"enabled":true}}"#),
    over(r#"{"messages":[{"role":"user","content":"Hi."}],"reasoning":{"effort":"high"}}"#, "reasoning.summary", r#"{"reasoning":{"effort":"high","summary":"detailed"}}"#),
    over(r#"{"messages":[{"role":"user","content":"Hi."}],"reasoning":{"effort":"high"}}"#, "reasoning.context", r#"{"reasoning":{"effort":"high","context":"all_turns"}}"#),
    over(r#"{"messages":[{"role":"user","content":"Hi."}],"reasoning":{"effort":"high"}}"#, "reasoning.mode", r#"{"reasoning":{"effort":"high","mode":"pro"}}"#),
    parameter("reasoning_effort", r#"{"reasoning_effort":"high"}"#),
    // Tools.
    parameter("tools", r#"{"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]}"#).neutral("[]"),
    over(TOOLS, "tools.strict", r#"{"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object","properties":{"x":{"type":"string"}},"required":["x"]}}}]}"#),
    over(TOOLS, "tools.cache_control", r#"{"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"x":{"type":"string"}},"required":["x"]}},"cache_control":{"type":"ephemeral"}}]}"#),
    over(TOOLS, "tools: custom", r#"{"tools":[{"type":"custom","custom":{"name":"f"}}]}"#),
    over(TOOLS, "tool_choice: none", r#"{"tool_choice":"none"}"#),
    over(TOOLS, "tool_choice: required", r#"{"tool_choice":"required"}"#),
    over(TOOLS, "tool_choice: function", r#"{"tool_choice":{"type":"function","function":{"name":"f"}}}"#),
    over(TOOLS, "parallel_tool_calls", r#"{"parallel_tool_calls":false}"#).neutral("true"),
    parameter("max_tool_calls", r#"{"max_tool_calls":3}"#),
    parameter("functions", r#"{"functions":[{"name":"f","parameters":{"type":"object","properties":{}}}]}"#).neutral("[]"),
    parameter("function_call", r#"{"function_call":"auto"}"#),
    parameter("web_search_options", r#"{"web_search_options":{"search_context_size":"low"}}"#),
    parameter("x_search_filter", r#"{"x_search_filter":{"excluded_x_handles":["a"]}}"#),
    // Whose request it is, and how it is to be served.
    parameter("service_tier: default", r#"{"service_tier":"default"}"#),
    parameter("service_tier: flex", r#"{"service_tier":"flex"}"#),
    parameter("service_tier: priority", r#"{"service_tier":"priority"}"#),
    parameter("user", r#"{"user":"u-1"}"#),
    parameter("safety_identifier", r#"{"safety_identifier":"u-1"}"#),
    parameter("metadata", r#"{"metadata":{"team":"a"}}"#).neutral("{}"),
    parameter("store", r#"{"store":true}"#).neutral("false"),
    parameter("moderation", r#"{"moderation":{"model":"omni-moderation-latest"}}"#),
    parameter("cache_control", r#"{"cache_control":{"type":"ephemeral"}}"#),
    parameter("prompt_cache_key", r#"{"prompt_cache_key":"k"}"#),
    parameter("prompt_cache_options", r#"{"prompt_cache_options":{"mode":"explicit","ttl":"1h"}}"#),
    parameter("prompt_cache_retention", r#"{"prompt_cache_retention":"24h"}"#),
    // What is said.
    over(TALK, "messages: developer", r#"{"messages":[{"role":"developer","content":"Be brief."},{"role":"user","content":"Hi."}]}"#),
    over(TALK, "messages.name", r#"{"messages":[{"role":"user","content":"Hi.","name":"Ann"}]}"#),
    over(PART, "messages.cache_control", r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi.","cache_control":{"type":"ephemeral"}}]}]}"#),
    over(PDF, "messages.cache_control on a file", r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi."},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,QQ=="},"cache_control":{"type":"ephemeral"}}]}]}"#),
    over(PART, "messages: image_url (data)", IMAGE),
    over(PART, "messages: image_url (https)", r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi."},{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}"#),
    over(IMAGE, "messages: image_url.detail", r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi."},{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ==","detail":"high"}}]}]}"#),
    over(PART, "messages: file (data)", PDF),
    over(PART, "messages: file (https)", r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi."},{"type":"file","file":{"filename":"a.pdf","file_data":"https://example.com/a.pdf"}}]}]}"#),
    over(PART, "messages: file (id)", r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi."},{"type":"file","file":{"file_id":"file-1"}}]}]}"#),
    over(PART, "messages: input_audio", r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi."},{"type":"input_audio","input_audio":{"data":"QQ==","format":"wav"}}]}]}"#),
    over(PART, "messages: video_url (data)", r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi."},{"type":"video_url","video_url":{"url":"data:video/mp4;base64,QQ=="}}]}]}"#),
    over(PART, "messages: video_url (https)", r#"{"messages":[{"role":"user","content":[{"type":"text","text":"Hi."},{"type":"video_url","video_url":{"url":"https://example.com/a.mp4"}}]}]}"#),
    // What a model said before.
    over(TURNS, "messages.tool_calls", r#"{"messages":[{"role":"user","content":"Hi."},{"role":"assistant","content":"Hi.","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_1","content":"42"}]}"#),
    over(TURNS, "messages.reasoning", r#"{"messages":[{"role":"user","content":"Hi."},{"role":"assistant","content":"Hi.","reasoning":"Hm."},{"role":"user","content":"Hi."}]}"#),
    // One of each format: a dialect takes back what it gave out.
    over(TURNS, "messages.reasoning_details", r#"{"messages":[{"role":"user","content":"Hi."},{"role":"assistant","content":"Hi.","reasoning_details":[{"type":"reasoning.text","text":"Hm.","signature":"c2ln","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"c2ln","format":"google-gemini-v1","index":1},{"type":"reasoning.encrypted","data":"c2ln","format":"openai-responses-v1","id":"rs_1","index":2},{"type":"reasoning.text","text":"Hm.","format":"unknown","index":3}]},{"role":"user","content":"Hi."}]}"#),
    over(r#"{"messages":[{"role":"user","content":"Hi."},{"role":"assistant","content":null},{"role":"user","content":"Hi."}]}"#, "messages.refusal", r#"{"messages":[{"role":"user","content":"Hi."},{"role":"assistant","content":null,"refusal":"No."},{"role":"user","content":"Hi."}]}"#),
    over(TURNS, "messages.images", r#"{"messages":[{"role":"user","content":"Hi."},{"role":"assistant","content":"Hi.","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}}]},{"role":"user","content":"Hi."}]}"#),
    over(TURNS, "messages.audio", r#"{"messages":[{"role":"user","content":"Hi."},{"role":"assistant","content":"Hi.","audio":{"id":"audio_1"}},{"role":"user","content":"Hi."}]}"#),
    over(TURNS, "messages.annotations", r#"{"messages":[{"role":"user","content":"Hi."},{"role":"assistant","content":"Hi.","annotations":[{"type":"url_citation","url_citation":{"url":"https://example.com","title":"E","start_index":0,"end_index":3}}]},{"role":"user","content":"Hi."}]}"#),
];

/// The parameters of the other operations. What becomes of them follows from what a format writes; there is no table of it.
#[rustfmt::skip] // One feature, one line.
static OTHERS: &[Feature] = &[
    of_completions("best_of", r#"{"best_of":2}"#).neutral("1"),
    of_completions("echo", r#"{"echo":true}"#).neutral("false"),
    of_completions("frequency_penalty", r#"{"frequency_penalty":0.5}"#).neutral("0"),
    of_completions("logit_bias", r#"{"logit_bias":{"50":10}}"#).neutral("{}"),
    of_completions("logprobs", r#"{"logprobs":3}"#),
    of_completions("max_tokens", r#"{"max_tokens":77}"#),
    of_completions("n", r#"{"n":2}"#).neutral("1"),
    of_completions("presence_penalty", r#"{"presence_penalty":0.5}"#).neutral("0"),
    of_completions("seed", r#"{"seed":7}"#),
    of_completions("stop", r#"{"stop":["END"]}"#).neutral("[]"),
    of_completions("suffix", r#"{"suffix":"."}"#).neutral("\"\""),
    of_completions("temperature", r#"{"temperature":0.3}"#),
    of_completions("top_p", r#"{"top_p":0.97}"#),
    of_completions("user", r#"{"user":"u-1"}"#),
    of_embeddings("dimensions", r#"{"dimensions":256}"#),
    of_embeddings("input_type", r#"{"input_type":"search_query"}"#),
    of_embeddings("user", r#"{"user":"u-1"}"#),
];

impl Feature {
    /// The parameters that `request` has.
    pub fn asked(request: &Request) -> impl Iterator<Item = &'static Self> {
        FEATURES
            .iter()
            .chain(OTHERS)
            .filter(|feature| feature.operation == request.operation() && feature.is_asked(request))
    }

    /// The feature of this name, in a chat.
    pub fn find(name: &str) -> Option<&'static Self> {
        FEATURES.iter().find(|feature| feature.name == name)
    }

    /// The member of a request that it is in.
    pub fn member(&self) -> &'static str {
        self.name.split(['.', ':']).next().unwrap_or(self.name)
    }

    /// Whether it is what OpenRouter calls a parameter: said beside the messages and the tools, about the whole request.
    pub fn is_parameter(&self) -> bool {
        self.member() != "messages" && (self.member() != "tools" || self.name == "tools")
    }

    /// Whether `request` has this parameter. `null`, and a value that means the same as none, do not count.
    pub fn is_asked(&self, request: &Request) -> bool {
        let Some(raw) = self.is_parameter().then(|| request.raw(self.member())).flatten() else {
            return false;
        };
        // The text of a member has been parsed once: it is JSON.
        let Ok(raw) = serde_json::from_str::<&RawValue>(raw) else {
            return false;
        };
        if json::shape(raw) == Shape::Null || raw.get() == self.neutral {
            return false;
        }
        let of_kind = |raw: &RawValue, value: &str| match json::shape(raw) {
            Shape::Object => Members::of(raw).text("type").as_deref() == Some(value),
            Shape::String => raw.get().trim_matches('"') == value,
            _ => false,
        };
        match (self.name.split_once(": "), self.name.split_once('.')) {
            (Some((_, value)), _) if json::shape(raw) == Shape::Array => {
                let items: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
                items.into_iter().any(|item| of_kind(item, value))
            }
            (Some((_, value)), _) => of_kind(raw, value),
            (None, Some((_, inside))) => Members::of(raw).get(inside).is_some(),
            (None, None) => true,
        }
    }

    /// The request without it.
    pub(super) fn base(&self) -> Result<Request, Error> {
        Ok(Request::parse(self.base.as_bytes().to_vec())?.of(self.operation))
    }

    /// A request that asks for it.
    pub(super) fn sample(&self) -> Result<Request, Error> {
        let mut request = self.base()?;
        for (name, raw) in json::members(self.sample) {
            request.set(&name, raw.to_owned());
        }
        Ok(request)
    }
}

/// The members of `request` that are the provider's own: neither for the gateway, nor a feature of the unified form, nor
/// one of `translated`, the provider's names for what the unified form says in another way.
pub(super) fn native<'a>(
    request: &'a Request,
    translated: &'static [&'static str],
) -> impl Iterator<Item = (&'a str, &'a RawValue)> {
    request
        .members()
        .filter(move |(name, text)| {
            *text != "null"
                && !GATEWAY.contains(name)
                && !translated.contains(name)
                && !FEATURES.iter().any(|feature| feature.member() == *name)
        })
        // The text of a member has been parsed once: it is JSON.
        .filter_map(|(name, text)| Some((name, serde_json::from_str(text).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn request(text: &str) -> Request {
        Request::parse(text.as_bytes().to_vec()).unwrap()
    }

    fn asked(text: &str) -> Vec<&'static str> {
        let request = request(text);
        let asked = FEATURES.iter().filter(|feature| feature.is_asked(&request));
        asked.map(|feature| feature.name).collect()
    }

    #[test]
    fn a_parameter_is_asked_for_by_its_member_and_value() {
        assert_eq!(
            asked(
                r#"{"messages":[],"seed":1,"top_p":null,"n":1,"logprobs":false,"parallel_tool_calls":false}"#
            ),
            ["seed", "parallel_tool_calls"]
        );
        assert_eq!(
            asked(
                r#"{"tool_choice":{"type":"function","function":{"name":"f"}},"reasoning":{"effort":"low","summary":null}}"#
            ),
            ["reasoning.effort", "tool_choice: function"]
        );
        assert_eq!(
            asked(
                r#"{"modalities":["text","image"],"service_tier":"auto","response_format":{"type":"text"}}"#
            ),
            ["modalities: image"]
        );
        assert_eq!(
            asked(r#"{"tool_choice":"required","response_format":{"type":"json_object"}}"#),
            ["response_format: json_object", "tool_choice: required"]
        );
    }

    #[test]
    fn every_sample_asks_for_its_feature_and_its_base_does_not() {
        for feature in FEATURES.iter().chain(OTHERS) {
            let with = feature.sample().unwrap();
            let base = request(feature.base);
            let parameter = feature.is_parameter();
            assert_eq!(feature.is_asked(&with), parameter, "{}", feature.name);
            assert!(!feature.is_asked(&base), "{}", feature.name);
            assert!(with.has(feature.member()), "{}", feature.name);
            assert!(
                feature.member() == "messages" || !GATEWAY.contains(&feature.member()),
                "{}",
                feature.name
            );
        }
    }

    #[test]
    fn only_members_that_nobody_knows_are_the_providers_own() {
        let request = request(r#"{"model":"m","seed":1,"container":{"id": "c"},"x":null,"thinking":{}}"#);
        let rest: Vec<_> = native(&request, &["thinking"])
            .map(|(name, raw)| (name, raw.get()))
            .collect();
        assert_eq!(rest, [("container", r#"{"id": "c"}"#)]);
    }
}
