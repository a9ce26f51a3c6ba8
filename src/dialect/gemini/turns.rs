//! The conversation as Gemini wants it: instructions apart, then turns of user and model in parts.
//!
//! Messages of one speaker that follow each other share a turn, results of functions first in it. Blank text is left
//! out, because Google refuses it. Signatures go back on the parts that they came with.

use super::NAME;
use super::media::{self, File, Inline, Media};
use super::models::Model;
use crate::chat::{Content, Format, Message, Part as Given, ReasoningDetail, Role};
use crate::dialect::shared::calls::Called;
use crate::dialect::shared::turns::{
    arguments, called_id, cannot_carry, carries_only_text, name_speaker, nothing_said,
};
use crate::dialect::shared::write::to_front;
use crate::error::{Error, cut, quoted};
use crate::json::{self, Shape};
use serde::Serialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// What stands for the signature of a call that another model made, or whose signature the caller lost:
/// <https://ai.google.dev/gemini-api/docs/thought-signatures#faqs>.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Speaker {
    User,
    Model,
}

/// One turn, or the instructions.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Speaker>,
    parts: Vec<Part<'a>>,
}

/// One part of a turn.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(flatten)]
    data: Kind<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    thought: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Kind<'a> {
    Text(Cow<'a, str>),
    InlineData(Inline<'a>),
    FileData(File<'a>),
    FunctionCall(Call<'a>),
    FunctionResponse(Outcome<'a>),
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    name: &'a str,
    args: Box<RawValue>,
}

#[derive(Debug, Serialize)]
struct Outcome<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    name: &'a str,
    response: Box<RawValue>,
}

impl<'a> Part<'a> {
    fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::from(Kind::Text(text.into()))
    }

    /// Whether it is a piece of an answer: text, or an image.
    fn is_said(&self) -> bool {
        self.is_text() || matches!(self.data, Kind::InlineData(_) | Kind::FileData(_))
    }

    fn is_text(&self) -> bool {
        matches!(self.data, Kind::Text(_)) && !self.thought
    }
}

impl<'a> From<Kind<'a>> for Part<'a> {
    fn from(data: Kind<'a>) -> Self {
        Self {
            data,
            thought: false,
            thought_signature: None,
        }
    }
}

impl<'a> From<Media<'a>> for Part<'a> {
    fn from(media: Media<'a>) -> Self {
        Self::from(match media {
            Media::Inline(inline) => Kind::InlineData(inline),
            Media::File(file) => Kind::FileData(file),
        })
    }
}

/// A conversation in Gemini's form.
#[derive(Debug)]
pub(super) struct Conversation<'a> {
    /// The instructions.
    pub(super) system: Option<Turn<'a>>,
    /// What was said.
    pub(super) turns: Vec<Turn<'a>>,
}

/// Writes `messages` as turns.
///
/// # Errors
/// When a part cannot be carried, or nothing is left to be said.
pub(super) fn conversation<'a>(
    messages: &'a [Message<'a>],
    model: Model<'_>,
) -> Result<Conversation<'a>, Error> {
    let mut system = Vec::new();
    let mut turns = Vec::new();
    let mut called = Called::default();
    for (at, message) in messages.iter().enumerate() {
        let path = format!("messages[{at}]");
        match message.role {
            Role::System | Role::Developer => system.extend(texts(message, &path)?),
            Role::User => push(&mut turns, Speaker::User, parts(message, &path)?),
            Role::Assistant => push(&mut turns, Speaker::Model, assistant(message, &path, model)?),
            Role::Tool => push(&mut turns, Speaker::User, outcome(message, &called, &path)?),
        }
        called.take(message);
    }
    for turn in &mut turns {
        to_front(&mut turn.parts, |part| {
            matches!(part.data, Kind::FunctionResponse(_))
        });
    }
    if !model.has_instructions() && !system.is_empty() {
        let first = turns.first_mut().filter(|turn| turn.role == Some(Speaker::User));
        match first {
            Some(turn) => {
                system.append(&mut turn.parts);
                turn.parts = std::mem::take(&mut system);
            }
            None => turns.insert(
                0,
                Turn {
                    role: Some(Speaker::User),
                    parts: std::mem::take(&mut system),
                },
            ),
        }
    }
    if turns.is_empty() {
        return Err(nothing_said(NAME));
    }
    Ok(Conversation {
        system: (!system.is_empty()).then_some(Turn {
            role: None,
            parts: system,
        }),
        turns,
    })
}

impl Conversation<'_> {
    /// Where something is whose type is not known.
    pub(super) fn untyped(&mut self) -> Option<&str> {
        let mut parts = self.turns.iter_mut().flat_map(|turn| &mut turn.parts);
        parts.find_map(|part| match &mut part.data {
            Kind::FileData(file) => file.untyped(),
            _ => None,
        })
    }
}

fn push<'a>(turns: &mut Vec<Turn<'a>>, role: Speaker, parts: Vec<Part<'a>>) {
    match turns.last_mut() {
        _ if parts.is_empty() => {}
        Some(turn) if turn.role == Some(role) => turn.parts.extend(parts),
        _ => turns.push(Turn {
            role: Some(role),
            parts,
        }),
    }
}

fn texts<'a>(message: &'a Message<'a>, path: &str) -> Result<Vec<Part<'a>>, Error> {
    let parts = parts(message, path)?;
    if parts.iter().all(Part::is_text) {
        return Ok(parts);
    }
    Err(carries_only_text(path, NAME, "a system message"))
}

/// The content of a message, with the speaker's name before its first text: no provider but OpenAI has a place for it,
/// and OpenRouter writes it so.
fn parts<'a>(message: &'a Message<'a>, path: &str) -> Result<Vec<Part<'a>>, Error> {
    let mut out = content(&message.content, path)?;
    let first = out.iter_mut().find_map(|part| match &mut part.data {
        Kind::Text(text) => Some(text),
        _ => None,
    });
    name_speaker(message, first);
    Ok(out)
}

fn content<'a>(content: &'a Content<'a>, path: &str) -> Result<Vec<Part<'a>>, Error> {
    let mut out = Vec::new();
    match content {
        Content::Nothing => {}
        Content::Text(text) => out.extend(text_part(text)),
        Content::Parts(parts) => {
            for (at, given) in parts.iter().enumerate() {
                let part = part(given)
                    .map_err(|what| cannot_carry(format_args!("{path}.content[{at}]"), NAME, &what))?;
                out.extend(part);
            }
        }
    }
    Ok(out)
}

fn text_part(text: &str) -> Option<Part<'_>> {
    (!text.trim().is_empty()).then(|| Part::text(text))
}

/// The part of a part; `None` for blank text. An error names what cannot be carried.
fn part<'a>(given: &'a Given<'a>) -> Result<Option<Part<'a>>, String> {
    let media = match given {
        Given::Text { text, .. } => return Ok(text_part(text)),
        Given::Image { url, .. } => media::at(&**url, "image")?,
        Given::File { data, .. } => media::at(&**data, "file")?,
        Given::Other { kind, raw } => {
            media::other(kind, raw).unwrap_or_else(|| Err(cut(kind, 80).to_owned()))?
        }
    };
    Ok(Some(Part::from(media)))
}

fn assistant<'a>(message: &'a Message<'a>, path: &str, model: Model<'_>) -> Result<Vec<Part<'a>>, Error> {
    let details = message.reasoning_details.as_slice();
    // The first of each call.
    let mut signatures = BTreeMap::new();
    for (id, data) in sealed(details) {
        signatures.entry(id).or_insert(data);
    }
    let mut calls = Vec::with_capacity(message.tool_calls.len());
    for (at, call) in message.tool_calls.iter().enumerate() {
        let args = arguments(call, path, at)?;
        let mut part = Part::from(Kind::FunctionCall(Call {
            id: &call.id,
            name: &call.function.name,
            args,
        }));
        part.thought_signature = signatures.get(&Some(&*call.id)).copied();
        calls.push(part);
    }
    let mut out = thoughts(details);
    out.extend(parts(message, path)?);
    for (at, url) in message.images.iter().enumerate() {
        let image = media::at(&**url, "image")
            .map_err(|what| cannot_carry(format_args!("{path}.images[{at}]"), NAME, &what))?;
        out.push(Part::from(image));
    }
    if !signatures.is_empty() {
        place_signatures(message, &mut out, calls.first_mut());
    }
    if let (true, Some(first)) = (model.wants_signatures(), calls.first_mut()) {
        first.thought_signature.get_or_insert(NO_SIGNATURE);
    }
    out.extend(calls);
    Ok(out)
}

/// Puts the signatures that belong to no call of the message on what was said, the last of it first, and then on the first
/// call; those that are left over get parts of their own.
fn place_signatures<'a>(
    message: &'a Message<'a>,
    out: &mut Vec<Part<'a>>,
    mut first_call: Option<&mut Part<'a>>,
) {
    let ids: BTreeSet<&str> = message.tool_calls.iter().map(|call| &*call.id).collect();
    let is_call = |id: &str| ids.contains(id);
    let is_free = |part: &Part<'_>| part.is_said() && part.thought_signature.is_none();
    let free = (0..).zip(&*out).filter(|(_, part)| is_free(part));
    let mut free: Vec<usize> = free.map(|(at, _)| at).collect();
    for (_, data) in sealed(&message.reasoning_details).filter(|(id, _)| !id.is_some_and(is_call)) {
        let call = first_call.take_if(|part| part.thought_signature.is_none() && free.is_empty());
        let said = free.pop().and_then(|at| out.get_mut(at));
        match said.or(call) {
            Some(part) => part.thought_signature = Some(data),
            None => {
                let mut part = Part::text("");
                part.thought_signature = Some(data);
                out.push(part);
            }
        }
    }
}

/// Gemini's signatures, each with the id of the call that it belongs to.
fn sealed<'a>(details: &'a [ReasoningDetail<'a>]) -> impl Iterator<Item = (Option<&'a str>, &'a str)> {
    details
        .iter()
        .filter(|detail| &*detail.kind == "reasoning.encrypted" && is_ours(detail))
        .filter_map(|detail| {
            Some((
                detail.id.as_deref(),
                detail.data.as_deref().filter(|data| !data.is_empty())?,
            ))
        })
}

fn is_ours(detail: &ReasoningDetail<'_>) -> bool {
    detail.format.as_deref() == Some(Format::Gemini.name())
}

/// The thinking that Gemini signed. A caller that kept the pieces of a stream gives a block's text and its signature
/// apart, under one index. Text without a signature is a summary, which Google does not want back.
fn thoughts<'a>(details: &'a [ReasoningDetail<'a>]) -> Vec<Part<'a>> {
    let mut out = Vec::new();
    let mut open = (None, Cow::Borrowed(""));
    let texts = details
        .iter()
        .filter(|detail| &*detail.kind == "reasoning.text" && is_ours(detail));
    for detail in texts {
        if open.0 != detail.index {
            open = (detail.index, Cow::Borrowed(""));
        }
        if let Some(more) = detail.text.as_deref() {
            open.1 += more;
        }
        if let Some(signature) = detail
            .signature
            .as_deref()
            .filter(|signature| !signature.is_empty())
        {
            out.push(Part {
                data: Kind::Text(std::mem::take(&mut open.1)),
                thought: true,
                thought_signature: Some(signature),
            });
        }
    }
    out
}

/// The result of a call, and after it what it shows: a result holds only JSON.
fn outcome<'a>(message: &'a Message<'a>, called: &Called<'a>, path: &str) -> Result<Vec<Part<'a>>, Error> {
    let id = called_id(message, path)?;
    let Some(name) = called.name(id).or(message.name.as_deref()) else {
        return Err(Error::invalid(format!(
            "{path}.tool_call_id: no message before it has a call of the id {}, and gemini needs the function's name",
            quoted(id)
        )));
    };
    let (said, shown): (Vec<_>, Vec<_>) = content(&message.content, path)?
        .into_iter()
        .partition(Part::is_text);
    let text: String = said
        .iter()
        .filter_map(|part| match &part.data {
            Kind::Text(text) => Some(&**text),
            _ => None,
        })
        .collect();
    let mut out = vec![Part::from(Kind::FunctionResponse(Outcome {
        id,
        name,
        response: response(&text),
    }))];
    out.extend(shown);
    Ok(out)
}

/// A result is an object; any other goes under the name that Google's documentation has for it.
fn response(text: &str) -> Box<RawValue> {
    #[derive(Serialize)]
    struct Whole<'a> {
        output: &'a str,
    }
    match serde_json::from_str::<Box<RawValue>>(text.trim()) {
        Ok(raw) if json::shape(&raw) == Shape::Object => raw,
        _ => json::to_raw(&Whole { output: text }),
    }
}
