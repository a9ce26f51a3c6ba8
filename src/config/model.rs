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
    /// Its name for people; the same as `name` where nobody knows another.
    pub title: String,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
}

impl Model {
    /// Whether any of its endpoints serves an operation.
    pub fn serves(&self, operation: Operation) -> bool {
        self.endpoints
            .iter()
            .any(|endpoint| endpoint.dialect_for(operation).is_some())
    }
}

/// One provider's offer of one model.
#[derive(Debug)]
pub struct Endpoint {
    /// Which of [`Config::providers`](super::Config::providers).
    pub provider: usize,
    /// The provider's name for the model.
    pub model: String,
    /// What the provider speaks for this model.
    pub dialect: &'static Dialect,
    /// How the provider deviates from that dialect.
    pub quirks: &'static Quirks,
    /// What it costs; `None`: the configuration and the catalogue have no price of it, which does not make it free.
    pub price: Option<Price>,
    /// What else is known of it.
    pub facts: Facts,
    /// What becomes of what it is sent.
    pub policy: DataPolicy,
    /// How long a stream may take to its first token, where the configuration says so.
    pub first_token_ms: Option<u64>,
    /// Whether it is asked for a stream where a buffered answer is wanted.
    pub stream_upstream: StreamUpstream,
    /// The stable hash under which its health is kept.
    pub health_key: u64,
}

impl Endpoint {
    /// What it costs at a time, where that is known.
    pub fn price_at(&self, now_ms: u64) -> Option<&Price> {
        self.price.as_ref().map(|price| price.at(now_ms))
    }

    /// The wire format in which it serves an operation, if it does.
    pub fn dialect_for(&self, operation: Operation) -> Option<&'static Dialect> {
        dialect::serving(self.dialect, operation, &self.model)
    }

    /// How its tokens are counted where it speaks `dialect`.
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
