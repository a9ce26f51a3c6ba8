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
    pub list: &'static [Unsupported],
}

/// No gaps.
pub(super) static NONE: Gaps = Gaps {
    models: &[],
    list: &[],
};

/// A feature that a dialect does not carry.
#[derive(Clone, Copy, Debug)]
pub struct Unsupported {
    /// The name of the feature.
    pub feature: &'static str,
    /// What happens instead.
    pub handling: Handling,
    /// Why: a sentence that begins with the dialect's name, without the name. Of a refusal it is what the caller reads.
    pub reason: &'static str,
}

/// What happens to what a dialect does not carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handling {
    /// It is left out: a preference, without which the answer is still one to the question. With
    /// `provider.require_parameters` such an endpoint is passed over.
    Drop,
    /// The same, for some of the models.
    DropForSomeModels,
    /// The request is refused.
    Reject,
}

/// The commonest reason.
pub(super) const NO_EQUIVALENT: &str = "has no place for it";

/// A feature that is left out.
pub(super) const fn dropped(feature: &'static str, reason: &'static str) -> Unsupported {
    Unsupported {
        feature,
        handling: Handling::Drop,
        reason,
    }
}

/// A feature that is left out for some of the models.
pub(super) const fn by_model(feature: &'static str, reason: &'static str) -> Unsupported {
    Unsupported {
        feature,
        handling: Handling::DropForSomeModels,
        reason,
    }
}

/// A feature that is refused.
pub(super) const fn refused(feature: &'static str, reason: &'static str) -> Unsupported {
    Unsupported {
        feature,
        handling: Handling::Reject,
        reason,
    }
}

/// `list` with `more` behind it, for a dialect that another host serves with less. `N` is the length of both.
pub(super) const fn with_more<const N: usize>(
    list: &[Unsupported],
    more: &[Unsupported],
) -> [Unsupported; N] {
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
        for gap in self.list.iter().filter(|gap| gap.handling == Handling::Reject) {
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
    use super::super::{DIALECTS, Dialect, Quirks, Target, Translation};
    use super::*;
    use crate::test;
    use std::collections::BTreeSet;

    /// What becomes of a feature with every model of a dialect's table.
    fn translations(feature: &Feature, dialect: &Dialect) -> Vec<Translation> {
        let translation = |model: &&'static str| {
            let target = Target {
                model,
                stream: false,
                default_max_tokens: 8_192,
                quirks: &Quirks::NONE,
            };
            feature.translation(dialect, &target)
        };
        dialect.gaps().models.iter().map(translation).collect()
    }

    #[test]
    fn a_dialect_carries_what_is_not_in_its_table() {
        let mut wrong = Vec::new();
        for dialect in DIALECTS {
            let table = dialect.gaps();
            assert!(!table.models.is_empty(), "{} names no model", dialect.name());
            for feature in FEATURES {
                let found = translations(feature, dialect);
                let gap = table.list.iter().find(|gap| gap.feature == feature.name);
                let all = |one| found.iter().all(|found| *found == one);
                let holds = match gap.map(|gap| gap.handling) {
                    None => all(Translation::Carried),
                    Some(Handling::Drop) => all(Translation::Dropped),
                    Some(Handling::Reject) => all(Translation::Refused),
                    Some(Handling::DropForSomeModels) => {
                        found.contains(&Translation::Carried)
                            && found.contains(&Translation::Dropped)
                            && !found.contains(&Translation::Refused)
                    }
                };
                if !holds {
                    let said = gap.map_or_else(|| "nothing".to_owned(), |gap| format!("{:?}", gap.handling));
                    let found: Vec<_> = table.models.iter().zip(found).collect();
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
                if gap.handling != Handling::Reject {
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
