//! Policies of routes, and which policies a request is served under.

use super::{Config, Limits, Timeouts};
use crate::middleware::Middleware;
use crate::preference::{Places, Policy};
use std::rc::Rc;

/// The policy of a route. The whole configuration holds for everything that it leaves out.
#[derive(Debug)]
pub struct Route {
    /// Envoy's name of the route.
    pub name: Rc<str>,
    /// Requests that take it, where Envoy's configuration is rendered from this one.
    pub matches: Match,
    /// Models and providers that it allows, and preferences of its requests.
    pub policy: Option<Rc<Policy>>,
    /// The middleware, instead of that of all.
    pub middleware: Option<Vec<Rc<dyn Middleware>>>,
    /// Caps on sizes.
    pub limits: Limits,
    /// Deadlines.
    pub timeouts: Timeouts,
    /// Places of the [`Config::keys`] that may call; `None`: all.
    pub keys: Option<Places>,
}

/// Conditions of a route, all of which must hold for a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Match {
    /// Text before the paths of the API. Callers make it a part of their base URL.
    pub prefix: Option<String>,
    /// The host that is asked for, whatever the port.
    pub host: Option<String>,
    /// The name of a header, and its value.
    pub header: Option<(String, String)>,
}

impl Match {
    /// True where there is no condition.
    pub const fn is_empty(&self) -> bool {
        self.prefix.is_none() && self.host.is_none() && self.header.is_none()
    }
}

/// The policies that a request is served under, beside that of the whole configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyScope {
    /// A place in [`Config::routes`].
    pub route: Option<usize>,
    /// A place in [`Config::keys`].
    pub key: Option<usize>,
}

impl Config {
    /// The place of the policy for the route of this name, if there is one.
    pub fn route(&self, name: &str) -> Option<usize> {
        self.routes.binary_search_by(|route| (*route.name).cmp(name)).ok()
    }

    fn route_of(&self, scope: PolicyScope) -> Option<&Route> {
        self.routes.get(scope.route?)
    }

    /// The policies of a request, those first that are closest to it.
    pub fn policies(&self, scope: PolicyScope) -> Vec<&Policy> {
        let key = scope.key.and_then(|key| self.keys.get(key));
        let key = key.and_then(|key| key.policy.as_deref());
        let route = self.route_of(scope).and_then(|route| route.policy.as_deref());
        [key, route, self.preferences.as_deref()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// True where the key of a request may be used on its route.
    pub fn is_admitted(&self, scope: PolicyScope) -> bool {
        let keys = self.route_of(scope).and_then(|route| route.keys.as_ref());
        keys.is_none_or(|keys| scope.key.is_some_and(|key| keys.has(key)))
    }

    /// The middleware of a request.
    pub fn middleware(&self, scope: PolicyScope) -> &[Rc<dyn Middleware>] {
        let own = self.route_of(scope).and_then(|route| route.middleware.as_deref());
        own.unwrap_or(&self.middleware)
    }

    /// The caps on the sizes of a request and of its answer.
    pub fn limits(&self, scope: PolicyScope) -> Limits {
        self.route_of(scope).map_or(self.limits, |route| route.limits)
    }

    /// The deadlines of a request.
    pub fn timeouts(&self, scope: PolicyScope) -> Timeouts {
        self.route_of(scope).map_or(self.timeouts, |route| route.timeouts)
    }

    /// Text before the paths of the API on the route of a request.
    pub fn prefix(&self, scope: PolicyScope) -> &str {
        let prefix = self
            .route_of(scope)
            .and_then(|route| route.matches.prefix.as_deref());
        prefix.unwrap_or_default()
    }
}
