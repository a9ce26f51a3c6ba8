//! The probabilities of tokens in the unified form, which is that of OpenAI's chat:
//! <https://platform.openai.com/docs/api-reference/chat/object>.

use crate::chat::{Piece, Place};
use crate::json::{self, Members, Str};
use serde::Serialize;
use serde_json::value::RawValue;

/// A token, and how probable it was.
#[derive(Serialize)]
pub(in crate::dialect) struct Token<'a> {
    token: Str<'a>,
    logprob: Option<&'a RawValue>,
    bytes: Vec<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<Vec<Token<'a>>>,
}

impl<'a> Token<'a> {
    /// Reads one: `name` is the provider's word for its probability, `top` what else might have stood there.
    pub(in crate::dialect) fn new(raw: &'a RawValue, name: &str, top: Option<Vec<Self>>) -> Self {
        let members = Members::of(raw);
        let token = members.text("token").unwrap_or_default();
        Self {
            bytes: token.as_bytes().to_vec(),
            token,
            logprob: members.get(name),
            top_logprobs: top,
        }
    }
}

/// The `logprobs` of a choice, which go out with the text that comes next.
pub(in crate::dialect) fn piece(value: Box<RawValue>) -> Piece {
    Piece::Other {
        place: Place::Choice,
        name: "logprobs".to_owned(),
        value,
    }
}

/// The `logprobs` of a choice; `None` when there is no token. Each is written as it is read: an answer has thousands.
pub(in crate::dialect) fn unified<T: Serialize>(content: impl Iterator<Item = T>) -> Option<Box<RawValue>> {
    let mut content = content.peekable();
    content.peek()?;
    let mut out = b"{\"content\":[".to_vec();
    for (at, token) in content.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json::write(&mut out, &token);
    }
    out.extend_from_slice(b"]}");
    // It is made of JSON, so it is some.
    RawValue::from_string(String::from_utf8(out).ok()?).ok()
}
