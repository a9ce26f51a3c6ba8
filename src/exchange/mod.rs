//! One exchange's life, from the client's request to the receipt: the only place that knows the whole order.
//!
//! ```text
//! open → read → request middleware → plan → ( begin → headers → body… )* → settle
//! ```
//!
//! A state machine without I/O: every method takes what happened and the time, and returns what is to be done. The shell
//! does it. Settling consumes the exchange, so there is exactly one final receipt.

mod access_token;
mod answer;
mod attempt;
mod byok;
mod deadline;
mod demand;
mod empty;
mod envelope;
mod failure;
mod foreign;
mod outgoing;
mod pipeline;
mod plan;
mod prompt;
mod receipt;
mod visible;

pub use attempt::{Action, Head, ResponseHead};
pub use deadline::Due;
pub use outgoing::Outgoing;

use crate::auth::Secret;
use crate::auth::sent::Sent;
use crate::caps;
use crate::chat::Request;
use crate::config::{Config, Endpoint, PolicyScope, Provider};
use crate::dialect::Encoded;
use crate::dialect::client::ClientDialect;
use crate::error::{Error, Kind, PreviousError};
use crate::health::Sample;
use crate::meter::{self, Asked, AttemptLine, Bounds, Fee, Outcome, Rate, Receipt, Source};
use crate::middleware::{Reply, RequestChain, ResponseChain, Step};
use crate::route::Candidate;
use crate::route::auto::Rated;
use attempt::Attempt;
use byok::OwnKeys;
use deadline::{Deadlines, Streamed};
use demand::Clamp;
use envelope::Envelope;
use foreign::Foreign;
use outgoing::{Written, outgoing};
use prompt::names;
use std::cell::OnceCell;
use std::rc::Rc;
use visible::Routing;

/// One client request and its one response, with all the attempts in between.
#[derive(Debug)]
pub struct Exchange {
    id: String,
    config: Rc<Config>,
    client: &'static ClientDialect,
    key: Option<String>,
    scope: PolicyScope,
    /// The caller's name for the session that the request belongs to, from a header.
    session: Option<String>,
    own_keys: OwnKeys,
    started_ms: u64,
    /// What the caller asked for; there from `read` until no attempt can need it any more.
    request: Option<Request>,
    /// The same from then on, while its tokens may still have to be counted.
    uncounted: Option<Request>,
    /// What `request` comes to in tokens, from when somebody wanted to know.
    prompt_tokens: OnceCell<(u64, Source)>,
    envelope: Envelope,
    request_chain: RequestChain,
    plan: Vec<Candidate>,
    deadlines: Deadlines,
    routing: Routing,
    /// The shortlist as it was judged, where the model was picked automatically.
    rated: Vec<Rated>,
    /// Where in the plan the next attempt stands.
    next: usize,
    /// The first candidate's request, made while planning.
    encoded: Option<(Streamed, Encoded)>,
    /// The most tokens of the prompt, where a budget asked for them, and the limit that it covers.
    prompt_ceiling: u64,
    clamp: Option<Clamp>,
    /// The token that the next attempt may carry, and its id.
    token: Option<(String, Secret)>,
    attempt: Option<Attempt>,
    /// Attempts that are over.
    lines: Vec<AttemptLine>,
    previous: Vec<PreviousError>,
    samples: Vec<(u64, Sample)>,
    /// The one further attempt has been asked for that failures such as an empty answer may cause.
    tried_once: bool,
    /// The error that the client was told instead of an answer.
    refusal: Option<Error>,
}

/// Why an attempt sends nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The plan has no further candidate.
    NothingPlanned,
    /// The request was routed to a cluster that is not the candidate's, so its credential must not be written.
    WrongCluster,
    /// The request cannot be written for this candidate.
    CannotEncode,
    /// There is no token for the candidate's provider, without which nothing may go there.
    NoToken,
}

/// How Envoy ended a stream, as its response code details tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In order.
    Complete,
    /// The client went away.
    ClientLeft,
    /// Anything else: an upstream reset, a timeout, a filter's failure.
    Broken,
}

impl Exchange {
    /// An exchange that has just begun. `key` is the name of the client's key.
    pub fn open(
        config: Rc<Config>,
        client: &'static ClientDialect,
        id: String,
        key: Option<String>,
        now_ms: u64,
    ) -> Self {
        let request_chain = RequestChain::new(&config.middleware);
        Self {
            id,
            config,
            client,
            key,
            scope: PolicyScope::default(),
            session: None,
            own_keys: OwnKeys::default(),
            started_ms: now_ms,
            request: None,
            uncounted: None,
            prompt_tokens: OnceCell::new(),
            envelope: Envelope::default(),
            request_chain,
            plan: Vec::new(),
            deadlines: Deadlines::default(),
            routing: Routing::default(),
            rated: Vec::new(),
            next: 0,
            encoded: None,
            prompt_ceiling: 0,
            clamp: None,
            token: None,
            attempt: None,
            lines: Vec::new(),
            previous: Vec::new(),
            samples: Vec::new(),
            tried_once: false,
            refusal: None,
        }
    }

    /// The same, under the policies of its route and of its key.
    #[must_use]
    pub fn under(mut self, scope: PolicyScope) -> Self {
        self.request_chain = RequestChain::new(self.config.middleware(scope));
        self.scope = scope;
        self
    }

    /// The id: `gen-…`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Takes the caller's name for the session, from a header.
    pub fn set_session(&mut self, session: String) {
        self.session = Some(session);
    }

    /// Takes the caller's own keys for providers, from a header.
    ///
    /// # Errors
    /// When they cannot be read, or are for a provider that takes none.
    pub fn set_own_keys(&mut self, text: &str) -> Result<(), Error> {
        self.own_keys = OwnKeys::read(text, &self.config)?;
        Ok(())
    }

    /// Takes the request's body.
    ///
    /// # Errors
    /// When it is no request.
    pub fn read(&mut self, body: Vec<u8>) -> Result<(), Error> {
        let request = Request::parse(body)?.of(self.client.operation());
        caps::check(request.members())?;
        self.envelope = Envelope::of(&request)?;
        self.request = Some(request);
        Ok(())
    }

    /// Runs the request through the middleware.
    pub fn run_request_middleware(&mut self) -> Step {
        match &mut self.request {
            Some(request) => self.request_chain.run(request),
            None => Step::Done,
        }
    }

    /// Goes on after a request middleware's callout.
    pub fn resume_request_middleware(&mut self, reply: Reply) -> Step {
        match &mut self.request {
            Some(request) => self.request_chain.resume(request, reply),
            None => Step::Done,
        }
    }

    /// Whether the answer that has begun comes in pieces: an error does not, whatever was asked for.
    pub fn is_streaming(&self) -> bool {
        let folds = self.attempt.as_ref().is_some_and(Attempt::folds);
        (self.envelope.stream || folds) && self.refusal.is_none()
    }

    /// How long a body may be, in bytes: of the request, and of an answer.
    pub fn limits(&self) -> crate::config::Limits {
        self.config.limits(self.scope)
    }

    /// How much of the worker's memory may be in use before large bodies are refused, in bytes.
    pub fn memory(&self) -> usize {
        self.config.memory
    }

    /// How long the request is that the next attempt has to write, in bytes; 0 where that is done.
    pub fn unwritten(&self) -> usize {
        let request = self.request.as_ref().filter(|_| self.encoded.is_none());
        request.map_or(0, Request::capacity)
    }

    /// Ends the exchange with an error instead of an answer: what the client is told.
    pub fn refuse(&mut self, error: Error) -> Head {
        let head = self.error_head(&error);
        self.refusal = Some(error);
        self.request = None;
        head
    }

    /// Begins the next attempt, on the cluster that Envoy chose.
    ///
    /// # Errors
    /// When nothing may be sent.
    pub fn begin(&mut self, cluster: &str, now_ms: u64) -> Result<(usize, Outgoing), Refused> {
        // Envoy tells the failed attempt of its end only after the next one has begun, or before: both are fine.
        self.unanswered(now_ms);
        let config = Rc::clone(&self.config);
        let candidate = *self.ahead().first().ok_or(Refused::NothingPlanned)?;
        let (endpoint, provider) = parties(&config, candidate).ok_or(Refused::NothingPlanned)?;
        if provider.cluster != cluster {
            return Err(Refused::WrongCluster);
        }
        let Streamed(stream) = self.asks_for_stream(candidate);
        let given = self.token.take();
        let token = match (access_token::id(provider), given) {
            (None, _) => None,
            (Some(id), Some((of, token))) if id == of => Some(token),
            (Some(_), _) => return Err(Refused::NoToken),
        };
        let mut request = self.request.take().ok_or(Refused::NothingPlanned)?;
        let written = self.write(candidate, Streamed(stream), &mut request);
        let chain = ResponseChain::new(config.middleware(self.scope), &request);
        self.request = Some(request);
        let Written {
            dialect,
            encoded,
            limit,
        } = written?;
        let bounds = Bounds::of(&Asked {
            context: endpoint.facts.context_length,
            limit,
            prompts: self.envelope.prompts,
            completions: self.envelope.completions,
            runs_tools: self.envelope.runs_tools || candidate.variant.online,
            thinks_beside: endpoint.quirks.reasoning_outside_completion,
        });
        let own = self.own_keys.of(endpoint.provider);
        let secret = own.or(token.as_ref());
        let (outgoing, secrets) = outgoing(provider, encoded, secret, stream, now_ms);
        let foreign = Rc::new(Foreign::new(Sent::new(secrets), own.is_some()));
        let rate = Rate {
            price: endpoint.price_at(now_ms).cloned(),
            byok: self.fee(endpoint, provider),
            insured: false,
            recounted: false,
        };
        let mut attempt = Attempt::new(candidate, endpoint.usage(dialect), rate, chain, foreign, now_ms);
        attempt.stream = stream;
        attempt.tally.count_like(&names(&config, candidate));
        attempt.tally.believe(bounds);
        attempt.limit = limit.map(|limit| limit.saturating_mul(self.envelope.completions));
        self.next += 1;
        if self.ahead().is_empty() {
            self.let_request_go();
        }
        self.attempt = Some(attempt);
        // What the last attempt left for the client, should Envoy have refused to retry, was never seen.
        self.refusal = None;
        Ok((self.next, outgoing))
    }

    /// The response headers of attempt `number` have come; they are held.
    pub fn headers(&mut self, number: usize, head: &ResponseHead<'_>, now_ms: u64) {
        let config = Rc::clone(&self.config);
        let client = self.client;
        let Some(answer) = self.answer() else { return };
        let Some(attempt) = self.attempt.as_mut().filter(|_| number == self.next) else {
            return;
        };
        let Some(dialect) = parties(&config, attempt.candidate)
            .and_then(|(endpoint, _)| endpoint.dialect_for(client.operation()))
        else {
            return;
        };
        let max_out = config.limits(self.scope).response_body;
        attempt.headers(head, dialect, client, answer, max_out, now_ms);
    }

    /// More of the response body of attempt `number` has come.
    pub fn body(&mut self, number: usize, bytes: &[u8], end: bool, now_ms: u64) -> Action {
        let Some(attempt) = self.attempt.as_mut().filter(|_| number == self.next) else {
            return Action::Hold;
        };
        let request = self.request.as_ref().or(self.uncounted.as_ref());
        let prompt = || {
            let serving = || prompt::serving(&self.config, &self.plan, self.next);
            prompt::tokens(&self.prompt_tokens, request, serving)
        };
        let progress = attempt.body(bytes, end, now_ms, &prompt);
        if self.uncounted.is_some() && attempt.tally.has_prompt() {
            self.uncounted = None;
        }
        self.act(progress, now_ms)
    }

    /// There is no room for more of the answer that attempt `number` is gathering; `None` when no more than `small` bytes of
    /// it are here, so that there is no harm in more.
    pub fn no_room(&mut self, number: usize, small: usize, now_ms: u64) -> Option<Action> {
        let attempt = self.attempt.as_ref().filter(|_| number == self.next)?;
        if attempt.gathered() <= small {
            return None;
        }
        let progress = attempt.give_up(Error::gateway_full("this answer"))?;
        Some(self.act(progress, now_ms))
    }

    /// A response middleware's callout has been answered.
    pub fn resume(&mut self, number: usize, reply: Reply, now_ms: u64) -> Action {
        let Some(attempt) = self.attempt.as_mut().filter(|_| number == self.next) else {
            return Action::Hold;
        };
        let progress = attempt.resume(reply, now_ms);
        self.act(progress, now_ms)
    }

    /// Makes the current attempt the last one: Envoy cannot try another any more.
    pub fn forgo_others(&mut self) {
        self.plan.truncate(self.next);
    }

    /// Attempt `number` is gone. If it had not ended, it was reset, never connected, or timed out.
    pub fn gone(&mut self, number: usize, now_ms: u64) {
        // The gateway placement may hold an answer whose attempt has nothing more to do.
        let waits = self.attempt.as_ref().is_some_and(Attempt::waits_at_the_end);
        if number == self.next && !waits {
            self.unanswered(now_ms);
        }
    }

    /// Envoy answers the client itself, with this status and these response code details: what to tell the client instead.
    pub fn local_reply(&mut self, status: u16, details: &str, now_ms: u64) -> Head {
        self.unanswered(now_ms);
        let overflow = details.contains("overflow");
        let kind = match status {
            504 | 408 => Kind::Timeout,
            413 => Kind::PayloadTooLarge,
            500..=599 if !overflow => Kind::ProviderUnavailable,
            500..=599 => Kind::ProviderOverloaded,
            _ => Kind::of_provider_status(status),
        };
        if details.contains("no_healthy_upstream")
            && let Some(candidate) = self.ahead().first().copied()
        {
            // Envoy found no host to try: that attempt never began.
            self.next += 1;
            self.attempt = Some(Attempt::unbegun(candidate, now_ms));
            self.fail(
                Error::new(kind, "no host of this provider could be reached"),
                now_ms,
            );
        }
        let message = match (kind, self.previous.len()) {
            _ if details == "request_rate_limited" => "the rate limit of this gateway is reached",
            _ if details == "rate_limiter_error" => "the rate limit of this gateway cannot be looked up",
            _ if details.contains("response_payload_too_large") => {
                "the provider's response is larger than Envoy's buffers; raise them, and limits.response_body"
            }
            (Kind::PayloadTooLarge, _) => "the request is larger than the gateway's buffers",
            (Kind::Timeout, _) => "no endpoint answered in time",
            (_, 0 | 1) => "the endpoint could not be reached",
            _ => "none of the endpoints could be reached",
        };
        self.refuse(Error::new(kind, message))
    }

    /// Samples for the health of endpoints, to be stored; each is given out once.
    pub fn take_samples(&mut self) -> Vec<(u64, Sample)> {
        std::mem::take(&mut self.samples)
    }

    /// The receipt as it stands, in case the filter dies under the exchange.
    pub fn provisional(&self, now_ms: u64) -> Receipt {
        receipt::provisional(self, now_ms)
    }

    /// The receipt of an exchange of which nothing is known but its key, as JSON.
    pub fn begun(&self) -> Vec<u8> {
        meter::begun(
            &self.id,
            self.client.operation(),
            self.key(),
            &self.key_metadata(),
            self.started_ms,
        )
    }

    /// The end: the receipt, and the last samples.
    pub fn settle(mut self, ending: Ending, now_ms: u64) -> (Receipt, Vec<(u64, Sample)>) {
        let receipt = receipt::settle(&mut self, ending, now_ms);
        self.learn_throughput(&receipt, now_ms);
        (receipt, self.samples)
    }

    fn parties(&self, candidate: Candidate) -> Option<(&Endpoint, &Provider)> {
        parties(&self.config, candidate)
    }

    /// What the caller is charged where it pays the provider itself.
    fn fee(&self, endpoint: &Endpoint, provider: &Provider) -> Option<Fee> {
        let own = self.own_keys.of(endpoint.provider);
        provider.byok.filter(|_| own.is_some())
    }

    /// Turns what an attempt's progress means into what the shell does.
    fn act(&mut self, progress: attempt::Progress, now_ms: u64) -> Action {
        use attempt::Progress;
        self.relieve();
        match progress {
            Progress::Action(action) => action,
            Progress::Failed(error) => self.fail_over(error, now_ms),
            Progress::Empty(answer) => self.empty(answer, now_ms),
            Progress::Broken(mut error) => {
                error.provider = self.attempt_provider().map(|provider| provider.id.clone());
                error.metadata = self.routed(&error);
                let bytes = self.attempt.as_mut().map(|attempt| attempt.break_off(&error));
                self.fail(error, now_ms);
                Action::BreakOff(bytes.unwrap_or_default())
            }
            Progress::Release(body) => self.serve(body),
        }
    }

    /// Lets a good answer out.
    fn serve(&mut self, body: Vec<u8>) -> Action {
        self.learn(Sample::Success);
        if let Some(attempt) = &self.attempt {
            let whole = attempt.ended_ms.map(|at| at.saturating_sub(attempt.started_ms));
            let took = if attempt.stream {
                attempt.first_token_ms.map(|ms| Sample::FirstToken { ms })
            } else {
                whole.map(|ms| Sample::Whole { ms })
            };
            took.into_iter().for_each(|sample| self.learn(sample));
        }
        self.release(body)
    }

    /// Notes a sample for the current attempt's endpoint.
    fn learn(&mut self, sample: Sample) {
        self.samples.extend(self.health_key().map(|key| (key, sample)));
    }

    /// The health key of the current attempt's endpoint.
    pub fn health_key(&self) -> Option<u64> {
        let (endpoint, _) = self.parties(self.attempt.as_ref()?.candidate)?;
        Some(self.client.operation().health_key(endpoint.health_key))
    }

    fn attempt_provider(&self) -> Option<&Provider> {
        self.parties(self.attempt.as_ref()?.candidate)
            .map(|(_, provider)| provider)
    }
}

fn parties(config: &Config, candidate: Candidate) -> Option<(&Endpoint, &Provider)> {
    let endpoint = config
        .models
        .get(candidate.model)?
        .endpoints
        .get(candidate.endpoint)?;
    Some((endpoint, config.providers.get(endpoint.provider)?))
}

impl Exchange {
    /// How the exchange has ended for the client, as far as the exchange itself can tell.
    fn outcome(&self, ending: Ending) -> Outcome {
        if self.refusal.is_some() {
            return if self.attempt.is_some() {
                Outcome::Error
            } else {
                Outcome::Refused
            };
        }
        match (&self.attempt, ending) {
            (Some(attempt), _) if attempt.is_complete() => Outcome::Success,
            (_, Ending::ClientLeft) => Outcome::Cancelled,
            (Some(attempt), _) if attempt.is_cut() => Outcome::Cut,
            _ => Outcome::Error,
        }
    }
}
