//! Prices and costs, in whole pico-dollars (10⁻¹² USD).
//!
//! A dollar per million tokens is a million pico-dollars per token, so every published price is a whole number, and no
//! sum is ever rounded.

use crate::chat::Usage;
use serde::Serialize;
use std::fmt;

/// An amount of money in pico-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct PicoUsd(pub u64);

impl PicoUsd {
    /// The price of one token, from a decimal number of USD per million tokens with at most six decimals.
    pub fn per_token_from_usd_per_million(text: &str) -> Option<Self> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let decimals = decimals.trim_end_matches('0');
        if (whole.is_empty() && decimals.is_empty())
            || !digits(whole)
            || !digits(decimals)
            || decimals.len() > 6
        {
            return None;
        }
        let whole = if whole.is_empty() {
            0
        } else {
            whole.parse::<u64>().ok()?
        };
        let decimals = format!("{decimals:0<6}").parse::<u64>().ok()?;
        whole.checked_mul(1_000_000)?.checked_add(decimals).map(Self)
    }

    /// This price for `count` tokens. Saturating: an absurd count must not wrap into a small bill.
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// The sum.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for PicoUsd {
    /// As a decimal number of USD, exact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNIT: u64 = 1_000_000_000_000;
        let decimals = format!("{:012}", self.0 % UNIT);
        let decimals = decimals.trim_end_matches('0');
        match decimals {
            "" => write!(f, "{}", self.0 / UNIT),
            _ => write!(f, "{}.{decimals}", self.0 / UNIT),
        }
    }
}

/// What one token costs at an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// A prompt token that is neither read from nor written to a cache.
    pub prompt: PicoUsd,
    /// A completion token, thinking included.
    pub completion: PicoUsd,
    /// A prompt token read from a cache; as `prompt` where it has no price of its own.
    pub cache_read: Option<PicoUsd>,
    /// A prompt token written to a cache; as `prompt` where it has no price of its own.
    pub cache_write: Option<PicoUsd>,
    /// A prompt token written to a cache for one hour; as `cache_write` where it has no price of its own.
    pub cache_write_1h: Option<PicoUsd>,
}

impl Price {
    /// What these tokens cost.
    pub fn cost(&self, usage: &Usage) -> PicoUsd {
        let cache_read = usage.cache_read.min(usage.prompt);
        let cache_write = usage.cache_write.min(usage.prompt - cache_read);
        let written_1h = usage.cache_write_1h.min(cache_write);
        let write_price = self.cache_write.unwrap_or(self.prompt);
        self.prompt
            .times(usage.prompt - cache_read - cache_write)
            .plus(self.cache_read.unwrap_or(self.prompt).times(cache_read))
            .plus(write_price.times(cache_write - written_1h))
            .plus(self.cache_write_1h.unwrap_or(write_price).times(written_1h))
            .plus(self.completion.times(usage.completion))
    }

    /// One number to order endpoints by: a prompt token and a completion token together.
    pub const fn rank(&self) -> u64 {
        self.prompt.plus(self.completion).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn usd(text: &str) -> PicoUsd {
        PicoUsd::per_token_from_usd_per_million(text).unwrap()
    }

    #[test]
    fn published_prices_are_exact() {
        assert_eq!(usd("3.00"), PicoUsd(3_000_000));
        assert_eq!(usd("0.075"), PicoUsd(75_000));
        assert_eq!(usd(".000001"), PicoUsd(1));
        assert_eq!(usd("15"), PicoUsd(15_000_000));
        for bad in ["", ".", "-1", "1e3", "1,5", "0.0000001", "99999999999999"] {
            assert_eq!(PicoUsd::per_token_from_usd_per_million(bad), None, "{bad}");
        }
    }

    #[test]
    fn cached_tokens_have_their_own_price_and_are_not_billed_twice() {
        let price = Price {
            prompt: usd("3"),
            completion: usd("15"),
            cache_read: Some(usd("0.3")),
            cache_write: Some(usd("3.75")),
            cache_write_1h: Some(usd("6")),
        };
        let usage = Usage {
            prompt: 100,
            cache_read: 50,
            cache_write: 30,
            cache_write_1h: 10,
            completion: 7,
            reasoning: 3,
        };
        let expected = 20 * 3_000_000 + 50 * 300_000 + 20 * 3_750_000 + 10 * 6_000_000 + 7 * 15_000_000;
        assert_eq!(price.cost(&usage), PicoUsd(expected));
    }

    #[test]
    fn amounts_are_shown_exactly() {
        assert_eq!(PicoUsd(0).to_string(), "0");
        assert_eq!(PicoUsd(1_500_000_000_000).to_string(), "1.5");
        assert_eq!(PicoUsd(3_000_001).to_string(), "0.000003000001");
    }

    #[test]
    fn absurd_counts_saturate() {
        let price = Price {
            prompt: usd("3"),
            completion: usd("15"),
            ..Default::default()
        };
        let usage = Usage {
            prompt: u64::MAX,
            completion: u64::MAX,
            ..Default::default()
        };
        assert_eq!(price.cost(&usage), PicoUsd(u64::MAX));
    }
}
