//! One try of an exchange on one endpoint: holds the response until it is known to be good, then lets it out.

use super::foreign::Foreign;
use super::pipeline::{Flow, Pipeline};
use crate::chat::{CacheTokens, Finish, ReasoningTokens, UsageConvention};
use crate::dialect::Dialect;
use crate::dialect::client::{Answer, ClientDialect};
use crate::error::{Error, Kind};
use crate::meter::{CountPrompt, Outcome, Rate, Tally};
use crate::middleware::{Callout, Reply, ResponseChain};
use crate::route::Candidate;
use crate::wire::Framing;
use std::rc::Rc;

/// How much of an error's body is read, in bytes.
const MAX_ERROR_BODY: usize = 64 << 10;
/// How long `Retry-After` may say to wait, in milliseconds: a day.
const MAX_RETRY_AFTER_MS: u64 = 86_400_000;

/// What the client reads of a folded answer at its first token. From there on Envoy's deadline for an attempt does not
/// end it, and an error may be written into it. White space before a document means nothing.
const FOLDED_HEAD: &[u8] = b"\n";
/// The type of streams that comments may be written into.
const EVENTS: &str = "text/event-stream";

/// What the client gets instead of the provider's response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// All headers.
    pub headers: Vec<(String, String)>,
    /// The first bytes of the body, or all of it.
    pub body: Vec<u8>,
}

/// What the shell does with a piece of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Swallow it and hold the headers.
    Hold,
    /// Let the response go: with these headers, and this instead of the piece.
    Release {
        /// What the client gets.
        head: Head,
    },
    /// Let this go instead of the piece.
    Pass(Vec<u8>),
    /// Let the piece go as it is.
    Unchanged,
    /// Let this go instead of the piece: an answer that had begun has failed, and nothing that still comes is part of it.
    BreakOff(Vec<u8>),
    /// Ask Envoy for a retry on the next candidate's cluster. Should Envoy refuse, the client gets this.
    Retry {
        /// What the client gets.
        head: Head,
    },
    /// Make this call, and hold everything until it is answered.
    Wait(Callout),
}

/// What the attempt must know of a response's headers.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResponseHead<'a> {
    /// The HTTP status.
    pub status: u16,
    /// `content-type`
    pub content_type: Option<&'a str>,
    /// `content-encoding`
    pub content_encoding: Option<&'a str>,
    /// `retry-after`
    pub retry_after: Option<&'a str>,
    /// `retry-after-ms`
    pub retry_after_ms: Option<&'a str>,
}

/// What a piece of a response means for the exchange.
#[derive(Debug)]
pub(super) enum Progress {
    /// The shell can act by itself.
    Action(Action),
    /// The answer is good: let it out, beginning with this.
    Release(Vec<u8>),
    /// The attempt has failed, and nothing was let out.
    Failed(Error),
    /// The answer is complete and has no token.
    Empty(Vec<u8>),
    /// The attempt has failed after its answer had begun: what `break_off` gives tells the client.
    Broken(Error),
}

/// One try of an exchange on one endpoint.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) candidate: Candidate,
    pub(super) started_ms: u64,
    pub(super) first_token_ms: Option<u64>,
    pub(super) status: Option<u16>,
    pub(super) tally: Tally,
    pub(super) rate: Rate,
    /// The limit that was sent, of all completions together.
    pub(super) limit: Option<u64>,
    pub(super) outcome: Outcome,
    pub(super) error_type: Option<&'static str>,
    pub(super) provider_code: Option<String>,
    pub(super) finish: Option<(Finish, Option<String>)>,
    pub(super) ended_ms: Option<u64>,
    /// What the provider's own words go through.
    foreign: Rc<Foreign>,
    phase: Phase,
    /// Something was written for the client: an answer, or the error beside a wish to retry.
    spoken: bool,
    /// A piece of the body has come: from then on it may be written into.
    has_body: bool,
    pub(super) patience: Patience,
    /// The client was told of an error after its answer had begun.
    told_error: bool,
    last_byte_ms: u64,
    /// The provider was asked for a stream.
    pub(super) stream: bool,
    /// The client wants a buffered answer of it.
    folds: bool,
    content_type: Option<&'static str>,
}

/// What the time that an endpoint takes to its first token has led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Patience {
    /// The endpoint has missed its deadline before it sent anything, and its health knows.
    pub(super) late: bool,
    /// The client was told to wait on, last at this time.
    pub(super) commented_ms: Option<u64>,
    /// The first token came after all, and the endpoint's health knows.
    relieved: bool,
}

#[derive(Debug)]
enum Phase {
    /// The request is on its way; this is what its answer will pass.
    Waiting(ResponseChain),
    /// The provider answers with an error, whose body is being read.
    Refusing {
        read_error: ReadError,
        retry_after_ms: Option<u64>,
        body: Vec<u8>,
    },
    /// The provider answers.
    Answering(Box<Pipeline>),
    /// The outcome is known; whatever still comes is swallowed.
    Ended,
}

/// How the body of an error is read.
#[derive(Clone, Copy, Debug)]
struct ReadError {
    dialect: &'static Dialect,
    status: u16,
}

impl Attempt {
    pub(super) fn new(
        candidate: Candidate,
        convention: UsageConvention,
        rate: Rate,
        chain: ResponseChain,
        foreign: Rc<Foreign>,
        now_ms: u64,
    ) -> Self {
        Self {
            candidate,
            started_ms: now_ms,
            first_token_ms: None,
            status: None,
            tally: Tally::new(convention),
            rate,
            limit: None,
            outcome: Outcome::Open,
            error_type: None,
            provider_code: None,
            finish: None,
            ended_ms: None,
            foreign,
            phase: Phase::Waiting(chain),
            spoken: false,
            has_body: false,
            patience: Patience::default(),
            told_error: false,
            last_byte_ms: now_ms,
            stream: false,
            folds: false,
            content_type: None,
        }
    }

    /// One that never began: nothing of it will be counted or charged.
    pub(super) fn unbegun(candidate: Candidate, now_ms: u64) -> Self {
        let convention = UsageConvention {
            cache: CacheTokens::Included,
            reasoning: ReasoningTokens::Included,
        };
        let (rate, chain) = (Rate::default(), ResponseChain::default());
        Self::new(candidate, convention, rate, chain, Rc::default(), now_ms)
    }

    pub(super) fn headers(
        &mut self,
        head: &ResponseHead<'_>,
        dialect: &'static Dialect,
        client: &'static ClientDialect,
        answer: Answer,
        max_out: usize,
        now_ms: u64,
    ) {
        self.status = Some(head.status);
        self.last_byte_ms = now_ms;
        self.folds = self.stream && !answer.stream;
        let Phase::Waiting(chain) = &mut self.phase else {
            return;
        };
        let chain = std::mem::take(chain);
        if !(200..300).contains(&head.status) {
            self.phase = Phase::Refusing {
                read_error: ReadError {
                    dialect,
                    status: head.status,
                },
                retry_after_ms: retry_after_ms(head),
                body: Vec::new(),
            };
            return;
        }
        let framing = match head
            .content_type
            .map(|text| text.split(';').next().unwrap_or("").trim())
        {
            Some("text/event-stream") => Framing::Sse,
            Some("application/vnd.amazon.eventstream") => Framing::EventStream,
            Some("application/x-ndjson") => Framing::Ndjson,
            // Some providers say `text/plain` or nothing of a stream; none of a buffered answer says anything but JSON.
            Some("application/json") => Framing::Whole,
            _ if self.stream => dialect.framing(),
            _ => Framing::Whole,
        };
        let compressed = head
            .content_encoding
            .is_some_and(|text| !text.is_empty() && text != "identity");
        let foreign = Rc::clone(&self.foreign);
        let mut pipeline = Pipeline::new(framing, dialect, client, answer, chain, foreign, max_out);
        if compressed {
            pipeline.fail(Error::new(
                Kind::ProviderUnavailable,
                "the provider compressed its response, though it was asked not to",
            ));
        }
        self.content_type = Some(pipeline.content_type());
        self.phase = Phase::Answering(Box::new(pipeline));
    }

    pub(super) fn body(&mut self, bytes: &[u8], end: bool, now_ms: u64, prompt: CountPrompt<'_>) -> Progress {
        self.last_byte_ms = now_ms;
        self.has_body = true;
        match &mut self.phase {
            Phase::Waiting(_) => Progress::Action(Action::Hold),
            Phase::Ended => Progress::Action(Action::Pass(Vec::new())),
            Phase::Refusing {
                read_error,
                retry_after_ms,
                body,
            } => {
                let room = MAX_ERROR_BODY.saturating_sub(body.len()).min(bytes.len());
                body.extend_from_slice(bytes.get(..room).unwrap_or_default());
                if !end {
                    return Progress::Action(Action::Hold);
                }
                let mut error = read_error.dialect.error(read_error.status, body);
                error.retry_after_ms = error.retry_after_ms.or(*retry_after_ms);
                self.foreign.error(&mut error);
                Progress::Failed(error)
            }
            Phase::Answering(pipeline) => {
                let flow = pipeline.feed(bytes, end, &mut self.tally, prompt);
                self.progress(flow, Some(bytes), now_ms)
            }
        }
    }

    /// How much of an answer is here that is still to go out, in bytes.
    pub(super) fn gathered(&self) -> usize {
        match &self.phase {
            Phase::Answering(pipeline) => pipeline.gathered(),
            Phase::Waiting(_) | Phase::Refusing { .. } | Phase::Ended => 0,
        }
    }

    /// Gives an answer up that has not come to its end; `None` where there is none.
    pub(super) fn give_up(&self, error: Error) -> Option<Progress> {
        match self.phase {
            Phase::Answering(_) if self.spoken => Some(Progress::Broken(error)),
            Phase::Answering(_) => Some(Progress::Failed(error)),
            Phase::Waiting(_) | Phase::Refusing { .. } | Phase::Ended => None,
        }
    }

    pub(super) fn resume(&mut self, reply: Reply, now_ms: u64) -> Progress {
        let Phase::Answering(pipeline) = &mut self.phase else {
            return Progress::Action(Action::Pass(Vec::new()));
        };
        let flow = pipeline.resume(reply, &self.tally);
        self.progress(flow, None, now_ms)
    }

    fn progress(&mut self, flow: Flow, piece: Option<&[u8]>, now_ms: u64) -> Progress {
        let Phase::Answering(pipeline) = &mut self.phase else {
            return Progress::Action(Action::Hold);
        };
        if pipeline.has_token() && self.first_token_ms.is_none() {
            self.first_token_ms = Some(now_ms.saturating_sub(self.started_ms));
        }
        self.finish = pipeline.finish_reason();
        match flow {
            Flow::Failed(error) if !self.spoken => Progress::Failed(error),
            Flow::Failed(error) => Progress::Broken(error),
            Flow::Wait(callout) => Progress::Action(Action::Wait(callout)),
            // The shell can't write between a pause and the callout's answer.
            Flow::More if pipeline.is_waiting() => Progress::Action(Action::Hold),
            Flow::More if self.spoken => Progress::Action(pass(pipeline.take_out(), piece)),
            Flow::More if self.stream && pipeline.has_token() => {
                self.spoken = true;
                let out = pipeline.take_out();
                Progress::Release(if self.folds { FOLDED_HEAD.to_vec() } else { out })
            }
            Flow::More => Progress::Action(Action::Hold),
            Flow::Complete => {
                let answer = pipeline.take_out();
                let empty = !pipeline.has_token();
                let begun = std::mem::replace(&mut self.spoken, true);
                self.succeed(now_ms);
                if begun {
                    Progress::Action(pass(answer, piece))
                } else if empty {
                    Progress::Empty(self.foreign.answer(answer))
                } else {
                    Progress::Release(answer)
                }
            }
        }
    }

    fn succeed(&mut self, now_ms: u64) {
        self.phase = Phase::Ended;
        self.outcome = Outcome::Success;
        self.ended_ms = Some(now_ms);
    }

    /// Ends the attempt as failed; `false` if that was known already.
    pub(super) fn end(&mut self, error: Option<&Error>, now_ms: u64) -> bool {
        if self.outcome == Outcome::Error || self.outcome == Outcome::Cut {
            return false;
        }
        let begun = matches!(self.phase, Phase::Answering(_)) && self.spoken && !self.is_waited_for();
        self.outcome = if begun { Outcome::Cut } else { Outcome::Error };
        self.phase = Phase::Ended;
        self.ended_ms = Some(now_ms);
        if let Some(error) = error {
            self.error_type = Some(error.kind.facts().error_type);
            self.provider_code.clone_from(&error.provider_code);
        }
        true
    }

    /// The client's last bytes, when an answer that had begun breaks off.
    pub(super) fn break_off(&mut self, error: &Error) -> Vec<u8> {
        match &mut self.phase {
            Phase::Answering(pipeline) => {
                self.told_error = true;
                pipeline.break_off(error)
            }
            _ => Vec::new(),
        }
    }

    /// Whether an answer has begun and nothing of it has come since `since_ms`. While a middleware waits for its callout
    /// the provider is not to blame.
    pub(super) fn is_silent_since(&self, since_ms: u64) -> bool {
        let Phase::Answering(pipeline) = &self.phase else {
            return false;
        };
        self.spoken && !pipeline.is_waiting() && self.last_byte_ms <= since_ms
    }

    /// Whether the first token is still to come and the provider is to blame for it.
    pub(super) fn owes_first_token(&self) -> bool {
        match &self.phase {
            Phase::Waiting(_) | Phase::Refusing { .. } => true,
            Phase::Answering(pipeline) => self.first_token_ms.is_none() && !pipeline.is_waiting(),
            Phase::Ended => false,
        }
    }

    /// Whether the provider has sent headers, which are held.
    pub(super) const fn is_held(&self) -> bool {
        !self.spoken && matches!(self.phase, Phase::Refusing { .. } | Phase::Answering(_))
    }

    /// Whether the client has nothing but comments so far.
    pub(super) const fn is_waited_for(&self) -> bool {
        self.patience.commented_ms.is_some() && self.first_token_ms.is_none()
    }

    /// Lets a stream out that has no token yet, if it is one that comments may be written into; gives what it has.
    pub(super) fn release_early(&mut self, now_ms: u64) -> Option<Vec<u8>> {
        let writable = self.is_held() && self.has_body && self.content_type == Some(EVENTS);
        let Phase::Answering(pipeline) = &mut self.phase else {
            return None;
        };
        if !writable || pipeline.is_waiting() {
            return None;
        }
        self.spoken = true;
        self.patience.commented_ms = Some(now_ms);
        Some(pipeline.take_out())
    }

    /// The time that a client's first token took that came after comments; given out once.
    pub(super) fn relief(&mut self) -> Option<u64> {
        let took = self.first_token_ms?;
        let first = self.patience.commented_ms.is_some() && !self.patience.relieved;
        self.patience.relieved = true;
        first.then_some(took)
    }

    /// Whether a stream of the provider's is made into a buffered answer.
    pub(super) const fn folds(&self) -> bool {
        self.folds
    }

    pub(super) const fn content_type(&self) -> Option<&'static str> {
        self.content_type
    }

    pub(super) const fn has_spoken(&self) -> bool {
        self.spoken
    }

    pub(super) const fn has_told_error(&self) -> bool {
        self.told_error
    }

    pub(super) const fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// What its deadline is for.
    pub(super) const fn awaited(&self) -> &'static str {
        if self.stream { "first token" } else { "answer" }
    }

    /// Whether it missed its deadline without an error of the provider's.
    pub(super) fn was_given_up(&self) -> bool {
        let is_error = self.status.is_some_and(|status| !(200..300).contains(&status));
        self.error_type == Some(Kind::Timeout.facts().error_type) && !is_error
    }

    /// Whether the provider has said all that it had to say, and a middleware waits.
    pub(super) fn waits_at_the_end(&self) -> bool {
        matches!(&self.phase, Phase::Answering(pipeline) if pipeline.has_ended() && pipeline.is_waiting())
    }

    pub(super) fn is_complete(&self) -> bool {
        self.outcome == Outcome::Success
    }

    /// Whether an answer began and did not come to its end.
    pub(super) fn is_cut(&self) -> bool {
        self.outcome == Outcome::Cut || (self.spoken && matches!(self.phase, Phase::Answering(_)))
    }
}

/// What goes out for a piece: the piece itself, when it would be the same.
fn pass(out: Vec<u8>, piece: Option<&[u8]>) -> Action {
    if piece == Some(out.as_slice()) {
        Action::Unchanged
    } else {
        Action::Pass(out)
    }
}

/// How long the provider asks to be left alone. The form with a date is not read.
fn retry_after_ms(head: &ResponseHead<'_>) -> Option<u64> {
    let number = |text: &str, scale: f64| {
        let value = text
            .trim()
            .parse::<f64>()
            .ok()
            .filter(|value| value.is_finite() && *value >= 0.0)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, as wanted"
        )]
        Some(((value * scale) as u64).min(MAX_RETRY_AFTER_MS))
    };
    head.retry_after_ms
        .and_then(|text| number(text, 1.0))
        .or_else(|| head.retry_after.and_then(|text| number(text, 1_000.0)))
}
