//! What a provider charges for a completion that the client did not wait for.

use super::{Bill, Source};
use crate::provider::OnCancel;

/// What is taken for the length of such a completion where nobody can know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelRules {
    /// What a provider does of which it is not known: [`OnCancel::Stops`] or [`OnCancel::BillsAll`].
    pub unknown: OnCancel,
    /// Completion tokens of a request that sets no limit.
    pub usual_completion: u64,
}

impl Default for CancelRules {
    fn default() -> Self {
        Self {
            unknown: OnCancel::Stops,
            usual_completion: 1_000,
        }
    }
}

/// A request whose client has left.
#[derive(Clone, Copy, Debug)]
pub struct Cancelled {
    /// What its provider does.
    pub policy: OnCancel,
    /// Whether the client wanted a stream: nobody stops writing an answer that goes out whole.
    pub stream: bool,
    /// The limit on completion tokens that the caller has set, of all choices together.
    pub limit: Option<u64>,
    /// The longest completion that the endpoint can write.
    pub longest: Option<u64>,
}

impl Cancelled {
    /// Whether the provider charges for what it would have written.
    pub fn bills_all(&self, rules: CancelRules) -> bool {
        match self.policy {
            OnCancel::BillsAll => true,
            OnCancel::Stops => !self.stream,
            OnCancel::Unknown => rules.unknown == OnCancel::BillsAll,
        }
    }

    /// Completes the bill of what was delivered to what the provider charges: the caller's limit, which it cannot pass, or
    /// without one what completions usually come to.
    pub fn complete(&self, bill: &mut Bill, rules: CancelRules) {
        if !self.bills_all(rules) {
            return;
        }
        let longest = self.longest.unwrap_or(u64::MAX);
        if let Some(limit) = self.limit {
            // Should our count of what was delivered be more, it is wrong.
            bill.usage.completion = limit.min(longest);
            bill.completion_source = Source::Limit;
            return;
        }
        let usual = rules.usual_completion.min(longest);
        if usual > bill.usage.completion {
            bill.usage.completion = usual;
            bill.completion_source = Source::Estimate;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Usage;
    use crate::test;

    #[test]
    fn who_goes_on_writing_bills_up_to_the_limit() {
        let usual = CancelRules::default();
        let strict = CancelRules {
            unknown: OnCancel::BillsAll,
            usual_completion: 50,
        };
        for (policy, stream, limit, longest, rules, expected) in [
            (
                OnCancel::Stops,
                true,
                Some(100),
                None,
                usual,
                (7, Source::Estimate),
            ),
            (
                OnCancel::Stops,
                false,
                Some(100),
                None,
                usual,
                (100, Source::Limit),
            ),
            (
                OnCancel::Unknown,
                true,
                Some(100),
                None,
                usual,
                (7, Source::Estimate),
            ),
            (
                OnCancel::Unknown,
                true,
                Some(100),
                None,
                strict,
                (100, Source::Limit),
            ),
            (
                OnCancel::BillsAll,
                true,
                Some(100),
                None,
                usual,
                (100, Source::Limit),
            ),
            (
                OnCancel::BillsAll,
                true,
                Some(100),
                Some(60),
                usual,
                (60, Source::Limit),
            ),
            (OnCancel::BillsAll, true, Some(5), None, usual, (5, Source::Limit)),
            (
                OnCancel::BillsAll,
                true,
                None,
                None,
                usual,
                (1_000, Source::Estimate),
            ),
            (
                OnCancel::BillsAll,
                true,
                None,
                Some(500),
                strict,
                (50, Source::Estimate),
            ),
        ] {
            let mut bill = Bill {
                usage: Usage {
                    prompt: 3,
                    completion: 7,
                    ..Usage::default()
                },
                delivered: 7,
                prompt_source: Source::Provider,
                completion_source: Source::Estimate,
                claimed: None,
            };
            let cancelled = Cancelled {
                policy,
                stream,
                limit,
                longest,
            };
            cancelled.complete(&mut bill, rules);
            assert_eq!(
                (bill.usage.completion, bill.completion_source),
                expected,
                "{cancelled:?}"
            );
            assert_eq!((bill.usage.prompt, bill.delivered), (3, 7));
        }
    }
}
