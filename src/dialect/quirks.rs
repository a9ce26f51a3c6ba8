//! How a provider deviates from the dialect that it calls its own: data, for the rows of [`crate::provider`].
//!
//! Only `openai-chat` has such deviations so far, because hundreds of providers call themselves compatible with it.

use crate::chat::Effort;

/// How one provider deviates.
#[derive(Debug)]
pub struct Quirks {
    /// Where chats go, to be appended to the base URL. `{model}` stands for the model's id.
    pub path: &'static str,
    /// What becomes of the members of a request.
    pub parameters: Edits,
    /// What becomes of the members of each message.
    pub messages: Edits,
    /// Whether `stream_options` may be sent. Without it, the provider reports the usage of a stream on its own.
    pub stream_options: bool,
    /// Whether the role `developer` is understood; else it is written as `system`, which everybody understands.
    pub developer_role: bool,
    /// Whether marks for caching (`cache_control`) may be sent: at the top, and on parts and tools.
    pub cache_control: bool,
    /// Whether ids of tool calls must be nine letters or digits.
    pub short_tool_ids: bool,
    /// Whether documents go as `document_url` parts, and sound as bare base64.
    pub document_parts: bool,
    /// How thinking is asked for.
    pub thinking: ThinkingWords,
    /// What becomes of how hard `reasoning` asks to think, where the provider does not know every word: ours, and theirs.
    pub efforts: &'static [(Effort, Effort)],
    /// Words in the ids of the models for which `web_search_options` make the provider search the web.
    pub searching: &'static [&'static str],
    /// Whether the reported completion tokens leave the thinking tokens out.
    pub reasoning_outside_completion: bool,
}

/// In which words a provider is asked for thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThinkingWords {
    /// `reasoning_effort`, as OpenAI is.
    Effort,
    /// The same, but no thinking is `thinking: {"type": "disabled"}`.
    Switch,
    /// `enable_thinking`, with a `thinking_budget`.
    Flag,
    /// `reasoning`: the provider knows the unified form.
    Unified,
}

/// What becomes of the members of an object.
#[derive(Debug)]
pub struct Edits {
    /// Members that the provider refuses; left out.
    pub unsupported: &'static [&'static str],
    /// Members that the provider knows by another name: ours, and theirs.
    pub renames: &'static [(&'static str, &'static str)],
}

impl Quirks {
    /// No deviation: what is known of a provider whose row nobody has written.
    pub const NONE: Self = Self {
        path: "/chat/completions",
        parameters: Edits::NONE,
        messages: Edits::NONE,
        stream_options: true,
        developer_role: true,
        cache_control: true,
        short_tool_ids: false,
        document_parts: false,
        thinking: ThinkingWords::Effort,
        efforts: &[],
        searching: &[],
        reasoning_outside_completion: false,
    };
}

impl Edits {
    /// Every member stays.
    pub const NONE: Self = Self {
        unsupported: &[],
        renames: &[],
    };

    /// Whether every member stays.
    pub const fn is_none(&self) -> bool {
        self.unsupported.is_empty() && self.renames.is_empty()
    }

    /// The provider's name for the member `name`; `None` when it does not go out. `has` says which members there are and
    /// not `null`: where two would get the same name, the renamed one goes out, unless it is `null`.
    pub fn name<'n>(&self, name: &'n str, has: &dyn Fn(&str) -> bool) -> Option<&'n str>
    where
        'static: 'n,
    {
        if self.unsupported.contains(&name) {
            return None;
        }
        for (ours, theirs) in self.renames {
            if *ours == name {
                return has(ours).then_some(*theirs);
            }
            if *theirs == name && has(ours) {
                return None;
            }
        }
        Some(name)
    }
}
