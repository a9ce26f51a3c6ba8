//! How the providers in the table deviate from `openai-chat`, each with its source.

use crate::chat::Effort;
use crate::dialect::{Edits, Quirks, ThinkingWords};

/// What OpenRouter's parameters add to OpenAI's. OpenAI answers `Unknown parameter` to them.
const BEYOND_OPENAI: &[&str] = &["top_k", "min_p", "top_a", "repetition_penalty", "input_type"];
const TO_MAX_TOKENS: (&str, &str) = ("max_completion_tokens", "max_tokens");
/// A speaker's name, and what an assistant's turn carries back of its thinking.
const NAME_AND_THINKING: &[&str] = &["name", "reasoning", "reasoning_content", "reasoning_details"];
/// These want an assistant's thinking back, under this name, beside its tool calls.
const THINKING_BACK: Edits = Edits {
    unsupported: &["reasoning_details"],
    renames: &[("reasoning", "reasoning_content")],
};

const fn unsupported(names: &'static [&'static str]) -> Edits {
    Edits {
        unsupported: names,
        renames: &[],
    }
}

/// Anybody who has a row. Many refuse OpenAI's role `developer` (`[1214] Incorrect role information`, vastsa/PI-Desktop#30;
/// `developer is not one of ['system', …]`, can1357/oh-my-pi#843), and Stepfun ignores what it says
/// (earendil-works/pi#5456); `system` means the same to all.
const PLAIN: Quirks = Quirks {
    developer_role: false,
    ..Quirks::NONE
};
pub(super) static COMPATIBLE: Quirks = PLAIN;

/// Knows the role `developer`, and `reasoning`: OpenRouter's API reference.
pub(super) static OPENROUTER: Quirks = Quirks {
    thinking: ThinkingWords::Unified,
    ..Quirks::NONE
};

/// OpenRouter's guide to reasoning tokens: Qwen's models take a `thinking_budget`; the switch before it is
/// `enable_thinking` (<https://www.alibabacloud.com/help/en/model-studio/deep-thinking>).
pub(super) static ALIBABA: Quirks = Quirks {
    thinking: ThinkingWords::Flag,
    ..PLAIN
};

/// GLM turns thinking off so: <https://docs.z.ai/guides/capabilities/thinking-mode>.
pub(super) static GLM: Quirks = Quirks {
    thinking: ThinkingWords::Switch,
    ..PLAIN
};

/// The models that think refuse `max_tokens`, and all others know the newer name.
const NEWER_MAX_TOKENS: Edits = Edits {
    unsupported: BEYOND_OPENAI,
    renames: &[("max_tokens", "max_completion_tokens")],
};

/// <https://platform.openai.com/docs/api-reference/chat/create>. Unknown members are refused, in parts of messages too. In
/// chats only `gpt-5-search-api`, `gpt-4o-search-preview` and `gpt-4o-mini-search-preview` search the web:
/// <https://platform.openai.com/docs/guides/tools-web-search>.
pub(super) static OPENAI: Quirks = Quirks {
    searching: &["-search-"],
    parameters: NEWER_MAX_TOKENS,
    cache_control: false,
    ..Quirks::NONE
};

/// <https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle>: the v1 surface; a deployment's name is
/// the model.
pub(super) static AZURE: Quirks = Quirks {
    path: "/openai/v1/chat/completions?api-version=v1",
    parameters: NEWER_MAX_TOKENS,
    cache_control: false,
    ..Quirks::NONE
};

/// The older surface: a deployment has a path of its own. 2024-10-21 is its last version that is no preview; a provider's
/// `path` chooses another. It knows `stream_options` (griptape-ai/griptape#1640).
pub(super) static AZURE_DEPLOYMENTS: Quirks = Quirks {
    path: "/openai/deployments/{model}/chat/completions?api-version=2024-10-21",
    parameters: unsupported(BEYOND_OPENAI),
    ..Quirks::NONE
};

/// litellm renames for these providers (`openai_like/providers.json`).
pub(super) static MAX_TOKENS: Quirks = Quirks {
    parameters: Edits {
        unsupported: &[],
        renames: &[TO_MAX_TOKENS],
    },
    ..PLAIN
};

/// mistralai/client-python 3.7, `ChatCompletionRequest` and `EmbeddingRequest`; members outside of them are answered with
/// 422 `extra_forbidden`, in messages too (BerriAI/litellm#30835, Gage-Technologies/mistral-go#3). Ids of tool calls:
/// 400, code 3280. Documents: `DocumentURLChunk`, `AudioChunk`. Of the efforts, all models that can be told take `none`
/// and `high` (anomalyco/models.dev#1986, mistralai/mistral-vibe#1117; vercel/ai#13688 does the same).
pub(super) static MISTRAL: Quirks = Quirks {
    parameters: Edits {
        unsupported: &[
            "audio",
            "cache_control",
            "function_call",
            "functions",
            "image_config",
            "logit_bias",
            "max_tool_calls",
            "min_p",
            "modalities",
            "moderation",
            "prompt_cache_options",
            "prompt_cache_retention",
            "safety_identifier",
            "stop_server_tools_when",
            "store",
            "top_a",
            "user",
            "verbosity",
            "web_search_options",
            "x_search_filter",
        ],
        renames: &[
            ("seed", "random_seed"),
            ("dimensions", "output_dimension"),
            TO_MAX_TOKENS,
        ],
    },
    messages: unsupported(NAME_AND_THINKING),
    stream_options: false,
    cache_control: false,
    short_tool_ids: true,
    document_parts: true,
    efforts: &[
        (Effort::Minimal, Effort::High),
        (Effort::Low, Effort::High),
        (Effort::Medium, Effort::High),
        (Effort::Xhigh, Effort::High),
        (Effort::Max, Effort::High),
    ],
    ..PLAIN
};

/// <https://console.groq.com/docs/openai>; in messages: 400 `property 'reasoning_content' is unsupported`
/// (tashfeenahmed/freellmapi#1070), and `reasoning is not supported with this model` (vercel/ai#8057).
pub(super) static GROQ: Quirks = Quirks {
    parameters: unsupported(&["logprobs", "logit_bias", "top_logprobs"]),
    messages: unsupported(NAME_AND_THINKING),
    cache_control: false,
    ..PLAIN
};

/// <https://inference-docs.cerebras.ai/resources/openai>: 400.
pub(super) static CEREBRAS: Quirks = Quirks {
    parameters: unsupported(&[
        "frequency_penalty",
        "logit_bias",
        "presence_penalty",
        "parallel_tool_calls",
        "service_tier",
    ]),
    ..PLAIN
};

/// Meta's model API, 2026.
pub(super) static META: Quirks = Quirks {
    parameters: unsupported(&["stop"]),
    ..PLAIN
};

/// <https://platform.moonshot.ai/docs/api/chat>; thinking models want `reasoning_content` back beside tool calls.
pub(super) static MOONSHOT: Quirks = Quirks {
    parameters: unsupported(&["top_k", "seed"]),
    messages: THINKING_BACK,
    thinking: ThinkingWords::Switch,
    ..PLAIN
};

/// litellm's list of what it takes.
pub(super) static INFERMATIC: Quirks = Quirks {
    parameters: unsupported(&["parallel_tool_calls"]),
    ..PLAIN
};

/// <https://docs.x.ai/docs/guides/reasoning>: its total is prompt + completion + reasoning.
pub(super) static XAI: Quirks = Quirks {
    reasoning_outside_completion: true,
    ..PLAIN
};

/// <https://api-docs.deepseek.com/guides/thinking_mode>: 400 where thinking is missing beside tool calls; the switch.
pub(super) static DEEPSEEK: Quirks = Quirks {
    messages: THINKING_BACK,
    thinking: ThinkingWords::Switch,
    ..PLAIN
};
