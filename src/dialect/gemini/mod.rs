//! Google's Gemini API, the provider side: <https://ai.google.dev/api/generate-content>.
//!
//! ```text
//! {"messages":[{"role":"system","content":"S"},{"role":"user","content":"Q"}]}
//!   -> POST /models/…:generateContent {"systemInstruction":{"parts":[{"text":"S"}]},
//!                                      "contents":[{"role":"user","parts":[{"text":"Q"}]}]}
//! ```
//!
//! Every member of a response is read as far as the unified form has a place for it; `fidelity` changes nothing.
//! Vertex speaks the same as AI Studio, but for what [`Host`] says. Arguments of calls come whole: pieces of them
//! (`partialArgs`) come only to who asks for them in `toolConfig`, which is ours to write.

pub(super) mod embeddings;
mod gaps;
mod media;
mod models;
mod request;
mod response;
mod turns;
mod wire;

#[cfg(test)]
mod tests;

use super::shared::google_error;
use super::{Decoder, Dialect, Encoded, Fidelity, Gaps, Target};
use crate::chat::{CacheTokens, Delta, ReasoningTokens, Request, UsageConvention};
use crate::error::Error;
use crate::wire::Framing;

/// The dialect, as one host speaks it.
#[derive(Debug)]
pub(super) struct Gemini {
    pub(super) host: &'static Host,
}

/// Who serves the API, and what each of them does in another way.
#[derive(Debug)]
pub(super) struct Host {
    /// The dialect's name.
    name: &'static str,
    /// What stands before the model in the path, if the model's id does not say it.
    models: &'static str,
    /// How ids begin that say it.
    paths: &'static [&'static str],
    /// Whether the type of what is somewhere else must be told.
    wants_types: bool,
}

/// Google AI Studio.
pub(super) static STUDIO: Host = Host {
    name: "gemini",
    models: "models/",
    paths: &["models/", "tunedModels/"],
    wants_types: false,
};

/// Vertex: <https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference>. A tuned model is an
/// endpoint of the project.
pub(super) static VERTEX: Host = Host {
    name: "gemini-vertex",
    models: "publishers/google/models/",
    paths: &["publishers/google/models/", "endpoints/"],
    wants_types: true,
};

impl Gemini {
    fn named(&self, error: Error) -> Error {
        error.named("gemini", self.host.name)
    }
}

impl Dialect for Gemini {
    fn name(&self) -> &'static str {
        self.host.name
    }

    fn gaps(&self) -> &'static Gaps {
        &gaps::GAPS
    }

    fn encode(&self, request: &Request, target: &Target<'_>) -> Result<Encoded, Error> {
        super::gaps::refuse(self, request)?;
        request::encode(request, target, self.host).map_err(|error| self.named(error))
    }

    fn check(&self, request: &Request, target: &Target<'_>) -> Result<(), Error> {
        super::gaps::refuse(self, request)?;
        request::check(request, target, self.host).map_err(|error| self.named(error))
    }

    fn framing(&self) -> Framing {
        Framing::Sse
    }

    fn decoder(&self, _fidelity: Fidelity) -> Box<dyn Decoder> {
        Box::<response::Reader>::default()
    }

    fn decode_buffered(&self, body: &str, _fidelity: Fidelity, out: &mut Vec<Delta>) {
        let mut reader = response::Reader::default();
        reader.read(body, out);
        reader.finish(out);
    }

    fn error(&self, status: u16, body: &[u8]) -> Error {
        google_error::of_response(status, body)
    }

    fn usage(&self) -> UsageConvention {
        UsageConvention {
            cache: CacheTokens::Included,
            reasoning: ReasoningTokens::Excluded,
        }
    }
}
