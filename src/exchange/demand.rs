//! What an exchange is expected to use, before it has used anything.

use super::Exchange;
use crate::chat::{Operation, Usage};
use crate::meter;
use crate::meter::budget::Demand;

impl Exchange {
    /// The name of the caller's key.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// What the configuration has beside that name, for the receipt.
    pub(super) fn key_metadata(&self) -> Vec<(String, String)> {
        let key = self.key().and_then(|name| self.config.key_named(name));
        key.map(|key| key.metadata.clone()).unwrap_or_default()
    }

    /// The tokens of the prompt, by estimate, and of a completion as long as the caller allows, or a usual one where he
    /// gives no limit; and what he is charged for them now at the dearest endpoint of the plan, as any of them may serve.
    pub fn demand(&self, now_ms: u64) -> Demand {
        // A rule of thumb will do for what is given back: counting by a vocabulary takes many times as long.
        let estimate = |request| meter::sketch_prompt(request, &self.serving()).0;
        let prompt = self.request.as_ref().map_or(0, estimate);
        let completion = match (&self.request, self.client.operation()) {
            (None, _) | (_, Operation::Embeddings) => 0,
            (Some(request), Operation::Chat | Operation::Completions) => {
                // What cannot be read has been refused, or is the provider's to refuse.
                let most = request
                    .max_tokens()
                    .ok()
                    .flatten()
                    .unwrap_or(self.config.billing.usual_completion);
                let choices = request.get::<u64>("n").ok().flatten().unwrap_or(1);
                most.saturating_mul(choices.max(1))
            }
        };
        let usage = Usage {
            prompt,
            completion,
            ..Usage::default()
        };
        let costs = self.plan.iter().filter_map(|candidate| {
            let (endpoint, provider) = self.parties(*candidate)?;
            let cost = endpoint.price_at(now_ms)?.cost(&usage);
            let charged = |amount| match self.fee(endpoint, provider) {
                Some(fee) => fee.of(amount),
                None => amount,
            };
            Some((charged(cost.total()), charged(cost.completion)))
        });
        let (cost, completion_cost) = costs.max().unwrap_or_default();
        Demand {
            tokens: prompt.saturating_add(completion),
            completion,
            cost,
            completion_cost,
        }
    }
}
