//! Keys that a caller brings, for providers that it pays itself.

use crate::auth::Secret;
use crate::config::Config;
use crate::error::{Error, quoted};
use crate::headers::OWN_KEYS;

/// Which of the configuration's providers, and the caller's key for each.
#[derive(Debug, Default)]
pub(super) struct OwnKeys(Vec<(usize, Secret)>);

impl OwnKeys {
    /// Reads `provider=key, provider=key`.
    ///
    /// # Errors
    /// When it is not of that form, names a provider that takes no such keys, or names one twice.
    pub(super) fn read(text: &str, config: &Config) -> Result<Self, Error> {
        let mut keys = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            // What stands there may be a key: it is not repeated.
            let Some((id, key)) = part.split_once('=').filter(|(_, key)| !key.trim().is_empty()) else {
                return Err(Error::invalid(format!(
                    "the header {OWN_KEYS}: expected provider=key, and commas between several"
                )));
            };
            let id = id.trim();
            let at = config.providers.iter().position(|provider| provider.id == id);
            let takes = |at: &usize| {
                config
                    .providers
                    .get(*at)
                    .is_some_and(|provider| provider.byok.is_some())
            };
            let Some(at) = at.filter(takes) else {
                let known: Vec<_> = config
                    .providers
                    .iter()
                    .filter(|provider| provider.byok.is_some())
                    .map(|provider| provider.id.as_str())
                    .collect();
                let known = match known.as_slice() {
                    [] => "none does".to_owned(),
                    some => format!("those that do: {}", some.join(", ")),
                };
                return Err(Error::invalid(format!(
                    "the header {OWN_KEYS}: {} is no provider that takes callers' keys here; {known}",
                    quoted(id)
                )));
            };
            if keys.iter().any(|(known, _)| *known == at) {
                return Err(Error::invalid(format!(
                    "the header {OWN_KEYS}: more than one key for {id}; send one"
                )));
            }
            keys.push((at, Secret::new(key.trim().to_owned())));
        }
        if keys.is_empty() {
            return Err(Error::invalid(format!(
                "the header {OWN_KEYS} names no key; send provider=key, or leave it out"
            )));
        }
        Ok(Self(keys))
    }

    /// The caller's key for a provider.
    pub(super) fn of(&self, provider: usize) -> Option<&Secret> {
        let mut keys = self.0.iter();
        keys.find(|(at, _)| *at == provider).map(|(_, key)| key)
    }

    /// For which providers there are any.
    pub(super) fn providers(&self) -> Vec<usize> {
        self.0.iter().map(|(at, _)| *at).collect()
    }
}
