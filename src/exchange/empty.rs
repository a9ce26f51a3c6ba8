//! Answers without a token: when another endpoint is asked, and when the answer stands.

use super::{Action, Exchange};
use crate::chat::Finish;
use crate::error::{Error, Fault, Kind};
use crate::health::Sample;

/// Reasons to end, in the words of providers that have another word for a stop sequence: Anthropic and Bedrock
/// (`stop_sequence`), Cohere (`STOP_SEQUENCE`), Together (`stop`). The Responses API takes no stop sequences.
const BY_ITSELF: [&str; 4] = ["end_turn", "COMPLETE", "eos", "completed"];

/// Whether a stop sequence of the request may have ended an empty answer. Providers that have one word for both ends, such
/// as `stop` and `STOP`, leave the stop sequence out of the answer, so the request gets the benefit of the doubt.
fn is_stopped(finish: Option<&(Finish, Option<String>)>, has_stops: bool) -> bool {
    match finish {
        Some((Finish::Stop, native)) => {
            has_stops && native.as_deref().is_none_or(|word| !BY_ITSELF.contains(&word))
        }
        _ => false,
    }
}

impl Exchange {
    /// Decides what becomes of a complete answer without a token.
    pub(super) fn empty(&mut self, answer: Vec<u8>, now_ms: u64) -> Action {
        let Some(error) = self.empty_response_error() else {
            return self.serve(answer);
        };
        if self.can_follow(&error) {
            return self.fail_over(error, now_ms);
        }
        // No other endpoint can be asked: the provider's answer stands, however little it is.
        match error.kind.facts().fault {
            Fault::Nobody => self.learn(Sample::Success),
            fault => self.sample(fault, None),
        }
        self.release(answer)
    }

    /// The failure that an answer without a token stands for; `None` where the request asks for such an answer, by a stop
    /// sequence or a limit.
    fn empty_response_error(&self) -> Option<Error> {
        let finish = self.attempt.as_ref().and_then(|attempt| attempt.finish.as_ref());
        match finish {
            Some((Finish::Length, _)) => None,
            Some((Finish::ContentFilter, native)) => {
                let mut error = Error::new(
                    Kind::ContentPolicyViolation,
                    "the provider refused to answer before the first token",
                );
                error.provider_code.clone_from(native);
                Some(error)
            }
            _ if is_stopped(finish, self.envelope.stops) => None,
            Some((Finish::Stop | Finish::ToolCalls | Finish::Error, _)) | None => {
                Some(Error::new(Kind::EmptyResponse, "the provider's answer was empty"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn a_stop_sequence_ends_an_answer_unless_the_provider_tells_otherwise() {
        let by = |word: &str, has_stops| is_stopped(Some(&(Finish::Stop, Some(word.to_owned()))), has_stops);
        for word in ["stop", "STOP", "stop_sequence", "STOP_SEQUENCE"] {
            assert!(by(word, true) && !by(word, false), "{word}");
        }
        for word in BY_ITSELF {
            assert!(!by(word, true), "{word}");
        }
        assert!(is_stopped(Some(&(Finish::Stop, None)), true));
        assert!(!is_stopped(Some(&(Finish::Error, None)), true) && !is_stopped(None, true));
    }
}
