//! Anthropic's Messages API, the provider side: <https://docs.anthropic.com/en/api/messages>.
//!
//! ```text
//! {"messages":[{"role":"system","content":"S"},{"role":"user","content":"Q"}]}
//!   -> POST /messages {"model":…,"max_tokens":…,"system":[{"type":"text","text":"S"}],"messages":[{"role":"user",…}]}
//! ```
//!
//! Vertex and Bedrock serve the same API under other paths: what differs is in [`host`].
//!
//! Every member of a response is read as far as the unified form has a place for it; `fidelity` changes nothing.

mod chunks;
mod error;
mod gaps;
pub(super) mod host;
mod request;
mod response;
mod search;
mod turns;
mod wire;

#[cfg(test)]
mod tests;

use super::{Decoder, Dialect, Encoded, Fidelity, Gaps, Target};
use crate::chat::{CacheTokens, Delta, ReasoningTokens, Request, UsageConvention};
use crate::dialect::shared::claude::{Plan, Rules};
use crate::error::Error;
use crate::wire::Framing;
use host::Host;

/// The dialect, as one host speaks it.
#[derive(Debug)]
pub(super) struct AnthropicMessages {
    pub(super) host: &'static Host,
}

impl AnthropicMessages {
    fn named(&self, error: Error) -> Error {
        error.named("anthropic-messages", self.host.name)
    }
}

impl Dialect for AnthropicMessages {
    fn name(&self) -> &'static str {
        self.host.name
    }

    fn gaps(&self) -> &'static Gaps {
        match self.host.search {
            _ if self.host.is_anthropic => &gaps::GAPS,
            host::Search::Never => &gaps::BEDROCK,
            host::Search::Plain | host::Search::Beta(_) => &gaps::HOSTED,
        }
    }

    fn encode(&self, request: &Request, target: &Target<'_>) -> Result<Encoded, Error> {
        super::gaps::refuse(self, request)?;
        request::encode(request, target, self.host).map_err(|error| self.named(error))
    }

    fn check(&self, request: &Request, target: &Target<'_>) -> Result<(), Error> {
        super::gaps::refuse(self, request)?;
        request::check(request, target, self.host).map_err(|error| self.named(error))
    }

    fn limit(&self, request: &Request, target: &Target<'_>) -> Result<Option<u64>, Error> {
        let rules = Rules::find(target.model).unwrap_or(Rules::COMPATIBLE);
        Plan::limit(request, target, rules).map(|(limit, _)| Some(limit))
    }

    fn framing(&self) -> Framing {
        self.host.framing
    }

    fn decoder(&self, _fidelity: Fidelity) -> Box<dyn Decoder> {
        match self.host.framing {
            Framing::EventStream => Box::<chunks::Chunks>::default(),
            Framing::Sse | Framing::Ndjson | Framing::Whole => Box::<response::Reader>::default(),
        }
    }

    fn decode_buffered(&self, body: &str, _fidelity: Fidelity, out: &mut Vec<Delta>) {
        response::Reader::default().whole(body, out);
    }

    fn error(&self, status: u16, body: &[u8]) -> Error {
        (self.host.error)(status, body)
    }

    fn usage(&self) -> UsageConvention {
        UsageConvention {
            cache: CacheTokens::Excluded,
            reasoning: ReasoningTokens::Included,
        }
    }
}
