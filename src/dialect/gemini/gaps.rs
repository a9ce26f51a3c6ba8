//! What Gemini's API cannot carry.

use super::super::gaps::{Gaps, NO_EQUIVALENT, by_model, dropped, refused};

const THINKING: &str = "serves models that do not think";
const PENALTIES: &str = "serves newer models, which refuse penalties";
const CACHES: &str = "caches prompts without being asked";

pub(super) static GAPS: Gaps = Gaps {
    models: &[
        "gemini-2.0-flash",
        "gemini-2.5-flash",
        "gemini-3.1-pro",
        "gemini-3.5-flash",
    ],
    list: &[
        dropped("top_a", NO_EQUIVALENT),
        dropped("min_p", NO_EQUIVALENT),
        by_model("frequency_penalty", PENALTIES),
        by_model("presence_penalty", PENALTIES),
        dropped("repetition_penalty", NO_EQUIVALENT),
        dropped("logit_bias", NO_EQUIVALENT),
        dropped("prediction", NO_EQUIVALENT),
        refused("response_format: grammar", "cannot carry grammar"),
        dropped("verbosity", NO_EQUIVALENT),
        refused("modalities: audio", "carries text and image, not \"audio\""),
        dropped("audio", NO_EQUIVALENT),
        by_model("reasoning.effort", THINKING),
        by_model("reasoning.max_tokens", THINKING),
        by_model("reasoning.enabled", THINKING),
        dropped("reasoning.summary", "has one kind of summary"),
        dropped("reasoning.context", NO_EQUIVALENT),
        dropped("reasoning.mode", NO_EQUIVALENT),
        by_model("reasoning_effort", THINKING),
        by_model(
            "tools.strict",
            "serves older models, which cannot be held to a schema",
        ),
        dropped("tools.cache_control", CACHES),
        refused("tools: custom", "cannot carry custom"),
        dropped("parallel_tool_calls", NO_EQUIVALENT),
        dropped("max_tool_calls", NO_EQUIVALENT),
        refused("functions", "has no such form of tools; send them as tools"),
        refused("function_call", "has no such form of tools; send tool_choice"),
        dropped("x_search_filter", NO_EQUIVALENT),
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
        dropped("messages.cache_control on a file", CACHES),
        dropped("messages: image_url.detail", NO_EQUIVALENT),
        refused("messages: file (id)", "knows only the addresses of its own files"),
        dropped(
            "messages.reasoning",
            "takes back only thinking that it has signed",
        ),
        dropped("messages.audio", "knows no audio of others"),
        dropped("messages.annotations", NO_EQUIVALENT),
    ],
};
