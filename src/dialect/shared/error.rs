//! What providers tell apart only in words: one table for all dialects.

use crate::error::{Error, Kind};
use crate::json::Members;

/// What stands in a message, in small letters, and the kind that it means. The kinds that the status or the code of such
/// an error give are the caller's fault or the caller's rate; these say more exactly whose.
static MEANINGS: &[(&str, Kind)] = &[
    // Anthropic, under `invalid_request_error`.
    ("prompt is too long", Kind::ContextLengthExceeded),
    ("exceed context limit", Kind::ContextLengthExceeded),
    ("credit balance is too low", Kind::PaymentRequired),
    ("specified api usage limits", Kind::PaymentRequired),
    ("content filtering policy", Kind::ContentPolicyViolation),
    // Bedrock, under `ValidationException`.
    ("input is too long", Kind::ContextLengthExceeded),
    ("too many input tokens", Kind::ContextLengthExceeded),
    // The operator's choice of model, not the caller's request, is what is wrong here.
    ("model identifier is invalid", Kind::ProviderNotFound),
    ("on-demand throughput", Kind::ProviderNotFound),
    // Google, under `INVALID_ARGUMENT`, `FAILED_PRECONDITION` and `RESOURCE_EXHAUSTED`.
    ("api key not valid", Kind::ProviderAuthentication),
    ("api key expired", Kind::ProviderAuthentication),
    (
        "exceeds the maximum number of tokens",
        Kind::ContextLengthExceeded,
    ),
    ("credits are depleted", Kind::PaymentRequired),
    ("user location is not supported", Kind::ProviderUnavailable),
    // Cohere, with status 400.
    ("tokens in the prompt cannot exceed", Kind::ContextLengthExceeded),
    ("size limit exceeded by", Kind::ContextLengthExceeded),
    ("is not ready for serving", Kind::ProviderUnavailable),
    // OpenAI and vLLM, whose code says so too; others who copied the message, but not the code.
    ("maximum context length", Kind::ContextLengthExceeded),
    // Ollama and llama.cpp: `llm/llama_server.go`.
    ("exceeds the context length", Kind::ContextLengthExceeded),
    ("exceeds the available context", Kind::ContextLengthExceeded),
];

/// The members of the body of a failed response; none where it is no object: a proxy in between answers in HTML.
pub(in crate::dialect) fn body(bytes: &[u8]) -> Members<'_> {
    Members::of_bytes(bytes).unwrap_or_default()
}

/// The kind that a provider's table has for a code.
pub(in crate::dialect) fn known(kinds: &[(&str, Kind)], code: Option<&str>) -> Option<Kind> {
    let known = kinds.iter().find(|(name, _)| Some(*name) == code);
    known.map(|(_, kind)| *kind)
}

/// An error in the provider's words: `kind` by its code or status, if the message does not say more exactly what is wrong.
pub(in crate::dialect) fn told(kind: Kind, message: &str, code: Option<&str>) -> Error {
    Error::of_provider(refine(kind, message), message, code)
}

/// The kind of an error that status and code call `kind`, by what its message says. A rate is still a rate, unless it is
/// money that is used up.
fn refine(kind: Kind, message: &str) -> Kind {
    let hears = |meant: Kind| match kind {
        Kind::InvalidRequest | Kind::Unprocessable => true,
        Kind::RateLimitExceeded => meant == Kind::PaymentRequired,
        _ => false,
    };
    let message = message.to_ascii_lowercase();
    let said = MEANINGS
        .iter()
        .find(|(words, meant)| hears(*meant) && message.contains(words));
    said.map_or(kind, |(_, meant)| *meant)
}

/// An error of which the provider says nothing but the HTTP status; without one, it stood in a response that had begun
/// well.
pub(in crate::dialect) fn silent(status: Option<u16>) -> Error {
    match status {
        Some(status) => Error::of_provider(
            Kind::of_provider_status(status),
            &format!("the provider answered with status {status}"),
            None,
        ),
        None => Error::of_provider(
            Kind::ProviderUnavailable,
            "the provider reports an error without saying which",
            None,
        ),
    }
}

/// The error of a response of which something, `what`, is no JSON or not of its form.
pub(in crate::dialect) fn garbled(what: &str) -> Error {
    let message = format!("the provider sent {what} that cannot be read");
    Error::of_provider(Kind::ProviderUnavailable, &message, None)
}

/// The error of a response that did not come to its end.
pub(in crate::dialect) fn unfinished() -> Error {
    let message = "the response ended before the model said why it stopped";
    Error::of_provider(Kind::ProviderUnavailable, message, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn what_only_the_words_say_is_heard() {
        for (message, kind) in [
            (
                "prompt is too long: 210000 tokens > 200000 maximum",
                Kind::ContextLengthExceeded,
            ),
            (
                "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
                Kind::ContextLengthExceeded,
            ),
            (
                "Your credit balance is too low to access the Anthropic API.",
                Kind::PaymentRequired,
            ),
            (
                "Output blocked by content filtering policy",
                Kind::ContentPolicyViolation,
            ),
            (
                "Input is too long for requested model.",
                Kind::ContextLengthExceeded,
            ),
            (
                "The provided model identifier is invalid.",
                Kind::ProviderNotFound,
            ),
            (
                "API key not valid. Please pass a valid API key.",
                Kind::ProviderAuthentication,
            ),
            (
                "This model's maximum context length is 8192 tokens.",
                Kind::ContextLengthExceeded,
            ),
            (
                "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292.",
                Kind::ContextLengthExceeded,
            ),
            (
                "too many tokens: size limit exceeded by 11326 tokens.",
                Kind::ContextLengthExceeded,
            ),
            (
                "too many tokens: max tokens must be less than or equal to 4096 - received 8192.",
                Kind::InvalidRequest,
            ),
            (
                "finetuned model with name xyz is not ready for serving",
                Kind::ProviderUnavailable,
            ),
            (
                "The text field in the ContentBlock object at messages.0.content.0 is blank.",
                Kind::InvalidRequest,
            ),
        ] {
            assert_eq!(refine(Kind::InvalidRequest, message), kind, "{message}");
        }
        assert_eq!(
            refine(Kind::RateLimitExceeded, "Your prepayment credits are depleted."),
            Kind::PaymentRequired
        );
    }

    #[test]
    fn words_do_not_overrule_a_kind_that_says_enough() {
        assert_eq!(refine(Kind::Timeout, "prompt is too long"), Kind::Timeout);
    }

    #[test]
    fn the_table_is_in_small_letters() {
        for (words, _) in MEANINGS {
            assert_eq!(*words, words.to_ascii_lowercase());
        }
    }
}
