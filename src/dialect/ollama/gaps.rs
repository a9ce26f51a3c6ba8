//! What Ollama's API cannot carry.

use super::super::gaps::{Gaps, NO_EQUIVALENT, dropped, refused};

const CACHES: &str = "caches prompts without being asked";
const FORCED: &str = "cannot be told to call a tool; of several, only the named one is offered";
const NO_FILES: &str = "reads no files";
const NO_VIDEO: &str = "reads no video";

pub(super) static GAPS: Gaps = Gaps {
    models: &["llama3.2", "qwen3:8b", "gpt-oss:20b"],
    list: &[
        dropped("top_a", NO_EQUIVALENT),
        dropped("logit_bias", NO_EQUIVALENT),
        refused("n", "gives one choice per request; leave n out or set it to 1"),
        dropped("prediction", NO_EQUIVALENT),
        refused("response_format: grammar", "cannot carry grammar"),
        dropped("verbosity", NO_EQUIVALENT),
        refused("modalities: image", "gives no images"),
        refused("modalities: audio", "gives no audio"),
        dropped("audio", NO_EQUIVALENT),
        dropped("image_config", NO_EQUIVALENT),
        dropped("reasoning.summary", "gives all thinking"),
        dropped("reasoning.context", NO_EQUIVALENT),
        dropped("reasoning.mode", NO_EQUIVALENT),
        dropped("tools.strict", NO_EQUIVALENT),
        dropped("tools.cache_control", CACHES),
        refused("tools: custom", "cannot carry custom"),
        dropped("tool_choice: required", FORCED),
        dropped("tool_choice: function", FORCED),
        dropped("parallel_tool_calls", NO_EQUIVALENT),
        dropped("max_tool_calls", NO_EQUIVALENT),
        refused("functions", "has no such form of tools; send them as tools"),
        refused("function_call", "has no such form of tools; send tool_choice"),
        dropped("web_search_options", NO_EQUIVALENT),
        dropped("x_search_filter", NO_EQUIVALENT),
        dropped("service_tier: default", "has no such tier"),
        dropped("service_tier: flex", "has no such tier"),
        dropped("service_tier: priority", "has no such tier"),
        dropped("user", NO_EQUIVALENT),
        dropped("safety_identifier", NO_EQUIVALENT),
        dropped("metadata", NO_EQUIVALENT),
        dropped("store", NO_EQUIVALENT),
        dropped("moderation", NO_EQUIVALENT),
        dropped("cache_control", CACHES),
        dropped("prompt_cache_key", CACHES),
        dropped("prompt_cache_options", CACHES),
        dropped("prompt_cache_retention", CACHES),
        dropped("messages.cache_control", CACHES),
        refused("messages: image_url (https)", "takes images only as data"),
        dropped("messages: image_url.detail", NO_EQUIVALENT),
        refused("messages.cache_control on a file", NO_FILES),
        refused("messages: file (data)", NO_FILES),
        refused("messages: file (https)", NO_FILES),
        refused("messages: file (id)", NO_FILES),
        refused("messages: video_url (data)", NO_VIDEO),
        refused("messages: video_url (https)", NO_VIDEO),
        dropped("messages.images", "takes no images in what a model said"),
        dropped("messages.audio", "knows no audio of others"),
        dropped("messages.annotations", NO_EQUIVALENT),
    ],
};
