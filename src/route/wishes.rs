//! How wishes of several levels go together: those of a request, of its key, of its route, and of everybody.
//!
//! What restricts is no wish: it holds at every level, and [`super::exclude`] looks at each.

use super::Preferences;
use crate::chat::Request;
use crate::config::{Rules, Whose};
use crate::preference::Sort;
use std::borrow::Cow;

/// What may be said at several levels, of which the one that is closest to the request counts. The others restrict, and
/// hold at every level at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Order,
    AllowFallbacks,
    RequireParameters,
    Quantizations,
    Sort,
    Partition,
    MinThroughput,
    MaxLatency,
    Region,
}

impl Preferences {
    /// Takes over what these rules wish, the closest first, and the request has not said. Who wishes a `sort` without an
    /// `order` wants no order of anybody behind him, which would stand before it.
    pub fn complete(&mut self, rules: &[&Rules], request: &Request) {
        for rules in rules {
            let usual = &rules.preferences;
            let closer = self.said.len();
            for (wish, _) in &usual.said {
                let mut before = self.said.iter().take(closer);
                let replaces =
                    |(known, _): &(Wish, _)| known == wish || (*wish == Wish::Order && *known == Wish::Sort);
                if before.any(replaces) {
                    continue;
                }
                match wish {
                    Wish::Order => self.order.clone_from(&usual.order),
                    Wish::AllowFallbacks => self.allow_fallbacks = usual.allow_fallbacks,
                    Wish::RequireParameters => self.require_parameters = usual.require_parameters,
                    Wish::Quantizations => self.quantizations.clone_from(&usual.quantizations),
                    Wish::Sort => self.sort = usual.sort,
                    Wish::Partition => self.mix_models = usual.mix_models,
                    Wish::MinThroughput => self.min_throughput = usual.min_throughput,
                    Wish::MaxLatency => self.max_latency = usual.max_latency,
                    Wish::Region => self.region.order.clone_from(&usual.region.order),
                }
                self.said.push((*wish, Some(rules.whose.clone())));
            }
        }
        self.require(request);
    }

    /// Whose a wish is, if it is not the request's own.
    pub(super) fn whose(&self, wish: Wish) -> Option<&Whose> {
        let said = self.said.iter().find(|(known, _)| *known == wish);
        said.and_then(|(_, whose)| whose.as_ref())
    }

    /// The same for a model whose name says what decides. That is the request's own word, so it counts more than what a
    /// configuration says of `sort` and `order`, and less than what the request does.
    pub(super) fn for_variant(&self, variant: Option<Sort>) -> Cow<'_, Self> {
        let usual = |wish| self.whose(wish).is_some();
        let own_order = !self.order.is_empty() && !usual(Wish::Order);
        if variant.is_none() || !(usual(Wish::Sort) || usual(Wish::Order)) {
            return Cow::Borrowed(self);
        }
        let mut own = self.clone();
        own.sort = self.sort.filter(|_| !usual(Wish::Sort)).or(variant);
        if !own_order {
            own.order.clear();
        }
        Cow::Owned(own)
    }
}
