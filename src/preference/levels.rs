//! Preferences of several levels put together: those of a request, of its key, of its route, and of the whole
//! configuration.
//!
//! Restrictions are not put together: each holds at its level, and [`crate::route`] checks all of them.

use super::field::PreferenceField;
use super::policy::Policy;
use super::preferences::Preferences;
use super::sort::Sort;
use super::source::PolicySource;
use crate::chat::Request;
use std::borrow::Cow;

impl Preferences {
    /// Takes over what these policies, the closest first, prefer and the request does not state. A `sort` without `order`
    /// overrides any `order` set at a less specific level.
    pub fn complete(&mut self, policies: &[&Policy], request: &Request) {
        for policy in policies {
            let usual = &policy.preferences;
            let closer = self.said.len();
            for (field, _) in &usual.said {
                let mut before = self.said.iter().take(closer);
                let replaces = |(known, _): &(PreferenceField, _)| {
                    known == field || (*field == PreferenceField::Order && *known == PreferenceField::Sort)
                };
                if before.any(replaces) {
                    continue;
                }
                match field {
                    PreferenceField::Order => self.order.clone_from(&usual.order),
                    PreferenceField::AllowFallbacks => self.allow_fallbacks = usual.allow_fallbacks,
                    PreferenceField::RequireParameters => self.require_parameters = usual.require_parameters,
                    PreferenceField::Quantizations => self.quantizations.clone_from(&usual.quantizations),
                    PreferenceField::Sort => self.sort = usual.sort,
                    PreferenceField::Partition => self.mix_models = usual.mix_models,
                    PreferenceField::MinThroughput => self.min_throughput = usual.min_throughput,
                    PreferenceField::MaxLatency => self.max_latency = usual.max_latency,
                    PreferenceField::Region => self.region.order.clone_from(&usual.region.order),
                }
                self.said.push((*field, Some(policy.source.clone())));
            }
        }
        self.require(request);
    }

    /// The level that states a preference, if the request does not itself.
    pub(crate) fn source_of(&self, field: PreferenceField) -> Option<&PolicySource> {
        let said = self.said.iter().find(|(known, _)| *known == field);
        said.and_then(|(_, source)| source.as_ref())
    }

    /// The same for a model with a variant that sorts. That is the request's own word, so it counts more than what a
    /// configuration says of `sort` and `order`, and less than what the request does.
    pub(crate) fn for_variant(&self, variant: Option<Sort>) -> Cow<'_, Self> {
        let usual = |field| self.source_of(field).is_some();
        let own_order = !self.order.is_empty() && !usual(PreferenceField::Order);
        if variant.is_none() || !(usual(PreferenceField::Sort) || usual(PreferenceField::Order)) {
            return Cow::Borrowed(self);
        }
        let mut own = self.clone();
        own.sort = self.sort.filter(|_| !usual(PreferenceField::Sort)).or(variant);
        if !own_order {
            own.order.clear();
        }
        Cow::Owned(own)
    }
}
