//! What operators write, resolved into immutable tables.
//!
//! [`Config::read`] takes the configuration as a JSON value (YAML in the native tool, JSON in Envoy), reports every
//! problem at once with its path, and gives a [`Config`] in which nothing needs to be looked up by name again. It reads
//! no environment itself: keys come from a function that the caller gives.

mod alias;
mod billing;
mod key;
mod keys;
mod models;
mod names;
mod parse;
mod price;
mod providers;
mod reader;
mod route;
mod routes;
mod timeouts;

pub use alias::{Alias, AliasTarget, ModelRef, Shortlisted};
pub use keys::{ANY, Balance, Budgets, ClientKey, Identity, KeyIndex, Unbounded};
pub use reader::Problem;
pub use route::{Match, PolicyScope, Route};
pub use timeouts::{Adaptive, StreamUpstream, Timeouts, Waiting};

use crate::auth::{BaseUrl, Credential};
use crate::chat::{Operation, ReasoningTokens, UsageConvention};
use crate::dialect::{self, Dialect, Quirks, Target, path_for};
use crate::meter::{CancelRules, Fee, Price};
use crate::middleware::Middleware;
use crate::preference::Policy;
use crate::provider::{DataPolicy, Facts};
use std::rc::Rc;

/// Largest request body when the configuration says nothing, in bytes. Envoy's own default buffer limit is 1 MiB, and a
/// body that exceeds Envoy's limit is refused by Envoy in ways that are not ours to shape.
pub const DEFAULT_MAX_REQUEST_BODY: u64 = (1 << 20) - SLACK;
/// Largest buffered answer, and largest single event of a stream, when the configuration says nothing, in bytes. Writing
/// more than Envoy's limit into a body that is held can crash Envoy, so this stays below Envoy's default of 1 MiB.
pub const DEFAULT_MAX_RESPONSE_BODY: u64 = (1 << 20) - SLACK;
/// How much of a worker's memory may be in use before large bodies are refused, in bytes, when the configuration says
/// nothing. A VM has 1 GiB and dies beyond it; the other half is for what one piece of work needs for a moment, and for
/// gaps between blocks.
pub const DEFAULT_MEMORY: u64 = 512 << 20;
/// How far a cap of ours stays below Envoy's limit, in bytes.
pub const SLACK: u64 = 64 << 10;

/// Gives the value of an environment variable.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

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
    /// Where each of them is.
    pub key_index: KeyIndex,
    /// Where the name of a caller stands whom another filter has let in.
    pub identity: Option<Identity>,
    /// How budgets are kept.
    pub budgets: Budgets,
    /// What everybody's requests keep to, and what stands in for what they do not say.
    pub preferences: Option<Rc<Policy>>,
    /// The policies of routes, by name. A route without one is served as all this says.
    pub routes: Vec<Route>,
    /// The middleware, in order.
    pub middleware: Vec<Rc<dyn Middleware>>,
    /// Caps on sizes.
    pub limits: Limits,
    /// How much of a worker's memory may be in use before large bodies are refused, in bytes.
    pub memory: usize,
    /// Deadlines.
    pub timeouts: Timeouts,
    /// How often and where to try.
    pub routing: Routing,
    /// What is taken for what nobody can know of a bill.
    pub billing: CancelRules,
    /// Whether the page is served that shows models and endpoints to people.
    pub page: bool,
    /// Where the rendered Envoy listens.
    pub listen: Listen,
    /// Where the rendered Envoy's admin interface listens.
    pub admin: Listen,
}

/// A provider, as the configuration completes its row in [`crate::provider`].
#[derive(Debug)]
pub struct Provider {
    /// Its id.
    pub id: String,
    /// What it speaks, if an endpoint says nothing else.
    pub dialect: &'static Dialect,
    /// What it speaks for some models: how their upstream ids begin, and the dialect.
    pub model_dialects: &'static [(&'static str, &'static str)],
    /// The Envoy cluster that leads to it. No other provider has the same.
    pub cluster: String,
    /// Where it is.
    pub base: BaseUrl,
    /// The header that carries the key, lower case.
    pub auth_header: String,
    /// What stands before the key in that header.
    pub auth_prefix: String,
    /// What authorises requests, if it wants anything.
    pub key: Option<Credential>,
    /// What a caller is charged who brings a key of its own; `None`: nobody may.
    pub byok: Option<Fee>,
    /// What to ask for where the dialect needs a limit on completion tokens and the caller gave none.
    pub default_max_tokens: u64,
    /// What happens to the bill when the client leaves.
    pub on_cancel: crate::provider::OnCancel,
    /// How it deviates from its dialect.
    pub quirks: &'static Quirks,
    /// Where chats go instead, to be appended to the base URL; `{model}` stands for the model's id.
    pub path: Option<String>,
    /// What it does with what it is sent, if an endpoint says nothing else.
    pub policy: DataPolicy,
    /// How long a stream may take to its first token there, if an endpoint says nothing else.
    pub first_token_ms: Option<u64>,
    /// Whether it is asked for a stream where a buffered answer is wanted, if an endpoint says nothing else.
    pub stream_upstream: StreamUpstream,
}

impl Provider {
    /// Where a request for one of its endpoints goes, where the operator says so. That is a path of what the provider
    /// speaks, and of no other dialect that an endpoint may. The paths of other operations are made from it.
    pub fn path(&self, endpoint: &Endpoint, operation: Operation) -> Option<String> {
        let own = endpoint.dialect.name() == self.dialect.name();
        let path = self.path.as_deref().filter(|_| own)?;
        path_for(path, operation, &endpoint.model)
    }

    /// Where a request for one of its endpoints goes.
    pub fn target<'e>(&self, endpoint: &'e Endpoint, stream: bool) -> Target<'e> {
        Target {
            model: &endpoint.model,
            stream,
            default_max_tokens: self.default_max_tokens,
            quirks: endpoint.quirks,
        }
    }

    /// Whether it serves only callers who bring a key of their own.
    pub const fn wants_own_key(&self) -> bool {
        self.byok.is_some() && self.key.is_none()
    }

    /// Where its requests go, and those for its tokens.
    pub fn upstreams(&self) -> Vec<Upstream<'_>> {
        let own = Upstream {
            name: self.id.clone(),
            cluster: &self.cluster,
            base: &self.base,
        };
        let tokens = match &self.key {
            Some(Credential::Google(key)) => Some(Upstream {
                name: format!("{}-token", self.id),
                cluster: &key.cluster,
                base: &key.url,
            }),
            Some(Credential::Plain(_) | Credential::Aws(_)) | None => None,
        };
        [own].into_iter().chain(tokens).collect()
    }
}

/// A host that Envoy must know.
#[derive(Clone, Debug)]
pub struct Upstream<'a> {
    /// What it is called.
    pub name: String,
    /// The Envoy cluster that leads to it.
    pub cluster: &'a str,
    /// Where it is.
    pub base: &'a BaseUrl,
}

/// A model that callers may name.
#[derive(Debug)]
pub struct Model {
    /// `author/slug`.
    pub name: String,
    /// Its name for people; the same as `name` where nobody knows another.
    pub title: String,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
}

impl Model {
    /// Whether any of its endpoints serves an operation.
    pub fn serves(&self, operation: Operation) -> bool {
        self.endpoints
            .iter()
            .any(|endpoint| endpoint.dialect_for(operation).is_some())
    }
}

/// One provider's offer of one model.
#[derive(Debug)]
pub struct Endpoint {
    /// Which of [`Config::providers`].
    pub provider: usize,
    /// The provider's name for the model.
    pub model: String,
    /// What the provider speaks for this model.
    pub dialect: &'static Dialect,
    /// How the provider deviates from that dialect.
    pub quirks: &'static Quirks,
    /// What it costs; `None`: the configuration and the catalogue have no price of it, which does not make it free.
    pub price: Option<Price>,
    /// What else is known of it.
    pub facts: Facts,
    /// What becomes of what it is sent.
    pub policy: DataPolicy,
    /// How long a stream may take to its first token, where the configuration says so.
    pub first_token_ms: Option<u64>,
    /// Whether it is asked for a stream where a buffered answer is wanted.
    pub stream_upstream: StreamUpstream,
    /// The stable hash under which its health is kept.
    pub health_key: u64,
}

impl Endpoint {
    /// What it costs at a time, where that is known.
    pub fn price_at(&self, now_ms: u64) -> Option<&Price> {
        self.price.as_ref().map(|price| price.at(now_ms))
    }

    /// The wire format in which it serves an operation, if it does.
    pub fn dialect_for(&self, operation: Operation) -> Option<&'static Dialect> {
        dialect::serving(self.dialect, operation, &self.model)
    }

    /// How its tokens are counted where it speaks `dialect`.
    pub fn usage(&self, dialect: &Dialect) -> UsageConvention {
        let usual = dialect.usage();
        if self.quirks.reasoning_outside_completion {
            return UsageConvention {
                reasoning: ReasoningTokens::Excluded,
                ..usual
            };
        }
        usual
    }
}

/// Caps on sizes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of a client's request body.
    pub request_body: usize,
    /// Of a buffered answer, and of a single event of a stream.
    pub response_body: usize,
}

/// How often and where to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routing {
    /// Attempts of one exchange at the most.
    pub max_attempts: usize,
    /// Whether endpoints in the gateway's own region come first, where a caller says nothing of regions.
    pub prefer_local_region: bool,
    /// That region and those around it, the nearest first, once [`Config::settle_in`] has told them; empty: none comes
    /// first.
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
    /// Reads a configuration. `env` gives the value of an environment variable; without it, keys are not looked up.
    ///
    /// # Errors
    /// Every problem, each with its path.
    pub fn read(value: &serde_json::Value, env: Option<Environment<'_>>) -> Result<Self, Vec<Problem>> {
        parse::config(value, env)
    }

    /// Says in which region the gateway itself is.
    pub fn settle_in(&mut self, region: &str) {
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

    /// Which client key has this SHA-256, if it is configured.
    pub fn key(&self, sha256: &[u8; 32]) -> Option<usize> {
        self.key_index.with_hash(sha256)
    }

    /// Which client key has this name, or stands for every caller that no other one names.
    pub fn key_at(&self, name: &str) -> Option<usize> {
        let find = |name: &str| self.key_index.with_name(name);
        find(name).or_else(|| find(ANY).filter(|_| self.identity.is_some()))
    }

    /// That key.
    pub fn key_named(&self, name: &str) -> Option<&ClientKey> {
        self.keys.get(self.key_at(name)?)
    }
}
