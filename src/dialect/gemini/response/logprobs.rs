//! The probabilities of tokens: <https://ai.google.dev/api/generate-content#LogprobsResult>.

use crate::dialect::shared::logprobs::{self, Token};
use crate::json::Members;
use serde_json::value::RawValue;

/// `None` when it names no token.
pub(super) fn unified(raw: &RawValue) -> Option<Box<RawValue>> {
    const NAME: &str = "logProbability";
    let result = Members::of(raw);
    let mut others = result.objects("topCandidates");
    let content = result.objects("chosenCandidates").map(|chosen| {
        let top = others.next().map(Members::of).unwrap_or_default();
        let top = top.objects("candidates");
        Token::new(
            chosen,
            NAME,
            Some(top.map(|other| Token::new(other, NAME, None)).collect()),
        )
    });
    logprobs::unified(content)
}
