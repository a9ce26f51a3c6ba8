//! A unified request of any operation, written for an OpenAI-compatible provider: the caller's own bytes but for what is
//! ours, and for what the provider's quirks say.

use super::super::features::GATEWAY;
use super::super::{Encoded, Target, ThinkingWords, path_for};
use super::messages;
use crate::chat::{Operation, Request};
use crate::error::Error;
use crate::json::{self, Members, member};
use serde::Serialize;
use serde_json::value::RawValue;

/// Finds what `encode` would refuse.
pub(super) fn check(request: &Request, target: &Target<'_>) -> Result<(), Error> {
    own(request, target).map(drop)
}

/// What of a request is ours to understand.
struct Own<'a> {
    thinking: Vec<(&'static str, Box<RawValue>)>,
    stream_options: Option<Members<'a>>,
}

fn own<'a>(request: &'a Request, target: &Target<'_>) -> Result<Own<'a>, Error> {
    let operation = request.operation();
    // The messages are the provider's to judge: it reads the same dialect, and its verdict comes back translated. Reading
    // them here would cost more than all the rest.
    if !request.has(operation.prompt()) {
        return Err(Error::invalid(match operation {
            Operation::Chat => "messages: missing; a chat request needs at least one message",
            Operation::Completions => "prompt: missing; give a text to continue",
            Operation::Embeddings => "input: missing; give a text to embed",
        }));
    }
    let asks_usage = target.stream && target.quirks.stream_options;
    Ok(Own {
        thinking: thinking(request, target)?,
        stream_options: if asks_usage {
            request.get("stream_options")?
        } else {
            None
        },
    })
}

pub(super) fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Error> {
    let operation = request.operation();
    let Own {
        thinking,
        stream_options: others,
    } = own(request, target)?;
    let quirks = target.quirks;
    let mut body = Vec::with_capacity(request.capacity());
    body.push(b'{');
    member(&mut body, "model", |body| json::write(body, target.model));
    for (name, text) in request.members() {
        match name {
            "reasoning" if quirks.thinking != ThinkingWords::Unified => {}
            "reasoning_effort" if !thinking.is_empty() => {}
            messages::CACHE_CONTROL if !quirks.cache_control => {}
            "tools" if messages::is_marked(quirks, text) => {
                member(&mut body, name, |body| messages::write_unmarked(body, text));
            }
            "messages" if operation == Operation::Chat && messages::concern(quirks, text) => {
                member(&mut body, name, |body| messages::write(body, text, quirks));
            }
            name if name != "messages" && GATEWAY.contains(&name) => {}
            // The newer name, which some providers want in its place, came with chats.
            "max_tokens" if operation == Operation::Completions => {
                member(&mut body, name, |body| body.extend_from_slice(text.as_bytes()));
            }
            name => {
                if let Some(name) = quirks.parameters.name(name, &|name| request.has(name)) {
                    member(&mut body, name, |body| body.extend_from_slice(text.as_bytes()));
                }
            }
        }
    }
    for (name, value) in &thinking {
        if let Some(name) = quirks.parameters.name(name, &|_| true) {
            member(&mut body, name, |body| json::write(body, value));
        }
    }
    if target.stream {
        member(&mut body, "stream", |body| body.extend_from_slice(b"true"));
    }
    if target.stream && quirks.stream_options {
        // Without this OpenAI reports no usage for a stream at all.
        member(&mut body, "stream_options", |body| {
            stream_options(body, others.as_ref())
        });
    }
    body.push(b'}');
    let path = path_for(quirks.path, operation, target.model)
        .ok_or_else(|| Error::invalid(format!("the provider has no path for {}", operation.name())))?;
    Ok(Encoded {
        path,
        headers: Vec::new(),
        body,
    })
}

/// What asks for thinking in the provider's words, in place of what the caller said. Where the caller used the provider's
/// own words, those stand.
fn thinking(request: &Request, target: &Target<'_>) -> Result<Vec<(&'static str, Box<RawValue>)>, Error> {
    #[derive(Serialize)]
    struct Disabled {
        #[serde(rename = "type")]
        kind: &'static str,
    }
    let words = target.quirks.thinking;
    // Words of the provider's own for an effort are its business.
    let said = match words {
        ThinkingWords::Unified => None,
        ThinkingWords::Effort if target.quirks.efforts.is_empty() => request.get("reasoning")?,
        ThinkingWords::Effort | ThinkingWords::Switch | ThinkingWords::Flag => match request.has("reasoning")
        {
            true => request.reasoning()?,
            false => request.reasoning().ok().flatten(),
        },
    };
    let Some(said) = said else {
        return Ok(Vec::new());
    };
    let Some(effort) = said.effort() else {
        return Ok(Vec::new());
    };
    Ok(match words {
        ThinkingWords::Switch if said.is_off() && request.has("thinking") => Vec::new(),
        ThinkingWords::Switch if said.is_off() => {
            vec![("thinking", json::to_raw(&Disabled { kind: "disabled" }))]
        }
        ThinkingWords::Flag if request.has("enable_thinking") => Vec::new(),
        ThinkingWords::Flag => {
            let mut flags = vec![("enable_thinking", json::to_raw(&!said.is_off()))];
            let limit = request.max_tokens()?;
            let budget = limit.map_or(said.max_tokens, |limit| said.budget(limit));
            let budget = budget.filter(|_| !said.is_off() && !request.has("thinking_budget"));
            flags.extend(budget.map(|budget| ("thinking_budget", json::to_raw(&budget))));
            flags
        }
        _ => {
            let theirs = target.quirks.efforts.iter().find(|(ours, _)| *ours == effort);
            let effort = theirs.map_or(effort, |(_, theirs)| *theirs);
            vec![("reasoning_effort", json::to_raw(&effort))]
        }
    })
}

fn stream_options(body: &mut Vec<u8>, others: Option<&Members<'_>>) {
    body.push(b'{');
    member(body, "include_usage", |body| body.extend_from_slice(b"true"));
    for (name, raw) in others.into_iter().flat_map(Members::iter) {
        if &*name != "include_usage" {
            member(body, &name, |body| body.extend_from_slice(raw.get().as_bytes()));
        }
    }
    body.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::super::super::Quirks;
    use super::*;
    use crate::test;

    fn check(request: &str, stream: bool, expected: &str) {
        let request = Request::parse(request.as_bytes().to_vec()).unwrap();
        let target = Target {
            model: "gpt-x",
            stream,
            default_max_tokens: 100,
            quirks: &Quirks::NONE,
        };
        let encoded = encode(&request, &target).unwrap();
        assert_eq!(String::from_utf8(encoded.body).unwrap(), expected);
    }

    #[test]
    fn what_is_not_ours_keeps_order_and_spelling() {
        check(
            r#"{"seed":9007199254740993,"model":"openai/x","messages":[{"role":"user","content":"a"}], "temperature": 1.0,"verbosity":"low"}"#,
            false,
            r#"{"model":"gpt-x","seed":9007199254740993,"messages":[{"role":"user","content":"a"}],"temperature":1.0,"verbosity":"low"}"#,
        );
    }

    #[test]
    fn members_for_the_gateway_stay_here() {
        check(
            r#"{"messages":[{"role":"user","content":"a"}],"models":["a","b"],"provider":{"only":["x"]},"reasoning":{"effort":"low"}}"#,
            false,
            r#"{"model":"gpt-x","messages":[{"role":"user","content":"a"}],"reasoning_effort":"low"}"#,
        );
    }

    #[test]
    fn a_stream_always_asks_for_usage() {
        check(
            r#"{"messages":[{"role":"user","content":"a"}],"stream":true,"stream_options":{"include_usage":false,"include_obfuscation":false}}"#,
            true,
            r#"{"model":"gpt-x","messages":[{"role":"user","content":"a"}],"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}"#,
        );
    }
}
