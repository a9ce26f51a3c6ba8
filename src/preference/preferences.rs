//! Preferences and restrictions of a request, or of one level of a configuration.

use super::auto::AutoPreferences;
use super::field::PreferenceField;
use super::region::Regions;
use super::sort::Sort;
use super::source::PolicySource;
use crate::chat::{Operation, Request};
use crate::dialect::Feature;
use crate::health::Quantiles;
use crate::meter::PicoUsd;

/// The `provider` object: <https://openrouter.ai/docs/features/provider-routing>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    /// The operation: endpoints that do not serve it are left out.
    pub operation: Operation,
    /// Providers to try first, in this order.
    pub order: Vec<String>,
    /// Providers that may serve; empty: all.
    pub only: Vec<String>,
    /// Providers that may not.
    pub ignore: Vec<String>,
    /// The providers for which the caller brings keys of its own.
    pub own_keys: Vec<usize>,
    /// True where endpoints may be tried after the first choice, and after `order`.
    pub allow_fallbacks: bool,
    /// True where an endpoint must carry all parameters of the request to be tried.
    pub require_parameters: bool,
    /// These parameters, where it must.
    pub required: Vec<&'static Feature>,
    /// True where prompts may go to providers that store them or train with them.
    pub allow_data_collection: bool,
    /// True where prompts may go only to providers that keep nothing.
    pub zdr: bool,
    /// Quantizations that may serve; empty: all.
    pub quantizations: Vec<&'static str>,
    /// The order of endpoints instead of balancing by price.
    pub sort: Option<Sort>,
    /// True where the endpoints of all models are ordered together, instead of one model's after another's.
    pub mix_models: bool,
    /// The most that a prompt token may cost, a completion token, and a request beside its tokens.
    pub max_price: [Option<PicoUsd>; 3],
    /// Cutoffs of throughput. Endpoints below them come last of their kind: p50, p75, p90, p99 in tokens per 10 seconds.
    pub min_throughput: Cutoffs,
    /// Cutoffs of latency. Endpoints above them come last of their kind: p50, p75, p90, p99 of the time to the first
    /// token, in milliseconds.
    pub max_latency: Cutoffs,
    /// Preferences about an automatic choice of the model.
    pub auto: AutoPreferences,
    /// Regions that prompts should go to, and may go to. Ours: OpenRouter has an address for each region instead.
    pub region: Regions,
    /// Preferences among these that were stated; the level that states each, where the request does not itself.
    pub(super) said: Vec<(PreferenceField, Option<PolicySource>)>,
}

/// The cutoff of each quantile, where one is stated.
pub type Cutoffs = [Option<u32>; 4];

impl Default for Preferences {
    fn default() -> Self {
        Self {
            operation: Operation::Chat,
            order: Vec::new(),
            only: Vec::new(),
            ignore: Vec::new(),
            own_keys: Vec::new(),
            allow_fallbacks: true,
            require_parameters: false,
            required: Vec::new(),
            allow_data_collection: true,
            zdr: false,
            quantizations: Vec::new(),
            sort: None,
            mix_models: false,
            max_price: [None; 3],
            min_throughput: Cutoffs::default(),
            max_latency: Cutoffs::default(),
            auto: AutoPreferences::default(),
            region: Regions::default(),
            said: Vec::new(),
        }
    }
}

impl Preferences {
    pub(super) fn require(&mut self, request: &Request) {
        if self.require_parameters && self.required.is_empty() {
            self.required = Feature::asked(request).collect();
        }
    }

    pub(super) fn say(&mut self, field: PreferenceField) {
        if self.said.iter().all(|(known, _)| *known != field) {
            self.said.push((field, None));
        }
    }

    /// True where an endpoint with this throughput and latency is fast enough. Unknown ones are.
    pub fn is_met(&self, throughput: Option<Quantiles>, latency: Option<Quantiles>) -> bool {
        let all = |cutoffs: Cutoffs, known: Option<Quantiles>, holds: fn(u32, u32) -> bool| {
            let Some(Quantiles(known)) = known else {
                return true;
            };
            let mut pairs = cutoffs.into_iter().zip(known);
            pairs.all(|(cutoff, known)| cutoff.is_none_or(|cutoff| holds(known, cutoff)))
        };
        // What is worst for a caller is the slowest hundredth, which of a throughput is the lowest.
        all(self.min_throughput, throughput, |known, cutoff| known >= cutoff)
            && all(self.max_latency, latency, |known, cutoff| known <= cutoff)
    }
}
