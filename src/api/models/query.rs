//! The query of a list of models: which of them, in which order, and how many.

use super::entry::{MODELS, Shown};
use super::listing::Listing;
use crate::api::parameters::{each, limit, pairs, wrong};
use crate::caps;
use crate::config::{Config, Endpoint};
use crate::error::{Error, quoted};
use crate::meter::{PicoUsd, Price};
use crate::preference::region::lies_in;
use crate::provider::{MODALITIES, PARAMETERS};

/// What a list may be asked for.
const KNOWN: &str = "q, supported_parameters, input_modalities, output_modalities, providers, model_authors, context, \
     min_price, max_price, min_output_price, max_output_price, zdr, data_collection, region, sort, offset, limit";
/// The length of a page without a `limit`: OpenRouter's.
const USUAL_LIMIT: usize = 500;

/// The orders by name. What nobody knows comes last.
const SORTS: &[(&str, Sort)] = &[
    ("pricing-low-to-high", Sort::Cheapest),
    ("pricing-high-to-low", Sort::Dearest),
    ("context-high-to-low", Sort::Context),
    ("throughput-high-to-low", Sort::Throughput),
    ("latency-low-to-high", Sort::Latency),
    ("top-weekly", Sort::Tokens),
    ("most-popular", Sort::Requests),
];

/// An order of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Cheapest,
    Dearest,
    Context,
    Throughput,
    Latency,
    /// The most tokens in a week.
    Tokens,
    /// The most requests in a week.
    Requests,
}

impl Sort {
    /// Whether it goes by how much models are used.
    pub(super) const fn is_by_use(self) -> bool {
        matches!(self, Self::Tokens | Self::Requests)
    }

    /// What a model is ordered by; the lowest comes first.
    pub(super) fn key(self, listing: &Listing<'_>, shown: &Shown<'_>) -> u64 {
        let price = shown.top.and_then(|endpoint| endpoint.price.as_ref());
        let price = price.map(|price| Price::rank(Some(price)));
        let high = |value: u64| !value;
        match self {
            Self::Cheapest => price,
            Self::Dearest => price.map(high),
            Self::Context => shown.context.map(high),
            Self::Throughput => {
                let medians = listing.medians(shown, |live| live.tokens_per_10_s);
                medians.max().map(|median| high(median.into()))
            }
            Self::Latency => {
                let medians = listing.medians(shown, |live| live.latency_ms);
                medians.min().map(u64::from)
            }
            Self::Tokens => shown.used.map(|used| high(used.tokens)),
            Self::Requests => shown.used.map(|used| high(used.requests)),
        }
        .unwrap_or(u64::MAX)
    }
}

/// A query that was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Words of which each stands in the id or the name.
    words: Vec<String>,
    /// All of these parameters.
    parameters: Vec<String>,
    /// All of these modalities.
    input: Vec<String>,
    /// One of these modalities.
    output: Vec<String>,
    /// One of these providers.
    providers: Vec<String>,
    /// One of these authors.
    authors: Vec<String>,
    /// At least this context.
    context: Option<u64>,
    /// Prices of one token of the prompt and of the completion: from here, to there.
    prompt: [Option<PicoUsd>; 2],
    completion: [Option<PicoUsd>; 2],
    /// An endpoint that keeps nothing, that stores nothing, and in one of these regions.
    zdr: bool,
    private: bool,
    regions: Vec<String>,
    pub(super) sort: Option<Sort>,
    pub(super) offset: usize,
    pub(super) limit: usize,
}

impl Query {
    /// Reads what stands behind the `?`.
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        let mut query = Self {
            words: Vec::new(),
            parameters: Vec::new(),
            input: Vec::new(),
            output: Vec::new(),
            providers: Vec::new(),
            authors: Vec::new(),
            context: None,
            prompt: [None; 2],
            completion: [None; 2],
            zdr: false,
            private: false,
            regions: Vec::new(),
            sort: None,
            offset: 0,
            limit: usize::MAX,
        };
        each(text, |name, value| query.set(name, value))?;
        if query.limit == usize::MAX && query.offset > 0 {
            query.limit = USUAL_LIMIT;
        }
        Ok(query)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let wrong = |expected: &str| wrong(name, expected, value);
        let list = || -> Result<Vec<String>, Error> {
            let items: Vec<_> = value.split(',').map(|item| item.trim().to_owned()).collect();
            if items.iter().any(String::is_empty) {
                return Err(wrong("values separated by commas"));
            }
            caps::check_names(name, items.len())?;
            Ok(items)
        };
        let price = || {
            let price = PicoUsd::per_token_from_usd_per_million(value);
            price
                .map(Some)
                .ok_or_else(|| wrong("a price in USD per million tokens"))
        };
        let [from, to] = &mut self.prompt;
        let [output_from, output_to] = &mut self.completion;
        match name {
            "q" => {
                self.words = value.split_whitespace().map(str::to_lowercase).collect();
                caps::check_names(name, self.words.len())?;
            }
            "supported_parameters" => self.parameters = known(name, list()?, PARAMETERS)?,
            "input_modalities" => self.input = known(name, list()?, MODALITIES)?,
            "output_modalities" if value == "all" => self.output.clear(),
            "output_modalities" => self.output = known(name, list()?, MODALITIES)?,
            "providers" => self.providers = list()?,
            "model_authors" => self.authors = list()?,
            "context" => self.context = Some(value.parse().map_err(|_| wrong("a whole number of tokens"))?),
            "min_price" => *from = price()?,
            "max_price" => *to = price()?,
            "min_output_price" => *output_from = price()?,
            "max_output_price" => *output_to = price()?,
            "zdr" => self.zdr = value.parse().map_err(|_| wrong("true or false"))?,
            "data_collection" => {
                self.private = match value {
                    "deny" => true,
                    "allow" => false,
                    _ => return Err(wrong("allow or deny")),
                }
            }
            "region" => self.regions = list()?,
            "category" => {
                return Err(Error::invalid(
                    "category: not supported; the catalogue of this gateway puts models into no categories",
                ));
            }
            "sort" => {
                let sort = SORTS
                    .iter()
                    .find(|(name, _)| *name == value)
                    .map(|(_, sort)| *sort);
                let names: Vec<_> = SORTS.iter().map(|(name, _)| *name).collect();
                self.sort = Some(sort.ok_or_else(|| wrong(&format!("one of {}", names.join(", "))))?);
            }
            "offset" => self.offset = value.parse().map_err(|_| wrong("a whole number"))?,
            "limit" => self.limit = limit(value)?,
            _ => {
                let name = quoted(name);
                return Err(Error::invalid(format!(
                    "the parameter {name} is unknown; known: {KNOWN}"
                )));
            }
        }
        Ok(())
    }

    /// Whether a model is asked for. What is not known of it does not match.
    pub(super) fn matches(&self, config: &Config, shown: &Shown<'_>) -> bool {
        let model = shown.model;
        let id = shown.alias.unwrap_or(&model.name).to_lowercase();
        let title = model.title.to_lowercase();
        let within = |price: Option<PicoUsd>, [from, to]: [Option<PicoUsd>; 2]| {
            from.is_none_or(|from| price.is_some_and(|price| price >= from))
                && to.is_none_or(|to| price.is_some_and(|price| price <= to))
        };
        let offers = |id: &String| {
            let provider = |at: usize| config.providers.get(at).map(|provider| &provider.id);
            let mut endpoints = shown.endpoints.iter();
            endpoints.any(|endpoint| provider(endpoint.provider) == Some(id))
        };
        self.words
            .iter()
            .all(|word| id.contains(word) || title.contains(word))
            && self
                .parameters
                .iter()
                .all(|name| shown.parameters.supports(name) == Some(true))
            && self.input.iter().all(|name| shown.input.contains(name))
            && (self.output.is_empty() || self.output.iter().any(|name| shown.output.contains(name)))
            && (self.providers.is_empty() || self.providers.iter().any(offers))
            && model.endpoints.iter().any(|endpoint| self.suits(endpoint))
            && (self.authors.is_empty() || self.authors.iter().any(|author| author == shown.author()))
            && self
                .context
                .is_none_or(|least| shown.context.is_some_and(|context| context >= least))
            && shown.top.is_none_or(|endpoint| {
                let price = endpoint.price.as_ref();
                within(price.map(|price| price.prompt), self.prompt)
                    && within(price.map(|price| price.completion), self.completion)
            })
    }

    /// Whether an endpoint does with prompts what is asked for, as `provider.zdr` and its like mean it.
    fn suits(&self, endpoint: &Endpoint) -> bool {
        let policy = &endpoint.policy;
        let lies_there = |wider: &String| {
            policy
                .region
                .as_deref()
                .is_some_and(|region| lies_in(region, wider))
        };
        (!self.zdr || policy.zdr == Some(true))
            && (!self.private || policy.is_private())
            && (self.regions.is_empty() || self.regions.iter().any(lies_there))
    }

    /// Where the next page is, if there is one.
    pub(super) fn next(&self, prefix: &str, text: &str, total: usize) -> Option<String> {
        let offset = self
            .offset
            .checked_add(self.limit)
            .filter(|offset| *offset < total)?;
        let others = pairs(text).filter(|(name, _)| !matches!(*name, "offset" | "limit"));
        let others: String = others.map(|(name, value)| format!("{name}={value}&")).collect();
        Some(format!(
            "{prefix}{}?{others}offset={offset}&limit={}",
            MODELS, self.limit
        ))
    }
}

/// The names, if the table has them all.
fn known(parameter: &str, names: Vec<String>, table: &[(&str, char)]) -> Result<Vec<String>, Error> {
    let unknown = names
        .iter()
        .find(|name| table.iter().all(|(known, _)| known != name));
    match unknown {
        Some(name) => {
            let all: Vec<_> = table.iter().map(|(known, _)| *known).collect();
            let (name, all) = (quoted(name), all.join(", "));
            Err(Error::invalid(format!(
                "{parameter}: {name} is unknown; known: {all}"
            )))
        }
        None => Ok(names),
    }
}
