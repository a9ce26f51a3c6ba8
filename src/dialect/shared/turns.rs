//! Conversations in turns: what Anthropic, Bedrock, Gemini, Cohere, Ollama and OpenAI's Responses want alike, and how what
//! they cannot carry is refused.

use crate::chat::{Message, ToolCall};
use crate::error::Error;
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt::Arguments;

/// The side that speaks in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::dialect) enum Speaker {
    User,
    Assistant,
}

/// One turn, in blocks of a dialect.
#[derive(Debug, Serialize)]
pub(in crate::dialect) struct Turn<B> {
    pub(in crate::dialect) role: Speaker,
    pub(in crate::dialect) content: Vec<B>,
}

/// Adds what a message says. Messages of one speaker that follow each other share a turn.
pub(in crate::dialect) fn push<B>(turns: &mut Vec<Turn<B>>, role: Speaker, content: Vec<B>) {
    match turns.last_mut() {
        _ if content.is_empty() => {}
        Some(turn) if turn.role == role => turn.content.extend(content),
        _ => turns.push(Turn { role, content }),
    }
}

/// Whether the assistant's last turn began with thinking, if the conversation stands at the result of its call; else it
/// need not have.
pub(in crate::dialect) fn has_thought<B>(
    turns: &[Turn<B>],
    is_result: fn(&B) -> bool,
    is_thought: fn(&B) -> bool,
) -> bool {
    let [.., before, last] = turns else {
        return true;
    };
    let at_a_result = last.content.first().is_some_and(is_result);
    !at_a_result || before.content.first().is_some_and(is_thought)
}

/// Writes the speaker's name before the first text of a message: no provider but OpenAI's chats has a place for it, and
/// OpenRouter writes it so.
pub(in crate::dialect) fn name_speaker(message: &Message<'_>, first: Option<&mut Cow<'_, str>>) {
    if let (Some(name), Some(text)) = (&message.name, first) {
        *text = Cow::Owned(format!("{}: {text}", &**name));
    }
}

/// The arguments of the call at a place of the message at `path`.
///
/// # Errors
/// When they are no JSON object.
pub(in crate::dialect) fn arguments(
    call: &ToolCall<'_>,
    path: &str,
    at: usize,
) -> Result<Box<RawValue>, Error> {
    call.function.arguments_object().map_err(|error| {
        Error::invalid(format!(
            "{path}.tool_calls[{at}].function.arguments: {}",
            error.message
        ))
    })
}

/// The id of the call whose result the message at `path` is.
///
/// # Errors
/// When it has none.
pub(in crate::dialect) fn called_id<'a>(message: &'a Message<'a>, path: &str) -> Result<&'a str, Error> {
    message
        .tool_call_id
        .as_deref()
        .ok_or_else(|| Error::invalid(format!("{path}.tool_call_id: missing in a tool message")))
}

/// Refuses a request in which nothing is said.
pub(in crate::dialect) fn nothing_said(dialect: &str) -> Error {
    Error::invalid(format!(
        "messages: {dialect} needs at least one user or assistant message that is not empty"
    ))
}

/// Refuses anything but text in the message at `path`, which is of this kind.
pub(in crate::dialect) fn carries_only_text(path: &str, dialect: &str, kind: &str) -> Error {
    Error::invalid(format!("{path}.content: {dialect} carries only text in {kind}"))
}

/// Refuses `what` at a place of a request.
pub(in crate::dialect) fn cannot_carry(place: Arguments<'_>, dialect: &str, what: &str) -> Error {
    Error::invalid(format!("{place}: {dialect} cannot carry {what}"))
}
