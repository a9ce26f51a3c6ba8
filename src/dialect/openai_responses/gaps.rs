//! What OpenAI's Responses API cannot carry.

use super::super::gaps::{Gaps, NO_PLACE, by_model, dropped, refused};

const THINKING: &str = "serves models that do not think";
const CACHES: &str = "caches prompts without being asked";

pub(super) static GAPS: Gaps = Gaps {
    models: &["gpt-5.1", "gpt-4o"],
    list: &[
        dropped("top_k", NO_PLACE),
        dropped("top_a", NO_PLACE),
        dropped("min_p", NO_PLACE),
        dropped("frequency_penalty", NO_PLACE),
        dropped("presence_penalty", NO_PLACE),
        dropped("repetition_penalty", NO_PLACE),
        dropped("logit_bias", NO_PLACE),
        dropped("seed", NO_PLACE),
        dropped("stop", NO_PLACE),
        refused("n", "gives one choice per request; leave n out or set it to 1"),
        dropped("prediction", NO_PLACE),
        refused("response_format: grammar", "cannot carry grammar"),
        refused("modalities: image", "draws with a tool; offer image_generation"),
        refused("modalities: audio", "gives no audio"),
        dropped("audio", NO_PLACE),
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
        dropped("x_search_filter", NO_PLACE),
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
        dropped("messages.images", NO_PLACE),
        dropped("messages.audio", NO_PLACE),
        dropped("messages.annotations", NO_PLACE),
    ],
};
