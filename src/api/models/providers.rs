//! The providers.

use super::listing::Listing;
use crate::api::data::Data;
use crate::config::Provider;
use crate::json;
use serde::Serialize;

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    slug: &'a str,
    /// These five are OpenRouter's, and not known here.
    privacy_policy_url: Option<&'a str>,
    terms_of_service_url: Option<&'a str>,
    status_page_url: Option<&'a str>,
    headquarters: Option<&'a str>,
    datacenters: Option<&'a str>,
    /// What it speaks.
    dialect: &'static str,
    /// What happens to the bill when the client leaves a stream.
    on_cancel: &'static str,
    /// How many of the models that are served here it offers.
    models: usize,
}

/// All of them, or those that offer something to a caller who may not use everything.
pub(super) fn body(listing: &Listing<'_>) -> Vec<u8> {
    let models = &listing.config.models;
    let mut offers = vec![0_usize; listing.config.providers.len()];
    for (at, model) in models.iter().enumerate() {
        let allowed = listing.endpoints(at, model);
        for (provider, count) in offers.iter_mut().enumerate() {
            let offered = allowed.iter().any(|endpoint| endpoint.provider == provider);
            *count += usize::from(offered);
        }
    }
    let providers = listing.config.providers.iter().zip(offers);
    let data: Vec<_> = providers
        .filter(|(_, models)| *models > 0 || listing.rules.is_empty())
        .map(|(provider, models)| entry(provider, models))
        .collect();
    json::to_vec(&Data { data })
}

fn entry(provider: &Provider, models: usize) -> Entry<'_> {
    Entry {
        name: &provider.id,
        slug: &provider.id,
        privacy_policy_url: None,
        terms_of_service_url: None,
        status_page_url: None,
        headquarters: None,
        datacenters: None,
        dialect: provider.dialect.name(),
        on_cancel: provider.on_cancel.name(),
        models,
    }
}
