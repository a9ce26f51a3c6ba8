//! Whom a caller or an operator excludes, and what the caller is told when nobody is left.

use super::wishes::Wish;
use super::{Asked, Named, Preferences};
use crate::chat::Operation;
use crate::config::{Config, Endpoint, Provider, Rules, Whose};
use crate::dialect::{Fate, Feature};
use crate::error::{Availability, Error, Excluded, Kind, quoted};
use crate::exchange::OWN_KEYS_HEADER;
use crate::meter::PicoUsd;

/// An endpoint that a caller or an operator excludes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// Which of the configuration's models.
    pub model: usize,
    /// Which of its endpoints.
    pub endpoint: usize,
    /// Whose word it is, if not the request's.
    pub set_by: Option<String>,
    why: Why,
}

impl Exclusion {
    /// The member that excludes it.
    pub fn field(&self) -> String {
        self.why.field(self.set_by.is_some())
    }

    /// OpenRouter's word for that.
    pub const fn excluded_by(&self) -> &'static str {
        self.why.words().1
    }

    /// What it is about the endpoint.
    pub fn detail(&self, preferences: &Preferences, provider: &Provider, endpoint: &Endpoint) -> String {
        self.why.detail(preferences, provider, endpoint)
    }
}

/// Why an endpoint may not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Models,
    Providers,
    Order,
    Only,
    Ignore,
    DataCollection,
    Zdr,
    Region,
    Quantizations,
    MaxPrice,
    Free,
    OwnKey,
    RequireParameters,
}

impl Why {
    /// The member that says so, and OpenRouter's word for it (it has none for models).
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Models => ("models", "allowed_models"),
            Self::Providers => ("providers", "allowed_providers"),
            Self::Order => ("order", "allowed_providers"),
            Self::Only => ("only", "allowed_providers"),
            Self::Ignore => ("ignore", "allowed_providers"),
            Self::DataCollection => ("data_collection", "data_policy:training"),
            Self::Zdr => ("zdr", "data_policy:zdr"),
            Self::Region => ("region", "data_region"),
            Self::Quantizations => ("quantizations", "quantization"),
            Self::MaxPrice => ("max_price", "max_price"),
            Self::Free => ("model", "max_price"),
            Self::OwnKey => (OWN_KEYS_HEADER, "byok"),
            Self::RequireParameters => ("require_parameters", "require_parameters"),
        }
    }

    /// The path of that member, in a request or in rules.
    fn field(self, of_rules: bool) -> String {
        let (member, _) = self.words();
        match self {
            Self::Models | Self::Providers | Self::Free | Self::OwnKey => member.to_owned(),
            _ if of_rules => format!("preferences.{member}"),
            _ => format!("provider.{member}"),
        }
    }

    /// What it is about the endpoint.
    fn detail(self, preferences: &Preferences, provider: &Provider, endpoint: &Endpoint) -> String {
        let price = || {
            let usd = |price: PicoUsd| price.times(1_000_000);
            let (prompt, completion) = (usd(endpoint.price.prompt), usd(endpoint.price.completion));
            format!(
                "costs {prompt} USD per million prompt tokens, {completion} per million completion tokens"
            )
        };
        match self {
            Self::Models | Self::Providers => "is not allowed".to_owned(),
            Self::Order => "is not named, and fallbacks are switched off".to_owned(),
            Self::Only => "is not named".to_owned(),
            Self::Ignore => "is named".to_owned(),
            Self::DataCollection => match endpoint.policy.collects_data {
                Some(true) => "may store prompts or train with them".to_owned(),
                _ => "has no data_collection in the configuration".to_owned(),
            },
            Self::Zdr => match endpoint.policy.zdr {
                Some(false) => "keeps data".to_owned(),
                _ => "has no zdr in the configuration".to_owned(),
            },
            Self::Region => match &endpoint.policy.region {
                Some(region) => format!("is in {region}"),
                None => "has no region in the configuration".to_owned(),
            },
            Self::Quantizations => format!("has {}", endpoint.facts.quantization.unwrap_or("unknown")),
            Self::MaxPrice | Self::Free => price(),
            Self::OwnKey => "wants the caller's own key".to_owned(),
            Self::RequireParameters => {
                let names: Vec<_> = lost(preferences, provider, endpoint).collect();
                format!("lacks {}", names.join(", "))
            }
        }
    }
}

/// Whether a caller's name of a provider means this endpoint's: the provider, all of whose regions and variants a base
/// name means, or `provider/region`, `provider/quantization`.
pub fn names(name: &str, provider: &Provider, endpoint: &Endpoint) -> bool {
    let id = provider.id.as_str();
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    if same(name, id) {
        return true;
    }
    let base = id
        .rmatch_indices('/')
        .any(|(at, _)| id.get(..at).is_some_and(|base| same(name, base)));
    let variant = name.split_once('/').is_some_and(|(base, variant)| {
        let region = endpoint.policy.region.as_deref();
        let known = [region, endpoint.facts.quantization];
        same(base, id) && known.into_iter().flatten().any(|known| same(known, variant))
    });
    base || variant
}

/// Why an endpoint may not serve, if it may not, and by whose word if not by the request's.
pub(super) fn why<'a>(
    asked: &Asked<'a>,
    named: &Named<'_>,
    provider: &Provider,
    endpoint: &Endpoint,
) -> Option<(Why, Option<&'a Whose>)> {
    let preferences = asked.preferences;
    let quantization = endpoint.facts.quantization.unwrap_or("unknown");
    by_rules(asked.rules, named.at, provider, endpoint)
        .map(|(why, whose)| (why, Some(whose)))
        .or_else(|| restricted(preferences, provider, endpoint).map(|why| (why, None)))
        .or_else(|| {
            let checks = [
                (
                    !preferences.allow_fallbacks
                        && !preferences.order.is_empty()
                        && !listed(&preferences.order, provider, endpoint),
                    Why::Order,
                    Wish::Order,
                ),
                (
                    !preferences.quantizations.is_empty()
                        && !preferences.quantizations.contains(&quantization),
                    Why::Quantizations,
                    Wish::Quantizations,
                ),
            ];
            let mut checks = checks.into_iter();
            let (_, why, wish) = checks.find(|(excludes, ..)| *excludes)?;
            Some((why, preferences.whose(wish)))
        })
        .or_else(|| (named.free && endpoint.price.rank() > 0).then_some((Why::Free, None)))
        .or_else(|| {
            let own = preferences.own_keys.contains(&endpoint.provider);
            (!own && provider.wants_own_key()).then_some((Why::OwnKey, None))
        })
        // This one is costly to find out.
        .or_else(|| {
            let _lost = lost(preferences, provider, endpoint).next()?;
            Some((Why::RequireParameters, preferences.whose(Wish::RequireParameters)))
        })
}

/// Whether a request under these rules may be served by an endpoint of the model at `model`.
pub fn is_allowed(rules: &[&Rules], model: usize, provider: &Provider, endpoint: &Endpoint) -> bool {
    by_rules(rules, model, provider, endpoint).is_none()
}

fn by_rules<'a>(
    rules: &[&'a Rules],
    model: usize,
    provider: &Provider,
    endpoint: &Endpoint,
) -> Option<(Why, &'a Whose)> {
    rules.iter().find_map(|rules| {
        let why = if rules.models.as_ref().is_some_and(|models| !models.has(model)) {
            Some(Why::Models)
        } else if (rules.providers.as_ref()).is_some_and(|providers| !providers.has(endpoint.provider)) {
            Some(Why::Providers)
        } else {
            restricted(&rules.preferences, provider, endpoint)
        };
        why.map(|why| (why, &rules.whose))
    })
}

fn listed(list: &[String], provider: &Provider, endpoint: &Endpoint) -> bool {
    list.iter().any(|name| names(name, provider, endpoint))
}

/// What is forbidden at any level is forbidden.
fn restricted(preferences: &Preferences, provider: &Provider, endpoint: &Endpoint) -> Option<Why> {
    let dear = |(most, price): (Option<PicoUsd>, PicoUsd)| most.is_some_and(|most| price > most);
    let prices = [endpoint.price.prompt, endpoint.price.completion];
    let checks = [
        (
            !preferences.only.is_empty() && !listed(&preferences.only, provider, endpoint),
            Why::Only,
        ),
        (listed(&preferences.ignore, provider, endpoint), Why::Ignore),
        (
            !preferences.allow_data_collection && !endpoint.policy.is_private(),
            Why::DataCollection,
        ),
        (preferences.zdr && endpoint.policy.zdr != Some(true), Why::Zdr),
        (!preferences.region.allow(endpoint), Why::Region),
        (
            preferences.max_price.into_iter().zip(prices).any(dear),
            Why::MaxPrice,
        ),
    ];
    let mut checks = checks.into_iter();
    checks.find(|(excludes, _)| *excludes).map(|(_, why)| why)
}

/// The required parameters that an endpoint would be served without, by its format or by what is known of it.
fn lost<'a>(
    preferences: &'a Preferences,
    provider: &'a Provider,
    endpoint: &'a Endpoint,
) -> impl Iterator<Item = &'static str> + 'a {
    let target = provider.target(endpoint, false);
    let required = preferences.required.iter();
    // Who does not serve the operation lacks no parameter of it.
    let dialect = endpoint.dialect_for(preferences.operation);
    let lacks = move |feature: &&&'static Feature| {
        endpoint.facts.parameters.supports(feature.member()) == Some(false)
            || dialect.is_some_and(|dialect| feature.fate(dialect, &target) != Fate::Carried)
    };
    required.filter(lacks).map(|feature| feature.name)
}

/// Every endpoint of the request's models that somebody excludes.
pub fn excluded(config: &Config, asked: &Asked<'_>) -> Vec<Exclusion> {
    let mut named = Named::all(config, asked.models);
    if let [_] = asked.models {
        Named::add(&mut named, config, asked.fallbacks());
    }
    of_named(config, &named, asked)
}

fn of_named(config: &Config, models: &[Named<'_>], asked: &Asked<'_>) -> Vec<Exclusion> {
    let mut exclusions = Vec::new();
    for named in models {
        for (at, endpoint) in named.model.endpoints.iter().enumerate() {
            let Some(provider) = config.providers.get(endpoint.provider) else {
                continue;
            };
            if let Some((why, whose)) = why(asked, named, provider, endpoint) {
                exclusions.push(Exclusion {
                    model: named.at,
                    endpoint: at,
                    set_by: whose.map(ToString::to_string),
                    why,
                });
            }
        }
    }
    exclusions
}

/// The error of a request of which nobody is left who may serve it.
pub(super) fn nobody_left(config: &Config, models: &[Named<'_>], asked: &Asked<'_>) -> Error {
    let preferences = asked.preferences;
    if !models
        .iter()
        .any(|named| named.model.serves(preferences.operation))
    {
        return unserved(config, asked.models, preferences.operation);
    }
    let mut privacy = false;
    let told = |exclusion: Exclusion| {
        let model = config.models.get(exclusion.model)?;
        let endpoint = model.endpoints.get(exclusion.endpoint)?;
        let provider = config.providers.get(endpoint.provider)?;
        privacy |= matches!(exclusion.why, Why::DataCollection | Why::Zdr);
        Some(Excluded {
            provider: provider.id.clone(),
            model: endpoint.model.clone(),
            field: exclusion.field(),
            excluded_by: exclusion.excluded_by(),
            detail: exclusion.detail(preferences, provider, endpoint),
            set_by: exclusion.set_by,
        })
    };
    let endpoints: Vec<_> = of_named(config, models, asked)
        .into_iter()
        .filter_map(told)
        .collect();
    let said: Vec<_> = endpoints.iter().map(ToString::to_string).collect();
    let message = format!(
        "no endpoint of the model may serve this request: {}",
        said.join("; ")
    );
    let code = match (endpoints.is_empty(), privacy) {
        (true, _) => "no_endpoints",
        (_, true) => "privacy_restricted",
        (_, false) => "constraint_filtered",
    };
    let mut error = Error::new(Kind::NotFound, message);
    error.availability = Some(Box::new(Availability {
        code,
        requested_models: asked.models.to_vec(),
        endpoints,
    }));
    error
}

/// No endpoint of these models serves the operation: which others do.
fn unserved(config: &Config, models: &[String], operation: Operation) -> Error {
    const SHOWN: usize = 5;
    let asked: Vec<_> = models.iter().map(|name| quoted(name)).collect();
    let mut able: Vec<_> = config
        .models
        .iter()
        .filter(|model| model.serves(operation))
        .map(|model| model.name.as_str())
        .collect();
    let more = if able.len() > SHOWN { ", …" } else { "" };
    able.truncate(SHOWN);
    let hint = if able.is_empty() {
        "and no other model here does".to_owned()
    } else {
        format!("try {}{more}", able.join(", "))
    };
    Error::new(
        Kind::NotFound,
        format!(
            "no endpoint of {} serves {}: the format of its provider has no such operation; {hint}",
            asked.join(" or "),
            operation.name()
        ),
    )
}
