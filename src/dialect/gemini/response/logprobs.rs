//! The probabilities of tokens in OpenAI's form: <https://ai.google.dev/api/generate-content#LogprobsResult>.

use crate::json::{self, Members, Str};
use serde::Serialize;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Logprobs<'a> {
    content: Vec<Token<'a>>,
}

#[derive(Serialize)]
struct Token<'a> {
    token: Str<'a>,
    logprob: Option<&'a RawValue>,
    bytes: Vec<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<Vec<Token<'a>>>,
}

/// `None` when it names no token.
pub(super) fn unified(raw: &RawValue) -> Option<Box<RawValue>> {
    let result = Members::of(raw);
    let mut others = result.items("topCandidates").into_iter();
    let content: Vec<_> = result
        .items("chosenCandidates")
        .into_iter()
        .map(|chosen| {
            let top = others.next().map(Members::of).unwrap_or_default();
            let top = top
                .items("candidates")
                .into_iter()
                .map(|other| token(other, None));
            token(chosen, Some(top.collect()))
        })
        .collect();
    (!content.is_empty()).then(|| json::to_raw(&Logprobs { content }))
}

fn token<'a>(raw: &'a RawValue, top_logprobs: Option<Vec<Token<'a>>>) -> Token<'a> {
    let members = Members::of(raw);
    let token = members.text("token").unwrap_or_default();
    Token {
        bytes: token.as_bytes().to_vec(),
        token,
        logprob: members.get("logProbability"),
        top_logprobs,
    }
}
