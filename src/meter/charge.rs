//! What an answer is charged, and the parts of it that callers see beside their token counts.

use super::{Cost, PicoUsd, Price};
use crate::chat::{Finish, Usage};

/// By what the tokens of one attempt are charged: settled when the attempt begins, so that its answer and its receipt say
/// the same.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    /// What the endpoint costs at that time; `None`: the configuration and the catalogue have no price of it.
    pub price: Option<Price>,
    /// The caller pays the provider, with a key of its own.
    pub byok: Option<Fee>,
    /// The caller is charged nothing: see [`is_insured`].
    pub insured: bool,
    /// The counts are ours, as the provider's cannot be: see [`super::Bounds`].
    pub recounted: bool,
}

/// Whether zero-completion insurance takes the charge off the caller, by why a whole answer ended (in unified words and in
/// the provider's): it has no token and no reason, or the reason is an error.
/// <https://openrouter.ai/docs/guides/features/zero-completion-insurance>
pub fn is_insured(finish: Option<(Finish, Option<&str>)>, usage: &Usage) -> bool {
    match finish {
        Some((Finish::Error, _)) => true,
        // Where the provider gave no reason there is no native one.
        None | Some((_, None)) => usage.completion == 0,
        Some((_, Some(_))) => false,
    }
}

/// What a caller is charged who pays the provider: a part of what the provider charges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fee {
    /// Hundredths of a percent.
    pub basis_points: u32,
}

impl Fee {
    const WHOLE: u128 = 10_000;

    /// This part of an amount; what is less than a pico-dollar is the caller's.
    pub fn of(self, amount: PicoUsd) -> PicoUsd {
        let part = u128::from(amount.0) * u128::from(self.basis_points) / Self::WHOLE;
        PicoUsd(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

/// What an answer is charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// What the caller is charged.
    pub cost: PicoUsd,
    /// What the provider charges, whoever pays it.
    pub upstream: Cost,
    /// Whether the caller pays the provider.
    pub is_byok: bool,
}

impl Charge {
    /// What the provider charges us.
    pub fn ours(&self) -> PicoUsd {
        if self.is_byok {
            PicoUsd::default()
        } else {
            self.upstream.total()
        }
    }
}

impl Rate {
    /// What these tokens are charged; `None` where the price is not known.
    pub fn charge(&self, usage: &Usage) -> Option<Charge> {
        let upstream = self.price.as_ref()?.cost(usage);
        Some(Charge {
            cost: match self.byok {
                _ if self.insured => PicoUsd::default(),
                None => upstream.total(),
                Some(fee) => fee.of(upstream.total()),
            },
            upstream,
            is_byok: self.byok.is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn a_caller_with_a_key_of_its_own_pays_the_fee_alone() {
        let price = |prompt| Price {
            prompt: PicoUsd(prompt),
            completion: PicoUsd(5),
            ..Default::default()
        };
        let mut rate = Rate {
            price: Some(price(3)),
            byok: None,
            insured: false,
            recounted: false,
        };
        let usage = Usage {
            prompt: 100,
            completion: 10,
            ..Default::default()
        };
        let upstream = Cost {
            prompt: PicoUsd(300),
            completion: PicoUsd(50),
            request: PicoUsd(0),
        };
        let charge = |cost, is_byok| {
            Some(Charge {
                cost: PicoUsd(cost),
                upstream,
                is_byok,
            })
        };
        assert_eq!(rate.charge(&usage), charge(350, false));
        rate.byok = Some(Fee::default());
        assert_eq!(rate.charge(&usage), charge(0, true));
        rate.byok = Some(Fee { basis_points: 500 });
        assert_eq!(rate.charge(&usage), charge(17, true));
        rate.price = Some(price(u64::MAX));
        assert_eq!(
            rate.charge(&usage).map(|charge| charge.cost),
            Some(PicoUsd(u64::MAX / 20))
        );
        rate.price = None;
        assert_eq!(rate.charge(&usage), None);
    }
}
