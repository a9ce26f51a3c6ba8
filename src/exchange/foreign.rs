//! A provider's own words. None of them goes on, to a caller, a receipt or a log, before the credential that the provider
//! was sent is taken out of it; what a provider says of that credential itself, it says to the operator, not to callers.
//!
//! The text of an answer is not looked through: the one who asked for it pays for it, and it is not about the credential.

use crate::auth::sent::Sent;
use crate::chat::{Delta, Finish, Piece};
use crate::error::{Error, Kind};
use crate::wire::Frame;
use serde_json::value::RawValue;

/// Reasons for the end of an answer that formats name, and that are long enough to be a part of a credential: they need
/// no look.
const REASONS: &[&str] = &[
    "COMPLETE",
    "ERROR_LIMIT",
    "MAX_TOKENS",
    "STOP_SEQUENCE",
    "TOOL_CALL",
    "completed",
    "content_filter",
    "content_filtered",
    "end_turn",
    "function_call",
    "guardrail_intervened",
    "incomplete",
    "max_output_tokens",
    "max_tokens",
    "model_length",
    "pause_turn",
    "stop_sequence",
    "tool_calls",
    "tool_use",
];
/// Parts of the names of members that carry what went wrong.
const TELLING: &[&str] = &["error", "warning", "detail", "message"];

/// What guards the words of one attempt's provider.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    sent: Sent,
    /// The caller's own key was sent.
    of_caller: bool,
}

impl Foreign {
    pub(super) const fn new(sent: Sent, of_caller: bool) -> Self {
        Self { sent, of_caller }
    }

    /// Makes an error one that may be shown.
    pub(super) fn error(&self, error: &mut Error) {
        match self.own_text(error.kind) {
            Some(text) => text.clone_into(&mut error.message),
            None => self.sent.remove_from(&mut error.message),
        }
        if let Some(code) = &mut error.provider_code {
            self.sent.remove_from(code);
        }
    }

    /// Our text for errors that are about the credential, or about who pays by it.
    const fn own_text(&self, kind: Kind) -> Option<&'static str> {
        match (kind, self.of_caller) {
            (Kind::ProviderAuthentication, false) => {
                Some("the provider refused the gateway's credential; the gateway's operator must check it")
            }
            (Kind::ProviderAuthentication, true) => {
                Some("the provider refused the key in x-provider-key; check it, and what it may be used for")
            }
            (Kind::PaymentRequired, false) => Some(
                "the gateway's account at the provider has no credit left, or has reached a limit; the gateway's operator must check it",
            ),
            (Kind::PaymentRequired, true) => Some(
                "the account of the key in x-provider-key has no credit left at the provider, or has reached a limit",
            ),
            _ => None,
        }
    }

    /// Takes the credential out of a step of an answer, where a provider has words of its own.
    pub(super) fn delta(&self, delta: &mut Delta) {
        match delta {
            Delta::Error(error) => self.error(error),
            Delta::Finish {
                native: Some(native), ..
            } if !REASONS.contains(&native.as_str()) => self.sent.remove_from(native),
            Delta::Piece {
                piece: Piece::Other { name, value, .. },
                ..
            } if TELLING.iter().any(|part| name.contains(part)) => {
                if let Some(cleaned) = self.sent.removed_from_text(value.get()) {
                    // What was JSON is JSON: no escape and no quote was cut. If it ever were not, nothing of it stays.
                    *value = RawValue::from_string(cleaned).unwrap_or_default();
                }
            }
            Delta::Start { .. }
            | Delta::Piece { .. }
            | Delta::Usage(_)
            | Delta::Vectors(_)
            | Delta::Finish { .. } => {}
        }
    }

    /// What goes on of a frame that is no answer: of which nothing was read, or which says that there was an error. Its
    /// data and all of it; `None` where it may go on as it came.
    pub(super) fn frame(&self, frame: &Frame<'_>, deltas: &[Delta]) -> Option<(String, String)> {
        let is_error = |delta: &Delta| {
            matches!(
                delta,
                Delta::Finish {
                    reason: Finish::Error,
                    ..
                }
            )
        };
        let unread = deltas.is_empty() && frame.data != "[DONE]";
        if !unread && !deltas.iter().any(is_error) {
            return None;
        }
        let raw = self.sent.removed_from_text(frame.raw)?;
        let data = self.sent.removed_from_text(frame.data);
        Some((data.unwrap_or_else(|| frame.data.to_owned()), raw))
    }

    /// An answer that says nothing, as far as it was read.
    pub(super) fn answer(&self, answer: Vec<u8>) -> Vec<u8> {
        self.sent.removed_from(&answer).unwrap_or(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Secret;
    use crate::chat::Place;
    use crate::dialect;
    use crate::test;

    const KEY: &str = "sk-live-0123456789abcdef";

    fn foreign(of_caller: bool) -> Foreign {
        Foreign::new(Sent::new(vec![Secret::new(KEY.to_owned())]), of_caller)
    }

    /// Bodies of errors with `{}` for what the provider says, as each dialect has them.
    const BODIES: &[(&str, &str)] = &[
        (
            "openai-chat",
            r#"{"error":{"message":"{}","type":"t","code":"{}"}}"#,
        ),
        (
            "openai-chat",
            r#"{"object":"error","message":"{}","type":"{}","code":500}"#,
        ),
        ("openai-chat", r#"{"detail":[{"loc":["body","{}"],"msg":"{}"}]}"#),
        (
            "openai-responses",
            r#"{"error":{"message":"{}","type":"t","code":"{}"}}"#,
        ),
        (
            "anthropic-messages",
            r#"{"type":"error","error":{"type":"{}","message":"{}"}}"#,
        ),
        ("gemini", r#"{"error":{"code":500,"message":"{}","status":"{}"}}"#),
        ("bedrock-converse", r#"{"__type":"{}","message":"{}"}"#),
        ("cohere-v2", r#"{"message":"{}"}"#),
        ("ollama", r#"{"error":"{}"}"#),
    ];

    #[test]
    fn no_dialects_error_shows_the_credential() {
        let percent: String = KEY.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let escaped: String = KEY.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
        let base64 = crate::base64::encode(format!("key:{KEY}").as_bytes());
        for (name, body) in BODIES {
            let dialect = dialect::find(name).unwrap();
            for echo in [KEY, KEY.get(5..14).unwrap(), &percent, &escaped, &base64] {
                let body = body.replace("{}", echo);
                for status in [400, 429, 500] {
                    let mut error = dialect.error(status, body.as_bytes());
                    foreign(false).error(&mut error);
                    let shown = format!("{} {:?}", error.message, error.provider_code);
                    assert!(shown.contains("[credential]"), "{name} {status}: {shown}");
                    for part in [KEY.get(5..13), percent.get(..24), base64.get(8..16)] {
                        let part = part.unwrap();
                        assert!(!shown.contains(part), "{name} {status}: {shown}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_said_of_the_credential_is_said_in_our_words() {
        for (name, body) in BODIES {
            let dialect = dialect::find(name).unwrap();
            let body = body.replace("{}", "Incorrect API key provided: sk-l***cdef");
            for status in [401, 402, 403] {
                let body = body.replace("500", &status.to_string());
                for (of_caller, expected) in [(false, "gateway's"), (true, "x-provider-key")] {
                    let mut error = dialect.error(status, body.as_bytes());
                    foreign(of_caller).error(&mut error);
                    assert!(error.message.contains(expected), "{name}: {}", error.message);
                    assert!(!error.message.contains("***"), "{name}: {}", error.message);
                }
            }
        }
    }

    #[test]
    fn a_member_that_tells_of_an_error_loses_the_credential() {
        let mut delta = Delta::Piece {
            choice: 0,
            piece: Piece::Other {
                place: Place::Response,
                name: "warnings".to_owned(),
                value: RawValue::from_string(format!(r#"[{{"raw":"{KEY}"}},1.0]"#)).unwrap(),
            },
        };
        foreign(false).delta(&mut delta);
        let Delta::Piece {
            piece: Piece::Other { value, .. },
            ..
        } = delta
        else {
            panic!()
        };
        assert_eq!(value.get(), r#"[{"raw":"[credential]"},1.0]"#);
    }

    #[test]
    fn a_reason_for_the_end_loses_the_credential() {
        for (native, expected) in [("end_turn", "end_turn"), (KEY, "[credential]")] {
            let mut delta = Delta::Finish {
                choice: 0,
                reason: Finish::Stop,
                native: Some(native.to_owned()),
            };
            foreign(false).delta(&mut delta);
            assert!(matches!(delta, Delta::Finish { native: Some(native), .. } if native == expected));
        }
    }
}
