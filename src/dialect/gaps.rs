//! What a dialect cannot carry of the unified form. Each dialect lists its gaps in one table; README's table is printed
//! from them, and the tests here hold every dialect to its list, [feature](super::features) by feature.

use super::features::Feature;
use crate::chat::Request;
use crate::error::Error;

/// The gaps of a dialect.
#[derive(Debug)]
pub struct Gaps {
    /// Names of models: one of each generation or family for which the dialect writes another request.
    pub models: &'static [&'static str],
    /// The gaps.
    pub list: &'static [Gap],
}

/// No gaps.
pub(super) static NONE: Gaps = Gaps {
    models: &[],
    list: &[],
};

/// A feature that a dialect does not carry.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// The name of the feature.
    pub feature: &'static str,
    /// What happens instead.
    pub loss: Loss,
    /// Why: a sentence that begins with the dialect's name, without the name. Of a refusal it is what the caller reads.
    pub reason: &'static str,
}

/// What happens to what a dialect does not carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It is left out: a preference, without which the answer is still one to the question. With
    /// `provider.require_parameters` such an endpoint is passed over.
    Dropped,
    /// The same, for some of the models.
    ByModel,
    /// The request is refused.
    Refused,
}

/// The commonest reason.
pub(super) const NO_PLACE: &str = "has no place for it";

/// A feature that is left out.
pub(super) const fn dropped(feature: &'static str, reason: &'static str) -> Gap {
    Gap {
        feature,
        loss: Loss::Dropped,
        reason,
    }
}

/// A feature that is left out for some of the models.
pub(super) const fn by_model(feature: &'static str, reason: &'static str) -> Gap {
    Gap {
        feature,
        loss: Loss::ByModel,
        reason,
    }
}

/// A feature that is refused.
pub(super) const fn refused(feature: &'static str, reason: &'static str) -> Gap {
    Gap {
        feature,
        loss: Loss::Refused,
        reason,
    }
}

/// `list` with `more` behind it, for a dialect that another host serves with less. `N` is the length of both.
pub(super) const fn with_more<const N: usize>(list: &[Gap], more: &[Gap]) -> [Gap; N] {
    let mut out = [dropped("", ""); N];
    let (head, tail) = out.split_at_mut(list.len());
    head.copy_from_slice(list);
    tail.copy_from_slice(more);
    out
}

impl Gaps {
    /// Refuses a request with a parameter that the dialect called `name` cannot go without. What stands in messages and
    /// tools is refused where it is read.
    pub(super) fn refuse(&self, name: &str, request: &Request) -> Result<(), Error> {
        for gap in self.list.iter().filter(|gap| gap.loss == Loss::Refused) {
            let feature = Feature::find(gap.feature);
            if let Some(feature) = feature.filter(|feature| feature.is_asked(request)) {
                return Err(Error::invalid(format!(
                    "{}: {name} {}",
                    feature.member(),
                    gap.reason
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::features::FEATURES;
    use super::super::{DIALECTS, Dialect, Fate, Quirks, Target};
    use super::*;
    use crate::test;
    use std::collections::BTreeSet;

    /// The fate of a feature with every model of a dialect's table.
    fn fates(feature: &Feature, dialect: &Dialect) -> Vec<Fate> {
        let fate = |model: &&'static str| {
            let target = Target {
                model,
                stream: false,
                default_max_tokens: 8_192,
                quirks: &Quirks::NONE,
            };
            feature.fate(dialect, &target)
        };
        dialect.gaps().models.iter().map(fate).collect()
    }

    #[test]
    fn a_dialect_carries_what_is_not_in_its_table() {
        let mut wrong = Vec::new();
        for dialect in DIALECTS {
            let table = dialect.gaps();
            assert!(!table.models.is_empty(), "{} names no model", dialect.name());
            for feature in FEATURES {
                let fates = fates(feature, dialect);
                let gap = table.list.iter().find(|gap| gap.feature == feature.name);
                let all = |fate| fates.iter().all(|found| *found == fate);
                let holds = match gap.map(|gap| gap.loss) {
                    None => all(Fate::Carried),
                    Some(Loss::Dropped) => all(Fate::Dropped),
                    Some(Loss::Refused) => all(Fate::Refused),
                    Some(Loss::ByModel) => {
                        fates.contains(&Fate::Carried)
                            && fates.contains(&Fate::Dropped)
                            && !fates.contains(&Fate::Refused)
                    }
                };
                if !holds {
                    let said = gap.map_or_else(|| "nothing".to_owned(), |gap| format!("{:?}", gap.loss));
                    let found: Vec<_> = table.models.iter().zip(fates).collect();
                    wrong.push(format!(
                        "{}: its gaps say {said} of {:?}, but it is {found:?}",
                        dialect.name(),
                        feature.name
                    ));
                }
            }
        }
        assert!(
            wrong.is_empty(),
            "carry it, or list it in the dialect's gaps.rs with the reason:\n{}",
            wrong.join("\n")
        );
    }

    #[test]
    fn a_table_lists_each_gap_once_and_with_its_reason() {
        for dialect in DIALECTS {
            let mut seen = BTreeSet::new();
            for gap in dialect.gaps().list {
                let name = gap.feature;
                assert!(
                    Feature::find(name).is_some(),
                    "{}: no feature {name}",
                    dialect.name()
                );
                assert!(seen.insert(name), "{}: {name} twice", dialect.name());
                assert!(!gap.reason.is_empty() && !gap.reason.ends_with('.'), "{name}");
            }
        }
    }

    #[test]
    fn a_refusal_names_the_member() {
        for dialect in DIALECTS {
            for gap in dialect.gaps().list {
                let feature = Feature::find(gap.feature).unwrap();
                if gap.loss != Loss::Refused {
                    continue;
                }
                let target = Target {
                    model: dialect.gaps().models[0],
                    stream: false,
                    default_max_tokens: 8_192,
                    quirks: &Quirks::NONE,
                };
                let message = dialect
                    .encode(&feature.sample().unwrap(), &target)
                    .unwrap_err()
                    .message;
                assert!(
                    message.starts_with(feature.member()) && message.contains(dialect.name()),
                    "{}: {message}",
                    gap.feature
                );
            }
        }
    }
}
