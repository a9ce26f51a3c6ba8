//! The models, endpoints and use of a configuration, as far as a caller may read of them.

use super::entry::Shown;
use super::ranking::Ranking;
use crate::chat::Operation;
use crate::config::{Config, Endpoint, Model, ModelRef};
use crate::health::Standing;
use crate::meter::ranking::{Count, Period};
use crate::preference::Policy;
use crate::route;
use crate::route::names;

/// State and speed of an endpoint. Unknown values are shown as `null`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Its state, as routing sees it.
    pub standing: Option<Standing>,
    /// The share of its answers among its answers and failures, in thousandths: in the last 5 minutes, 30 minutes, day.
    pub uptime: [Option<u32>; 3],
    /// The time to the first token that 50, 75, 90 and 99 percent of its streams kept to, in milliseconds.
    pub latency_ms: Option<[u32; 4]>,
    /// The throughput that as many completions reached, in tokens per 10 seconds.
    pub tokens_per_10_s: Option<[u32; 4]>,
}

/// The part of a configuration that one caller may read of.
#[derive(Clone, Copy)]
pub struct Listing<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The rules that hold for the caller; endpoints that these exclude are left out.
    pub rules: &'a [&'a Policy],
    /// The prefix of the route's paths, for links.
    pub prefix: &'a str,
    /// State and speed of an endpoint, by its health key.
    pub live: &'a dyn Fn(u64) -> Live,
    /// Use of the models.
    pub ranking: &'a dyn Fn() -> Ranking,
}

impl<'a> Listing<'a> {
    /// The use of models in the last week, by their places in the configuration, in its order.
    pub(super) fn used_in_a_week(&self) -> Vec<(usize, Count)> {
        (self.ranking)().of(Period::Week).collect()
    }

    /// The model of a name; of an alias or a family its first target.
    pub(super) fn named<'s>(&'s self, name: &'s str) -> Option<Shown<'s>> {
        let Config { models, aliases, .. } = self.config;
        let base = names::find(models, aliases, name)?;
        let meant = match base {
            ModelRef::Alias(at) => aliases.get(at)?.targets.first()?.model,
            ModelRef::Model(_) | ModelRef::Latest(_) | ModelRef::Auto => base,
        };
        let (ModelRef::Model(at) | ModelRef::Latest(at)) = meant else {
            return None;
        };
        Some(Shown {
            alias: Some(name).filter(|_| !matches!(base, ModelRef::Model(_))),
            ..self.shown(at)?
        })
    }

    /// A model with those of its endpoints that the caller may use, if there are any.
    pub(super) fn shown(&self, at: usize) -> Option<Shown<'a>> {
        let model = self.config.models.get(at)?;
        let shown = Shown::of(model, self.endpoints(at, model));
        (self.rules.is_empty() || !shown.endpoints.is_empty()).then_some(shown)
    }

    /// The endpoints of a model that the caller may use.
    pub(super) fn endpoints(&self, at: usize, model: &'a Model) -> Vec<&'a Endpoint> {
        let allowed = |endpoint: &&Endpoint| {
            let provider = self.config.providers.get(endpoint.provider);
            provider.is_some_and(|provider| route::is_allowed(self.rules, at, provider, endpoint))
        };
        model.endpoints.iter().filter(allowed).collect()
    }

    /// State and speed of an endpoint at its main operation.
    pub(super) fn live(&self, endpoint: &Endpoint) -> Live {
        let operations = [Operation::Chat, Operation::Embeddings, Operation::Completions];
        let serves = |operation: &Operation| endpoint.dialect_for(*operation).is_some();
        let operation = operations.into_iter().find(serves).unwrap_or_default();
        (self.live)(operation.health_key(endpoint.health_key))
    }

    /// The known medians of a model's endpoints.
    pub(super) fn medians(
        &self,
        shown: &Shown<'_>,
        of: fn(Live) -> Option<[u32; 4]>,
    ) -> impl Iterator<Item = u32> {
        let endpoints = shown.endpoints.iter();
        endpoints.filter_map(move |endpoint| of(self.live(endpoint)).map(|[median, ..]| median))
    }
}
