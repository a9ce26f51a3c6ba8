//! What Anthropic's Messages API cannot carry, and what its other hosts cannot carry either.

use super::super::gaps::{Gaps, NO_EQUIVALENT, Unsupported, by_model, dropped, refused, with_more};

const NEWER: &str = "serves newer models, which refuse anything but the default";
const THINKING: &str = "serves models that do not think";

const LOADS_NOTHING: &str = "loads nothing; send it as a base64 data: URL";
const MODELS: &[&str] = &[
    "claude-3-5-haiku",
    "claude-opus-4-1",
    "claude-sonnet-4-6",
    "claude-opus-4-8",
    "claude-opus-5-5",
];

pub(super) static GAPS: Gaps = Gaps {
    models: MODELS,
    list: LIST,
};

/// Of hosts that are not Anthropic.
pub(super) static HOSTED: Gaps = Gaps {
    models: MODELS,
    list: HOSTED_LIST,
};

/// Of Bedrock.
pub(super) static BEDROCK: Gaps = Gaps {
    models: MODELS,
    list: &with_more::<{ HOSTED_LIST.len() + ON_BEDROCK.len() }>(HOSTED_LIST, ON_BEDROCK),
};

const HOSTED_LIST: &[Unsupported] = &with_more::<{ LIST.len() + MORE.len() }>(LIST, MORE);

const ON_BEDROCK: &[Unsupported] = &[dropped("web_search_options", "does not search the web")];

const MORE: &[Unsupported] = &[
    dropped("service_tier: default", "has no tiers"),
    dropped("service_tier: priority", "has no tiers"),
    refused("messages: image_url (https)", LOADS_NOTHING),
    refused("messages: file (https)", LOADS_NOTHING),
];

const LIST: &[Unsupported] = &[
    by_model("temperature", NEWER),
    by_model("top_p", NEWER),
    by_model("top_k", NEWER),
    dropped("top_a", NO_EQUIVALENT),
    dropped("min_p", NO_EQUIVALENT),
    dropped("frequency_penalty", NO_EQUIVALENT),
    dropped("presence_penalty", NO_EQUIVALENT),
    dropped("repetition_penalty", NO_EQUIVALENT),
    dropped("logit_bias", NO_EQUIVALENT),
    dropped("seed", NO_EQUIVALENT),
    refused("n", "gives one choice per request; leave n out or set it to 1"),
    dropped("logprobs", NO_EQUIVALENT),
    dropped("top_logprobs", NO_EQUIVALENT),
    dropped("prediction", NO_EQUIVALENT),
    dropped("response_format: json_object", "has only schemas"),
    refused("response_format: grammar", "cannot carry grammar"),
    by_model("verbosity", "serves models without an effort"),
    refused("modalities: image", "gives no images"),
    refused("modalities: audio", "gives no audio"),
    dropped("audio", NO_EQUIVALENT),
    dropped("image_config", NO_EQUIVALENT),
    by_model("reasoning.effort", THINKING),
    by_model("reasoning.max_tokens", THINKING),
    by_model("reasoning.enabled", THINKING),
    dropped("reasoning.summary", "has one kind of summary"),
    dropped("reasoning.context", NO_EQUIVALENT),
    dropped("reasoning.mode", NO_EQUIVALENT),
    by_model("reasoning_effort", THINKING),
    refused("tools: custom", "cannot carry custom"),
    by_model(
        "tool_choice: required",
        "serves models that cannot be made to call a tool",
    ),
    by_model(
        "tool_choice: function",
        "serves models that cannot be made to call a tool",
    ),
    dropped("max_tool_calls", NO_EQUIVALENT),
    refused("functions", "has no such form of tools; send them as tools"),
    refused("function_call", "has no such form of tools; send tool_choice"),
    dropped("x_search_filter", NO_EQUIVALENT),
    dropped("service_tier: flex", "has no such tier"),
    dropped("metadata", "takes only a user_id of it"),
    dropped("store", NO_EQUIVALENT),
    dropped("moderation", NO_EQUIVALENT),
    dropped("prompt_cache_key", NO_EQUIVALENT),
    dropped("prompt_cache_options", NO_EQUIVALENT),
    dropped("prompt_cache_retention", NO_EQUIVALENT),
    dropped("messages: image_url.detail", NO_EQUIVALENT),
    refused("messages: file (id)", "knows only the ids of its own files"),
    refused("messages: input_audio", "reads no audio"),
    refused("messages: video_url (data)", "reads no video"),
    refused("messages: video_url (https)", "reads no video"),
    dropped(
        "messages.reasoning",
        "takes back only thinking that it has signed",
    ),
    dropped("messages.images", "takes no images in what a model said"),
    dropped("messages.audio", "knows no audio of others"),
    dropped("messages.annotations", NO_EQUIVALENT),
];
