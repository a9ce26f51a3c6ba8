//! Models of a configuration, and their endpoints.

use super::timeouts::StreamUpstream;
use crate::chat::{Operation, ReasoningTokens, UsageConvention};
use crate::dialect::{self, Dialect, Quirks};
use crate::meter::Price;
use crate::provider::{DataPolicy, Facts};

/// A model that callers may name.
#[derive(Debug)]
pub struct Model {
    /// `author/slug`.
    pub name: String,
    /// Its name for people; the same as `name` where no other is known.
    pub title: String,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
}

impl Model {
    /// True where one of its endpoints serves an operation.
    pub fn serves(&self, operation: Operation) -> bool {
        self.endpoints
            .iter()
            .any(|endpoint| endpoint.dialect_for(operation).is_some())
    }
}

/// One provider's offer of one model.
#[derive(Debug)]
pub struct Endpoint {
    /// Its place in [`Config::providers`](super::Config::providers).
    pub provider: usize,
    /// The provider's name for the model.
    pub model: String,
    /// The dialect of the provider for this model.
    pub dialect: &'static Dialect,
    /// The provider's deviations from that dialect.
    pub quirks: &'static Quirks,
    /// Its price; `None`: the configuration and the catalogue have no price of it, which does not make it free.
    pub price: Option<Price>,
    /// Other facts about it.
    pub facts: Facts,
    /// Treatment of the data that it is sent.
    pub policy: DataPolicy,
    /// Deadline of the first token of a stream, in milliseconds, where the configuration has one.
    pub first_token_ms: Option<u64>,
    /// Cases in which it is asked for a stream for a buffered answer.
    pub stream_upstream: StreamUpstream,
    /// The stable hash under which its health is kept.
    pub health_key: u64,
}

impl Endpoint {
    /// Its price at a time, where that is known.
    pub fn price_at(&self, now_ms: u64) -> Option<&Price> {
        self.price.as_ref().map(|price| price.at(now_ms))
    }

    /// The wire format in which it serves an operation, if it does.
    pub fn dialect_for(&self, operation: Operation) -> Option<&'static Dialect> {
        dialect::serving(self.dialect, operation, &self.model)
    }

    /// Convention of its token counts where it speaks `dialect`.
    pub fn usage(&self, dialect: &Dialect) -> UsageConvention {
        let usual = dialect.usage();
        if self.quirks.reasoning_outside_completion {
            return UsageConvention {
                reasoning: ReasoningTokens::Excluded,
                ..usual
            };
        }
        usual
    }
}
