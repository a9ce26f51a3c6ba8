//! What one attempt used: the provider's reports as they come, and a count of what it delivered beside them.

use super::{Bounds, Source, TokenCounter};
use crate::chat::{Delta, Piece, Reasoning, Usage, UsageConvention, UsageReport};

/// Counts one attempt.
#[derive(Debug)]
pub struct Tally {
    convention: UsageConvention,
    bounds: Bounds,
    report: UsageReport,
    reported: bool,
    /// The provider's last count of the prompt that can be.
    believed_prompt: Option<u64>,
    /// The prompt's tokens instead of a count that cannot be.
    own_prompt: Option<(u64, Source)>,
    delivered: TokenCounter,
    reasoning: TokenCounter,
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
    /// The provider's own counts, where some of them cannot be and ours are billed.
    pub claimed: Option<Usage>,
}

/// Counts our own prompt, where the provider's cannot be.
pub type CountPrompt<'a> = &'a dyn Fn() -> (u64, Source);

impl Tally {
    /// An empty tally of a provider that counts by this convention.
    pub fn new(convention: UsageConvention) -> Self {
        Self {
            convention,
            bounds: Bounds::NONE,
            report: UsageReport::default(),
            reported: false,
            believed_prompt: None,
            own_prompt: None,
            delivered: TokenCounter::default(),
            reasoning: TokenCounter::default(),
        }
    }

    /// Believes no count above these.
    pub const fn believe(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Counts what is delivered as a model with these names does.
    pub fn count_like(&mut self, names: &[&str]) {
        self.delivered = TokenCounter::of(names);
        self.reasoning = self.delivered.clone();
    }

    /// Takes one step of the provider's response, before any middleware.
    pub fn observe(&mut self, delta: &Delta, prompt: CountPrompt<'_>) {
        match delta {
            Delta::Usage(report) => self.report(report, prompt),
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
    pub fn observe_whole(&mut self, deltas: &[Delta], prompt: CountPrompt<'_>) {
        let is_usage = |delta: &&Delta| matches!(delta, Delta::Usage(_));
        for delta in deltas.iter().filter(is_usage) {
            self.observe(delta, prompt);
        }
        if !self.has_completion(&self.claimed()) {
            for delta in deltas.iter().filter(|delta| !is_usage(delta)) {
                self.observe(delta, prompt);
            }
        }
    }

    fn report(&mut self, report: &UsageReport, prompt: CountPrompt<'_>) {
        self.report.update(report);
        self.reported = true;
        if self.report.input.is_none() {
            return;
        }
        let claimed = self.claimed().prompt;
        if claimed <= self.bounds.prompt {
            self.believed_prompt = Some(claimed);
        } else if self.own_prompt.is_none() {
            // Later the request may be gone.
            let believed = self.believed_prompt.map(|tokens| (tokens, Source::Provider));
            self.own_prompt = Some(believed.unwrap_or_else(prompt));
        }
    }

    /// The provider's counts, as they are.
    fn claimed(&self) -> Usage {
        self.report.unify(self.convention)
    }

    /// Whether the provider has counted the completion, and the count can be.
    const fn has_completion(&self, claimed: &Usage) -> bool {
        self.report.output.is_some() && claimed.completion <= self.bounds.completion
    }

    /// These counts as far as they can be. Ours stand in the place of those that cannot.
    fn credible(&self, claimed: &Usage) -> Usage {
        let mut usage = claimed.whole();
        if claimed.prompt > self.bounds.prompt {
            usage = Usage {
                prompt: self.own_prompt.map_or(0, |(tokens, _)| tokens),
                completion: usage.completion,
                reasoning: usage.reasoning,
                audio_output: usage.audio_output,
                image_output: usage.image_output,
                ..Usage::default()
            };
        }
        if claimed.completion > self.bounds.completion {
            usage.completion = self.delivered();
            usage.reasoning = self.reasoning.count();
            usage.audio_output = 0;
            usage.image_output = 0;
        }
        usage
    }

    /// What the provider reported as far as it can be, in the unified convention; `None` when it reported nothing.
    pub fn reported(&self) -> Option<Usage> {
        self.reported.then(|| self.credible(&self.claimed()))
    }

    /// Whether ours stand in the place of the provider's counts.
    pub fn is_recounted(&self) -> bool {
        let claimed = self.claimed();
        claimed.prompt > self.bounds.prompt || claimed.completion > self.bounds.completion
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
        let claimed = self.claimed();
        let mut usage = self.credible(&claimed);
        let recounted = (usage != claimed).then_some(claimed);
        let prompt_source = if claimed.prompt > self.bounds.prompt {
            self.own_prompt.map_or(Source::Estimate, |(_, source)| source)
        } else if self.report.input.is_some() {
            Source::Provider
        } else {
            let (tokens, source) = estimate_prompt();
            usage.prompt = tokens;
            source
        };
        let delivered = self.delivered();
        let completion_source = if complete && self.has_completion(&claimed) {
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
            claimed: recounted,
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

    fn observe(tally: &mut Tally, delta: &Delta) {
        tally.observe(delta, &|| (77, Source::Estimate));
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
        observe(&mut tally, &usage(10, 1));
        observe(&mut tally, &text("a b c d e f g h"));
        observe(&mut tally, &usage(12, 3));
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
        observe(&mut tally, &usage(10, 1));
        observe(&mut tally, &text("a b c d"));
        let bill = tally.bill(false, || (99, Source::Estimate));
        assert_eq!((bill.usage.prompt, bill.usage.completion), (10, 4));
        assert_eq!(
            (bill.prompt_source, bill.completion_source),
            (Source::Provider, Source::Estimate)
        );
    }

    fn bounded() -> Tally {
        let mut tally = tally();
        tally.believe(Bounds {
            prompt: 1_000,
            completion: 100,
        });
        tally
    }

    #[test]
    fn a_count_that_cannot_be_is_replaced_by_ours_and_kept_beside_it() {
        for (report, prompt, completion) in [
            (usage(10, 100), (10, Source::Provider), (100, Source::Provider)),
            (usage(10, 101), (10, Source::Provider), (4, Source::Estimate)),
            (usage(10, u64::MAX), (10, Source::Provider), (4, Source::Estimate)),
            (usage(1_001, 3), (77, Source::Estimate), (3, Source::Provider)),
            (
                usage(u64::MAX, u64::MAX),
                (77, Source::Estimate),
                (4, Source::Estimate),
            ),
        ] {
            let mut streamed = bounded();
            observe(&mut streamed, &text("a b c d"));
            observe(&mut streamed, &report);
            let mut whole = bounded();
            whole.observe_whole(&[report.clone(), text("a b c d")], &|| (77, Source::Estimate));
            for tally in [streamed, whole] {
                let bill = tally.bill(true, || (99, Source::Estimate));
                let Delta::Usage(theirs) = &report else { panic!() };
                assert_eq!((bill.usage.prompt, bill.prompt_source), prompt, "{report:?}");
                assert_eq!(
                    (bill.usage.completion, bill.completion_source),
                    completion,
                    "{report:?}"
                );
                let theirs = theirs.unify(tally.convention);
                let claimed = (theirs != bill.usage).then_some(theirs);
                assert_eq!(bill.claimed, claimed, "{report:?}");
                assert_eq!(tally.reported(), Some(bill.usage));
                assert_eq!(tally.is_recounted(), claimed.is_some());
            }
        }
    }

    #[test]
    fn the_last_report_of_a_stream_decides() {
        let mut tally = bounded();
        observe(&mut tally, &usage(10, 1));
        observe(&mut tally, &usage(u64::MAX, 2));
        // What can be was said before.
        assert_eq!(tally.reported().unwrap().prompt, 10);
        observe(&mut tally, &usage(12, 2));
        let bill = tally.bill(true, || (99, Source::Estimate));
        assert_eq!((bill.usage.prompt, bill.claimed), (12, None));
    }

    #[test]
    fn parts_are_not_more_than_their_whole() {
        let mut tally = Tally::new(UsageConvention {
            cache: CacheTokens::Included,
            reasoning: ReasoningTokens::Included,
        });
        let report = UsageReport {
            input: Some(10),
            output: Some(5),
            cache_read: Some(8),
            cache_write: Some(u64::MAX),
            cache_write_1h: Some(u64::MAX),
            reasoning: Some(u64::MAX),
            audio_input: Some(11),
            image_output: Some(6),
            ..Default::default()
        };
        observe(&mut tally, &Delta::Usage(report));
        let bill = tally.bill(true, || (99, Source::Estimate));
        let usage = Usage {
            prompt: 10,
            completion: 5,
            cache_read: 8,
            cache_write: 2,
            cache_write_1h: 2,
            reasoning: 5,
            audio_input: 10,
            image_output: 5,
            ..Usage::default()
        };
        assert_eq!(bill.usage, usage);
        assert_eq!(bill.claimed.unwrap().reasoning, u64::MAX);
    }

    #[test]
    fn a_provider_that_reports_nothing_is_estimated() {
        let mut tally = tally();
        observe(&mut tally, &text("a b"));
        let bill = tally.bill(true, || (99, Source::Estimate));
        assert_eq!((bill.usage.prompt, bill.usage.completion), (99, 2));
        assert_eq!(
            (bill.prompt_source, bill.completion_source),
            (Source::Estimate, Source::Estimate)
        );
    }
}
