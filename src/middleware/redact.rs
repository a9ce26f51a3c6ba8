//! Masks what matches configured patterns in the text of a response, also where a match straddles deltas.
//!
//! ```text
//! rule: \d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}  ->  [card]
//! deltas in:   "Card 4111 11"  "11 1111 11"  "11, thanks"
//! deltas out:  "Card "         (none)        "[card], thanks"
//! ```
//!
//! Looked at are visible text, refusals, thinking and its summaries, and the strings and numbers in tool arguments
//! (which stay valid JSON). Each is a text of its own, and so is each piece of one between pieces of another kind: a
//! match does not reach from a text over a tool call into the next text. Only what might still become a match is
//! held back, at most 1 KiB of it, and it goes out before anything of that choice that came
//! later. What happens at that limit is told in the `scan` module; in short, a long match is masked to its end, and a
//! candidate that has not matched after so many bytes loses its oldest ones to the client.
//!
//! What it does not do:
//! * It does not look at a tool call's name, at images, at vectors, at annotations (their positions refer to the text
//!   before it was masked), at encrypted thinking, nor at members that the unified form does not name. `logprobs` among
//!   those spell the whole text once more, so they are dropped.
//! * It cannot sign: where thinking was altered, the provider's signature that goes on to the caller is one over the
//!   original, and the provider will refuse the altered block when it is sent back.
//! * It does not look at requests.

mod arguments;

use super::pattern::{Patterns, Reading, Scanner, Wanted};
use super::{Middleware, ResponseStage, Verdict};
use crate::chat::{Delta, Format, Piece, Reasoning, Request};
use crate::error::{Error, Kind};
use arguments::{Arguments, Mode};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// What a match is replaced with unless the configuration says otherwise.
pub const DEFAULT_MASK: &str = "[redacted]";

/// The most choices of one response that may be open at once. OpenAI's limit on `n` is 128.
pub const MAX_CHOICES: usize = 128;

/// The most annotations that wait for the text they stand behind; an older one than that goes ahead of it.
const MAX_BEHIND: usize = 64;

/// The most tool calls of a choice whose place in the JSON text is remembered while another piece comes in between.
const MAX_INTERRUPTED: usize = 128;

/// One thing to mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What to look for. The syntax is that of `pattern.rs`: a small subset of regular expressions.
    pub pattern: String,
    /// Whether every character of `pattern` means itself.
    pub literal: bool,
    /// What to write in its place; see [`DEFAULT_MASK`].
    pub mask: String,
}

/// The middleware.
#[derive(Debug)]
pub struct Redact {
    patterns: Rc<Patterns>,
}

impl Redact {
    /// Compiles the rules.
    ///
    /// # Errors
    /// Everything that is wrong: the index of the rule, and what to change.
    pub fn new(rules: Vec<Rule>) -> Result<Self, Vec<(usize, String)>> {
        let mut errors: Vec<_> = rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| {
                rule.mask
                    .chars()
                    .any(|ch| matches!(ch, '"' | '\\') || ch.is_control())
            })
            .map(|(index, _)| {
                // It is written into JSON strings as it is.
                (
                    index,
                    "the mask holds a quote, a backslash or a control character; leave those out".to_owned(),
                )
            })
            .collect();
        let wanted: Vec<_> = rules
            .iter()
            .map(
                |Rule {
                     pattern,
                     literal,
                     mask,
                 }| Wanted {
                    pattern,
                    literal: *literal,
                    mask,
                },
            )
            .collect();
        match Patterns::new(&wanted) {
            Ok(patterns) if errors.is_empty() => {
                return Ok(Self {
                    patterns: Rc::new(patterns),
                });
            }
            Ok(_) => {}
            Err(more) => errors.extend(more.into_iter().map(|(index, error)| (index, error.to_string()))),
        }
        errors.sort_by_key(|(index, _)| *index);
        Err(errors)
    }
}

impl Middleware for Redact {
    fn response(&self, _: &Request) -> Option<Box<dyn ResponseStage>> {
        Some(Box::new(Stage {
            patterns: Rc::clone(&self.patterns),
            choices: BTreeMap::new(),
        }))
    }
}

#[derive(Debug)]
struct Stage {
    patterns: Rc<Patterns>,
    choices: BTreeMap<u32, Choice>,
}

impl ResponseStage for Stage {
    fn delta(&mut self, delta: Delta, out: &mut Vec<Delta>) -> Verdict {
        match delta {
            Delta::Start { .. } | Delta::Vectors(_) | Delta::Usage(_) => out.push(delta),
            Delta::Piece { choice, piece } => return self.piece(choice, piece, out),
            Delta::Finish { choice, .. } => {
                if let Some(mut ended) = self.choices.remove(&choice) {
                    ended.flush(choice, out);
                }
                out.push(delta);
            }
            Delta::Error(_) => {
                self.flush(out);
                out.push(delta);
            }
        }
        Verdict::Continue
    }

    fn finish(&mut self, out: &mut Vec<Delta>) -> Verdict {
        self.flush(out);
        Verdict::Continue
    }
}

impl Stage {
    fn flush(&mut self, out: &mut Vec<Delta>) {
        for (choice, mut ended) in std::mem::take(&mut self.choices) {
            ended.flush(choice, out);
        }
    }

    fn piece(&mut self, choice: u32, piece: Piece, out: &mut Vec<Delta>) -> Verdict {
        match piece {
            Piece::Other { ref name, .. } if name == "logprobs" => {}
            // Providers send such members with every chunk: to flush for them would be to mask nothing.
            Piece::Other { .. } => out.push(Delta::Piece { choice, piece }),
            Piece::Annotation(_) => match self.choices.get_mut(&choice) {
                Some(open) => open.annotation(choice, piece, out),
                None => out.push(Delta::Piece { choice, piece }),
            },
            Piece::ToolCall { .. } | Piece::Image { .. } | Piece::Embedding(_) => {
                self.other(choice, piece, out)
            }
            Piece::Reasoning(Reasoning::Signature { .. } | Reasoning::Encrypted { .. }) => {
                self.other(choice, piece, out);
            }
            Piece::Text(text) => return self.text(choice, Channel::Text, text, out),
            Piece::Refusal(text) => return self.text(choice, Channel::Refusal, text, out),
            Piece::Reasoning(Reasoning::Text { index, text, format }) => {
                return self.text(choice, Channel::Reasoning { index, format }, text, out);
            }
            Piece::Reasoning(Reasoning::Summary { index, text, format }) => {
                return self.text(choice, Channel::Summary { index, format }, text, out);
            }
            Piece::ToolArguments { index, json } => {
                return self.text(choice, Channel::Arguments { index }, json, out);
            }
        }
        Verdict::Continue
    }

    /// A piece without text of its own, before which all text must be out.
    fn other(&mut self, choice: u32, piece: Piece, out: &mut Vec<Delta>) {
        if let Some(open) = self.choices.get_mut(&choice) {
            open.flush(choice, out);
            if let Piece::ToolCall { index, .. } = piece {
                open.interrupted.remove(&index);
            }
        }
        out.push(Delta::Piece { choice, piece });
    }

    fn text(&mut self, choice: u32, channel: Channel, text: String, out: &mut Vec<Delta>) -> Verdict {
        if text.is_empty() {
            out.push(Delta::Piece {
                choice,
                piece: channel.piece(text),
            });
            return Verdict::Continue;
        }
        if self.choices.len() >= MAX_CHOICES && !self.choices.contains_key(&choice) {
            let message = format!("the provider sends more than {MAX_CHOICES} choices at once");
            return Verdict::Reject(Error::new(Kind::ResponseTooLong, message));
        }
        let open = self
            .choices
            .entry(choice)
            .or_insert_with(|| Choice::new(&self.patterns));
        if open.channel != Some(channel) {
            open.flush(choice, out);
            open.enter(channel);
        }
        open.text(choice, channel, text, out);
        Verdict::Continue
    }
}

/// One of a choice's texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Channel {
    Text,
    Refusal,
    Reasoning { index: u32, format: Format },
    Summary { index: u32, format: Format },
    Arguments { index: u32 },
}

impl Channel {
    fn piece(self, text: String) -> Piece {
        match self {
            Self::Text => Piece::Text(text),
            Self::Refusal => Piece::Refusal(text),
            Self::Reasoning { index, format } => Piece::Reasoning(Reasoning::Text { index, text, format }),
            Self::Summary { index, format } => Piece::Reasoning(Reasoning::Summary { index, text, format }),
            Self::Arguments { index } => Piece::ToolArguments { index, json: text },
        }
    }
}

/// What is held of one choice. Only one of its texts is ever held: the one that came last.
#[derive(Debug)]
struct Choice {
    channel: Option<Channel>,
    prose: Scanner,
    arguments: Arguments,
    /// Annotations that came behind held text.
    behind: VecDeque<Piece>,
    /// The calls whose arguments broke off inside a string because another piece came.
    interrupted: BTreeMap<u32, Mode>,
}

impl Choice {
    fn new(patterns: &Rc<Patterns>) -> Self {
        Self {
            channel: None,
            prose: Scanner::new(Rc::clone(patterns), Reading::Plain),
            arguments: Arguments::new(patterns),
            behind: VecDeque::new(),
            interrupted: BTreeMap::new(),
        }
    }

    fn enter(&mut self, channel: Channel) {
        self.channel = Some(channel);
        if let Channel::Arguments { index } = channel {
            self.arguments
                .set_mode(self.interrupted.remove(&index).unwrap_or(Mode::Between));
        }
    }

    fn text(&mut self, choice: u32, channel: Channel, text: String, out: &mut Vec<Delta>) {
        let is_arguments = matches!(channel, Channel::Arguments { .. });
        if !is_arguments && self.prose.passes(&text) {
            // Nothing was held, so nothing waits behind it either.
            out.push(Delta::Piece {
                choice,
                piece: channel.piece(text),
            });
            return;
        }
        let mut masked = String::new();
        if is_arguments {
            self.arguments.feed(&text, &mut masked);
        } else {
            self.prose.feed(&text, &mut masked);
        }
        push(choice, channel, masked, out);
        if self.is_idle() {
            self.follow(choice, out);
        }
    }

    fn annotation(&mut self, choice: u32, piece: Piece, out: &mut Vec<Delta>) {
        self.behind.push_back(piece);
        if self.is_idle() {
            self.follow(choice, out);
        } else if self.behind.len() > MAX_BEHIND {
            out.extend(
                self.behind
                    .pop_front()
                    .map(|piece| Delta::Piece { choice, piece }),
            );
        }
    }

    /// Lets out what waited behind text.
    fn follow(&mut self, choice: u32, out: &mut Vec<Delta>) {
        out.extend(self.behind.drain(..).map(|piece| Delta::Piece { choice, piece }));
    }

    fn is_idle(&self) -> bool {
        self.prose.is_idle() && self.arguments.is_idle()
    }

    /// The text that came last ends here: lets out all that is held.
    fn flush(&mut self, choice: u32, out: &mut Vec<Delta>) {
        let Some(channel) = self.channel.take() else {
            return;
        };
        let mut masked = String::new();
        if let Channel::Arguments { index } = channel {
            let mode = self.arguments.flush(&mut masked);
            if mode != Mode::Between && self.interrupted.len() < MAX_INTERRUPTED {
                self.interrupted.insert(index, mode);
            }
        } else {
            self.prose.finish(&mut masked);
        }
        push(choice, channel, masked, out);
        self.follow(choice, out);
    }
}

fn push(choice: u32, channel: Channel, text: String, out: &mut Vec<Delta>) {
    if !text.is_empty() {
        out.push(Delta::Piece {
            choice,
            piece: channel.piece(text),
        });
    }
}

#[cfg(test)]
mod tests;
