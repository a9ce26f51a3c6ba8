//! The most tokens that an endpoint can have read and written for a request: a provider's count above it is not believed.
//!
//! The bounds are wide on purpose: a count that may be right is billed as it came. What they keep out is a count that
//! cannot be, such as one of 2⁶⁴−1 tokens, which would use a key's whole budget at once.

/// The context of an endpoint of which none is known, in tokens: the catalogue knows no longer one.
const LONGEST_CONTEXT: u64 = 20_000_000;
/// How many times the context a prompt may count. A provider adds text of its own, counts images and tools by rules of
/// its own, and the context that the configuration knows may be an older one.
const PROMPT_SLACK: u64 = 2;
/// The turns that are billed as one where a provider runs tools itself (a search of the web, code): each reads the prompt
/// again, and has the limit for itself.
const TURNS: u64 = 16;

/// What is known of an attempt before it is answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// The endpoint's context.
    pub context: Option<u64>,
    /// The limit on the tokens of one completion that is sent.
    pub limit: Option<u64>,
    /// The prompts: texts to embed or to continue. A chat is one.
    pub prompts: u64,
    /// The completions that are written, of all prompts together.
    pub completions: u64,
    /// The provider may run tools.
    pub runs_tools: bool,
    /// The provider counts thinking beside the completion, so that no limit holds for it.
    pub thinks_beside: bool,
}

/// The most tokens of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Of the prompt.
    pub prompt: u64,
    /// Of the completion.
    pub completion: u64,
}

impl Bounds {
    /// No bound.
    pub const NONE: Self = Self {
        prompt: u64::MAX,
        completion: u64::MAX,
    };

    /// The bounds of an attempt.
    pub fn of(asked: &Asked) -> Self {
        let context = asked.context.unwrap_or(LONGEST_CONTEXT);
        let turns = if asked.runs_tools { TURNS } else { 1 };
        let thinking = if asked.thinks_beside { context } else { 0 };
        let limit = asked
            .limit
            .map_or(context, |limit| limit.saturating_add(thinking));
        let all = |tokens: u64, count: u64| tokens.saturating_mul(count.max(1)).saturating_mul(turns);
        Self {
            prompt: all(context.saturating_mul(PROMPT_SLACK), asked.prompts),
            completion: all(limit, asked.completions),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn bounds_are_the_context_and_the_limit_times_the_choices() {
        let asked = Asked {
            context: Some(1_000),
            limit: Some(100),
            prompts: 1,
            completions: 3,
            ..Asked::default()
        };
        let check = |asked: Asked, prompt, completion| {
            assert_eq!(Bounds::of(&asked), Bounds { prompt, completion }, "{asked:?}");
        };
        check(asked, 2_000, 300);
        check(Asked { limit: None, ..asked }, 2_000, 3_000);
        check(Asked { prompts: 5, ..asked }, 10_000, 300);
        let thinks_beside = true;
        check(
            Asked {
                thinks_beside,
                ..asked
            },
            2_000,
            3_300,
        );
        let runs_tools = true;
        check(Asked { runs_tools, ..asked }, 32_000, 4_800);
        check(Asked::default(), 40_000_000, 20_000_000);
        let limit = Some(u64::MAX);
        check(Asked { limit, ..asked }, 2_000, u64::MAX);
    }
}
