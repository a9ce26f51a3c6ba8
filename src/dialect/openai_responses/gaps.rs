//! What OpenAI's Responses API cannot carry.

use super::super::gaps::{Gaps, NO_EQUIVALENT, by_model, dropped, refused};

const THINKING: &str = "serves models that do not think";
const CACHES: &str = "caches prompts without being asked";

pub(super) static GAPS: Gaps = Gaps {
    models: &["gpt-5.1", "gpt-4o"],
    list: &[
        dropped("top_k", NO_EQUIVALENT),
        dropped("top_a", NO_EQUIVALENT),
        dropped("min_p", NO_EQUIVALENT),
        dropped("frequency_penalty", NO_EQUIVALENT),
        dropped("presence_penalty", NO_EQUIVALENT),
        dropped("repetition_penalty", NO_EQUIVALENT),
        dropped("logit_bias", NO_EQUIVALENT),
        dropped("seed", NO_EQUIVALENT),
        dropped("stop", NO_EQUIVALENT),
        refused("n", "gives one choice per request; leave n out or set it to 1"),
        dropped("prediction", NO_EQUIVALENT),
        refused("response_format: grammar", "cannot carry grammar"),
        refused("modalities: image", "draws with a tool; offer image_generation"),
        refused("modalities: audio", "gives no audio"),
        dropped("audio", NO_EQUIVALENT),
        dropped("image_config", "draws with a tool, which has settings of its own"),
        by_model("reasoning.effort", THINKING),
        by_model("reasoning.max_tokens", THINKING),
        by_model("reasoning.enabled", THINKING),
        by_model("reasoning.summary", THINKING),
        by_model("reasoning.context", THINKING),
        by_model("reasoning.mode", THINKING),
        by_model("reasoning_effort", THINKING),
        dropped("tools.cache_control", CACHES),
        refused("tools: custom", "cannot carry custom"),
        refused("functions", "has no such form of tools; send them as tools"),
        refused("function_call", "has no such form of tools; send tool_choice"),
        dropped("x_search_filter", NO_EQUIVALENT),
        dropped("cache_control", CACHES),
        dropped("messages.cache_control", CACHES),
        dropped("messages.cache_control on a file", CACHES),
        refused("messages: input_audio", "cannot carry input_audio"),
        refused("messages: video_url (data)", "cannot carry video_url"),
        refused("messages: video_url (https)", "cannot carry video_url"),
        dropped(
            "messages.reasoning",
            "takes back only thinking that it has encrypted",
        ),
        dropped("messages.images", NO_EQUIVALENT),
        dropped("messages.audio", NO_EQUIVALENT),
        dropped("messages.annotations", NO_EQUIVALENT),
    ],
};
