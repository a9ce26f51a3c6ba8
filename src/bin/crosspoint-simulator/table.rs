//! The table of providers.

use crate::provider::{Keys, Provider};
use crate::{anthropic, bedrock, cohere, gemini, ollama, openai, responses};

/// Every simulated provider.
pub(crate) static PROVIDERS: &[&dyn Provider] = &[
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
pub(crate) fn keys(given: &[(String, String)]) -> Result<Keys, String> {
    Keys::new(PROVIDERS.iter().flat_map(|provider| provider.secrets()), given)
}

#[cfg(test)]
pub(crate) fn sample_keys() -> Keys {
    keys(&[("bedrock-secret".to_owned(), "sim-bedrock-secret".to_owned())]).unwrap()
}
