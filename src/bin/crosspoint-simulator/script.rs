//! The body of an answer as a list of steps, and the odd ways in which it can be written.
//!
//! A dialect gives pieces (events with the tokens that they carry); this turns them into steps as the faults
//! say, and plays the steps. It knows nothing of any dialect.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use crate::fault::Faults;
use crate::ledger::Watch;
use crate::piece::Piece;
use crate::seed::noise;

/// What a provider sends to keep a stream alive.
const COMMENT: Bytes = Bytes::from_static(b": still here\n\n");

/// One step of writing a body.
#[derive(Debug)]
pub(crate) enum Step {
    Send(Piece),
    Pause(Duration),
    /// Silence until the client goes away.
    Stall,
    /// A comment now, and again after this time, until the client goes away.
    Beat(Duration),
    /// Close the connection without an end of the body.
    Close,
    /// Reset the connection.
    Reset,
}

/// Steps of a streamed answer. `error` is the provider's in-band error.
pub(crate) fn streamed(pieces: Vec<Piece>, error: Bytes, faults: &Faults) -> io::Result<VecDeque<Step>> {
    let mut steps = VecDeque::with_capacity(pieces.len() + 2);
    if faults.first_delay_ms > 0 {
        steps.push_back(Step::Pause(Duration::from_millis(faults.first_delay_ms)));
    }
    let incident = Incident::of(faults);
    let end = incident
        .as_ref()
        .map_or(pieces.len(), |(at, _)| position(&pieces, *at));
    for piece in pieces.into_iter().take(end) {
        if piece.tokens > 0 && faults.token_delay_ms > 0 {
            steps.push_back(Step::Pause(Duration::from_millis(faults.token_delay_ms)));
        }
        steps.push_back(Step::Send(piece));
    }
    if let Some((_, incident)) = incident {
        incident.push(&mut steps, error, faults.hold_ms);
    }
    reshape(steps, faults)
}

/// How many pieces go out until so many tokens have; at most all tokens, at least the finish is held back.
fn position(pieces: &[Piece], tokens: u64) -> usize {
    if tokens == 0 {
        return 0;
    }
    let total: u64 = pieces.iter().map(|piece| piece.tokens).sum();
    let mut sent = 0;
    pieces
        .iter()
        .position(|piece| {
            sent += piece.tokens;
            sent > 0 && sent >= tokens.min(total)
        })
        .map_or(pieces.len().saturating_sub(1), |index| index + 1)
}

/// Steps of a buffered answer.
pub(crate) fn whole(body: Vec<u8>, tokens: u64, faults: &Faults) -> io::Result<VecDeque<Step>> {
    let mut steps = VecDeque::new();
    if faults.first_delay_ms > 0 {
        steps.push_back(Step::Pause(Duration::from_millis(faults.first_delay_ms)));
    }
    let body = Bytes::from(body);
    match Incident::of(faults) {
        None => steps.push_back(Step::Send(Piece::tokens(body, tokens))),
        Some((at, incident)) => {
            if at > 0 {
                steps.push_back(Step::Send(Piece::plain(body.slice(..body.len() / 2))));
            }
            incident.push(&mut steps, Bytes::new(), faults.hold_ms);
        }
    }
    reshape(steps, faults)
}

/// What ends a body early.
enum Incident {
    Error,
    Stall,
    Beat(Duration),
    Close,
    Reset,
    Garbage,
}

impl Incident {
    fn of(faults: &Faults) -> Option<(u64, Incident)> {
        if faults.silent {
            return Some((0, Incident::Stall));
        }
        if let Some(ms) = faults.keep_alive {
            return Some((0, Incident::Beat(Duration::from_millis(ms))));
        }
        if faults.garbage {
            return Some((0, Incident::Garbage));
        }
        [
            (faults.error_at, Incident::Error),
            (faults.stall_at, Incident::Stall),
            (faults.cut_at, Incident::Close),
            (faults.reset_at, Incident::Reset),
            (faults.garbage_at, Incident::Garbage),
        ]
        .into_iter()
        .filter_map(|(at, incident)| at.map(|at| (at, incident)))
        .min_by_key(|(at, _)| *at)
    }

    fn push(self, steps: &mut VecDeque<Step>, error: Bytes, hold_ms: u64) {
        if hold_ms > 0 {
            steps.push_back(Step::Pause(Duration::from_millis(hold_ms)));
        }
        match self {
            Incident::Error => steps.push_back(Step::Send(Piece::plain(error))),
            Incident::Stall => steps.push_back(Step::Stall),
            Incident::Beat(time) => steps.push_back(Step::Beat(time)),
            Incident::Close => steps.push_back(Step::Close),
            Incident::Reset => steps.push_back(Step::Reset),
            Incident::Garbage => steps.push_back(Step::Send(Piece::plain(noise(700)))),
        }
    }
}

/// Compresses and cuts into chunks, where asked for.
fn reshape(steps: VecDeque<Step>, faults: &Faults) -> io::Result<VecDeque<Step>> {
    let steps = if faults.gzip { gzip(steps)? } else { steps };
    let Some(size) = faults.chunk else {
        return Ok(steps);
    };
    let mut cut = VecDeque::new();
    for step in steps {
        let Step::Send(mut piece) = step else {
            cut.push_back(step);
            continue;
        };
        while piece.bytes.len() > size {
            cut.push_back(Step::Send(Piece::plain(piece.bytes.split_to(size))));
        }
        cut.push_back(Step::Send(piece));
    }
    Ok(cut)
}

fn gzip(steps: VecDeque<Step>) -> io::Result<VecDeque<Step>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut out = VecDeque::with_capacity(steps.len() + 1);
    let mut cut = false;
    for step in steps {
        match step {
            Step::Send(piece) => {
                encoder.write_all(&piece.bytes)?;
                encoder.flush()?;
                let bytes = Bytes::from(std::mem::take(encoder.get_mut()));
                out.push_back(Step::Send(Piece { bytes, ..piece }));
            }
            Step::Pause(_) => out.push_back(step),
            Step::Stall | Step::Beat(_) | Step::Close | Step::Reset => {
                cut = true;
                out.push_back(step);
            }
        }
    }
    if !cut {
        out.push_back(Step::Send(Piece::plain(encoder.finish()?)));
    }
    Ok(out)
}

/// A body that plays its steps. Dropped before its end, it reports that the client went away.
pub(crate) struct Script {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whether each piece is flushed by itself: it then reaches the client as its own read, as it would in life.
    paced: bool,
    flush: bool,
    length: Option<u64>,
    reset: Arc<AtomicBool>,
    watch: Option<Watch>,
}

impl Script {
    /// A body that plays `steps`; `reset` tells the connection to end with a TCP reset.
    pub(crate) fn new(steps: VecDeque<Step>, paced: bool, reset: Arc<AtomicBool>, watch: Watch) -> Script {
        Script {
            steps,
            sleep: None,
            paced,
            flush: false,
            length: None,
            reset,
            watch: Some(watch),
        }
    }

    /// Declares the length of the body, so that it goes out with `content-length`.
    pub(crate) fn declared(mut self, length: u64) -> Script {
        self.length = Some(length);
        self
    }

    /// A small body that nobody watches.
    pub(crate) fn plain(body: impl Into<Bytes>) -> Script {
        let body = body.into();
        let length = body.len() as u64;
        let steps = VecDeque::from([Step::Send(Piece::plain(body))]);
        Script {
            steps,
            sleep: None,
            paced: false,
            flush: false,
            length: Some(length),
            reset: Arc::default(),
            watch: None,
        }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        loop {
            if let Some(sleep) = &mut this.sleep {
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                this.sleep = None;
            }
            if this.flush {
                // hyper flushes when the body has nothing more for now.
                this.flush = false;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match this.steps.pop_front() {
                Some(Step::Send(piece)) => {
                    if let Some(watch) = &mut this.watch {
                        watch.wrote(piece.tokens + piece.hidden);
                    }
                    if piece.bytes.is_empty() {
                        continue;
                    }
                    if this.steps.is_empty() {
                        // With a declared length, hyper does not ask again after the last byte.
                        if let Some(watch) = this.watch.take() {
                            watch.complete();
                        }
                    }
                    this.flush = this.paced
                        || matches!(this.steps.front(), Some(Step::Close | Step::Reset | Step::Stall));
                    return Poll::Ready(Some(Ok(Frame::data(piece.bytes))));
                }
                Some(Step::Pause(time)) => this.sleep = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Stall) => {
                    // Nobody wakes this again but the connection, when the client has gone.
                    this.steps.push_front(Step::Stall);
                    return Poll::Pending;
                }
                Some(Step::Beat(time)) => {
                    this.steps.push_front(Step::Beat(time));
                    this.steps.push_front(Step::Pause(time));
                    this.flush = true;
                    return Poll::Ready(Some(Ok(Frame::data(COMMENT))));
                }
                Some(step @ (Step::Close | Step::Reset)) => {
                    this.reset.store(matches!(step, Step::Reset), Ordering::Relaxed);
                    if let Some(watch) = this.watch.take() {
                        watch.cut();
                    }
                    return Poll::Ready(Some(Err(io::Error::other("simulated cut"))));
                }
                None => {
                    if let Some(watch) = this.watch.take() {
                        watch.complete();
                    }
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces() -> Vec<Piece> {
        let token = |text: &'static str| Piece::tokens(text, 1);
        vec![
            Piece::plain("start "),
            token("a "),
            token("b "),
            Piece::plain("finish"),
        ]
    }

    fn play(directives: &str) -> String {
        let faults = Faults::parse(directives).unwrap();
        let steps = streamed(pieces(), Bytes::from_static(b"ERROR"), &faults).unwrap();
        steps
            .into_iter()
            .map(|step| match step {
                Step::Send(piece) => String::from_utf8_lossy(&piece.bytes).into_owned(),
                Step::Pause(time) => format!("({}ms) ", time.as_millis()),
                Step::Stall => "STALL".to_owned(),
                Step::Beat(time) => format!("(: every {}ms)", time.as_millis()),
                Step::Close => "CLOSE".to_owned(),
                Step::Reset => "RESET".to_owned(),
            })
            .collect()
    }

    #[test]
    fn positions_count_tokens() {
        assert_eq!(play(""), "start a b finish");
        assert_eq!(play("error_at=0"), "ERROR");
        assert_eq!(play("error_at=1"), "start a ERROR");
        assert_eq!(play("stall_at=2"), "start a b STALL");
        assert_eq!(play("cut_at=99"), "start a b CLOSE");
        assert_eq!(play("reset_at=1"), "start a RESET");
        assert_eq!(play("silent"), "STALL");
        assert_eq!(play("keep_alive=7"), "(: every 7ms)");
        assert_eq!(play("cut_at=1;hold=9"), "start a (9ms) CLOSE");
        assert_eq!(
            play("token_delay=5;first_delay=9"),
            "(9ms) start (5ms) a (5ms) b finish"
        );
    }

    #[test]
    fn chunks_cut_bytes_without_losing_any() {
        let faults = Faults::parse("chunk=1").unwrap();
        let steps = streamed(pieces(), Bytes::new(), &faults).unwrap();
        assert_eq!(steps.len(), "start a b finish".len());
        assert!(
            steps
                .iter()
                .all(|step| matches!(step, Step::Send(piece) if piece.bytes.len() == 1))
        );
    }

    #[test]
    fn gzip_flushes_each_piece_and_ends_well() {
        use std::io::Read;
        let faults = Faults::parse("gzip").unwrap();
        let steps = streamed(pieces(), Bytes::new(), &faults).unwrap();
        let mut bytes = Vec::new();
        for step in steps {
            if let Step::Send(piece) = step {
                bytes.extend_from_slice(&piece.bytes);
            }
        }
        let mut text = String::new();
        flate2::read::GzDecoder::new(bytes.as_slice())
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "start a b finish");
    }
}
