//! Immutable tables that a configuration is resolved into. [`crate::load`] makes them.

mod alias;
mod budgets;
mod client_key;
mod model;
mod provider;
mod route;
mod timeouts;

pub use alias::{Alias, AliasTarget, ModelRef, Shortlisted};
pub use budgets::{Balance, Budgets, Unbounded};
pub use client_key::{ANY, ClientKey, Identity, KeyIndex};
pub use model::{Endpoint, Model};
pub use provider::{Provider, Upstream};
pub use route::{Match, PolicyScope, Route};
pub use timeouts::{Adaptive, StreamUpstream, Timeouts, Waiting};

use crate::meter::CancelRules;
use crate::middleware::Middleware;
use crate::preference::Policy;
use std::rc::Rc;

/// Default of [`Limits::request_body`], in bytes. Envoy's own default buffer limit is 1 MiB, and a
/// body that exceeds Envoy's limit is refused by Envoy in ways that are not ours to shape.
pub const DEFAULT_MAX_REQUEST_BODY: u64 = (1 << 20) - SLACK;
/// Default of [`Limits::response_body`], in bytes. Writing
/// more than Envoy's limit into a body that is held can crash Envoy, so this stays below Envoy's default of 1 MiB.
pub const DEFAULT_MAX_RESPONSE_BODY: u64 = (1 << 20) - SLACK;
/// Default of [`Config::memory`], in bytes. A VM has 1 GiB and dies beyond it; the other half is for what one piece of
/// work needs for a moment, and for gaps between blocks.
pub const DEFAULT_MEMORY: u64 = 512 << 20;
/// Distance of our caps below Envoy's limit, in bytes.
pub const SLACK: u64 = 64 << 10;

/// A whole configuration, resolved.
#[derive(Debug)]
pub struct Config {
    /// Names this gateway; shared data of gateways with different names do not mix.
    pub name: String,
    /// The providers.
    pub providers: Vec<Provider>,
    /// The models, by name.
    pub models: Vec<Model>,
    /// Other names of models, by name.
    pub aliases: Vec<Alias>,
    /// The shortlist of the automatic choice. Empty: there is none.
    pub auto: Vec<Shortlisted>,
    /// The client keys. Empty: everybody may call.
    pub keys: Vec<ClientKey>,
    /// Their places, by hash and by name.
    pub key_index: KeyIndex,
    /// The place where another filter writes the name of a caller.
    pub identity: Option<Identity>,
    /// Rules for budgets.
    pub budgets: Budgets,
    /// The policy of all requests.
    pub preferences: Option<Rc<Policy>>,
    /// The policies of routes, by name. A route without one is served as all this says.
    pub routes: Vec<Route>,
    /// The middleware, in order.
    pub middleware: Vec<Rc<dyn Middleware>>,
    /// Caps on sizes.
    pub limits: Limits,
    /// Memory of a worker that may be in use before large bodies are refused, in bytes.
    pub memory: usize,
    /// Deadlines.
    pub timeouts: Timeouts,
    /// Attempts, and regions.
    pub routing: Routing,
    /// Defaults for billing facts that providers do not report.
    pub billing: CancelRules,
    /// True where the page that shows models and endpoints to people is served.
    pub page: bool,
    /// Address that the rendered Envoy listens on.
    pub listen: Listen,
    /// Address that the rendered Envoy's admin interface listens on.
    pub admin: Listen,
}

/// Caps on sizes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of a client's request body.
    pub request_body: usize,
    /// Of a buffered answer, and of a single event of a stream.
    pub response_body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_body: usize::try_from(DEFAULT_MAX_REQUEST_BODY).unwrap_or(usize::MAX),
            response_body: usize::try_from(DEFAULT_MAX_RESPONSE_BODY).unwrap_or(usize::MAX),
        }
    }
}

/// Attempts of an exchange, and the regions that come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    /// Attempts of one exchange at the most.
    pub max_attempts: usize,
    /// True where endpoints in the gateway's own region come first, unless the request names regions.
    pub prefer_local_region: bool,
    /// That region and those around it, the nearest first, once [`Config::set_local_region`] has set them; empty: none
    /// comes first.
    pub local_regions: Vec<String>,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The IP address.
    pub address: String,
    /// The port.
    pub port: u16,
}

impl Config {
    /// Sets the region that the gateway itself is in.
    pub fn set_local_region(&mut self, region: &str) {
        if self.routing.prefer_local_region {
            self.routing.local_regions = crate::preference::region::around(region);
        }
    }

    /// The model of this name.
    pub fn model(&self, name: &str) -> Option<&Model> {
        self.models
            .binary_search_by(|model| model.name.as_str().cmp(name))
            .ok()
            .and_then(|at| self.models.get(at))
    }

    /// The place of the client key with this SHA-256, if it is configured.
    pub fn key(&self, sha256: &[u8; 32]) -> Option<usize> {
        self.key_index.with_hash(sha256)
    }

    /// The place of the client key with this name, or of the one for every other caller.
    pub fn key_at(&self, name: &str) -> Option<usize> {
        let find = |name: &str| self.key_index.with_name(name);
        find(name).or_else(|| find(ANY).filter(|_| self.identity.is_some()))
    }

    /// That key.
    pub fn key_named(&self, name: &str) -> Option<&ClientKey> {
        self.keys.get(self.key_at(name)?)
    }
}
