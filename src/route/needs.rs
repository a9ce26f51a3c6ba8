//! What a request needs of an endpoint, and whom a conversation belongs to. An endpoint that is known not to have it is
//! tried last: what is known may be wrong, and then a provider's own error says more than ours.

use crate::chat::Request;
use crate::config::Endpoint;
use crate::hash;
use crate::json::{Members, Shape, Str, each, shape};
use crate::meter;
use crate::provider::Modalities;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::cell::OnceCell;
use std::fmt;

/// The parameters without which an answer would be to another question.
const WEIGHTY: &[&str] = &[
    "tools",
    "tool_choice",
    "response_format",
    "verbosity",
    "reasoning",
];

/// What a request needs. What takes a look at all of a prompt is found out when it matters.
#[derive(Debug, Default)]
pub struct Needs<'r> {
    request: Option<&'r Request>,
    /// The caller's name for the session, from a header.
    session: Option<&'r str>,
    /// Names of [`PARAMETERS`](crate::provider::PARAMETERS).
    parameters: Vec<&'static str>,
    max_tokens: u64,
    output: Modalities,
    input: OnceCell<Modalities>,
    prompt_tokens: OnceCell<u64>,
}

impl<'r> Needs<'r> {
    /// What `request` needs; `session` is what a header calls its session.
    pub fn of(request: &'r Request, session: Option<&'r str>) -> Self {
        let has = |name: &&&str| {
            request
                .raw(name)
                .is_some_and(|raw| !["null", "[]", "{}"].contains(&raw))
        };
        let mut parameters: Vec<&'static str> = WEIGHTY.iter().filter(has).copied().collect();
        if request
            .raw("response_format")
            .is_some_and(|raw| raw.contains("json_schema"))
        {
            parameters.push("structured_outputs");
        }
        let mut output = Modalities::default();
        for name in request
            .get::<Vec<Str<'_>>>("modalities")
            .ok()
            .flatten()
            .unwrap_or_default()
        {
            // Of a modality that nobody knows nobody knows who has it.
            let _known = output.add(&name);
        }
        Self {
            request: Some(request),
            session,
            parameters,
            max_tokens: request.max_tokens().ok().flatten().unwrap_or(0),
            output,
            ..Self::default()
        }
    }

    /// Whether an endpoint is not known to lack anything.
    pub(super) fn fit(&self, endpoint: &Endpoint) -> bool {
        self.lacking(endpoint).is_none()
    }

    /// What an endpoint is known to lack first, by the name that it has in a configuration.
    pub(super) fn lacking(&self, endpoint: &Endpoint) -> Option<&'static str> {
        let facts = &endpoint.facts;
        let lacks = |name: &&&'static str| facts.parameters.supports(name) == Some(false);
        let takes = |has: Modalities, needed: Modalities| {
            has.is_empty() || needed.names().all(|name| has.contains(name))
        };
        if let Some(name) = self.parameters.iter().find(lacks) {
            return Some(name);
        }
        if facts
            .max_completion_tokens
            .is_some_and(|most| self.max_tokens > most)
        {
            return Some("max_completion_tokens");
        }
        if !takes(facts.output_modalities, self.output) {
            return Some("output_modalities");
        }
        if !facts.input_modalities.is_empty() && !takes(facts.input_modalities, self.input()) {
            return Some("input_modalities");
        }
        let short = |length| !self.fits_into(length);
        facts
            .context_length
            .is_some_and(short)
            .then_some("context_length")
    }

    /// The estimate of the prompt's tokens, if it mattered.
    pub fn prompt_tokens(&self) -> Option<u64> {
        self.prompt_tokens.get().copied()
    }

    /// Whether prompt and completion fit into so many tokens.
    fn fits_into(&self, length: u64) -> bool {
        let Some(request) = self.request else { return true };
        // A token is a byte at least, and of most texts several.
        let bytes = request.raw("messages").map_or(0, str::len) as u64;
        if bytes.saturating_add(self.max_tokens) <= length {
            return true;
        }
        let tokens = *self
            .prompt_tokens
            .get_or_init(|| meter::sketch_prompt(request, &[]).0);
        tokens.saturating_add(self.max_tokens) <= length
    }

    fn input(&self) -> Modalities {
        *self.input.get_or_init(|| {
            let messages = self.request.and_then(|request| request.raw("messages"));
            messages.map(modalities).unwrap_or_default()
        })
    }

    /// The hash of what should stay at one endpoint, so that its prompt cache is of use: the session that the caller
    /// names, or its key of the cache, or the beginning of the conversation.
    pub(super) fn affinity(&self) -> Option<u64> {
        let request = self.request?;
        let text = |name| request.get::<Str<'_>>(name).ok().flatten();
        let named = text("session_id")
            .or_else(|| self.session.map(Str::from))
            .or_else(|| text("prompt_cache_key"));
        if let Some(named) = named.filter(|named| !named.is_empty()) {
            // Who makes two names of one hash gets both sent to one endpoint, which any name may be.
            return Some(hash::stable(&["session", &named]));
        }
        beginning(request.raw("messages")?)
    }
}

/// What kinds of content the messages have, by the types of their parts; up to what is no message.
fn modalities(messages: &str) -> Modalities {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        content: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Part<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<Str<'a>>,
    }
    let mut found = Modalities::default();
    let mut note = |part: Part<'_>| {
        let name = match part.kind.as_deref() {
            Some("image_url") => "image",
            Some("input_audio") => "audio",
            Some("video_url" | "input_video") => "video",
            Some("file") => "file",
            _ => return,
        };
        let _known = found.add(name);
    };
    // What cannot be read is the provider's to judge.
    let _read = each(messages, |message: Message<'_>| {
        let content = message.content.filter(|content| shape(content) == Shape::Array);
        if let Some(content) = content {
            let _read = each(content.get(), &mut note);
        }
    });
    found
}

/// The hash of the first system or developer message and of the first other one: what all requests of a conversation
/// begin with, and no other conversation does.
fn beginning(messages: &str) -> Option<u64> {
    let mut first = First::default();
    // It stops with an error as soon as it has both.
    let _stopped = (&mut first).deserialize(&mut serde_json::Deserializer::from_str(messages));
    let [system_start, system_end] = ends(first.system.unwrap_or_default());
    let [spoken_start, spoken_end] = ends(first.spoken?);
    let parts = [system_start, system_end, spoken_start, spoken_end];
    // As above: it only draws an endpoint.
    Some(hash::stable(&["conversation", &parts.join("\0")]))
}

/// As much of a text as tells it from others: hashing all of a long one takes as long as reading it.
fn ends(text: &str) -> [&str; 2] {
    const END: usize = 2 << 10;
    if text.len() <= 2 * END {
        return [text, ""];
    }
    let (start, rest) = text.split_at(text.floor_char_boundary(END));
    let end = rest.len().saturating_sub(END);
    [start, rest.split_at(rest.ceil_char_boundary(end)).1]
}

#[derive(Default)]
struct First<'a> {
    system: Option<&'a str>,
    spoken: Option<&'a str>,
}

impl<'de> DeserializeSeed<'de> for &mut First<'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for &mut First<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(raw) = items.next_element::<&RawValue>()? {
            let message = Members::of(raw);
            let system = matches!(message.text("role").as_deref(), Some("system" | "developer"));
            let place = if system {
                &mut self.system
            } else {
                &mut self.spoken
            };
            if place.is_none() {
                *place = message.get("content").map(RawValue::get);
            }
            // System messages come first: what comes after the first other one belongs to no beginning.
            if !system {
                return Err(A::Error::custom("enough"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load;
    use crate::provider::PARAMETERS;
    use crate::test;

    fn request(members: &str) -> Request {
        Request::parse(format!(r#"{{"model":"m",{members}}}"#).into_bytes()).unwrap()
    }

    /// Whether an endpoint with these facts fits a request with these members.
    fn fits(facts: &str, members: &str) -> bool {
        let value = format!(
            r#"{{"providers":{{"p":{{"dialect":"openai-chat","base_url":"http://h"}}}},
                "models":{{"m":{{"endpoints":[{{"provider":"p",{facts}}}]}}}}}}"#
        );
        let config = load::config(&serde_json::from_str(&value).unwrap(), None).unwrap();
        let request = request(members);
        Needs::of(&request, None).fit(&config.models[0].endpoints[0])
    }

    #[test]
    fn what_is_known_to_be_lacking_does_not_fit() {
        const HI: &str = r#""messages":[{"role":"user","content":"Hi."}]"#;
        let image = r#""messages":[{"role":"user","content":[{"type":"text","text":"?"},{"type":"image_url","image_url":{"url":"x"}}]}]"#;
        let long = format!(
            r#""messages":[{{"role":"user","content":"{}"}}]"#,
            "word ".repeat(2_000)
        );
        let with = |more: &str| format!("{HI},{more}");
        for (facts, members, expected) in [
            (
                r#""supported_parameters":["seed"]"#,
                with(r#""tools":[{}]"#),
                false,
            ),
            (r#""supported_parameters":["seed"]"#, with(r#""tools":[]"#), true),
            (
                r#""supported_parameters":["tools"]"#,
                with(r#""tools":[{}]"#),
                true,
            ),
            (
                r#""supported_parameters":["response_format"]"#,
                with(r#""response_format":{"type":"json_schema"}"#),
                false,
            ),
            (
                r#""max_completion_tokens":100"#,
                with(r#""max_tokens":101"#),
                false,
            ),
            (
                r#""max_completion_tokens":100"#,
                with(r#""max_completion_tokens":100"#),
                true,
            ),
            (r#""input_modalities":["text"]"#, image.to_owned(), false),
            (r#""input_modalities":["text","image"]"#, image.to_owned(), true),
            (
                r#""output_modalities":["text"]"#,
                with(r#""modalities":["text","image"]"#),
                false,
            ),
            (r#""context_length":1500"#, long.clone(), false),
            (r#""context_length":2500"#, long.clone(), true),
            (
                r#""context_length":2500"#,
                format!(r#"{long},"max_tokens":1000"#),
                false,
            ),
            (
                r#""model":"x""#,
                format!(r#"{long},"tools":[{{}}],"max_tokens":1000"#),
                true,
            ),
        ] {
            assert_eq!(
                fits(facts, &members),
                expected,
                "{facts} {}",
                crate::error::cut(&members, 60)
            );
        }
    }

    fn affinity(members: &str) -> Option<u64> {
        Needs::of(&request(members), None).affinity()
    }

    #[test]
    fn a_conversation_is_known_by_its_beginning() {
        let turn = |more: &str| {
            affinity(&format!(
                r#""messages":[{{"role":"system","content":"Be brief."}},{{"role":"user","content":"Hi."}}{more}]"#
            ))
        };
        let first = turn("");
        assert!(first.is_some());
        assert_eq!(
            first,
            turn(r#",{"role":"assistant","content":"Hi."},{"role":"user","content":"Go on."}"#)
        );
        assert_ne!(first, affinity(r#""messages":[{"role":"user","content":"Hi."}]"#));
        assert_eq!(
            affinity(r#""messages":[{"role":"system","content":"Be brief."}]"#),
            None
        );
        assert_eq!(affinity(r#""messages":7"#), None);
        let long =
            |text: &str| affinity(&format!(r#""messages":[{{"role":"user","content":"{text}é"}}]"#)).unwrap();
        assert_eq!(long(&"é".repeat(9_999)), long(&"é".repeat(9_999)));
        assert_ne!(long(&format!("1{}", "é".repeat(9_999))), long(&"é".repeat(9_999)));
        assert_ne!(long(&format!("{}1", "é".repeat(9_999))), long(&"é".repeat(9_999)));
    }

    #[test]
    fn a_named_session_replaces_the_beginning() {
        let one =
            affinity(r#""messages":[{"role":"user","content":"a"}],"session_id":"s","prompt_cache_key":"k""#);
        assert_eq!(one, affinity(r#""session_id":"s""#));
        assert_ne!(one, affinity(r#""prompt_cache_key":"k""#));
        let request = request(r#""prompt_cache_key":"k""#);
        assert_eq!(Needs::of(&request, Some("s")).affinity(), one);
    }

    #[test]
    fn every_weighty_parameter_is_in_the_table() {
        for name in WEIGHTY.iter().chain(&["structured_outputs"]) {
            assert!(PARAMETERS.iter().any(|(known, _)| known == name), "{name}");
        }
    }
}
