//! What follows from a failed attempt: the next candidate or the error, the line in the receipt, the sample of health.

use super::attempt::Action;
use super::{Exchange, receipt};
use crate::error::{Error, Fault, Kind, Next, PreviousError};
use crate::hash;
use crate::health::Sample;
use crate::meter::{Outcome, Receipt};
use crate::route::{self, Candidate};

/// How much earlier than its deadline an attempt may be told of its end, in milliseconds.
const TIMER_SLACK_MS: u64 = 20;
/// How long an answer must be to tell how fast its tokens come.
const TELLING_TOKENS: u64 = 10;

impl Exchange {
    /// The attempt has failed before anything was let out: the next candidate, or the error.
    pub(super) fn fail_over(&mut self, mut error: Error, now_ms: u64) -> Action {
        error.provider = self.attempt_provider().map(|provider| provider.id.clone());
        self.fail(error.clone(), now_ms);
        let retry = self.can_follow(&error);
        self.rule_out(&error);
        self.tried_once |= retry && error.kind.facts().next == Next::TryOnce;
        // The last error is in the body itself, so only those before it are listed.
        self.previous.pop();
        let head = self.error_head(&error);
        if retry {
            self.previous.extend(previous(&error));
        }
        self.refusal = Some(error);
        if retry {
            Action::Retry { head }
        } else {
            self.let_request_go();
            Action::Release { head }
        }
    }

    /// Whether anybody is left to be asked after this failure of the current attempt.
    pub(super) fn can_follow(&self, error: &Error) -> bool {
        let most = self.config.routing.max_attempts;
        let rest = self.plan.get(self.next..).unwrap_or_default();
        self.next < most && rest.iter().any(|other| self.follows(error, *other))
    }

    /// Whether `other` may succeed where the current attempt has failed like this.
    fn follows(&self, error: &Error, other: Candidate) -> bool {
        let Some(failed) = self.attempt.as_ref().map(|attempt| attempt.candidate) else {
            return true;
        };
        let (Some((endpoint, provider)), Some((at, by))) = (self.parties(failed), self.parties(other)) else {
            return false;
        };
        match error.kind.facts().next {
            Next::Return => false,
            Next::TryNextModel => {
                // None is known to be longer than one of which nothing is known.
                let longer = at.facts.context_length > endpoint.facts.context_length;
                other.model != failed.model || (error.kind == Kind::ContextLengthExceeded && longer)
            }
            Next::TryOnce => !self.tried_once,
            // The key would be refused again.
            Next::TryNext => {
                let refused = matches!(error.kind, Kind::ProviderAuthentication | Kind::PaymentRequired);
                !(refused && by.cluster == provider.cluster)
            }
        }
    }

    /// Takes those out of the rest of the plan who cannot succeed either.
    fn rule_out(&mut self, error: &Error) {
        let done = self.plan.len().min(self.next);
        let rest = self.plan.split_off(done);
        let (rest, out): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|candidate| self.follows(error, *candidate));
        self.plan.extend(rest);
        self.routing.rule_out(error.kind, out);
    }

    /// An attempt that never answered, if that is what the current one is.
    pub(super) fn unanswered(&mut self, now_ms: u64) {
        let Some(attempt) = &self.attempt else { return };
        if attempt.has_ended() {
            return;
        }
        let waited = now_ms.saturating_sub(attempt.started_ms);
        let error = if attempt.has_spoken() {
            Error::new(Kind::ProviderUnavailable, "the provider cut the response short")
        } else if attempt.patience.late || waited.saturating_add(TIMER_SLACK_MS) >= self.per_try_timeout_ms()
        {
            let awaited = attempt.awaited();
            Error::new(Kind::Timeout, format!("no {awaited} within the deadline"))
        } else {
            Error::new(
                Kind::ProviderUnavailable,
                "the connection failed or was reset before an answer",
            )
        };
        self.fail(error, now_ms);
    }

    /// Records the end of the current attempt as a failure.
    pub(super) fn fail(&mut self, mut error: Error, now_ms: u64) {
        error.provider = self.attempt_provider().map(|provider| provider.id.clone());
        let Some(attempt) = &mut self.attempt else { return };
        let late = attempt.patience.late;
        if attempt.end(Some(&error), now_ms) {
            self.previous.extend(previous(&error));
            self.routing.fail(attempt.candidate, error.kind);
            // Its endpoint's health knows of one that is late already.
            if !late || !matches!(self.fault(&error), Fault::Endpoint | Fault::Unclear) {
                self.learn_failure(&error);
            }
            let line = self
                .attempt
                .as_ref()
                .and_then(|attempt| receipt::line(self, attempt, now_ms));
            self.lines.extend(line);
        }
    }

    /// Notes what a failure of the current attempt says of its endpoint.
    pub(super) fn learn_failure(&mut self, error: &Error) {
        let attempt = self.attempt.as_ref();
        let silent = attempt.is_some_and(|attempt| attempt.first_token_ms.is_none());
        if silent && error.kind == Kind::Timeout && !self.envelope.stream {
            self.learn(Sample::Silent);
        }
        self.sample(self.fault(error), error.retry_after_ms);
    }

    /// Notes a sample for the current attempt's endpoint.
    pub(super) fn sample(&mut self, fault: Fault, retry_after_ms: Option<u64>) {
        let attempt = self.attempt.as_ref();
        let is_trial = attempt.is_some_and(|attempt| attempt.candidate.reason == route::TRIAL);
        match fault {
            Fault::Endpoint => self.learn(Sample::Failure),
            Fault::RateLimit => self.learn(Sample::RateLimited { retry_after_ms }),
            Fault::Unclear => {
                let caller = self.caller_hash();
                self.learn(Sample::Unclear { caller });
            }
            Fault::Nobody => {}
        }
        // A claimed trial that has shown nothing is given back.
        if is_trial && matches!(fault, Fault::Unclear | Fault::Nobody) {
            self.learn(Sample::Nothing);
        }
    }

    /// A short hash of the caller's name. Callers without a key are one caller: nothing tells them apart that they cannot
    /// choose themselves.
    fn caller_hash(&self) -> u32 {
        let hash = self.key().map_or(0, |name| hash::stable(&[name]));
        u32::try_from(hash >> 32).unwrap_or_default()
    }

    /// Whose fault an error of the current attempt is. What a caller's own key may not do says nothing of the endpoint, and
    /// a prompt may be so long that reading it takes all of the time.
    fn fault(&self, error: &Error) -> Fault {
        let of_key = matches!(error.kind, Kind::ProviderAuthentication | Kind::PaymentRequired);
        match error.kind.facts().fault {
            fault if self.is_byok() && (of_key || fault == Fault::RateLimit) => Fault::Nobody,
            Fault::Endpoint if error.kind == Kind::Timeout && self.is_prompt_too_long_for_deadline() => {
                Fault::Unclear
            }
            fault => fault,
        }
    }

    /// Whether the caller pays the current attempt's provider itself.
    pub(super) fn is_byok(&self) -> bool {
        self.attempt
            .as_ref()
            .is_some_and(|attempt| attempt.rate.byok.is_some())
    }

    /// Notes how fast a complete answer came: its tokens in all the time from the beginning of its attempt, as OpenRouter
    /// counts it.
    pub(super) fn learn_throughput(&mut self, receipt: &Receipt, now_ms: u64) {
        let complete = receipt.outcome == Outcome::Success;
        let (Some(bill), Some(attempt)) = (&receipt.bill, self.attempt.as_ref().filter(|_| complete)) else {
            return;
        };
        let tokens = bill.usage.completion;
        let took = attempt
            .ended_ms
            .unwrap_or(now_ms)
            .saturating_sub(attempt.started_ms);
        if tokens >= TELLING_TOKENS && took > 0 {
            let tokens_per_10_s = tokens.saturating_mul(10_000) / took;
            self.learn(Sample::Throughput { tokens_per_10_s });
        }
    }
}

fn previous(error: &Error) -> Option<PreviousError> {
    let facts = error.kind.facts();
    Some(PreviousError {
        provider: error.provider.clone()?,
        code: facts.error_type,
        status: facts.status,
    })
}
