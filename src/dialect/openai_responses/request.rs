//! A unified request in the Responses API's form.
//!
//! What becomes of what it cannot carry is in [`gaps`](super::gaps).

use super::NAME;
use super::input::{Item, items};
use super::tools::{self, Entry};
use crate::chat::{Effort, ReasoningRequest, Request, ResponseFormat};
use crate::dialect::features::native;
use crate::dialect::shared::raws::Raws;
use crate::dialect::shared::turns::cannot_carry;
use crate::dialect::shared::write::write_body;
use crate::dialect::{Encoded, Target};
use crate::error::{Error, cut};
use crate::json::{Members, Str};
use serde::Serialize;

/// The lowest limit that OpenAI takes: openai/openai-openapi, `max_output_tokens`.
const MIN_TOKENS: u64 = 16;

/// Models of OpenAI's that do not think and refuse what is said about thinking: vercel/ai
/// `packages/openai/src/openai-language-model-capabilities.ts`. All others are taken to think.
static THOUGHTLESS: &[&str] = &["gpt-3", "gpt-4", "chatgpt-4o", "gpt-5-chat"];

/// What both sides call by the same name, and is handed on as it came.
const SAME: &[&str] = &[
    "max_tool_calls",
    "metadata",
    "moderation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "temperature",
    "top_logprobs",
    "top_p",
    "user",
];

/// The provider's names for what the unified form says in another way. An answer in the background would be none.
const TRANSLATED: &[&str] = &[
    "background",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "prompt",
    "text",
];

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    input: Vec<Item<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Entry<'a>>,
    #[serde(flatten)]
    rest: Raws<'a>,
}

/// Writes `request` for `target`.
pub(super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Error> {
    let mut bytes = Vec::new();
    translate(request, target, &mut |body| bytes = write_body(request, body))?;
    Ok(Encoded {
        path: "/responses".to_owned(),
        headers: Vec::new(),
        body: bytes,
    })
}

/// Finds what `encode` would refuse, and writes nothing.
pub(super) fn check(request: &Request, target: &Target<'_>) -> Result<(), Error> {
    translate(request, target, &mut |_| ())
}

/// The limit on the tokens of a completion.
pub(super) fn limit(request: &Request) -> Result<Option<u64>, Error> {
    Ok(request.max_tokens()?.map(|limit| limit.max(MIN_TOKENS)))
}

/// Makes the body of `request` for `target` and gives it to `take`: everything that can be wrong is found on the way.
fn translate(request: &Request, target: &Target<'_>, take: &mut dyn FnMut(&Body<'_>)) -> Result<(), Error> {
    let messages = request.messages()?;
    let offered = request.tools()?;
    let choice = tools::choice(request)?;
    let input = items(&messages)?;
    let tools = tools::tools(request, &offered)?;
    // A router's ids have the author before the model.
    let model = target.model.rsplit('/').next().unwrap_or(target.model);
    let thinks = !THOUGHTLESS.iter().any(|prefix| model.starts_with(prefix));
    let mut rest = Raws::default();
    if target.stream {
        rest.set("stream", &true);
        let options: Option<Members<'_>> = request.get("stream_options")?;
        if let Some(raw) = options.and_then(|options| options.get("include_obfuscation")) {
            let mut kept = Raws::default();
            kept.keep("include_obfuscation", Some(raw));
            rest.set("stream_options", &kept);
        }
    }
    // Chats are not kept unless that is asked for; responses are.
    rest.set("store", &request.get::<bool>("store")?.unwrap_or(false));
    if let Some(limit) = limit(request)? {
        rest.set("max_output_tokens", &limit);
    }
    if thinks {
        reasoning(request, &mut rest)?;
    }
    answer(request, &mut rest)?;
    include(request, thinks, &mut rest)?;
    if !tools.is_empty() {
        if let Some(choice) = choice {
            rest.add("tool_choice", choice);
        }
        rest.keep("parallel_tool_calls", request.get("parallel_tool_calls")?);
    }
    for name in SAME {
        rest.keep(name, request.get(name)?);
    }
    rest.extend(native(request, TRANSLATED));
    take(&Body {
        model: target.model,
        input,
        tools,
        rest,
    });
    Ok(())
}

/// Thinking is shown only as a summary, and only to who asks for one: whoever asks for thinking does.
fn reasoning<'a>(request: &'a Request, out: &mut Raws<'a>) -> Result<(), Error> {
    let wish = request.reasoning()?;
    let given: Members<'a> = request.get("reasoning")?.unwrap_or_default();
    let effort = wish.as_ref().and_then(ReasoningRequest::effort);
    let shown = request.get::<bool>("include_reasoning")?;
    let asked = effort.is_some() || shown == Some(true);
    let hidden =
        wish.is_some_and(|wish| wish.exclude) || shown == Some(false) || effort == Some(Effort::None);
    let mut own = Raws::default();
    if let Some(effort) = effort {
        own.set("effort", &effort);
    }
    match given.get("summary") {
        _ if hidden => {}
        None if asked => own.set("summary", "auto"),
        summary => own.keep("summary", summary),
    }
    own.keep("context", given.get("context"));
    own.keep("mode", given.get("mode"));
    if !own.is_empty() {
        out.set("reasoning", &own);
    }
    Ok(())
}

/// The form of the answer, and how much of it.
fn answer<'a>(request: &'a Request, out: &mut Raws<'a>) -> Result<(), Error> {
    let mut text = Raws::default();
    match request.response_format()? {
        None | Some(ResponseFormat::Text) => {}
        Some(ResponseFormat::JsonObject) => {
            let mut format = Raws::default();
            format.set("type", "json_object");
            text.set("format", &format);
        }
        Some(ResponseFormat::JsonSchema { name, schema }) => {
            let given: Members<'_> = request.get("response_format")?.unwrap_or_default();
            let given = given.get("json_schema").map(Members::of).unwrap_or_default();
            let mut format = Raws::default();
            format.set("type", "json_schema");
            // A name is required here and there, and often forgotten.
            format.set("name", if name.is_empty() { "answer" } else { &*name });
            format.keep("description", given.get("description"));
            format.keep("schema", Some(schema));
            format.keep("strict", given.get("strict"));
            text.set("format", &format);
        }
        Some(ResponseFormat::Other(kind)) => {
            return Err(cannot_carry(
                format_args!("response_format"),
                NAME,
                cut(&kind, 80),
            ));
        }
    }
    text.keep("verbosity", request.get("verbosity")?);
    if !text.is_empty() {
        out.set("text", &text);
    }
    Ok(())
}

/// What an answer has beyond the usual: encrypted thinking, without which a conversation that is not kept loses it, and
/// the probabilities of tokens.
fn include<'a>(request: &'a Request, thinks: bool, out: &mut Raws<'a>) -> Result<(), Error> {
    let mut include: Vec<Str<'_>> = request.get("include")?.unwrap_or_default();
    let probabilities = request.get::<bool>("logprobs")? == Some(true);
    for (name, wanted) in [
        ("reasoning.encrypted_content", thinks),
        ("message.output_text.logprobs", probabilities),
    ] {
        if wanted && !include.iter().any(|known| &**known == name) {
            include.push(Str::from(name));
        }
    }
    if !include.is_empty() {
        out.set("include", &include);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn reasoning_of(request: &str) -> String {
        let request = Request::parse(request.as_bytes().to_vec()).unwrap();
        let mut out = Raws::default();
        reasoning(&request, &mut out).unwrap();
        serde_json::to_string(&out).unwrap()
    }

    #[test]
    fn a_summary_comes_to_who_asks_for_thinking() {
        for (request, expected) in [
            ("{}", "{}"),
            (
                r#"{"reasoning_effort":"low"}"#,
                r#"{"reasoning":{"effort":"low","summary":"auto"}}"#,
            ),
            (
                r#"{"reasoning":{"max_tokens":2000,"summary":"detailed"}}"#,
                r#"{"reasoning":{"effort":"medium","summary":"detailed"}}"#,
            ),
            (
                r#"{"reasoning":{"enabled":false}}"#,
                r#"{"reasoning":{"effort":"none"}}"#,
            ),
            (
                r#"{"reasoning":{"effort":"high","exclude":true,"mode":"pro"}}"#,
                r#"{"reasoning":{"effort":"high","mode":"pro"}}"#,
            ),
            (
                r#"{"reasoning_effort":"high","include_reasoning":false}"#,
                r#"{"reasoning":{"effort":"high"}}"#,
            ),
            (
                r#"{"include_reasoning":true}"#,
                r#"{"reasoning":{"summary":"auto"}}"#,
            ),
        ] {
            assert_eq!(reasoning_of(request), expected, "{request}");
        }
    }
}
