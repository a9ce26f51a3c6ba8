//! Prices and costs, in whole pico-dollars (10⁻¹² USD).
//!
//! A dollar per million tokens is a million pico-dollars per token, so every published price is a whole number, and no
//! sum is ever rounded.

use crate::chat::Usage;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;

/// An amount of money in pico-dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct PicoUsd(pub u64);

impl PicoUsd {
    /// The price of one token, from a decimal number of USD per million tokens with at most six decimals.
    pub fn per_token_from_usd_per_million(text: &str) -> Option<Self> {
        Self::from_decimal(text, 6)
    }

    /// An amount, from a decimal number of USD with at most twelve decimals.
    pub fn from_usd(text: &str) -> Option<Self> {
        Self::from_decimal(text, 12)
    }

    /// A decimal number, in units of its last possible decimal.
    fn from_decimal(text: &str, most: usize) -> Option<Self> {
        // Thousands are read when a worker starts, so this neither formats nor allocates.
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let decimals = decimals.trim_end_matches('0');
        if (whole.is_empty() && decimals.is_empty()) || decimals.len() > most {
            return None;
        }
        let digit = |amount: u64, byte: u8| {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
            amount.checked_mul(10)?.checked_add(digit)
        };
        let amount = whole.bytes().chain(decimals.bytes()).try_fold(0, digit)?;
        (decimals.len()..most)
            .try_fold(amount, |amount, _| amount.checked_mul(10))
            .map(Self)
    }

    /// This price for `count` tokens. Saturating: an absurd count must not wrap into a small bill.
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// The sum.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left of it; nothing, if the other is more.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
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

/// An amount that is shown as a JSON number of USD, exactly.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usd(pub PicoUsd);

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A decimal number is JSON as it is; a float would not be exact.
        match RawValue::from_string(self.0.to_string()) {
            Ok(number) => number.serialize(serializer),
            Err(_) => serializer.serialize_none(),
        }
    }
}

/// What tokens cost, in the parts that callers see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Of the prompt.
    pub prompt: PicoUsd,
    /// Of the completion.
    pub completion: PicoUsd,
    /// Of the request, whatever its tokens.
    pub request: PicoUsd,
}

impl Cost {
    /// All of it.
    pub const fn total(self) -> PicoUsd {
        self.prompt.plus(self.completion).plus(self.request)
    }
}

/// What one token costs at an endpoint. A kind without a price of its own costs what is said beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// A prompt token that is none of the kinds below.
    pub prompt: PicoUsd,
    /// A completion token that is none of the kinds below.
    pub completion: PicoUsd,
    /// A request, beside its tokens.
    pub request: PicoUsd,
    /// The other kinds, by [`Kind`].
    pub kinds: [Option<PicoUsd>; KINDS.len()],
    /// What tokens cost where the prompt is long, by the length above which that is so, ascending. All tokens of such a
    /// request cost it, as everybody bills who has such steps.
    pub steps: Vec<Step>,
    /// What is paid instead at some times of the day.
    pub times: Vec<Time>,
}

/// A kind of token that may have a price of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Read from a cache; else as the prompt.
    CacheRead,
    /// Written to a cache; else as the prompt.
    CacheWrite,
    /// Written to a cache for one hour; else as [`Kind::CacheWrite`].
    CacheWrite1h,
    /// Thinking; else as the completion.
    Reasoning,
    /// Audio in the prompt; else as the prompt.
    AudioInput,
    /// Audio in the completion; else as the completion.
    AudioOutput,
    /// Images in the prompt; else as the prompt.
    ImageInput,
    /// Images in the completion; else as the completion.
    ImageOutput,
}

/// Every kind: its name in configurations, and its letter in the catalogue. At their own indices.
pub const KINDS: [(Kind, &str, char); 8] = [
    (Kind::CacheRead, "cache_read", 'r'),
    (Kind::CacheWrite, "cache_write", 'w'),
    (Kind::CacheWrite1h, "cache_write_1h", 'h'),
    (Kind::Reasoning, "reasoning", 't'),
    (Kind::AudioInput, "audio_input", 'a'),
    (Kind::AudioOutput, "audio_output", 'A'),
    (Kind::ImageInput, "image_input", 'i'),
    (Kind::ImageOutput, "image_output", 'I'),
];

/// What tokens cost beyond a length of the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The step begins with the token after this one.
    pub above: u64,
    /// The prices there, without steps of their own.
    pub price: Price,
}

/// What is paid at a time of the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// The first minute of the day (UTC).
    pub from: u16,
    /// The first minute that is no longer of it; not later than `from` where midnight lies between.
    pub to: u16,
    /// The prices then, without times of their own.
    pub price: Price,
}

/// Minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;

impl Time {
    fn has(&self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

impl Price {
    /// What is paid at a time: the first of [`Price::times`] that it falls into, else these prices.
    pub fn at(&self, now_ms: u64) -> &Self {
        let minute = (now_ms / 60_000) % u64::from(DAY_MINUTES);
        let minute = u16::try_from(minute).unwrap_or_default();
        let mut times = self.times.iter();
        times
            .find(|time| time.has(minute))
            .map_or(self, |time| &time.price)
    }

    /// The price of a kind, if it has its own.
    pub fn of(&self, kind: Kind) -> Option<PicoUsd> {
        self.kinds.get(kind as usize).copied().flatten()
    }

    /// Sets the price of a kind.
    pub fn set(&mut self, kind: Kind, price: PicoUsd) {
        if let Some(own) = self.kinds.get_mut(kind as usize) {
            *own = Some(price);
        }
    }

    /// Adds a step behind those that there are. A kind that it does not price keeps its price, and so does the request. `false`: it does not
    /// come behind them.
    #[must_use]
    pub fn add_step(&mut self, above: u64, mut price: Self) -> bool {
        for (own, usual) in price.kinds.iter_mut().zip(self.kinds) {
            *own = own.or(usual);
        }
        price.request = self.request;
        let ascending = self.steps.last().is_none_or(|last| last.above < above);
        self.steps.push(Step { above, price });
        ascending
    }

    /// What these tokens cost.
    pub fn cost(&self, usage: &Usage) -> Cost {
        let mut steps = self.steps.iter().rev();
        match steps.find(|step| usage.prompt > step.above) {
            Some(step) => step.price.cost_here(usage),
            None => self.cost_here(usage),
        }
    }

    fn cost_here(&self, usage: &Usage) -> Cost {
        let write = self.of(Kind::CacheWrite).unwrap_or(self.prompt);
        // Each kind takes its part of what the ones before it have left, so that nothing is billed twice.
        let part = |left: &mut u64, count: u64, kind: Kind, usual: PicoUsd| {
            let count = count.min(*left);
            *left -= count;
            self.of(kind).unwrap_or(usual).times(count)
        };
        let mut left = usage.prompt;
        let mut prompt = part(&mut left, usage.cache_read, Kind::CacheRead, self.prompt);
        let mut written = usage.cache_write.min(left);
        left -= written;
        prompt = prompt.plus(part(
            &mut written,
            usage.cache_write_1h,
            Kind::CacheWrite1h,
            write,
        ));
        for (count, kind) in [
            (usage.audio_input, Kind::AudioInput),
            (usage.image_input, Kind::ImageInput),
        ] {
            prompt = prompt.plus(part(&mut left, count, kind, self.prompt));
        }
        prompt = prompt.plus(write.times(written)).plus(self.prompt.times(left));
        let mut left = usage.completion;
        let mut completion = PicoUsd::default();
        for (count, kind) in [
            (usage.reasoning, Kind::Reasoning),
            (usage.audio_output, Kind::AudioOutput),
            (usage.image_output, Kind::ImageOutput),
        ] {
            completion = completion.plus(part(&mut left, count, kind, self.completion));
        }
        Cost {
            prompt,
            completion: completion.plus(self.completion.times(left)),
            request: self.request,
        }
    }

    /// The dearest prices that a request may come to of whose prompt no more is known than that it has at most so many
    /// tokens. `caches`: parts of it may be written to a cache; `reads`: there may be sound or images in it; `draws`: in
    /// the completion.
    #[must_use]
    pub fn dearest(&self, prompt: u64, caches: bool, reads: bool, draws: bool) -> Self {
        let steps = self.steps.iter().filter(|step| prompt > step.above);
        let all = steps.map(|step| &step.price).chain([self]);
        let mut out = Self::default();
        for price in all {
            let dearest = |usual: PicoUsd, kinds: &[(bool, Kind)]| {
                let own = kinds.iter().filter(|(counts, _)| *counts);
                own.filter_map(|(_, kind)| price.of(*kind))
                    .fold(usual, PicoUsd::max)
            };
            let of_prompt = [
                (caches, Kind::CacheWrite),
                (caches, Kind::CacheWrite1h),
                (reads, Kind::AudioInput),
                (reads, Kind::ImageInput),
            ];
            let of_completion = [
                (true, Kind::Reasoning),
                (draws, Kind::AudioOutput),
                (draws, Kind::ImageOutput),
            ];
            out.prompt = out.prompt.max(dearest(price.prompt, &of_prompt));
            out.completion = out.completion.max(dearest(price.completion, &of_completion));
            out.request = out.request.max(price.request);
        }
        out
    }

    /// Whether nothing is ever charged at this price.
    pub fn is_free(&self) -> bool {
        let steps = self.steps.iter().map(|step| &step.price);
        let times = self.times.iter().map(|time| &time.price);
        let rates = [self.prompt, self.completion, self.request];
        let own = rates.into_iter().chain(self.kinds.into_iter().flatten());
        own.max() == Some(PicoUsd(0)) && steps.chain(times).all(Self::is_free)
    }

    /// One number to order endpoints by: a prompt token and a completion token together. An endpoint without a known
    /// price comes after all others: unknown is not free.
    pub const fn rank(price: Option<&Self>) -> u64 {
        match price {
            Some(price) => price.prompt.plus(price.completion).0,
            None => u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    fn usd(text: &str) -> PicoUsd {
        PicoUsd::per_token_from_usd_per_million(text).unwrap()
    }

    /// 3 and 15 USD per million tokens, and what is given beside them.
    fn priced(kinds: &[(Kind, &str)]) -> Price {
        let mut price = Price {
            prompt: usd("3"),
            completion: usd("15"),
            ..Default::default()
        };
        for (kind, text) in kinds {
            price.set(*kind, usd(text));
        }
        price
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
        let price = priced(&[
            (Kind::CacheRead, "0.3"),
            (Kind::CacheWrite, "3.75"),
            (Kind::CacheWrite1h, "6"),
        ]);
        let usage = Usage {
            prompt: 100,
            cache_read: 50,
            cache_write: 30,
            cache_write_1h: 10,
            completion: 7,
            reasoning: 3,
            ..Default::default()
        };
        let expected = 20 * 3_000_000 + 50 * 300_000 + 20 * 3_750_000 + 10 * 6_000_000 + 7 * 15_000_000;
        assert_eq!(price.cost(&usage).total(), PicoUsd(expected));
    }

    #[test]
    fn amounts_are_shown_exactly() {
        assert_eq!(PicoUsd(0).to_string(), "0");
        assert_eq!(PicoUsd(1_500_000_000_000).to_string(), "1.5");
        assert_eq!(PicoUsd(3_000_001).to_string(), "0.000003000001");
    }

    #[test]
    fn amounts_are_read_exactly() {
        assert_eq!(PicoUsd::from_usd("0.005"), Some(PicoUsd(5_000_000_000)));
        assert_eq!(PicoUsd::from_usd("12"), Some(PicoUsd(12_000_000_000_000)));
        assert_eq!(PicoUsd::from_usd("0.0000000000001"), None);
    }

    #[test]
    fn a_request_may_cost_something_by_itself() {
        let price = Price {
            request: PicoUsd(7),
            ..priced(&[])
        };
        assert_eq!(price.cost(&Usage::default()).total(), PicoUsd(7));
    }

    #[test]
    fn the_time_of_the_day_may_change_prices() {
        let mut price = priced(&[]);
        let mut add = |from, to, prompt| {
            let price_then = Price {
                prompt: usd(prompt),
                ..Default::default()
            };
            price.times.push(Time {
                from,
                to,
                price: price_then,
            });
        };
        add(16 * 60 + 30, 30, "1");
        add(20, 120, "2");
        for (minute, expected) in [
            (0, "1"),
            (29, "1"),
            (30, "2"),
            (119, "2"),
            (120, "3"),
            (16 * 60 + 29, "3"),
            (16 * 60 + 30, "1"),
            (23 * 60 + 59, "1"),
        ] {
            let now_ms = (20_000 * u64::from(DAY_MINUTES) + minute) * 60_000 + 59_999;
            assert_eq!(price.at(now_ms).prompt, usd(expected), "{minute}");
        }
    }

    #[test]
    fn absurd_counts_saturate() {
        let usage = Usage {
            prompt: u64::MAX,
            completion: u64::MAX,
            ..Default::default()
        };
        assert_eq!(priced(&[]).cost(&usage).total(), PicoUsd(u64::MAX));
    }

    #[test]
    fn kinds_are_at_their_own_indices() {
        for (index, (kind, _, _)) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, index);
        }
    }

    #[test]
    fn thinking_audio_and_images_have_their_own_prices_where_they_are_counted() {
        let usage = Usage {
            prompt: 100,
            cache_read: 10,
            audio_input: 30,
            image_input: 20,
            completion: 50,
            reasoning: 20,
            audio_output: 10,
            image_output: 5,
            ..Default::default()
        };
        assert_eq!(
            priced(&[]).cost(&usage).total(),
            PicoUsd(100 * 3_000_000 + 50 * 15_000_000)
        );
        let price = priced(&[
            (Kind::AudioInput, "10"),
            (Kind::ImageInput, "5"),
            (Kind::Reasoning, "20"),
            (Kind::AudioOutput, "40"),
            (Kind::ImageOutput, "30"),
        ]);
        let prompt = 50 * 3_000_000 + 30 * 10_000_000 + 20 * 5_000_000;
        let completion = 15 * 15_000_000 + 20 * 20_000_000 + 10 * 40_000_000 + 5 * 30_000_000;
        assert_eq!(price.cost(&usage).total(), PicoUsd(prompt + completion));
    }

    #[test]
    fn counts_that_do_not_fit_into_the_whole_are_not_billed_beyond_it() {
        let price = priced(&[(Kind::AudioInput, "10"), (Kind::Reasoning, "20")]);
        let usage = Usage {
            prompt: 10,
            cache_read: 8,
            cache_write: 5,
            cache_write_1h: 9,
            audio_input: 7,
            completion: 4,
            reasoning: u64::MAX,
            audio_output: u64::MAX,
            ..Default::default()
        };
        assert_eq!(
            price.cost(&usage).total(),
            PicoUsd(10 * 3_000_000 + 4 * 20_000_000)
        );
    }

    #[test]
    fn the_dearest_price_is_that_of_any_kind_that_may_be() {
        let mut price = priced(&[
            (Kind::CacheRead, "0.3"),
            (Kind::CacheWrite, "3.75"),
            (Kind::CacheWrite1h, "6"),
            (Kind::AudioInput, "10"),
            (Kind::Reasoning, "20"),
            (Kind::ImageOutput, "30"),
        ]);
        let cheaper_when_long = Price {
            prompt: usd("1"),
            completion: usd("40"),
            ..Price::default()
        };
        assert!(price.add_step(200, cheaper_when_long));
        for (prompt, [caches, reads, draws], expected) in [
            (200, [false; 3], ("3", "20")),
            (201, [false; 3], ("3", "40")),
            (200, [true, false, false], ("6", "20")),
            (200, [true, true, true], ("10", "30")),
        ] {
            let dearest = price.dearest(prompt, caches, reads, draws);
            let found = (dearest.prompt, dearest.completion);
            assert_eq!(found, (usd(expected.0), usd(expected.1)), "{prompt}");
        }
    }

    #[test]
    fn beyond_a_step_every_token_costs_what_the_step_says() {
        let mut price = priced(&[(Kind::CacheRead, "0.3")]);
        let step = |prompt, completion| Price {
            prompt: usd(prompt),
            completion: usd(completion),
            ..Default::default()
        };
        assert!(price.add_step(200, step("6", "22.5")));
        assert!(price.add_step(500, step("9", "30")));
        let cost = |prompt| {
            let usage = Usage {
                prompt,
                cache_read: 100,
                completion: 10,
                ..Default::default()
            };
            price.cost(&usage).total().0
        };
        assert_eq!(cost(200), 100 * 3_000_000 + 100 * 300_000 + 10 * 15_000_000);
        assert_eq!(cost(201), 101 * 6_000_000 + 100 * 300_000 + 10 * 22_500_000);
        assert_eq!(cost(501), 401 * 9_000_000 + 100 * 300_000 + 10 * 30_000_000);
        assert!(!price.add_step(500, step("9", "30")));
    }
}
