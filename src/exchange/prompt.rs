//! The tokens of a prompt, counted when somebody has to know and nobody else has counted them.

use super::attempt::Attempt;
use super::{Exchange, parties};
use crate::chat::Request;
use crate::config::Config;
use crate::meter::{self, Source};
use crate::route::Candidate;
use std::cell::OnceCell;

/// The longest request that stays until its prompt is counted, and that is counted by a model's own vocabulary, in bytes:
/// an open stream must not hold much, and a worker must not count for long.
const MAX_UNCOUNTED: usize = 128 << 10;

impl Exchange {
    /// No attempt will be made any more: what is left of the request is what its receipt needs. It may be tens of
    /// megabytes, and an answer takes minutes. A short one stays until the provider has counted it, as nearly all do:
    /// counting it takes longer than everything else that is done to it.
    pub(super) fn let_request_go(&mut self) {
        self.encoded = None;
        let counted = |attempt: &Attempt| attempt.tally.has_prompt();
        let Some(request) = self.request.take() else {
            return;
        };
        if self.attempt.as_ref().is_some_and(counted) {
            return;
        }
        if request.capacity() <= MAX_UNCOUNTED {
            self.uncounted = Some(request);
        } else {
            // By a rule of thumb: a vocabulary could keep the worker busy for seconds.
            let _noted = self
                .prompt_tokens
                .get_or_init(|| meter::sketch_prompt(&request, &self.serving()));
        }
    }

    /// An estimate of the prompt's tokens, made once. Not before the plan: until then middleware may change the request.
    pub(super) fn prompt_tokens(&self) -> (u64, Source) {
        let request = self.request.as_ref().or(self.uncounted.as_ref());
        tokens(&self.prompt_tokens, request, || self.serving())
    }

    /// The names of the model that was last asked, or is to be asked first.
    pub(super) fn serving(&self) -> [&str; 2] {
        serving(&self.config, &self.plan, self.next)
    }
}

/// The prompt's tokens by estimate, made once.
pub(super) fn tokens<'n>(
    known: &OnceCell<(u64, Source)>,
    request: Option<&Request>,
    serving: impl FnOnce() -> [&'n str; 2],
) -> (u64, Source) {
    let estimate = || {
        request.map_or((0, Source::Estimate), |request| {
            if request.capacity() <= MAX_UNCOUNTED {
                meter::estimate_prompt(request, &serving())
            } else {
                meter::sketch_prompt(request, &serving())
            }
        })
    };
    *known.get_or_init(estimate)
}

/// The names of the model that was last asked of a plan of which so many places were tried, or is to be asked first.
pub(super) fn serving<'c>(config: &'c Config, plan: &[Candidate], tried: usize) -> [&'c str; 2] {
    let candidate = plan.get(tried.saturating_sub(1)).copied();
    candidate.map_or([""; 2], |candidate| names(config, candidate))
}

/// What a candidate's model is called: here, and by its provider.
pub(super) fn names(config: &Config, candidate: Candidate) -> [&str; 2] {
    let model = config.models.get(candidate.model).map_or("", |model| &model.name);
    let endpoint = parties(config, candidate).map_or("", |(endpoint, _)| &endpoint.model);
    [model, endpoint]
}
