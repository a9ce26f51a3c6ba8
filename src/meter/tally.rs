//! What one attempt used: the provider's reports as they come, and a count of what it delivered beside them.

use super::TokenCounter;
use crate::chat::{Delta, Piece, Reasoning, Usage, UsageConvention, UsageReport};

/// Counts one attempt.
#[derive(Debug)]
pub struct Tally {
    convention: UsageConvention,
    report: UsageReport,
    reported: bool,
    delivered: TokenCounter,
    reasoning: TokenCounter,
}

/// Where a count comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The provider reported it.
    Provider,
    /// We counted it by the model's own vocabulary.
    Tokenizer,
    /// We estimated it. Of a prompt with tools or images that is always so: how these count is documented, not promised.
    Estimate,
    /// The provider charges for what it goes on to write, up to this limit of the caller's.
    Limit,
}

impl Source {
    /// The word in receipts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Tokenizer => "tokenizer",
            Self::Estimate => "estimate",
            Self::Limit => "limit",
        }
    }
}

/// The tokens to bill for one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bill {
    /// The counts.
    pub usage: Usage,
    /// Our own count of the completion tokens that have come; 0 where an answer that came whole was counted by its
    /// provider.
    pub delivered: u64,
    /// Where the prompt's count comes from.
    pub prompt_source: Source,
    /// Where the completion's count comes from.
    pub completion_source: Source,
}

impl Tally {
    /// An empty tally of a provider that counts by this convention.
    pub fn new(convention: UsageConvention) -> Self {
        Self {
            convention,
            report: UsageReport::default(),
            reported: false,
            delivered: TokenCounter::default(),
            reasoning: TokenCounter::default(),
        }
    }

    /// Counts what is delivered as a model with these names does.
    pub fn count_like(&mut self, names: &[&str]) {
        self.delivered = TokenCounter::of(names);
        self.reasoning = self.delivered.clone();
    }

    /// Takes one step of the provider's response, before any middleware.
    pub fn observe(&mut self, delta: &Delta) {
        match delta {
            Delta::Usage(report) => {
                self.report.update(report);
                self.reported = true;
            }
            Delta::Piece { piece, .. } => match piece {
                Piece::Text(text) | Piece::Refusal(text) | Piece::ToolArguments { json: text, .. } => {
                    self.delivered.feed(text);
                }
                Piece::ToolCall { name, .. } => self.delivered.feed(name),
                Piece::Reasoning(Reasoning::Text { text, .. } | Reasoning::Summary { text, .. }) => {
                    self.reasoning.feed(text);
                }
                Piece::Reasoning(Reasoning::Signature { .. } | Reasoning::Encrypted { .. })
                | Piece::Image { .. }
                | Piece::Embedding(_)
                | Piece::Annotation(_)
                | Piece::Other { .. } => {}
            },
            Delta::Start { .. } | Delta::Finish { .. } | Delta::Vectors(_) | Delta::Error(_) => {}
        }
    }

    /// Takes all steps of a response that came whole. Where the provider has counted, nothing else need be.
    pub fn observe_whole(&mut self, deltas: &[Delta]) {
        let counted = deltas
            .iter()
            .any(|delta| matches!(delta, Delta::Usage(UsageReport { output: Some(_), .. })));
        for delta in deltas {
            if !counted || matches!(delta, Delta::Usage(_)) {
                self.observe(delta);
            }
        }
    }

    /// What the provider reported, in the unified convention; `None` when it reported nothing.
    pub fn reported(&self) -> Option<Usage> {
        self.reported.then(|| self.report.unify(self.convention))
    }

    /// Whether the provider has counted the prompt.
    pub const fn has_prompt(&self) -> bool {
        self.report.input.is_some()
    }

    /// Our own count of what the provider has delivered so far.
    pub fn delivered(&self) -> u64 {
        self.delivered.count() + self.reasoning.count()
    }

    /// What to bill. A response that came to its end is billed as the provider reports it. Of one that was cut, the last
    /// report of the completion is only a lower bound (Anthropic begins with 1), so the larger count stands.
    pub fn bill(&self, complete: bool, estimate_prompt: impl FnOnce() -> (u64, Source)) -> Bill {
        let mut usage = self.report.unify(self.convention);
        let prompt_source = if self.report.input.is_some() {
            Source::Provider
        } else {
            let (tokens, source) = estimate_prompt();
            usage.prompt = tokens;
            source
        };
        let delivered = self.delivered();
        let completion_source = if complete && self.report.output.is_some() {
            Source::Provider
        } else {
            usage.completion = usage.completion.max(delivered);
            usage.reasoning = usage.reasoning.max(self.reasoning.count());
            self.delivered.source()
        };
        Bill {
            usage,
            delivered,
            prompt_source,
            completion_source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{CacheTokens, ReasoningTokens};
    use crate::test;

    fn tally() -> Tally {
        Tally::new(UsageConvention {
            cache: CacheTokens::Excluded,
            reasoning: ReasoningTokens::Included,
        })
    }

    fn text(text: &str) -> Delta {
        Delta::Piece {
            choice: 0,
            piece: Piece::Text(text.to_owned()),
        }
    }

    fn usage(input: u64, output: u64) -> Delta {
        Delta::Usage(UsageReport {
            input: Some(input),
            output: Some(output),
            ..Default::default()
        })
    }

    #[test]
    fn a_complete_response_is_billed_as_reported() {
        let mut tally = tally();
        tally.observe(&usage(10, 1));
        tally.observe(&text("a b c d e f g h"));
        tally.observe(&usage(12, 3));
        let bill = tally.bill(true, || (99, Source::Estimate));
        assert_eq!((bill.usage.prompt, bill.usage.completion), (12, 3));
        assert_eq!(
            (bill.prompt_source, bill.completion_source),
            (Source::Provider, Source::Provider)
        );
    }

    #[test]
    fn a_cut_response_is_billed_for_what_was_delivered() {
        let mut tally = tally();
        tally.observe(&usage(10, 1));
        tally.observe(&text("a b c d"));
        let bill = tally.bill(false, || (99, Source::Estimate));
        assert_eq!((bill.usage.prompt, bill.usage.completion), (10, 4));
        assert_eq!(
            (bill.prompt_source, bill.completion_source),
            (Source::Provider, Source::Estimate)
        );
    }

    #[test]
    fn a_provider_that_reports_nothing_is_estimated() {
        let mut tally = tally();
        tally.observe(&text("a b"));
        let bill = tally.bill(true, || (99, Source::Estimate));
        assert_eq!((bill.usage.prompt, bill.usage.completion), (99, 2));
        assert_eq!(
            (bill.prompt_source, bill.completion_source),
            (Source::Estimate, Source::Estimate)
        );
    }
}
