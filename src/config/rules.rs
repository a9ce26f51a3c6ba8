//! Rules: what the whole configuration, a route and a key allow and wish, and by which of them a request is served.
//!
//! What is allowed is found when the configuration is read and kept as places in its tables, so that a request looks it
//! up. How the rules of several levels go together is told in [`crate::route`].

use super::{Config, Limits, Timeouts};
use crate::middleware::Middleware;
use crate::route::Preferences;
use std::fmt;
use std::rc::Rc;

/// What one level allows and wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whose they are.
    pub whose: Whose,
    /// Which of [`Config::models`] may serve; `None`: all.
    pub models: Option<Places>,
    /// Which of [`Config::providers`] may serve; `None`: all.
    pub providers: Option<Places>,
    /// What holds beside a request's `provider` object, and stands in for what it does not say.
    pub preferences: Preferences,
    /// The models to fall back on where a request names no fallbacks.
    pub fallbacks: Option<Vec<String>>,
}

/// Whose rules these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Everybody's.
    Config,
    /// Those of the route of this name.
    Route(Rc<str>),
    /// Those of the key of this name.
    Key(Rc<str>),
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config => f.write_str("the configuration"),
            Self::Route(name) => write!(f, "the policy of route {name}"),
            Self::Key(name) => write!(f, "key {name}"),
        }
    }
}

/// A set of places in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Vec<u64>);

impl Places {
    /// Whether it has this place.
    pub fn has(&self, place: usize) -> bool {
        self.0
            .get(place / 64)
            .is_some_and(|bits| bits & 1 << (place % 64) != 0)
    }

    /// Those of a list of which `wanted` is true.
    pub fn of<T>(list: impl IntoIterator<Item = T>, mut wanted: impl FnMut(T) -> bool) -> Self {
        let mut bits = Vec::new();
        for (place, item) in list.into_iter().enumerate() {
            if place % 64 == 0 {
                bits.push(0);
            }
            if let Some(last) = bits.last_mut() {
                *last |= u64::from(wanted(item)) << (place % 64);
            }
        }
        Self(bits)
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.0.iter().map(|bits| bits.count_ones()).sum()
    }
}

/// The policy of a route. What it does not say is as it is for all.
#[derive(Debug)]
pub struct Route {
    /// Envoy's name of the route.
    pub name: Rc<str>,
    /// Which requests take it, where Envoy's configuration is rendered from this one.
    pub matches: Match,
    /// What it allows and wishes.
    pub rules: Option<Rc<Rules>>,
    /// The middleware, instead of that of all.
    pub middleware: Option<Vec<Rc<dyn Middleware>>>,
    /// Caps on sizes.
    pub limits: Limits,
    /// Deadlines.
    pub timeouts: Timeouts,
    /// Which of [`Config::keys`] may call; `None`: all.
    pub keys: Option<Places>,
}

/// Which requests take a route: those to which all holds that is said here.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    /// What stands before the paths of the API. Callers make it a part of their base URL.
    pub prefix: Option<String>,
    /// The host that is asked for, whatever the port.
    pub host: Option<String>,
    /// The name of a header, and its value.
    pub header: Option<(String, String)>,
}

impl Match {
    /// Whether it says anything.
    pub const fn is_empty(&self) -> bool {
        self.prefix.is_none() && self.host.is_none() && self.header.is_none()
    }
}

/// Under whose rules a request is served, beside those of everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Which of [`Config::routes`].
    pub route: Option<usize>,
    /// Which of [`Config::keys`].
    pub key: Option<usize>,
}

impl Config {
    /// Which policy a route of this name has, if it has one.
    pub fn route(&self, name: &str) -> Option<usize> {
        self.routes.binary_search_by(|route| (*route.name).cmp(name)).ok()
    }

    fn policy(&self, terms: Terms) -> Option<&Route> {
        self.routes.get(terms.route?)
    }

    /// The rules of a request, those first that are closest to it.
    pub fn rules(&self, terms: Terms) -> Vec<&Rules> {
        let key = terms.key.and_then(|key| self.keys.get(key));
        let key = key.and_then(|key| key.rules.as_deref());
        let route = self.policy(terms).and_then(|route| route.rules.as_deref());
        [key, route, self.preferences.as_deref()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Whether the key of a request may be used on its route.
    pub fn is_admitted(&self, terms: Terms) -> bool {
        let keys = self.policy(terms).and_then(|route| route.keys.as_ref());
        keys.is_none_or(|keys| terms.key.is_some_and(|key| keys.has(key)))
    }

    /// The middleware of a request.
    pub fn middleware(&self, terms: Terms) -> &[Rc<dyn Middleware>] {
        let own = self.policy(terms).and_then(|route| route.middleware.as_deref());
        own.unwrap_or(&self.middleware)
    }

    /// The caps on the sizes of a request and of its answer.
    pub fn limits(&self, terms: Terms) -> Limits {
        self.policy(terms).map_or(self.limits, |route| route.limits)
    }

    /// The deadlines of a request.
    pub fn timeouts(&self, terms: Terms) -> Timeouts {
        self.policy(terms).map_or(self.timeouts, |route| route.timeouts)
    }

    /// What stands before the paths of the API on the route of a request.
    pub fn prefix(&self, terms: Terms) -> &str {
        let prefix = self
            .policy(terms)
            .and_then(|route| route.matches.prefix.as_deref());
        prefix.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    #[test]
    fn places_are_those_that_were_wanted() {
        let places = Places::of(0..200, |place| place % 63 == 0);
        let found: Vec<_> = (0..400).filter(|place| places.has(*place)).collect();
        assert_eq!(found, [0, 63, 126, 189]);
        assert_eq!(places.count(), 4);
        assert!(!Places::default().has(0));
    }
}
