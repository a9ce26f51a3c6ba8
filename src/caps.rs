//! The most items that a request or an answer may have, of each kind: its bytes alone bound little, because an empty
//! message is three bytes of JSON and a hundred of memory.
//!
//! A request is checked once, before it is routed and before anything is built for each item. A list can have no more
//! items than half its bytes, and no more than its commas and one: nearly every request is done with that.
//!
//! ```text
//! messages: 4300000 items; at most 65536 are allowed in one request
//! ```

use crate::error::{Error, Kind};
use crate::json::{self, Shape, shape};
use serde_json::value::RawValue;

/// Members of a request, and of its `options`. All that any provider documents are a hundred.
pub const MAX_MEMBERS: usize = 1_024;
/// Messages. The longest conversations of agents have some thousands.
pub const MAX_MESSAGES: usize = 65_536;
/// Parts of contents, of all messages or inputs together.
pub const MAX_PARTS: usize = 131_072;
/// Tool calls of all messages together.
pub const MAX_TOOL_CALLS: usize = 65_536;
/// Entries of `reasoning_details` of all messages together. A caller may give a stream's pieces back one by one.
pub const MAX_REASONING_DETAILS: usize = 65_536;
/// Images that an assistant made, of all messages together. No less than messages may be: what is shorter than the lowest of
/// these caps needs no count.
pub const MAX_IMAGES: usize = 65_536;
/// Tools. Providers take 128 to some hundreds; a gateway of many MCP servers offers thousands.
pub const MAX_TOOLS: usize = 8_192;
/// Texts to embed or to continue. OpenAI takes 2,048; tokens in place of a text are not counted.
pub const MAX_INPUTS: usize = 16_384;
/// Names in `models`. Each is looked up, and an exchange makes 20 attempts at the most.
pub const MAX_MODELS: usize = 64;
/// Names of providers, or patterns of models. Each is compared with what the configuration has.
pub const MAX_NAMES: usize = 256;
/// Words of a list that has few to choose from, and plugins.
pub const MAX_WORDS: usize = 64;
/// Stop sequences. OpenAI takes four; some servers take any number.
pub const MAX_STOPS: usize = 256;
/// Values at any depth of a member, for instance of all schemas of tools. Token ids are not counted.
pub const MAX_VALUES: usize = 524_288;
/// Values at any depth of all messages: each part has some.
pub const MAX_MESSAGE_VALUES: usize = 2_097_152;
/// Objects at any depth of an answer that came whole, or of one event. Those of log probabilities are the most by far, 20
/// and one for each token.
pub const MAX_ANSWER_OBJECTS: usize = 524_288;
/// The same without log probabilities: each can become a piece of an answer, which takes some hundred bytes.
pub const MAX_ANSWER_PIECES: usize = json::MAX_LISTED;

/// A list in a request, or an object with lists inside.
struct List {
    /// The member's name.
    name: &'static str,
    /// The most items of all lists at this place together.
    most: usize,
    /// Numbers among its items are tokens of one text: they are counted where they are read, and not kept.
    has_tokens: bool,
    /// Lists inside it, or inside each of its items.
    inside: &'static [List],
}

const fn list(name: &'static str, most: usize) -> List {
    of(name, most, &[])
}

const fn of(name: &'static str, most: usize, inside: &'static [List]) -> List {
    List {
        name,
        most,
        has_tokens: false,
        inside,
    }
}

const fn inputs(name: &'static str) -> List {
    List {
        has_tokens: true,
        ..of(name, MAX_INPUTS, INPUT)
    }
}

const INPUT: &[List] = &[list("content", MAX_PARTS)];

/// For an object, whose lists are inside.
const NO_LIST: usize = usize::MAX;

/// The lists that are read item by item, or compared with lists of the configuration.
static LISTS: &[List] = &[
    of(
        "messages",
        MAX_MESSAGES,
        &[
            list("content", MAX_PARTS),
            list("tool_calls", MAX_TOOL_CALLS),
            list("reasoning_details", MAX_REASONING_DETAILS),
            list("images", MAX_IMAGES),
        ],
    ),
    list("tools", MAX_TOOLS),
    inputs("input"),
    inputs("prompt"),
    list("models", MAX_MODELS),
    of(
        "provider",
        NO_LIST,
        &[
            list("order", MAX_NAMES),
            list("only", MAX_NAMES),
            list("ignore", MAX_NAMES),
            list("quantizations", MAX_WORDS),
            of(
                "region",
                MAX_NAMES,
                &[list("order", MAX_NAMES), list("only", MAX_NAMES)],
            ),
        ],
    ),
    of(
        "plugins",
        MAX_WORDS,
        &[
            list("allowed_models", MAX_NAMES),
            list("excluded_models", MAX_NAMES),
            list("hints", MAX_WORDS),
        ],
    ),
    list("stop", MAX_STOPS),
    list("stop_sequences", MAX_STOPS),
    list("modalities", MAX_WORDS),
    list("include", MAX_WORDS),
    list("anthropic_beta", MAX_WORDS),
];

/// A list whose text is shorter than this is within every cap.
const SHORTEST: usize = 2 * MAX_WORDS;

/// Checks the lists of a request: its members, each with its JSON text.
///
/// # Errors
/// Names the list, how many items it has, and how many it may have.
pub fn check<'r>(members: impl Iterator<Item = (&'r str, &'r str)>) -> Result<(), Error> {
    members
        .filter(|(_, text)| text.len() > SHORTEST)
        .try_for_each(|(name, text)| check_member(name, text))
}

/// Checks how many members a request has.
///
/// # Errors
/// When there are too many.
pub fn check_members(count: usize) -> Result<(), Error> {
    if count <= MAX_MEMBERS {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the request has {count} members; at most {MAX_MEMBERS} are allowed"
    )))
}

/// Checks how many members an object has, each of which is written anew.
///
/// # Errors
/// When there are too many.
pub fn check_options(count: usize) -> Result<(), Error> {
    refuse("options", "members", count, MAX_MEMBERS)
}

/// Checks how many names a query has in a list, each of which is compared with all models.
///
/// # Errors
/// When there are too many.
pub fn check_names(name: &str, count: usize) -> Result<(), Error> {
    refuse(name, "items", count, MAX_NAMES)
}

/// Checks an answer that came whole, or one event of a stream.
///
/// # Errors
/// When it has too many objects.
pub fn check_answer(text: &str) -> Result<(), Error> {
    let data = text.as_bytes();
    // An object and the comma behind it are three bytes.
    if data.len() / 3 <= MAX_ANSWER_PIECES || !json::may_exceed(data, b'{', MAX_ANSWER_PIECES) {
        return Ok(());
    }
    match json::count_outside_strings(data, b'{') {
        0..=MAX_ANSWER_PIECES => Ok(()),
        ..=MAX_ANSWER_OBJECTS if pieces(text, DEPTH) <= MAX_ANSWER_PIECES => Ok(()),
        _ => Err(too_many_pieces()),
    }
}

/// For an answer with more pieces than it may have.
pub fn too_many_pieces() -> Error {
    let message = format!("the provider's answer has more than {MAX_ANSWER_PIECES} pieces at once");
    Error::new(Kind::ProviderUnavailable, message)
}

/// No provider's answer is deeper where it is not somebody else's document.
const DEPTH: usize = 16;

/// The objects of an answer, without those of log probabilities.
fn pieces(text: &str, depth: usize) -> usize {
    if depth == 0 || json::positions(text.as_bytes(), b'{').next().is_none() {
        return json::count_outside_strings(text.as_bytes(), b'{');
    }
    let inside = |value: &RawValue| pieces(value.get(), depth - 1);
    if text.trim_start().starts_with('[') {
        return json::items(text.trim_start()).map(inside).sum();
    }
    // Their names are `logprobs` and `logprobsResult`.
    let others = json::members(text.trim_start()).filter(|(name, _)| !name.starts_with("logprobs"));
    let inside: usize = others.map(|(_, value)| inside(value)).sum();
    inside.saturating_add(usize::from(text.trim_start().starts_with('{')))
}

#[inline(never)]
fn check_member(name: &str, text: &str) -> Result<(), Error> {
    let list = LISTS.iter().find(|list| list.name == name);
    let values = match name {
        "messages" => MAX_MESSAGE_VALUES,
        _ if list.is_some_and(|list| list.has_tokens) => usize::MAX,
        _ => MAX_VALUES,
    };
    let least = list.map_or(values, least);
    if text.len() / 2 <= least {
        return Ok(());
    }
    // A list has one comma less than items.
    let may_have_more = |than: usize| json::may_exceed(text.as_bytes(), b',', than.saturating_sub(1));
    if !may_have_more(least) {
        return Ok(());
    }
    if let Some(list) = list {
        let mut tally = Tally::of(list);
        tally.count_text(text);
        tally.check(name)?;
    }
    // Of a tree's values that have no others inside, each but the first has a comma before it or its like.
    if may_have_more(values) {
        let values_found = json::count_outside_strings(text.as_bytes(), b',').saturating_add(1);
        refuse(name, "values", values_found, values)?;
    }
    Ok(())
}

fn refuse(place: &str, what: &str, count: usize, most: usize) -> Result<(), Error> {
    if count <= most {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{place}: {count} {what}; at most {most} are allowed in one request"
    )))
}

/// The lowest cap of a list and of all inside it.
fn least(list: &List) -> usize {
    let inside = list.inside.iter().map(least).min();
    list.most.min(inside.unwrap_or(usize::MAX))
}

/// How many items there are at a place.
struct Tally {
    list: &'static List,
    count: usize,
    inside: Vec<Tally>,
}

impl Tally {
    fn of(list: &'static List) -> Self {
        Self {
            list,
            count: 0,
            inside: list.inside.iter().map(Self::of).collect(),
        }
    }

    /// Counts the items of an array and what is inside each; of an object, what is inside.
    fn count_text(&mut self, text: &str) {
        if text.starts_with('{') {
            return self.count_inside(text);
        }
        for item in json::items(text) {
            let shape = shape(item);
            if self.list.has_tokens && shape == Shape::Number {
                continue;
            }
            self.count = self.count.saturating_add(1);
            // Items beyond the cap are refused: nothing inside them counts.
            if self.count <= self.list.most && !self.inside.is_empty() && shape == Shape::Object {
                self.count_inside(item.get());
            }
        }
    }

    fn count_inside(&mut self, text: &str) {
        for (name, value) in json::members(text) {
            if let Some(found) = self.inside.iter_mut().find(|inside| inside.list.name == &*name) {
                found.count_text(value.get());
            }
        }
    }

    fn check(&self, place: &str) -> Result<(), Error> {
        refuse(place, "items", self.count, self.list.most)?;
        self.inside
            .iter()
            .try_for_each(|inside| inside.check(&format!("{place}.{}", inside.list.name)))
    }
}

#[cfg(test)]
mod tests;
