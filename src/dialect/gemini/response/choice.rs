//! One choice of a response: its parts as pieces, and what is kept of it until its end.

use super::grounding;
use super::offsets::Offsets;
use crate::chat::{Delta, Finish, Format, Piece, Reasoning};
use crate::json::{self, Members, Str};
use serde_json::value::RawValue;

/// How many signatures are kept while nothing was said. Google gives one.
const MAX_LOOSE: usize = 4;

/// A choice that has begun.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) index: u32,
    /// Why it ended, as far as it is known.
    pub(super) finish: Option<(Finish, String)>,
    /// The next block of reasoning.
    blocks: u32,
    /// The block that thinking goes on in.
    thinking: Option<u32>,
    calls: u32,
    /// Whether there is anything to read.
    said: bool,
    /// Signatures of parts without text that came before anything was said: alone they are no answer.
    loose: Vec<String>,
    text: Offsets,
    /// The last word on sources.
    sources: Option<Box<RawValue>>,
}

impl Choice {
    pub(super) const fn new(index: u32) -> Self {
        Self {
            index,
            finish: None,
            blocks: 0,
            thinking: None,
            calls: 0,
            said: false,
            loose: Vec::new(),
            text: Offsets::new(),
            sources: None,
        }
    }

    pub(super) const fn has_calls(&self) -> bool {
        self.calls > 0
    }

    pub(super) const fn has_said(&self) -> bool {
        self.said
    }

    /// Takes one part; those of other kinds (code that Google runs) have none of the members that are read. `response`
    /// makes the ids of calls that have none.
    pub(super) fn part(&mut self, part: &Members<'_>, response: &str, out: &mut Vec<Delta>) {
        let filled = |text: &Str<'_>| !text.is_empty();
        let text = part.text("text").filter(filled).map(Str::into_string);
        let signature = part.text("thoughtSignature").filter(filled).map(Str::into_string);
        if part.get("thought").is_some_and(|raw| raw.get() == "true") {
            // Images that it drew on the way to the answer are no part of it.
            return self.think(text, signature, out);
        }
        if let Some(text) = text {
            self.text.push(&text);
            self.say(Piece::Text(text), out);
        }
        if let Some(raw) = part.get("inlineData") {
            let data = Members::of(raw);
            let kind = data.text("mimeType").filter(|kind| kind.starts_with("image/"));
            if let (Some(kind), Some(base64)) = (kind, data.text("data")) {
                let url = format!("data:{};base64,{}", &*kind, &*base64);
                self.say(Piece::Image { url }, out);
            }
        }
        let call = part.get("functionCall").map(Members::of);
        match call
            .as_ref()
            .and_then(|call| Some((call, call.text("name").filter(filled)?)))
        {
            Some((call, name)) => self.call(call, name.into_string(), signature, response, out),
            None => self.sign(signature, out),
        }
    }

    fn piece(&self, piece: Piece, out: &mut Vec<Delta>) {
        let choice = self.index;
        out.push(Delta::Piece { choice, piece });
    }

    fn say(&mut self, piece: Piece, out: &mut Vec<Delta>) {
        self.said = true;
        self.thinking = None;
        self.piece(piece, out);
        for data in std::mem::take(&mut self.loose) {
            self.seal(data, None, out);
        }
    }

    fn next_block(&mut self) -> u32 {
        let index = self.blocks;
        self.blocks = self.blocks.saturating_add(1);
        index
    }

    fn think(&mut self, text: Option<String>, signature: Option<String>, out: &mut Vec<Delta>) {
        if text.is_none() && self.thinking.is_none() {
            return self.sign(signature, out);
        }
        let index = self.thinking.unwrap_or_else(|| self.next_block());
        let format = Format::Gemini;
        if let Some(text) = text {
            self.said = true;
            self.piece(Piece::Reasoning(Reasoning::Text { index, text, format }), out);
        }
        // A signature closes its block.
        self.thinking = signature.is_none().then_some(index);
        if let Some(signature) = signature {
            let signed = Reasoning::Signature {
                index,
                signature,
                format,
            };
            self.piece(Piece::Reasoning(signed), out);
        }
    }

    fn call(
        &mut self,
        call: &Members<'_>,
        name: String,
        signature: Option<String>,
        response: &str,
        out: &mut Vec<Delta>,
    ) {
        let json = call.get("args").map_or_else(|| "{}".to_owned(), json::compact);
        let index = self.calls;
        self.calls = self.calls.saturating_add(1);
        let id = call
            .text("id")
            .filter(|id| !id.is_empty())
            .map_or_else(|| self.make_id(index, &name, &json, response), Str::into_string);
        self.thinking = None;
        if let Some(data) = signature {
            self.seal(data, Some(id.clone()), out);
        }
        self.say(Piece::ToolCall { index, id, name }, out);
        self.piece(Piece::ToolArguments { index, json }, out);
    }

    /// An id that no other call of the conversation has: the response's own with the call's number.
    fn make_id(&self, index: u32, name: &str, json: &str, response: &str) -> String {
        if response.is_empty() {
            let hash = crc32fast::hash(format!("{name}{json}").as_bytes());
            return format!("call_{index}_{hash:08x}");
        }
        format!("call_{index}_{response}")
    }

    fn sign(&mut self, signature: Option<String>, out: &mut Vec<Delta>) {
        match signature {
            Some(data) if self.said => self.seal(data, None, out),
            Some(data) if self.loose.len() < MAX_LOOSE => self.loose.push(data),
            Some(_) | None => {}
        }
    }

    fn seal(&mut self, data: String, id: Option<String>, out: &mut Vec<Delta>) {
        let sealed = Reasoning::Encrypted {
            index: self.next_block(),
            data,
            id,
            format: Format::Gemini,
        };
        self.piece(Piece::Reasoning(sealed), out);
    }

    /// Takes what is known of the sources until now; a later word replaces it, unless it names none.
    pub(super) fn ground(&mut self, raw: &RawValue) {
        if self.sources.is_none() || Members::of(raw).get("groundingChunks").is_some() {
            self.sources = Some(raw.to_owned());
        }
    }

    /// Tells what was kept, and why it ended.
    pub(super) fn end(self, out: &mut Vec<Delta>) {
        if let Some(raw) = &self.sources {
            for annotation in grounding::annotations(raw, &self.text) {
                self.piece(Piece::Annotation(annotation), out);
            }
        }
        if let Some((reason, native)) = self.finish {
            out.push(Delta::Finish {
                choice: self.index,
                reason,
                native: Some(native),
            });
        }
    }
}
