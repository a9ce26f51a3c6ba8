//! Whom a caller or an operator excludes, and what the caller is told when nobody is left.

use super::RouteInput;
use super::resolved::ResolvedModel;
use crate::chat::Operation;
use crate::config::{Config, Endpoint, Provider};
use crate::dialect::{Feature, Translation};
use crate::error::{Availability, Error, Excluded, Kind, quoted};
use crate::headers::OWN_KEYS;
use crate::meter::{PicoUsd, Price};
use crate::preference::{Policy, PolicySource, PreferenceField, Preferences, Sort};

/// An endpoint that a caller or an operator excludes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// Which of the configuration's models.
    pub model: usize,
    /// Which of its endpoints.
    pub endpoint: usize,
    /// PolicySource word it is, if not the request's.
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
    Exacto,
    Thinking,
    Online,
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
            Self::Exacto => ("sort", "exacto"),
            Self::Thinking => ("model", "variant:thinking"),
            Self::Online => ("model", "variant:online"),
            Self::OwnKey => (OWN_KEYS, "byok"),
            Self::RequireParameters => ("require_parameters", "require_parameters"),
        }
    }

    /// The path of that member, in a request or in a policy.
    pub(super) fn field(self, of_policy: bool) -> String {
        let (member, _) = self.words();
        match self {
            Self::Models | Self::Providers | Self::OwnKey => member.to_owned(),
            Self::Free | Self::Thinking | Self::Online => member.to_owned(),
            _ if of_policy => format!("preferences.{member}"),
            _ => format!("provider.{member}"),
        }
    }

    /// What it is about the endpoint.
    fn detail(self, preferences: &Preferences, provider: &Provider, endpoint: &Endpoint) -> String {
        let price = || {
            let Some(price) = &endpoint.price else {
                return "has no price in the configuration".to_owned();
            };
            let usd = |price: PicoUsd| price.times(1_000_000);
            let (prompt, completion) = (usd(price.prompt), usd(price.completion));
            let more = match price.request {
                PicoUsd(0) => String::new(),
                request => format!(", {request} per request"),
            };
            format!(
                "costs {prompt} USD per million prompt tokens, {completion} per million completion tokens{more}"
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
            Self::Exacto => "takes no tools".to_owned(),
            Self::Thinking => "does not think when it is asked to".to_owned(),
            Self::Online => {
                let dialect = endpoint.dialect.name();
                format!("has no search of the web that its provider runs, when asked in {dialect}")
            }
            Self::OwnKey => "wants the caller's own key".to_owned(),
            Self::RequireParameters => {
                let names: Vec<_> = lost(preferences, provider, endpoint).collect();
                format!("lacks {}", names.join(", "))
            }
        }
    }
}

/// Ids of service tiers end so. They cost otherwise, so that a base name does not mean them:
/// <https://openrouter.ai/docs/guides/routing/provider-selection>.
const TIERS: &[&str] = &["flex", "priority"];

/// Whether a caller's name of a provider means this endpoint's: the provider, all of whose regions and variants a base
/// name means, or `provider/region`, `provider/quantization`, or both of these behind it.
pub fn names(name: &str, provider: &Provider, endpoint: &Endpoint) -> bool {
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    let (mut id, mut name) = (provider.id.split('/'), name.split('/'));
    let known = [endpoint.policy.region.as_deref(), endpoint.facts.quantization];
    loop {
        match (id.next(), name.next()) {
            (Some(own), Some(asked)) if same(own, asked) => {}
            (Some(_), Some(_)) => return false,
            // More of the id than was asked for.
            (Some(own), None) => {
                return std::iter::once(own)
                    .chain(id)
                    .all(|own| !TIERS.iter().any(|tier| same(own, tier)));
            }
            (None, None) => return true,
            // More was asked for than the id says.
            (None, Some(asked)) => {
                let has = |asked: &str| known.into_iter().flatten().any(|known| same(known, asked));
                return std::iter::once(asked).chain(name).all(has);
            }
        }
    }
}

/// Why an endpoint may not serve, if it may not, and the level that excludes it if the request does not.
pub(super) fn why<'a>(
    input: &RouteInput<'a>,
    named: &ResolvedModel<'_>,
    provider: &Provider,
    endpoint: &Endpoint,
) -> Option<(Why, Option<&'a PolicySource>)> {
    let preferences = input.preferences;
    let quantization = endpoint.facts.quantization.unwrap_or("unknown");
    by_policies(input.policies, named.at, provider, endpoint)
        .map(|(why, source)| (why, Some(source)))
        .or_else(|| restricted(preferences, provider, endpoint).map(|why| (why, None)))
        .or_else(|| {
            let checks = [
                (
                    !preferences.allow_fallbacks
                        && !preferences.order.is_empty()
                        && !listed(&preferences.order, provider, endpoint),
                    Why::Order,
                    PreferenceField::Order,
                ),
                (
                    !preferences.quantizations.is_empty()
                        && !preferences.quantizations.contains(&quantization),
                    Why::Quantizations,
                    PreferenceField::Quantizations,
                ),
            ];
            let mut checks = checks.into_iter();
            let (_, why, field) = checks.find(|(excludes, ..)| *excludes)?;
            Some((why, preferences.source_of(field)))
        })
        .or_else(|| {
            let costs = || !endpoint.price.as_ref().is_some_and(Price::is_free);
            (named.variant.free && costs()).then_some((Why::Free, None))
        })
        .or_else(|| {
            let exacto = preferences.sort.or(named.variant.sort) == Some(Sort::Exacto);
            let lacks = endpoint.facts.parameters.supports("tools") == Some(false);
            // What a name says is the request's own word.
            let source = preferences
                .source_of(PreferenceField::Sort)
                .filter(|_| named.variant.sort.is_none());
            (exacto && lacks).then_some((Why::Exacto, source))
        })
        .or_else(|| {
            let own = preferences.own_keys.contains(&endpoint.provider);
            (!own && provider.wants_own_key()).then_some((Why::OwnKey, None))
        })
        // These are costly to find out.
        .or_else(|| {
            let lacks = |name| lacks(name, preferences, provider, endpoint);
            if named.variant.thinking && lacks("reasoning.enabled") {
                return Some((Why::Thinking, None));
            }
            if named.variant.online && (!searches(provider, endpoint) || lacks("web_search_options")) {
                return Some((Why::Online, None));
            }
            let _lost = lost(preferences, provider, endpoint).next()?;
            Some((
                Why::RequireParameters,
                preferences.source_of(PreferenceField::RequireParameters),
            ))
        })
}

/// Whether a request under these policies may be served by an endpoint of the model at `model`.
pub fn is_allowed(policies: &[&Policy], model: usize, provider: &Provider, endpoint: &Endpoint) -> bool {
    by_policies(policies, model, provider, endpoint).is_none()
}

fn by_policies<'a>(
    policies: &[&'a Policy],
    model: usize,
    provider: &Provider,
    endpoint: &Endpoint,
) -> Option<(Why, &'a PolicySource)> {
    policies.iter().find_map(|policy| {
        let why = if policy.models.as_ref().is_some_and(|models| !models.has(model)) {
            Some(Why::Models)
        } else if (policy.providers.as_ref()).is_some_and(|providers| !providers.has(endpoint.provider)) {
            Some(Why::Providers)
        } else {
            restricted(&policy.preferences, provider, endpoint)
        };
        why.map(|why| (why, &policy.source))
    })
}

fn listed(list: &[String], provider: &Provider, endpoint: &Endpoint) -> bool {
    list.iter().any(|name| names(name, provider, endpoint))
}

/// What is forbidden at any level is forbidden.
fn restricted(preferences: &Preferences, provider: &Provider, endpoint: &Endpoint) -> Option<Why> {
    let prices = match &endpoint.price {
        Some(price) => [price.prompt, price.completion, price.request].map(Some),
        None => [None; 3],
    };
    // Unknown is not below any price.
    let dear = |(most, price): (Option<PicoUsd>, Option<PicoUsd>)| {
        most.is_some_and(|most| price.is_none_or(|price| price > most))
    };
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
        (
            !preferences.region.allow(endpoint.policy.region.as_deref()),
            Why::Region,
        ),
        (
            preferences.max_price.into_iter().zip(prices).any(dear),
            Why::MaxPrice,
        ),
    ];
    let mut checks = checks.into_iter();
    checks.find(|(excludes, _)| *excludes).map(|(_, why)| why)
}

/// Whether an endpoint would be asked without a feature of chats, by its format or by what is known of it.
fn lacks(name: &str, preferences: &Preferences, provider: &Provider, endpoint: &Endpoint) -> bool {
    let target = provider.target(endpoint, false);
    let (Some(feature), Operation::Chat) = (Feature::find(name), preferences.operation) else {
        return true;
    };
    endpoint.facts.parameters.supports(feature.member()) == Some(false)
        || feature.translation(endpoint.dialect, &target) != Translation::Carried
}

/// Whether the provider searches the web for this model when it is asked to. In OpenAI's chats nothing but a member says
/// that it is to, which many providers ignore; so there the configuration or the provider's quirks say who does not.
fn searches(provider: &Provider, endpoint: &Endpoint) -> bool {
    let named = endpoint.facts.parameters.supports("web_search_options") == Some(true);
    let target = provider.target(endpoint, false);
    named || endpoint.dialect.searches(&target)
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
            || dialect.is_some_and(|dialect| feature.translation(dialect, &target) != Translation::Carried)
    };
    required.filter(lacks).map(|feature| feature.name)
}

/// Every endpoint of these models that somebody excludes.
pub fn excluded(config: &Config, models: &[ResolvedModel<'_>], input: &RouteInput<'_>) -> Vec<Exclusion> {
    let mut exclusions = Vec::new();
    for named in models {
        let preferences = input.preferences.for_variant(named.variant.sort);
        let input = &RouteInput {
            preferences: &preferences,
            ..*input
        };
        for (at, endpoint) in named.model.endpoints.iter().enumerate() {
            let Some(provider) = config.providers.get(endpoint.provider) else {
                continue;
            };
            if let Some((why, source)) = why(input, named, provider, endpoint) {
                exclusions.push(Exclusion {
                    model: named.at,
                    endpoint: at,
                    set_by: source.map(ToString::to_string),
                    why,
                });
            }
        }
    }
    exclusions
}

/// The error of a request of which nobody is left who may serve it.
pub(super) fn nobody_left(config: &Config, models: &[ResolvedModel<'_>], input: &RouteInput<'_>) -> Error {
    let preferences = input.preferences;
    if !models
        .iter()
        .any(|named| named.model.serves(preferences.operation))
    {
        return unserved(config, input.models, preferences.operation);
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
    let endpoints: Vec<_> = excluded(config, models, input)
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
        requested_models: input.models.to_vec(),
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
