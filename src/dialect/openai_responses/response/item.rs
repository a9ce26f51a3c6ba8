//! One item of a response: a message, thinking, a call, or what a tool of the provider's made.

use crate::chat::{Delta, Format, Piece, Reasoning};
use crate::dialect::shared::citations::Source;
use crate::dialect::shared::logprobs::{self, Token};
use crate::dialect::shared::say::{next, say};
use crate::json::{Items, Members, Str};
use serde_json::value::RawValue;

/// What stands between two messages, and between two parts of a summary: both are whole paragraphs.
const PARAGRAPH: &str = "\n\n";

/// What goes on over the items.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// How many characters of text there were.
    length: usize,
    calls: u32,
    thoughts: u32,
    searches: u64,
}

impl Progress {
    pub(super) const fn has_calls(&self) -> bool {
        self.calls > 0
    }

    /// How often the provider searched the web.
    pub(super) const fn searches(&self) -> u64 {
        self.searches
    }
}

/// How an item grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Growth {
    Text,
    Refusal,
    Annotation,
    Summary,
    Thought,
    Arguments,
}

impl Growth {
    /// What an event of this type tells; `None` where it tells nothing that comes by no other.
    pub(super) fn of(kind: &str) -> Option<Self> {
        match kind {
            "response.output_text.delta" => Some(Self::Text),
            "response.refusal.delta" => Some(Self::Refusal),
            "response.output_text.annotation.added" => Some(Self::Annotation),
            "response.reasoning_summary_text.delta" => Some(Self::Summary),
            "response.reasoning_text.delta" => Some(Self::Thought),
            "response.function_call_arguments.delta" => Some(Self::Arguments),
            _ => None,
        }
    }

    /// The item that grows so, where it can be told without having been added.
    pub(super) fn item(self) -> Option<Item> {
        match self {
            Self::Text | Self::Refusal | Self::Annotation => Some(Item::Message(Message::default())),
            Self::Summary | Self::Thought => Some(Item::Thinking(Thinking::default())),
            Self::Arguments => None,
        }
    }
}

/// An item that has begun.
#[derive(Debug)]
pub(super) enum Item {
    Message(Message),
    Thinking(Thinking),
    Call(Call),
    /// What a tool of the provider's made, or of no interest.
    Other,
}

#[derive(Debug, Default)]
pub(super) struct Message {
    /// The part that it has come to, and where that begins in the whole text.
    part: Option<(u64, usize)>,
    /// Whether anything was said of it.
    said: bool,
    /// Whether a source was named.
    noted: bool,
}

#[derive(Debug, Default)]
pub(super) struct Thinking {
    /// Its number among the blocks of thinking, once there is anything in it.
    index: Option<u32>,
    /// The part that it has come to: of the summary, or not.
    part: Option<(bool, u64)>,
}

#[derive(Debug)]
pub(super) struct Call {
    index: u32,
    id: String,
    name: String,
    /// Whether any of its arguments came.
    said: bool,
}

impl Item {
    pub(super) fn begin(item: &Members<'_>, progress: &mut Progress) -> Self {
        match item.text("type").as_deref() {
            Some("message") => Self::Message(Message::default()),
            Some("reasoning") => Self::Thinking(Thinking::default()),
            Some("function_call") => {
                let index = next(&mut progress.calls);
                let filled = |name| item.text(name).filter(|id| !id.is_empty());
                let id = filled("call_id").or_else(|| filled("id"));
                Self::Call(Call {
                    index,
                    id: id.map_or_else(|| format!("call_{index}"), Str::into_string),
                    name: item.text("name").unwrap_or_default().into_string(),
                    said: false,
                })
            }
            _ => Self::Other,
        }
    }

    /// Tells what there is to tell of an item that has only begun.
    pub(super) fn announce(&self, out: &mut Vec<Delta>) {
        if let Self::Call(call) = self {
            let (index, id, name) = (call.index, call.id.clone(), call.name.clone());
            say(Piece::ToolCall { index, id, name }, out);
        }
    }

    pub(super) fn grow(
        &mut self,
        growth: Growth,
        event: &Members<'_>,
        progress: &mut Progress,
        out: &mut Vec<Delta>,
    ) {
        let part = event.count("content_index").unwrap_or(0);
        let delta = event.text("delta").unwrap_or_default();
        // What does not belong into this item is not lost for that.
        match (growth, self) {
            (Growth::Text, Self::Message(message)) => {
                message.text(part, &delta, event.items("logprobs"), progress, out);
            }
            (Growth::Text, _) => Message::default().text(part, &delta, Items::default(), progress, out),
            (Growth::Refusal, Self::Message(message)) => message.refuse(&delta, out),
            (Growth::Refusal, _) => Message::default().refuse(&delta, out),
            (Growth::Annotation, Self::Message(message)) => {
                if let Some(raw) = event.get("annotation") {
                    let start = message.part.map_or(progress.length, |(_, start)| start);
                    message.annotate(start, raw, out);
                }
            }
            (Growth::Summary, Self::Thinking(thinking)) => {
                let part = event.count("summary_index").unwrap_or(0);
                thinking.think((true, part), &delta, progress, out);
            }
            (Growth::Thought, Self::Thinking(thinking)) => {
                thinking.think((false, part), &delta, progress, out);
            }
            (Growth::Summary | Growth::Thought, _) => {
                let part = (growth == Growth::Summary, part);
                Thinking::default().think(part, &delta, progress, out);
            }
            (Growth::Arguments, Self::Call(call)) => call.argue(&delta, out),
            (Growth::Annotation | Growth::Arguments, _) => {}
        }
    }

    /// It is done: `item` is all of it, as far as that was told.
    pub(super) fn end(self, item: Option<&Members<'_>>, progress: &mut Progress, out: &mut Vec<Delta>) {
        match (self, item) {
            (Self::Message(message), Some(item)) => message.end(item, progress, out),
            (Self::Thinking(thinking), Some(item)) => thinking.end(item, progress, out),
            (Self::Call(call), item) => call.end(item, out),
            (Self::Other, Some(item)) => match item.text("type").as_deref() {
                Some("image_generation_call") => image(item, out),
                Some("web_search_call") => progress.searches = progress.searches.saturating_add(1),
                _ => {}
            },
            (Self::Message(_) | Self::Thinking(_) | Self::Other, None) => {}
        }
    }
}

impl Message {
    fn text(
        &mut self,
        part: u64,
        text: &str,
        logprobs: Items<'_>,
        progress: &mut Progress,
        out: &mut Vec<Delta>,
    ) {
        if let Some(value) = logprobs::unified(logprobs.objects().map(token)) {
            say(logprobs::piece(value), out);
        }
        if !text.is_empty() {
            let mut whole = String::with_capacity(text.len());
            if self.part.is_none() && progress.length > 0 {
                whole.push_str(PARAGRAPH);
                progress.length = progress.length.saturating_add(PARAGRAPH.len());
            }
            if self.part.is_none_or(|(known, _)| known != part) {
                self.part = Some((part, progress.length));
            }
            self.said = true;
            whole.push_str(text);
            progress.length = progress.length.saturating_add(text.chars().count());
            say(Piece::Text(whole), out);
        }
    }

    fn refuse(&mut self, text: &str, out: &mut Vec<Delta>) {
        if !text.is_empty() {
            self.said = true;
            say(Piece::Refusal(text.to_owned()), out);
        }
    }

    /// A source on the web; positions are told from the beginning of the part, which is at `start` of the whole text.
    /// What names a file has no unified form and is passed on as it came.
    fn annotate(&mut self, start: usize, raw: &RawValue, out: &mut Vec<Delta>) {
        self.noted = true;
        let given = Members::of(raw);
        let is_web = given.text("type").as_deref() == Some("url_citation");
        let Some(url) = given.text("url").filter(|_| is_web) else {
            return say(Piece::Annotation(raw.to_owned()), out);
        };
        let position = |name| {
            let position = given.count(name).and_then(|count| usize::try_from(count).ok());
            position.unwrap_or(0).saturating_add(start)
        };
        let (from, to) = (position("start_index"), position("end_index"));
        let source = Source {
            url: url.into_string(),
            title: given.text("title").map(Str::into_string),
            content: None,
        };
        say(Piece::Annotation(source.annotation(from, to)), out);
    }

    fn end(mut self, item: &Members<'_>, progress: &mut Progress, out: &mut Vec<Delta>) {
        let (said, noted) = (self.said, self.noted);
        for (at, raw) in (0..).zip(item.objects("content")) {
            let part = Members::of(raw);
            if !said {
                let text = part.text("text").unwrap_or_default();
                self.text(at, &text, part.items("logprobs"), progress, out);
                self.refuse(&part.text("refusal").unwrap_or_default(), out);
            }
            if !noted {
                // Where a stream has come to its last part, earlier ones are no more than near.
                let start = self.part.map_or(progress.length, |(_, start)| start);
                for raw in part.objects("annotations") {
                    self.annotate(start, raw, out);
                }
            }
        }
    }
}

impl Thinking {
    fn think(&mut self, part: (bool, u64), text: &str, progress: &mut Progress, out: &mut Vec<Delta>) {
        if text.is_empty() {
            return;
        }
        let index = *self.index.get_or_insert_with(|| next(&mut progress.thoughts));
        let goes_on = self.part.is_none_or(|known| known == part);
        self.part = Some(part);
        let text = match goes_on {
            true => text.to_owned(),
            false => format!("{PARAGRAPH}{text}"),
        };
        let format = Format::OpenAiResponses;
        say(
            Piece::Reasoning(match part {
                (true, _) => Reasoning::Summary { index, text, format },
                (false, _) => Reasoning::Text { index, text, format },
            }),
            out,
        );
    }

    /// What is encrypted changes until the item is done; only then it can be given back.
    fn end(mut self, item: &Members<'_>, progress: &mut Progress, out: &mut Vec<Delta>) {
        if self.index.is_none() {
            for (is_summary, name) in [(true, "summary"), (false, "content")] {
                for (at, raw) in (0..).zip(item.objects(name)) {
                    let text = Members::of(raw).text("text").unwrap_or_default();
                    self.think((is_summary, at), &text, progress, out);
                }
            }
        }
        let data = item.text("encrypted_content").filter(|data| !data.is_empty());
        if let Some(data) = data {
            let sealed = Reasoning::Encrypted {
                index: self.index.unwrap_or_else(|| next(&mut progress.thoughts)),
                data: data.into_string(),
                id: item.text("id").map(Str::into_string),
                format: Format::OpenAiResponses,
            };
            say(Piece::Reasoning(sealed), out);
        }
    }
}

impl Call {
    fn argue(&mut self, json: &str, out: &mut Vec<Delta>) {
        if !json.is_empty() {
            self.said = true;
            let (index, json) = (self.index, json.to_owned());
            say(Piece::ToolArguments { index, json }, out);
        }
    }

    fn end(mut self, item: Option<&Members<'_>>, out: &mut Vec<Delta>) {
        if !self.said {
            let whole = item.and_then(|item| item.text("arguments"));
            self.argue(
                whole.as_deref().filter(|json| !json.is_empty()).unwrap_or("{}"),
                out,
            );
        }
    }
}

/// How probable a token was, and what else might have stood there.
fn token(raw: &RawValue) -> Token<'_> {
    const NAME: &str = "logprob";
    let top = Members::of(raw).objects("top_logprobs");
    let top = top.map(|other| Token::new(other, NAME, None));
    Token::new(raw, NAME, Some(top.collect()))
}

/// A picture that the provider drew, in base64.
fn image(item: &Members<'_>, out: &mut Vec<Delta>) {
    if let Some(base64) = item.text("result").filter(|base64| !base64.is_empty()) {
        let format = item.text("output_format");
        let media_type = match format.as_deref() {
            None | Some("") => "png",
            Some("svg") => "svg+xml",
            Some(format) => format,
        };
        let url = format!("data:image/{media_type};base64,{}", &*base64);
        say(Piece::Image { url }, out);
    }
}
