//! Deadlines of exchanges, and of endpoints.

/// Deadlines, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the beginning of an attempt at a stream to its first token.
    pub first_token_ms: u64,
    /// A shorter deadline for endpoints that are known to be faster.
    pub adaptive: Option<Adaptive>,
    /// Comments for a client that waits for its first token for long.
    pub waiting: Option<Waiting>,
    /// The longest silence of a stream after its first token.
    pub stall_ms: u64,
    /// The longest time of a buffered answer, all attempts together; also the longest life of a stream.
    pub total_ms: u64,
}

/// A deadline from an endpoint's own latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adaptive {
    /// Factor over the time that 99 % of its streams kept to, in hundredths.
    pub factor_percent: u64,
    /// At least this.
    pub min_ms: u64,
    /// At most this.
    pub max_ms: u64,
}

impl Adaptive {
    /// Factor where the configuration says nothing.
    pub(crate) const FACTOR_PERCENT: u64 = 300;
    /// Shortest deadline where the configuration says nothing.
    pub(crate) const MIN_MS: u64 = 5_000;
}

/// Comments for a client that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// From the beginning of the exchange to the first comment.
    pub after_ms: u64,
    /// From one comment to the next.
    pub every_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            first_token_ms: 30_000,
            adaptive: Some(Adaptive {
                factor_percent: Adaptive::FACTOR_PERCENT,
                min_ms: Adaptive::MIN_MS,
                max_ms: 30_000,
            }),
            waiting: None,
            stall_ms: 60_000,
            total_ms: 600_000,
        }
    }
}

/// Cases in which a provider is asked for a stream where the caller wants a buffered answer, which is then folded from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamUpstream {
    /// The endpoint was silent lately; and for the last attempt of several.
    #[default]
    Auto,
    /// Every case that allows it.
    Always,
    /// None.
    Never,
}
