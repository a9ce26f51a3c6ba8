//! The catalogue: which models there are, who offers them, and at which price.
//!
//! It is data, made from public packages by `build.py` beside this file (`make catalogue`), which also knows how names are
//! made one. Here it is only read, and of an offer no more than is asked for: it holds thousands, and a configuration
//! wants few.
//!
//! A line is a model, or, behind a tab, an offer of the model above it. Lines are sorted; what begins with `#` says where
//! all this is from.
//!
//! ```text
//! anthropic/claude-sonnet-4.5⇥Claude Sonnet 4.5
//! ⇥anthropic⇥claude-sonnet-4-5⇥1000000⇥64000⇥tif>t⇥jrst⇥3 15 r0.3 w3.75 h6 >200000 6 22.5 r0.6
//!  provider  its id for it ¹   context output in>out what prices in USD per million tokens
//!                              length  limit  ²      ³    ⁴
//! ```
//!
//! 1. `=`: the same as ours. 2. The letters of [`facts::MODALITIES`]. 3. The letters of [`facts::PARAMETERS`]. 4. Prompt,
//!    completion, then kinds by their letters in [`KINDS`], then the steps, each with the length that it begins above.
//!
//! [`facts::MODALITIES`]: super::facts::MODALITIES
//! [`facts::PARAMETERS`]: super::facts::PARAMETERS

use super::facts::{Facts, Modalities, Parameters};
use crate::meter::{KINDS, PicoUsd, Price};

static TEXT: &str = include_str!("models.txt");

/// A model of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// `author/slug`.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    offers: &'static str,
}

/// A provider's offer of a model.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// The provider's id.
    pub provider: &'static str,
    /// The provider's id of the model.
    pub upstream: &'static str,
    /// The other columns.
    rest: &'static str,
}

/// All models, by id.
pub fn all() -> Vec<Listed> {
    let mut models: Vec<Listed> = Vec::new();
    let (mut at, mut begin) = (0, 0);
    for line in TEXT.split_inclusive('\n') {
        at += line.len();
        if line.starts_with('\t') {
            if let Some(model) = models.last_mut() {
                model.offers = TEXT.get(begin..at).unwrap_or_default();
            }
            continue;
        }
        begin = at;
        if let (Some((id, title)), false) = (line.trim_end().split_once('\t'), line.starts_with('#')) {
            models.push(Listed {
                id,
                title,
                offers: "",
            });
        }
    }
    models
}

impl Listed {
    /// Who offers it, by provider.
    pub fn offers(&self) -> impl Iterator<Item = Offer> {
        let id = self.id;
        self.offers.lines().filter_map(move |line| {
            let (provider, rest) = line.strip_prefix('\t')?.split_once('\t')?;
            let (upstream, rest) = rest.split_once('\t')?;
            Some(Offer {
                provider,
                upstream: if upstream == "=" { id } else { upstream },
                rest,
            })
        })
    }
}

impl Offer {
    /// What is known of it, and what it costs. `None` where the line is not as it should be, which a test rules out.
    pub fn terms(&self) -> Option<(Facts, Price)> {
        let mut columns = self.rest.split('\t');
        let mut column = || columns.next();
        let context = column()?.parse().ok()?;
        let output = column()?;
        let (from, to) = column()?.split_once('>')?;
        let facts = Facts {
            context_length: Some(context),
            max_completion_tokens: match output {
                "" => None,
                limit => Some(limit.parse().ok()?),
            },
            input_modalities: Modalities::of_letters(from),
            output_modalities: Modalities::of_letters(to),
            parameters: Parameters::of_letters(column()?),
            quantization: None,
        };
        let price = price(column()?)?;
        columns.next().is_none().then_some((facts, price))
    }
}

fn price(text: &str) -> Option<Price> {
    let mut parts = text.split(" >");
    let mut price = rates(parts.next()?)?;
    for part in parts {
        let (above, own) = part.split_once(' ')?;
        if !price.add_step(above.parse().ok()?, rates(own)?) {
            return None;
        }
    }
    Some(price)
}

fn rates(text: &str) -> Option<Price> {
    let usd = PicoUsd::per_token_from_usd_per_million;
    let mut words = text.split(' ');
    let mut price = Price {
        prompt: usd(words.next()?)?,
        completion: usd(words.next()?)?,
        ..Price::default()
    };
    for word in words {
        let mut rest = word.chars();
        let letter = rest.next()?;
        let (kind, _, _) = KINDS.iter().find(|(_, _, known)| *known == letter)?;
        price.set(*kind, usd(rest.as_str())?);
    }
    Some(price)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Kind;
    use crate::provider;
    use crate::test;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_is_complete_sorted_and_unique() {
        let models = all();
        let mut providers = BTreeSet::new();
        for pair in models.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} {}", pair[0].id, pair[1].id);
        }
        for model in &models {
            let id = model.id;
            let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
            let (author, slug) = id.split_once('/').unwrap();
            assert!(!author.is_empty() && author.chars().all(sound), "{id}");
            assert!(!slug.is_empty() && slug.chars().all(sound), "{id}");
            assert!(
                !model.title.is_empty() && model.title.trim() == model.title,
                "{id}"
            );
            let offers: Vec<_> = model.offers().collect();
            assert_eq!(offers.len(), model.offers.lines().count(), "{id}");
            assert!(!offers.is_empty(), "{id}");
            for pair in offers.windows(2) {
                assert!(pair[0].provider < pair[1].provider, "{id}");
            }
            for offer in offers {
                let place = format!("{id} at {}", offer.provider);
                assert!(provider::find(offer.provider).is_some(), "{place}");
                assert!(
                    !offer.upstream.is_empty() && !offer.upstream.contains(' '),
                    "{place}"
                );
                let (facts, price) = offer.terms().unwrap_or_else(|| panic!("{place}"));
                let context = facts.context_length.unwrap();
                assert!((1..=20_000_000).contains(&context), "{place}");
                assert!(
                    facts
                        .max_completion_tokens
                        .is_none_or(|limit| (1..=context).contains(&limit)),
                    "{place}"
                );
                assert!(facts.input_modalities.contains("text"), "{place}");
                assert!(!facts.output_modalities.is_empty(), "{place}");
                let steps = price.steps.iter();
                let prices = steps.map(|step| &step.price).chain([&price]);
                for price in prices {
                    // The dearest model there is costs 600 USD per million tokens.
                    assert!(price.prompt.0.max(price.completion.0) < 1_000_000_000, "{place}");
                    assert!(
                        price
                            .of(Kind::CacheRead)
                            .is_none_or(|read| read.0 <= price.prompt.0),
                        "{place}"
                    );
                }
                providers.insert(offer.provider);
            }
        }
        let (models, providers) = (models.len(), providers.len());
        assert!(
            models >= 400 && providers >= 60,
            "{models} models, {providers} providers"
        );
    }

    #[test]
    fn the_header_names_source_licence_and_date() {
        let header: String = TEXT.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(header.contains("MIT") && header.contains("models.dev") && header.contains("read 20"));
    }

    #[test]
    fn prices_are_read_with_their_kinds_and_steps() {
        let price = price("1.25 10 r0.125 a2.5 >200000 2.5 15 r0.25").unwrap();
        assert_eq!(price.prompt, PicoUsd(1_250_000));
        assert_eq!(price.of(Kind::CacheRead), Some(PicoUsd(125_000)));
        assert_eq!(price.steps[0].above, 200_000);
        assert_eq!(price.steps[0].price.of(Kind::CacheRead), Some(PicoUsd(250_000)));
        assert_eq!(
            price.steps[0].price.of(Kind::AudioInput),
            Some(PicoUsd(2_500_000))
        );
        for bad in [
            "",
            "1",
            "1 x",
            "1 2 z3",
            "1 2 >x 1 2",
            "1 2 >5",
            "1 2 >5 1 2 >5 1 2",
            "1 2 ü",
        ] {
            assert!(super::price(bad).is_none(), "{bad}");
        }
    }
}
