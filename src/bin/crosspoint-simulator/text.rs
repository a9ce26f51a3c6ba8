//! What the simulated model says: a pure function of the request, so that a test can predict every word and token.
//!
//! Tokens are counted by one rule, [`RULE`], whatever the provider. Tokens are strings here; the dialects put each of
//! them in an event of its own.

use crate::ask::{Ask, Choice, Format, Image, Thinking};
use crate::fault::Faults;
use crate::schema;

/// The rule, in words, for the control endpoint.
pub(crate) const RULE: &str = "\
prompt tokens: 3 for each message (a system prompt outside the messages counts as one message), 1 for each \
whitespace-separated word of the text in system prompts, messages and tool results, 85 for each image. Tool \
definitions, tool-call arguments and thinking blocks in the history count nothing. A prompt to continue and an input \
to embed have no messages: 1 for each word.\n\
completion tokens: 1 for each word of text, 1 for each word of reasoning; JSON text (structured output) 1 for each \
8 characters begun; a tool call 1, and 1 more for each 8 characters begun of its arguments ({} sent as nothing counts 0).\n\
a model id with `cached` in it reads half of the prompt tokens from the cache (rounded down) and, but for OpenAI, \
Gemini and Cohere, writes a quarter; Anthropic and Bedrock report the rest as input.\n\
reasoning: `Let me think about` and the first 8 words of the last user text.\n\
text: `You said:`, at most 32 words of the last user text, then 3 + (words of it % 5) words of filler. Cut at \
max_tokens less the reasoning, and at stop sequences.";

/// How many words of the user are repeated.
const ECHO: usize = 32;
/// Characters in one token of JSON.
const JSON_TOKEN: usize = 8;
/// What an image costs.
const IMAGE_TOKENS: u64 = 85;

const FILLER: [&str; 12] = [
    "and",
    "naïve",
    "words",
    "follow",
    "—",
    "日本語",
    "too",
    "🙂",
    "as",
    "\"quoted\"",
    "text",
    "does",
];

/// An answer, before it is written in a dialect.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) thinking: Thinking,
    pub(crate) thought: Vec<String>,
    pub(crate) text: Vec<String>,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) finish: Finish,
    pub(crate) usage: Usage,
}

#[derive(Debug, Clone)]
pub(crate) struct ToolCall {
    pub(crate) name: String,
    /// JSON, or nothing at all for a call without arguments.
    pub(crate) arguments: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finish {
    Stop,
    StopSequence(String),
    Length,
    ToolCalls,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// All prompt tokens, cached or not.
    pub(crate) prompt: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write: u64,
    /// All completion tokens, reasoning included.
    pub(crate) completion: u64,
    pub(crate) reasoning: u64,
}

impl Usage {
    /// Prompt tokens that have nothing to do with a cache.
    pub(crate) fn fresh(&self) -> u64 {
        self.prompt - self.cache_read - self.cache_write
    }
}

impl Answer {
    /// The text in one piece.
    pub(crate) fn whole_text(&self) -> String {
        self.text.concat()
    }

    /// The reasoning in one piece.
    pub(crate) fn whole_thought(&self) -> String {
        self.thought.concat()
    }
}

/// The model's answer to `ask`. `writes_cache` tells whether the provider reports cache writes.
pub(crate) fn answer(ask: &Ask, faults: &Faults, writes_cache: bool) -> Answer {
    let prompt = ask.messages * 3 + ask.words + ask.images.len() as u64 * IMAGE_TOKENS;
    let cached = ask.model().contains("cached");
    let mut answer = Answer {
        thinking: ask.thinking,
        thought: Vec::new(),
        text: Vec::new(),
        calls: Vec::new(),
        finish: Finish::Stop,
        usage: Usage {
            prompt,
            cache_read: if cached { prompt / 2 } else { 0 },
            cache_write: if cached && writes_cache { prompt / 4 } else { 0 },
            ..Usage::default()
        },
    };
    if faults.empty || ask.embed.is_some() {
        answer.thinking = Thinking::Off;
        return answer;
    }
    if ask.thinking != Thinking::Off {
        let about = ask.user_text.split_whitespace().take(8);
        answer.thought = spaced("Let me think about".split(' ').chain(about));
    }
    answer.usage.reasoning = answer.thought.len() as u64;
    answer.calls = calls(ask);
    if answer.calls.is_empty() {
        answer.text = text(ask, faults);
        let limit = ask
            .max_tokens
            .map(|max| max.saturating_sub(answer.usage.reasoning));
        shorten(&mut answer, limit, &ask.stop);
    } else {
        answer.finish = Finish::ToolCalls;
        if says(ask, &["explain"]) {
            answer.text = spaced("I will call that .".split(' '));
        }
    }
    let calls: u64 = answer
        .calls
        .iter()
        .map(|call| 1 + fragments(&call.arguments).len() as u64)
        .sum();
    answer.usage.completion = answer.usage.reasoning + answer.text.len() as u64 + calls;
    answer
}

fn says(ask: &Ask, words: &[&str]) -> bool {
    let mut said = ask.user_text.split(|c: char| !c.is_alphanumeric());
    said.any(|word| words.iter().any(|wanted| word.eq_ignore_ascii_case(wanted)))
}

/// The tools that the model calls.
fn calls(ask: &Ask) -> Vec<ToolCall> {
    let wanted = match &ask.choice {
        Choice::Never => return Vec::new(),
        Choice::Auto if !ask.tool_results.is_empty() || !says(ask, &["tool", "tools"]) => return Vec::new(),
        Choice::Auto | Choice::Any => None,
        Choice::Named(name) => Some(name),
    };
    let count = if says(ask, &["parallel"]) && !ask.one_call {
        2
    } else {
        1
    };
    let empty = says(ask, &["noargs"]);
    ask.tools
        .iter()
        .filter(|tool| wanted.is_none_or(|name| *name == tool.name))
        .take(count)
        .map(|tool| ToolCall {
            name: tool.name.clone(),
            arguments: if empty {
                String::new()
            } else {
                schema::arguments(&tool.schema).to_string()
            },
        })
        .collect()
}

fn text(ask: &Ask, faults: &Faults) -> Vec<String> {
    if let Some(bytes) = faults.bytes {
        return vec!["x".repeat(bytes)];
    }
    if let Format::Json(document) = &ask.format {
        return fragments(&document.to_string())
            .into_iter()
            .map(str::to_owned)
            .collect();
    }
    let mut words: Vec<String> = Vec::new();
    let mut say = |text: &str| words.extend(text.split_whitespace().take(ECHO).map(str::to_owned));
    if ask.tool_results.is_empty() {
        if !ask.images.is_empty() {
            say(&describe(&ask.images));
        }
        say("You said:");
        say(&ask.user_text);
        let filler = 3 + ask.user_text.split_whitespace().count() % 5;
        words.extend(FILLER.iter().take(filler).map(|word| (*word).to_owned()));
    } else {
        say("The tool said:");
        say(&ask.tool_results.join("; "));
    }
    if let Some(count) = faults.tokens {
        words.truncate(count);
        let missing = count - words.len();
        words.extend(FILLER.iter().cycle().take(missing).map(|word| (*word).to_owned()));
    }
    spaced(words.iter().map(String::as_str))
}

fn describe(images: &[Image]) -> String {
    let each: Vec<String> = images
        .iter()
        .map(|image| match image {
            Image::Bytes { media_type, len } => format!("of {len} bytes, {media_type}"),
            Image::Link(url) => format!("at {url}"),
        })
        .collect();
    let noun = if images.len() == 1 { "image" } else { "images" };
    format!("I see {} {noun} {}.", images.len(), each.join(" and "))
}

/// Applies the limit and the stop sequences.
fn shorten(answer: &mut Answer, limit: Option<u64>, stop: &[String]) {
    let whole = answer.whole_text();
    let found = stop
        .iter()
        .filter(|s| !s.is_empty())
        .filter_map(|s| whole.find(s.as_str()).map(|at| (at, s)));
    if let Some((at, sequence)) = found.min_by_key(|(at, _)| *at) {
        let mut room = at;
        let mut kept = Vec::new();
        for token in &answer.text {
            let part = token.get(..room.min(token.len())).unwrap_or_default();
            if part.is_empty() {
                break;
            }
            room -= part.len();
            kept.push(part.to_owned());
        }
        answer.text = kept;
        answer.finish = Finish::StopSequence(sequence.clone());
    }
    let limit = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX);
    if answer.text.len() > limit {
        answer.text.truncate(limit);
        answer.finish = Finish::Length;
    }
}

/// Words with the space that goes before all but the first.
fn spaced<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    words
        .enumerate()
        .map(|(n, word)| {
            if n == 0 {
                word.to_owned()
            } else {
                format!(" {word}")
            }
        })
        .collect()
}

/// Cuts JSON into the pieces that a model would send.
pub(crate) fn fragments(json: &str) -> Vec<&str> {
    let mut rest = json;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let end = rest
            .char_indices()
            .nth(JSON_TOKEN)
            .map_or(rest.len(), |(at, _)| at);
        let (piece, tail) = rest.split_at(end);
        found.push(piece);
        rest = tail;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Tool;
    use serde_json::json;

    fn ask(text: &str) -> Ask {
        let mut ask = Ask {
            id: "m".to_owned(),
            user_text: text.to_owned(),
            messages: 1,
            ..Ask::default()
        };
        ask.read(text);
        ask
    }

    fn healthy(ask: &Ask) -> Answer {
        answer(ask, &Faults::default(), true)
    }

    #[test]
    fn the_echo_and_its_counts_are_predictable() {
        let said = healthy(&ask("hello there"));
        assert_eq!(
            said.whole_text(),
            "You said: hello there and naïve words follow —"
        );
        assert_eq!(said.usage.prompt, 5);
        assert_eq!(said.usage.completion, 9);
        assert_eq!(said.text.len(), 9);
    }

    #[test]
    fn limits_and_stop_sequences_cut() {
        let mut cut = ask("one two three");
        cut.max_tokens = Some(3);
        assert_eq!(healthy(&cut).finish, Finish::Length);
        assert_eq!(healthy(&cut).usage.completion, 3);
        cut.max_tokens = None;
        cut.stop = vec!["wo th".to_owned()];
        assert_eq!(healthy(&cut).whole_text(), "You said: one t");
        assert_eq!(healthy(&cut).finish, Finish::StopSequence("wo th".to_owned()));
    }

    #[test]
    fn tools_are_called_when_forced_or_asked_for() {
        let tool = |name: &str| Tool {
            name: name.to_owned(),
            schema: json!({"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}),
        };
        let mut asked = ask("use a tool in parallel");
        asked.tools = vec![tool("a"), tool("b"), tool("c")];
        let names = |ask: &Ask| healthy(ask).calls.into_iter().map(|c| c.name).collect::<Vec<_>>();
        assert_eq!(names(&asked), ["a", "b"]);
        asked.one_call = true;
        assert_eq!(names(&asked), ["a"]);
        asked.choice = Choice::Named("c".to_owned());
        assert_eq!(names(&asked), ["c"]);
        asked.choice = Choice::Never;
        assert!(names(&asked).is_empty());
        asked.choice = Choice::Auto;
        asked.tool_results = vec!["42".to_owned()];
        assert_eq!(healthy(&asked).whole_text(), "The tool said: 42");
    }

    #[test]
    fn directives_shape_the_text() {
        let said = |directives: &str| answer(&ask("hi"), &Faults::parse(directives).unwrap(), true);
        assert_eq!(said("tokens=200").usage.completion, 200);
        assert_eq!(said("bytes=5000").whole_text().len(), 5000);
        assert_eq!(said("empty").usage.completion, 0);
    }

    #[test]
    fn images_are_described() {
        let mut seen = ask("look");
        seen.images = vec![Image::Bytes {
            media_type: "image/png".to_owned(),
            len: 68,
        }];
        assert!(
            healthy(&seen)
                .whole_text()
                .starts_with("I see 1 image of 68 bytes, image/png. You said: look")
        );
        assert_eq!(healthy(&seen).usage.prompt, 3 + 1 + 85);
    }
}
