//! What the passing of time means for an exchange: an endpoint that misses its deadline for the first token, or for the
//! whole of a buffered answer; a client that waits for long; a stream that falls silent.
//!
//! Envoy knows one deadline for all attempts of an exchange, that of the endpoint which may take longest; it ends the
//! attempts at endpoints that have not even sent headers. Where headers are held, the endpoint's own deadline ends the
//! attempt, by the next tick.

use super::{Action, Exchange, Head};
use crate::config::{Endpoint, StreamUpstream};
use crate::error::{Error, Kind};
use crate::health::{Sample, View};
use crate::route::{self, Candidate};

/// What a client reads that waits. Readers of server-sent events pass comments over.
/// <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>
const COMMENT: &[u8] = b": crosspoint processing\n\n";

/// What is to be done because time has passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// Ask Envoy for a retry on the next candidate's cluster. Should Envoy refuse, the client gets this.
    Retry(Head),
    /// Let the held response go: with these headers, and these first bytes.
    Release(Head),
    /// Write this into the answer.
    Write(&'static [u8]),
    /// Write this into the answer, and end it.
    BreakOff(Vec<u8>),
}

/// Whether a provider is asked for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Streamed(pub(super) bool);

/// The deadline of one endpoint of a plan.
#[derive(Debug)]
struct Deadline {
    model: usize,
    endpoint: usize,
    /// To the first token of a stream, from the beginning of its attempt.
    first_token_ms: u64,
    /// To the end of a buffered answer.
    whole_ms: u64,
    /// It is asked for a stream, whatever its place in the plan.
    stream: bool,
}

/// The deadlines of a plan's endpoints.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    each: Vec<Deadline>,
    /// The longest of those that the attempts of the exchange come to, if each fails.
    longest: Option<u64>,
    /// How long an endpoint may take to read the prompt.
    prompt_ms: u64,
}

impl Deadline {
    const fn ms(&self, stream: bool) -> u64 {
        if stream {
            self.first_token_ms
        } else {
            self.whole_ms
        }
    }
}

impl Deadlines {
    fn of(&self, candidate: Candidate) -> Option<&Deadline> {
        let same = |each: &&Deadline| (each.model, each.endpoint) == (candidate.model, candidate.endpoint);
        self.each.iter().find(same)
    }
}

impl Exchange {
    /// The deadlines of the plan's endpoints, given how they do and how long the prompt is, in bytes.
    pub(super) fn deadlines(&self, views: &mut dyn FnMut(u64) -> View, prompt_bytes: usize) -> Deadlines {
        let timeouts = &self.config.timeouts(self.scope);
        let attempts = self.candidates().len();
        // Where no other endpoint can be asked, giving up early helps no one.
        let alone = attempts < 2;
        let share_ms = timeouts.total_ms / (attempts as u64).max(1);
        let deadline = |candidate: &Candidate| {
            let (endpoint, _) = self.parties(*candidate)?;
            let stream = self.plans_stream(endpoint, !alone, views);
            if alone && !stream {
                return None;
            }
            let view = if alone {
                View::default()
            } else {
                views(endpoint.health_key)
            };
            let first_token_ms =
                route::first_token_ms(timeouts, endpoint.first_token_ms, &view, prompt_bytes);
            // Where a buffered answer is wanted the others need their share.
            let most_ms = if self.envelope.stream { u64::MAX } else { share_ms };
            Some(Deadline {
                model: candidate.model,
                endpoint: candidate.endpoint,
                first_token_ms: first_token_ms.min(most_ms),
                whole_ms: route::whole_ms(&view, share_ms, prompt_bytes),
                stream,
            })
        };
        let mut deadlines = Deadlines {
            each: self.plan.iter().filter_map(deadline).collect(),
            longest: None,
            prompt_ms: route::prompt_ms(prompt_bytes),
        };
        deadlines.longest = self.longest(&deadlines);
        deadlines
    }

    /// The longest deadline of the attempts that the exchange comes to, if each fails.
    fn longest(&self, deadlines: &Deadlines) -> Option<u64> {
        let candidates = self.candidates();
        let each = |(at, candidate): (usize, &Candidate)| {
            let deadline = deadlines.of(*candidate)?;
            let is_last = at + 1 == candidates.len() && candidates.len() > 1;
            Some(deadline.ms(deadline.stream || (is_last && self.may_end_in_stream(*candidate))))
        };
        candidates.iter().enumerate().filter_map(each).max()
    }

    /// The order of the plan has changed.
    pub(super) fn renew_longest_deadline(&mut self) {
        self.deadlines.longest = self.longest(&self.deadlines);
    }

    /// Whether an endpoint is asked for a stream, whatever its place in the plan. `several`: others can be asked, too.
    pub(super) fn plans_stream(
        &self,
        endpoint: &Endpoint,
        several: bool,
        views: &mut dyn FnMut(u64) -> View,
    ) -> bool {
        if !self.envelope.may_fold {
            return self.envelope.stream;
        }
        match endpoint.stream_upstream {
            StreamUpstream::Always => true,
            StreamUpstream::Never => false,
            StreamUpstream::Auto => several && views(endpoint.health_key).silent,
        }
    }

    /// Whether the next attempt, at this endpoint, asks for a stream.
    ///
    /// Envoy takes one deadline for all attempts, the last one included, which no endpoint follows. It ends an attempt
    /// whose answer has not begun. So the last of several asks for a stream, too, and its answer begins with its first
    /// token.
    pub(super) fn asks_for_stream(&self, candidate: Candidate) -> Streamed {
        let planned = self
            .deadlines
            .of(candidate)
            .is_some_and(|deadline| deadline.stream);
        let is_last = self.ahead().len() == 1 && self.candidates().len() > 1;
        Streamed(self.envelope.stream || planned || (is_last && self.may_end_in_stream(candidate)))
    }

    /// Whether the last of several attempts, at this endpoint, asks for a stream.
    fn may_end_in_stream(&self, candidate: Candidate) -> bool {
        let mode = self
            .parties(candidate)
            .map(|(endpoint, _)| endpoint.stream_upstream);
        self.envelope.may_fold && mode == Some(StreamUpstream::Auto)
    }

    /// How long the exchange may live, in milliseconds.
    pub fn longest_life_ms(&self) -> u64 {
        self.config.timeouts(self.scope).total_ms
    }

    /// How long Envoy may wait for one attempt, in milliseconds: for a stream's first token, or for the whole of a buffered
    /// answer.
    pub fn per_try_timeout_ms(&self) -> u64 {
        let timeouts = &self.config.timeouts(self.scope);
        self.deadlines.longest.unwrap_or(if self.envelope.stream {
            timeouts.first_token_ms
        } else {
            timeouts.total_ms
        })
    }

    /// How long the current attempt may take. When nobody else is left to be asked, as long as any.
    fn deadline_ms(&self) -> u64 {
        let candidate = self.attempt.as_ref().map(|attempt| attempt.candidate);
        let own = candidate.and_then(|candidate| self.deadlines.of(candidate));
        match own {
            Some(own) if !self.ahead().is_empty() => own.ms(own.stream),
            _ => self.per_try_timeout_ms(),
        }
    }

    /// Whether the current attempt has no token yet, and the prompt is so long that an endpoint may need all of its
    /// deadline to read it.
    pub(super) fn is_prompt_too_long_for_deadline(&self) -> bool {
        let attempt = self.attempt.as_ref();
        attempt.is_some_and(|attempt| attempt.first_token_ms.is_none())
            && self.deadlines.prompt_ms >= self.deadline_ms()
    }

    /// What is to be done at this time. To be asked every now and then.
    pub fn due(&mut self, now_ms: u64) -> Option<Due> {
        self.stalled(now_ms)
            .map(Due::BreakOff)
            .or_else(|| self.overdue(now_ms))
            .or_else(|| self.comment(now_ms))
    }

    /// Checks for a stream that has fallen silent after its first token.
    fn stalled(&mut self, now_ms: u64) -> Option<Vec<u8>> {
        let stall_ms = self.config.timeouts(self.scope).stall_ms;
        let attempt = self.attempt.as_ref()?;
        if attempt.is_waited_for() || !attempt.is_silent_since(now_ms.saturating_sub(stall_ms)) {
            return None;
        }
        let message = format!("the provider sent nothing for {stall_ms} ms");
        Some(self.break_off(Error::new(Kind::Timeout, message), now_ms))
    }

    /// Checks for an endpoint that has missed its deadline.
    fn overdue(&mut self, now_ms: u64) -> Option<Due> {
        let deadline_ms = self.deadline_ms();
        let attempt = self.attempt.as_mut()?;
        let waited = now_ms.saturating_sub(attempt.started_ms);
        if waited < deadline_ms || !attempt.owes_first_token() {
            return None;
        }
        let awaited = attempt.awaited();
        let error = Error::new(Kind::Timeout, format!("no {awaited} within {deadline_ms} ms"));
        if attempt.is_waited_for() {
            return Some(Due::BreakOff(self.break_off(error, now_ms)));
        }
        if attempt.is_held() {
            // The last one is Envoy's to end.
            return match (!self.ahead().is_empty()).then(|| self.fail_over(error, now_ms)) {
                Some(Action::Retry { head }) => Some(Due::Retry(head)),
                _ => None,
            };
        }
        // Before there are headers only Envoy can end an attempt, but others need not wait for that to learn of it.
        if !std::mem::replace(&mut attempt.patience.late, true) {
            self.learn_failure(&error);
        }
        None
    }

    /// Checks for a client that has waited for long.
    fn comment(&mut self, now_ms: u64) -> Option<Due> {
        let waiting = self.config.timeouts(self.scope).waiting?;
        let attempt = self.attempt.as_mut().filter(|_| self.envelope.stream)?;
        if let Some(last) = attempt.patience.commented_ms {
            // Counted from when it was due, so that the time between two questions does not add up.
            let since = now_ms.saturating_sub(last);
            if !attempt.owes_first_token() || since < waiting.every_ms {
                return None;
            }
            let whole = since - since % waiting.every_ms;
            attempt.patience.commented_ms = Some(last.saturating_add(whole));
            return Some(Due::Write(COMMENT));
        }
        if now_ms.saturating_sub(self.started_ms) < waiting.after_ms {
            return None;
        }
        let begun = attempt.release_early(now_ms)?;
        match self.release([COMMENT, &begun].concat()) {
            Action::Release { head } => Some(Due::Release(head)),
            _ => None,
        }
    }

    /// Fails an answer that has begun: the client's last bytes.
    fn break_off(&mut self, mut error: Error, now_ms: u64) -> Vec<u8> {
        error.provider = self.attempt_provider().map(|provider| provider.id.clone());
        error.metadata = self.routed(&error);
        let bytes = self.attempt.as_mut().map(|attempt| attempt.break_off(&error));
        self.fail(error, now_ms);
        bytes.unwrap_or_default()
    }

    /// Learns from a first token that came after comments.
    pub(super) fn relieve(&mut self) {
        if let Some(ms) = self.attempt.as_mut().and_then(super::Attempt::relief) {
            self.learn(Sample::Success);
            self.learn(Sample::FirstToken { ms });
        }
    }
}
