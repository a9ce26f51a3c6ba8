//! The most tokens that a prompt may come to: what a budget holds for it.
//!
//! The rule of thumb is as often below the truth as above it, and a caller can choose a text for which it is far below.
//! This is above it, for text and images, by the bytes that are sent: whatever their form, all strings of the prompt count,
//! and every other member as it stands. It is about twice the truth for prose, and nearer for code and figures.

use super::image::Images;
use crate::chat::{Request, Tool};

/// What the marks of an object come to: a message, a part of one, a call.
const PER_OBJECT: u64 = 4;
/// What begins an answer, and what a template adds to every prompt.
const PER_PROMPT: u64 = 16;
/// The longest name of a member that counts as a mark, and not as text.
const LONG_NAME: usize = 32;

/// Members that stay here, or that hold no text for the model.
const NO_TEXT: [&str; 9] = [
    "model",
    "models",
    "provider",
    "plugins",
    "route",
    "session_id",
    "stream",
    "stream_options",
    "usage",
];

/// The most tokens of a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ceiling {
    /// Of its texts and images.
    pub tokens: u64,
    /// What more there is of which nothing bounds the tokens.
    pub unbounded: Option<&'static str>,
    /// There are images, or something unbounded: they may have prices of their own.
    pub has_media: bool,
    /// Parts of it may be written to a cache, which may have a price of its own.
    pub caches: bool,
}

/// The most tokens of a request's prompt, for models each of which has these names.
pub fn prompt_ceiling<'n>(request: &Request, models: impl Iterator<Item = [&'n str; 2]>) -> Ceiling {
    let mut images: Vec<Images> = Vec::new();
    for names in models {
        let rule = Images::of(&names);
        if !images.iter().any(|known| known.is(rule)) {
            images.push(rule);
        }
    }
    let mut scan = Scan {
        text: Text::default(),
        extra: PER_PROMPT.saturating_mul(request.prompts().unwrap_or(1)),
        images,
        in_image: false,
        found: Ceiling::default(),
    };
    let prompt = request.operation().prompt();
    for (name, text) in request.members() {
        scan.found.caches |= may_name_cache(name) || may_name_cache(text);
        if name == prompt {
            scan.prompt(text);
        } else if !NO_TEXT.contains(&name) {
            scan.text.feed(text.as_bytes());
        }
        scan.text.end();
    }
    let mut found = scan.found;
    found.tokens = scan.text.tokens.saturating_add(scan.extra);
    found.unbounded = found.unbounded.or_else(|| searches(request));
    found.has_media |= found.unbounded.is_some();
    found
}

/// The most tokens of a text, as it stands in JSON.
pub fn text_ceiling(text: &str) -> u64 {
    let mut counter = Text::default();
    counter.feed(text.as_bytes());
    counter.end();
    counter.tokens
}

/// What the provider adds to the prompt by itself.
fn searches(request: &Request) -> Option<&'static str> {
    if request.has("web_search_options") || request.has("plugins") {
        return Some("a search of the web");
    }
    let is_other = |tool: &Tool<'_>| matches!(tool, Tool::Other { .. });
    let tools = request.has("tools").then(|| request.tools());
    let runs = tools.is_some_and(|tools| tools.is_ok_and(|tools| tools.iter().any(is_other)));
    runs.then_some("a tool that the provider runs")
}

/// Whether the mark for a cache may be named, be it with escapes.
fn may_name_cache(text: &str) -> bool {
    text.contains("cache") || text.contains("\\u00")
}

/// What the name of a member says of the string behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Image,
    Url,
    Media(&'static str),
    Other,
}

impl Name {
    fn of(text: &str) -> Self {
        // A name with escapes is read as what it means.
        let plain = text
            .contains('\\')
            .then(|| serde_json::from_str::<String>(&format!("\"{text}\"")).ok())
            .flatten();
        match plain.as_deref().unwrap_or(text) {
            "image_url" | "image" | "images" => Self::Image,
            "url" => Self::Url,
            "input_audio" | "audio" | "audio_url" => Self::Media("sound"),
            "video_url" | "input_video" | "video" => Self::Media("film"),
            "file" | "input_file" | "file_data" | "file_url" | "file_id" | "document" | "document_url" => {
                Self::Media("a file")
            }
            _ => Self::Other,
        }
    }
}

struct Scan {
    text: Text,
    extra: u64,
    images: Vec<Images>,
    /// The name of an image has come, and its URL has not.
    in_image: bool,
    found: Ceiling,
}

impl Scan {
    /// Takes the JSON of a prompt, string by string.
    fn prompt(&mut self, json: &str) {
        let mut rest = json;
        let mut name = Name::Other;
        while let Some((between, tail)) = rest.split_once('"') {
            self.marks(between);
            let (inner, after) = tail.split_at_checked(string_end(tail)).unwrap_or((tail, ""));
            let after = after.get(1..).unwrap_or_default();
            if after.trim_ascii_start().starts_with(':') {
                name = self.name(inner);
            } else {
                self.string(inner, std::mem::replace(&mut name, Name::Other));
            }
            rest = after;
        }
        self.marks(rest);
    }

    /// What stands between strings: numbers are tokens, as of an input that is tokenized already.
    fn marks(&mut self, text: &str) {
        let objects = text.bytes().filter(|byte| *byte == b'{').count() as u64;
        self.extra = self.extra.saturating_add(objects.saturating_mul(PER_OBJECT));
        self.text.end();
        for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
            self.extra = self.extra.saturating_add(u64::from(!word.is_empty()));
        }
    }

    fn name(&mut self, inner: &str) -> Name {
        let name = Name::of(inner);
        match name {
            Name::Image => self.in_image = true,
            Name::Media(what) => self.found.unbounded = self.found.unbounded.or(Some(what)),
            Name::Url | Name::Other => {}
        }
        if inner.len() > LONG_NAME {
            self.text.feed(inner.as_bytes());
        }
        name
    }

    fn string(&mut self, inner: &str, name: Name) {
        match name {
            Name::Image | Name::Url if self.in_image => {
                self.in_image = false;
                self.found.has_media = true;
                let most = self.images.iter().map(|images| images.most(inner)).max();
                self.extra = self.extra.saturating_add(most.unwrap_or_default());
            }
            // There is no bound anyway.
            Name::Media(_) => {}
            Name::Image | Name::Url | Name::Other => {
                self.text.feed(inner.as_bytes());
                self.text.end();
            }
        }
    }
}

/// Where the string ends whose opening quote stands before `text`.
fn string_end(text: &str) -> usize {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find('"')) {
        let at = from.saturating_add(at);
        let before = text.as_bytes().get(..at).unwrap_or_default();
        let escapes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
        if escapes % 2 == 0 {
            return at;
        }
        from = at.saturating_add(1);
    }
    text.len()
}

/// The most tokens of a text: of a word three for every five letters, and a word begins with each capital; one for every
/// other byte, but for single spaces before words and runs of spaces. Real words come to fewer; letters by chance come to
/// one token for every two, since the vocabularies in use hold nearly every pair of them.
#[derive(Debug, Default)]
struct Text {
    tokens: u64,
    /// Letters of the word that is not counted yet.
    letters: u64,
    spaces: u64,
}

impl Text {
    fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'a'..=b'z' => {
                    self.end_spaces(true);
                    self.letters += 1;
                }
                b'A'..=b'Z' => {
                    self.end_word();
                    self.end_spaces(true);
                    self.letters = 1;
                }
                b' ' => {
                    self.end_word();
                    self.spaces += 1;
                }
                _ => {
                    self.end();
                    self.tokens += 1;
                }
            }
        }
    }

    fn end(&mut self) {
        self.end_word();
        self.end_spaces(false);
    }

    const fn end_word(&mut self) {
        self.tokens += (self.letters * 3).div_ceil(5);
        self.letters = 0;
    }

    /// One space belongs to the word after it.
    const fn end_spaces(&mut self, before_word: bool) {
        if self.spaces > 1 || !before_word {
            self.tokens += self.spaces.div_ceil(4);
        }
        self.spaces = 0;
    }
}
