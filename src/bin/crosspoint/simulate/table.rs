//! The table of providers.

use super::provider::{Keys, Provider};
use super::{anthropic, bedrock, cohere, gemini, ollama, openai, responses};

/// Every simulated provider.
pub(super) static PROVIDERS: &[&dyn Provider] = &[
    &openai::OPENAI,
    &anthropic::Anthropic,
    &bedrock::Bedrock,
    &gemini::Gemini,
    &ollama::Ollama,
    &openai::AZURE,
    &openai::MISTRAL,
    &cohere::Cohere,
    &responses::Responses,
];

/// The credentials that the providers take: the usual ones, but for those given.
pub(super) fn keys(given: &[(String, String)]) -> Result<Keys, String> {
    Keys::new(PROVIDERS.iter().flat_map(|provider| provider.secrets()), given)
}

#[cfg(test)]
pub(super) fn sample_keys() -> Keys {
    keys(&[("bedrock-secret".to_owned(), "sim-bedrock-secret".to_owned())]).unwrap()
}
