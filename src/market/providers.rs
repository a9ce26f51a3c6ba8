//! The providers.

use super::Data;
use crate::config::{Config, Model, Provider};
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

/// All of them.
pub(super) fn body(config: &Config) -> Vec<u8> {
    let offers = |at: usize| {
        let models = config.models.iter();
        let offered = |model: &&Model| model.endpoints.iter().any(|endpoint| endpoint.provider == at);
        models.filter(offered).count()
    };
    let providers = config.providers.iter().enumerate();
    let data: Vec<_> = providers
        .map(|(at, provider)| entry(provider, offers(at)))
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
