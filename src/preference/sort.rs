//! Orders of endpoints that a caller or an operator may prefer to balancing by price.

/// An order of endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The lowest price.
    Price,
    /// The most tokens per second.
    Throughput,
    /// The shortest time to the first token.
    Latency,
    /// The highest uptime, for requests with tools: endpoints that are known to take none are left out.
    /// <https://openrouter.ai/docs/guides/routing/auto-exacto>
    Exacto,
}

impl Sort {
    /// The one of this name.
    pub fn of(name: &str) -> Option<Self> {
        let all = [Self::Price, Self::Throughput, Self::Latency, Self::Exacto];
        all.into_iter().find(|sort| sort.name() == name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Throughput => "throughput",
            Self::Latency => "latency",
            Self::Exacto => "exacto",
        }
    }
}
