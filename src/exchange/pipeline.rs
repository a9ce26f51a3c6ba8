//! The stages of one response: bytes → frames → deltas → middleware → the client's bytes.
//!
//! A buffered response runs through the same stages as a streamed one. Frames of a provider that speaks the client's own
//! dialect, with no middleware in between, are passed on as they came, but for thinking under another name. They are not
//! where the caller named something else than the model: the provider's name for it would say nothing.

use super::foreign::Foreign;
use crate::caps;
use crate::chat::{Delta, Finish, Piece, Place, Reasoning, Usage};
use crate::dialect::client::{Answer, ClientDialect, Encoder};
use crate::dialect::{Decoder, Dialect, Fidelity};
use crate::error::{Error, Kind};
use crate::meter::{self, CountPrompt, Tally};
use crate::middleware::{Callout, Reply, ResponseChain, Step};
use crate::wire::{Frame, FrameError, Framer, Framing};
use std::rc::Rc;

/// What came of feeding the pipeline.
#[derive(Debug)]
pub(super) enum Flow {
    /// More is to come.
    More,
    /// The response is complete, and all of it has come out.
    Complete,
    /// A middleware waits.
    Wait(Callout),
    /// The response has failed; nothing more will come out.
    Failed(Error),
}

/// The stages of one response.
#[derive(Debug)]
pub(super) struct Pipeline {
    framer: Framer,
    stages: Stages,
    input_ended: bool,
    finished: bool,
    /// The answer has begun to go out.
    released: bool,
}

/// All stages but the first, which lends its frames to them.
#[derive(Debug)]
struct Stages {
    reader: Reader,
    chain: ResponseChain,
    /// What the provider's own words go through.
    foreign: Rc<Foreign>,
    encoder: Box<dyn Encoder>,
    /// Frames are passed on as they came.
    forward: bool,
    /// The caller wants no thinking in the answer.
    hidden: Option<Hidden>,
    /// How many embeddings the caller wants, where that can be told.
    vectors: Option<usize>,
    deltas: Vec<Delta>,
    out: Vec<u8>,
    failure: Option<Error>,
    callout: Option<Callout>,
    has_token: bool,
    finish: Option<(Finish, Option<String>)>,
    max_out: usize,
}

#[derive(Debug)]
enum Reader {
    Stream(Box<dyn Decoder>),
    Buffered {
        dialect: &'static Dialect,
        fidelity: Fidelity,
    },
}

impl Pipeline {
    pub(super) fn new(
        framing: Framing,
        dialect: &'static Dialect,
        client: &'static ClientDialect,
        answer: Answer,
        chain: ResponseChain,
        foreign: Rc<Foreign>,
        max_out: usize,
    ) -> Self {
        let streamed = framing != Framing::Whole;
        let hidden = answer.hides_thinking.then(Hidden::default);
        let forward = chain.is_empty()
            && hidden.is_none()
            && !answer.names_model
            && dialect.name() == client.name()
            && framing
                == if answer.stream {
                    Framing::Sse
                } else {
                    Framing::Whole
                };
        let fidelity = if forward {
            Fidelity::Metering
        } else {
            Fidelity::Full
        };
        let reader = if streamed {
            Reader::Stream(dialect.decoder(fidelity))
        } else {
            Reader::Buffered { dialect, fidelity }
        };
        let stages = Stages {
            reader,
            chain,
            foreign,
            vectors: answer.vectors,
            encoder: client.encoder(answer),
            forward,
            hidden,
            deltas: Vec::new(),
            out: Vec::new(),
            failure: None,
            callout: None,
            has_token: false,
            finish: None,
            max_out,
        };
        Self {
            framer: Framer::new(framing, max_out),
            stages,
            input_ended: false,
            finished: false,
            released: false,
        }
    }

    pub(super) fn content_type(&self) -> &'static str {
        self.stages.encoder.content_type()
    }

    /// Whether anything of a message has come: text, thinking, a call, an image.
    pub(super) const fn has_token(&self) -> bool {
        self.stages.has_token
    }

    pub(super) fn finish_reason(&self) -> Option<(Finish, Option<String>)> {
        self.stages.finish.clone()
    }

    /// Whether a middleware waits for a callout: until it is answered, nothing may go out.
    pub(super) fn is_waiting(&self) -> bool {
        self.stages.chain.is_waiting()
    }

    /// Whether all of the provider's response has come.
    pub(super) const fn has_ended(&self) -> bool {
        self.input_ended
    }

    /// Makes the response a failed one.
    pub(super) fn fail(&mut self, error: Error) {
        self.stages.failure.get_or_insert(error);
    }

    /// How much of the response is here that is still to go out, in bytes. While a middleware waits that may be all of it.
    pub(super) fn gathered(&self) -> usize {
        let stages = &self.stages;
        if stages.chain.is_waiting() {
            return usize::MAX;
        }
        let written = stages.out.len().saturating_add(stages.encoder.held());
        self.framer.held().saturating_add(written)
    }

    /// The client's bytes so far; each is given out once.
    pub(super) fn take_out(&mut self) -> Vec<u8> {
        self.released = true;
        std::mem::take(&mut self.stages.out)
    }

    /// The client's last bytes, after a failure.
    pub(super) fn break_off(&mut self, error: &Error) -> Vec<u8> {
        let mut out = self.take_out();
        self.stages.encoder.error(error, &mut out);
        out
    }

    /// Takes more of the provider's bytes.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        end: bool,
        tally: &mut Tally,
        prompt: CountPrompt<'_>,
    ) -> Flow {
        let Self { framer, stages, .. } = self;
        if stages.failure.is_none() && !self.input_ended {
            let fed = framer.feed(bytes, &mut |frame| stages.frame(&frame, tally, prompt));
            // What follows the end that the provider has told is of no interest, frames or not.
            if !stages.is_done() {
                stages.framing(fed);
            }
        }
        let done = stages.is_done();
        if (end || done) && !self.input_ended {
            self.input_ended = true;
            if stages.failure.is_none() && !done {
                let finished = framer.finish(&mut |frame| stages.frame(&frame, tally, prompt));
                stages.framing(finished);
            }
            stages.end(tally, prompt);
        }
        self.flow(tally)
    }

    /// Goes on after a middleware's callout.
    pub(super) fn resume(&mut self, reply: Reply, tally: &Tally) -> Flow {
        let mut passed = Vec::new();
        let step = self.stages.chain.resume(reply, &mut passed);
        self.stages.take(passed, step);
        let stages = &mut self.stages;
        // What a callout has held back is written at once.
        if stages.out.len() > stages.max_out {
            stages.out = Vec::new();
            stages.failure.get_or_insert(too_long(stages.max_out));
        }
        self.flow(tally)
    }

    fn flow(&mut self, tally: &Tally) -> Flow {
        let stages = &mut self.stages;
        if let Some(callout) = stages.callout.take() {
            return Flow::Wait(callout);
        }
        if self.input_ended && !self.finished && stages.failure.is_none() && !stages.chain.is_waiting() {
            self.finished = true;
            let usage = tally.reported();
            stages.insure(usage.as_ref());
            stages.encoder.set_recounted(tally.is_recounted());
            stages.encoder.finish(usage.as_ref(), &mut stages.out);
        }
        // What was let out is Envoy's to hold back; what is still held is ours to bound.
        let held = if self.released { 0 } else { stages.out.len() };
        if held.max(stages.encoder.held()) > stages.max_out {
            stages.out = Vec::new();
            stages.failure.get_or_insert(too_long(stages.max_out));
        }
        match &stages.failure {
            Some(error) => Flow::Failed(error.clone()),
            None if self.finished => Flow::Complete,
            None => Flow::More,
        }
    }
}

impl Stages {
    /// Takes one frame through all stages.
    fn frame(&mut self, frame: &Frame<'_>, tally: &mut Tally, prompt: CountPrompt<'_>) {
        if self.failure.is_some() || self.is_done() {
            return;
        }
        if let Err(error) = caps::check_answer(frame.data) {
            self.failure = Some(error);
            return;
        }
        let mut deltas = std::mem::take(&mut self.deltas);
        match &mut self.reader {
            Reader::Stream(decoder) => decoder.decode(frame, &mut deltas),
            Reader::Buffered { dialect, fidelity } => {
                dialect.decode_buffered(frame.data, *fidelity, &mut deltas)
            }
        }
        self.observe(&mut deltas, tally, prompt);
        if self.failure.is_some() {
            return;
        }
        if self.forward {
            let usage = tally.reported();
            // Of an answer that goes on nobody knows how it will end.
            self.insure(usage.as_ref().filter(|_| self.finish.is_some()));
            self.encoder.set_recounted(tally.is_recounted());
            let cleaned = self.foreign.frame(frame, &deltas);
            let cleaned = cleaned.as_ref();
            let frame = cleaned.map_or(*frame, |(data, raw)| Frame { data, raw, ..*frame });
            self.encoder
                .forward(&frame, &deltas, usage.as_ref(), &mut self.out);
            deltas.clear();
        } else {
            self.pass_on(&mut deltas);
        }
        self.deltas = deltas;
    }

    /// Tells who writes the answer whether the caller is charged for it.
    fn insure(&mut self, usage: Option<&Usage>) {
        let finish = self.finish.as_ref();
        let finish = finish.map(|(reason, native)| (*reason, native.as_deref()));
        let insured = usage.is_some_and(|usage| meter::is_insured(finish, usage));
        self.encoder.set_insured(insured);
    }

    /// Whether the provider has said that nothing more comes.
    fn is_done(&self) -> bool {
        match &self.reader {
            Reader::Stream(decoder) => decoder.is_done(),
            Reader::Buffered { .. } => false,
        }
    }

    /// The provider's response has ended.
    fn end(&mut self, tally: &mut Tally, prompt: CountPrompt<'_>) {
        if self.failure.is_some() {
            return;
        }
        let mut deltas = std::mem::take(&mut self.deltas);
        if let Reader::Stream(decoder) = &mut self.reader {
            decoder.finish(&mut deltas);
        }
        self.observe(&mut deltas, tally, prompt);
        if self.failure.is_some() {
            return;
        }
        if !self.forward {
            self.pass_on(&mut deltas);
        }
        if self.failure.is_none() {
            let mut passed = Vec::new();
            let step = self.chain.finish(&mut passed);
            self.take(passed, step);
        }
    }

    /// Takes note of what has been read, after the credential is out of it.
    fn observe(&mut self, deltas: &mut [Delta], tally: &mut Tally, prompt: CountPrompt<'_>) {
        match &self.reader {
            Reader::Stream(_) => deltas.iter().for_each(|delta| tally.observe(delta, prompt)),
            Reader::Buffered { .. } => tally.observe_whole(deltas, prompt),
        }
        for delta in deltas {
            self.foreign.delta(delta);
            match delta {
                Delta::Error(error) => {
                    self.failure.get_or_insert_with(|| error.clone());
                }
                Delta::Piece { piece, .. } => self.has_token |= is_token(piece),
                Delta::Finish {
                    choice: 0,
                    reason,
                    native,
                } => self.finish = Some((*reason, native.clone())),
                // None at all is an empty answer.
                Delta::Vectors(count) if *count > 0 => {
                    if let Some(wanted) = self.vectors.filter(|wanted| wanted > count) {
                        self.failure.get_or_insert_with(|| too_few(*count, wanted));
                    }
                }
                Delta::Finish { .. } | Delta::Start { .. } | Delta::Vectors(_) | Delta::Usage(_) => {}
            }
        }
    }

    fn pass_on(&mut self, deltas: &mut Vec<Delta>) {
        if let Some(hidden) = &mut self.hidden {
            deltas.retain(|delta| hidden.shows(delta));
        }
        if self.chain.is_empty() {
            for delta in deltas.drain(..) {
                self.encoder.delta(delta, &mut self.out);
            }
            return;
        }
        for delta in deltas.drain(..) {
            let mut passed = Vec::new();
            let step = self.chain.push(delta, &mut passed);
            self.take(passed, step);
        }
    }

    /// Writes what came out of the chain, and notes what its step asks for.
    fn take(&mut self, passed: Vec<Delta>, step: Step) {
        for delta in passed {
            self.encoder.delta(delta, &mut self.out);
        }
        match step {
            Step::Done => {}
            Step::Reject(error) => {
                self.failure.get_or_insert(error);
            }
            Step::Wait(callout) => self.callout = Some(callout),
        }
    }

    fn framing(&mut self, result: Result<(), FrameError>) {
        if let Err(error) = result {
            self.failure.get_or_insert_with(|| match error {
                FrameError::TooLong { cap } => too_long(cap),
                FrameError::Malformed(_) | FrameError::NotUtf8 | FrameError::Truncated => {
                    Error::new(Kind::ProviderUnavailable, error.to_string())
                }
            });
        }
    }
}

/// Takes the thinking out of an answer (`reasoning.exclude`). What only the provider can read stays: without it a
/// conversation with tools could not go on.
#[derive(Debug, Default)]
struct Hidden {
    /// The block whose text was taken out last: its signature means nothing without it.
    block: Option<(u32, u32)>,
}

impl Hidden {
    fn shows(&mut self, delta: &Delta) -> bool {
        let Delta::Piece {
            choice,
            piece: Piece::Reasoning(reasoning),
        } = delta
        else {
            return true;
        };
        match reasoning {
            Reasoning::Text { index, .. } | Reasoning::Summary { index, .. } => {
                self.block = Some((*choice, *index));
                false
            }
            Reasoning::Signature { index, .. } => self.block != Some((*choice, *index)),
            Reasoning::Encrypted { .. } => true,
        }
    }
}

fn too_few(count: usize, wanted: usize) -> Error {
    Error::new(
        Kind::ProviderUnavailable,
        format!("the provider answered {wanted} inputs with {count} embeddings"),
    )
}

fn too_long(cap: usize) -> Error {
    Error::new(
        Kind::ResponseTooLong,
        format!(
            "the provider's response, or one event of it, is longer than {cap} bytes; raise limits.response_body"
        ),
    )
}

/// Whether a piece is something for the caller to read, so that a response that begins with it may go out.
fn is_token(piece: &Piece) -> bool {
    match piece {
        Piece::Text(text) | Piece::Refusal(text) => !text.is_empty(),
        Piece::Reasoning(Reasoning::Text { text, .. } | Reasoning::Summary { text, .. }) => !text.is_empty(),
        Piece::Reasoning(Reasoning::Signature { .. } | Reasoning::Encrypted { .. })
        | Piece::ToolCall { .. }
        | Piece::ToolArguments { .. }
        | Piece::Image { .. }
        | Piece::Embedding(_)
        | Piece::Annotation(_) => true,
        Piece::Other { place, .. } => *place == Place::Message,
    }
}
