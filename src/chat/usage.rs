//! Token counts: as a provider reports them, and in the one convention that callers and receipts see.

/// Token counts as they stand in one frame of a response. `None`: this frame did not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageReport {
    /// Prompt tokens, in the provider's convention.
    pub input: Option<u64>,
    /// Completion tokens, in the provider's convention.
    pub output: Option<u64>,
    /// Prompt tokens read from a cache.
    pub cache_read: Option<u64>,
    /// Prompt tokens written to a cache, all lifetimes together.
    pub cache_write: Option<u64>,
    /// Of those, the ones written for one hour.
    pub cache_write_1h: Option<u64>,
    /// Completion tokens spent on thinking.
    pub reasoning: Option<u64>,
    /// Prompt tokens that are audio.
    pub audio_input: Option<u64>,
    /// Completion tokens that are audio.
    pub audio_output: Option<u64>,
    /// Prompt tokens that are images.
    pub image_input: Option<u64>,
    /// Completion tokens that are images.
    pub image_output: Option<u64>,
}

/// Whether a provider's prompt count has the cached tokens inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheTokens {
    /// `input` includes cache reads and writes (OpenAI, Gemini).
    Included,
    /// `input` counts only what was not cached (Anthropic, Bedrock).
    Excluded,
}

/// Whether a provider's completion count has the thinking tokens inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningTokens {
    /// `output` includes them (nearly everyone).
    Included,
    /// `output` counts only the visible completion (xAI).
    Excluded,
}

/// How a provider counts. Every dialect has a default; a provider row may differ.
///
/// Reports are cumulative in every dialect here: a later figure replaces an earlier one, field by field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsageConvention {
    /// Cached prompt tokens.
    pub cache: CacheTokens,
    /// Thinking tokens.
    pub reasoning: ReasoningTokens,
}

/// Token counts in the unified convention: cache inside the prompt, thinking inside the completion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All prompt tokens.
    pub prompt: u64,
    /// Of those, read from a cache.
    pub cache_read: u64,
    /// Of those, written to a cache.
    pub cache_write: u64,
    /// Of those written, for one hour.
    pub cache_write_1h: u64,
    /// All completion tokens.
    pub completion: u64,
    /// Of those, thinking.
    pub reasoning: u64,
    /// Of the prompt tokens, audio.
    pub audio_input: u64,
    /// Of the completion tokens, audio.
    pub audio_output: u64,
    /// Of the prompt tokens, images.
    pub image_input: u64,
    /// Of the completion tokens, images.
    pub image_output: u64,
}

impl UsageReport {
    /// Takes over every figure that a later report gives.
    pub fn update(&mut self, later: &Self) {
        let Self {
            input,
            output,
            cache_read,
            cache_write,
            cache_write_1h,
            reasoning,
            audio_input,
            audio_output,
            image_input,
            image_output,
        } = later;
        self.input = input.or(self.input);
        self.output = output.or(self.output);
        self.cache_read = cache_read.or(self.cache_read);
        self.cache_write = cache_write.or(self.cache_write);
        self.cache_write_1h = cache_write_1h.or(self.cache_write_1h);
        self.reasoning = reasoning.or(self.reasoning);
        self.audio_input = audio_input.or(self.audio_input);
        self.audio_output = audio_output.or(self.audio_output);
        self.image_input = image_input.or(self.image_input);
        self.image_output = image_output.or(self.image_output);
    }

    /// The unified counts. Saturating: a provider's absurd figure must not wrap.
    pub fn unify(&self, convention: UsageConvention) -> Usage {
        let cache_read = self.cache_read.unwrap_or(0);
        let cache_write = self.cache_write.unwrap_or(0);
        let reasoning = self.reasoning.unwrap_or(0);
        let input = self.input.unwrap_or(0);
        let output = self.output.unwrap_or(0);
        Usage {
            prompt: match convention.cache {
                CacheTokens::Included => input,
                CacheTokens::Excluded => input.saturating_add(cache_read).saturating_add(cache_write),
            },
            cache_read,
            cache_write,
            cache_write_1h: self.cache_write_1h.unwrap_or(0).min(cache_write),
            completion: match convention.reasoning {
                ReasoningTokens::Included => output,
                ReasoningTokens::Excluded => output.saturating_add(reasoning),
            },
            reasoning,
            audio_input: self.audio_input.unwrap_or(0),
            audio_output: self.audio_output.unwrap_or(0),
            image_input: self.image_input.unwrap_or(0),
            image_output: self.image_output.unwrap_or(0),
        }
    }
}

impl Usage {
    /// The same with no part larger than what it is a part of: statistics and receipts must not show more.
    #[must_use]
    pub fn whole(&self) -> Self {
        let cache_read = self.cache_read.min(self.prompt);
        let cache_write = self.cache_write.min(self.prompt.saturating_sub(cache_read));
        Self {
            cache_read,
            cache_write,
            cache_write_1h: self.cache_write_1h.min(cache_write),
            reasoning: self.reasoning.min(self.completion),
            audio_input: self.audio_input.min(self.prompt),
            image_input: self.image_input.min(self.prompt),
            audio_output: self.audio_output.min(self.completion),
            image_output: self.image_output.min(self.completion),
            ..*self
        }
    }

    /// Prompt and completion together.
    pub const fn total(&self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    const ANTHROPIC: UsageConvention = UsageConvention {
        cache: CacheTokens::Excluded,
        reasoning: ReasoningTokens::Included,
    };

    #[test]
    fn cumulative_reports_replace_and_never_add() {
        let mut report = UsageReport {
            input: Some(43),
            output: Some(1),
            ..Default::default()
        };
        report.update(&UsageReport {
            output: Some(15),
            ..Default::default()
        });
        report.update(&UsageReport {
            input: Some(61),
            ..Default::default()
        });
        assert_eq!(
            report.unify(ANTHROPIC),
            Usage {
                prompt: 61,
                completion: 15,
                ..Default::default()
            }
        );
    }

    #[test]
    fn cache_tokens_outside_the_input_are_added_to_the_prompt() {
        let report = UsageReport {
            input: Some(10),
            cache_read: Some(5),
            cache_write: Some(7),
            ..Default::default()
        };
        assert_eq!(report.unify(ANTHROPIC).prompt, 22);
    }

    #[test]
    fn reasoning_outside_the_output_is_added_to_the_completion() {
        let xai = UsageConvention {
            cache: CacheTokens::Included,
            reasoning: ReasoningTokens::Excluded,
        };
        let report = UsageReport {
            output: Some(3),
            reasoning: Some(u64::MAX),
            ..Default::default()
        };
        assert_eq!(report.unify(xai).completion, u64::MAX);
    }
}
