//! Candidates whose provider wants an access token: the tokens that are wanted, and a candidate for which there is none.

use super::{Exchange, parties};
use crate::auth::{Credential, Secret};
use crate::config::Provider;
use crate::error::{Error, Kind};
use crate::exchange::attempt::Attempt;
use crate::route::Candidate;

/// The id of the token that a provider wants.
pub(super) fn id(provider: &Provider) -> Option<&str> {
    match &provider.key {
        Some(Credential::Google(key)) => Some(&key.id),
        Some(Credential::Plain(_) | Credential::Aws(_)) | None => None,
    }
}

impl Exchange {
    fn token_of(&self, candidate: Candidate) -> Option<&str> {
        id(self.parties(candidate)?.1)
    }

    /// The id of the token that the next attempt wants.
    pub fn next_token(&self) -> Option<String> {
        let candidate = *self.ahead().first()?;
        self.token_of(candidate).map(ToOwned::to_owned)
    }

    /// The ids of the tokens that the attempts from the next one on want, each once.
    pub fn tokens_ahead(&self) -> Vec<String> {
        let ahead = self.plan.get(self.next..).unwrap_or_default();
        let mut ids: Vec<_> = ahead
            .iter()
            .filter_map(|candidate| self.token_of(*candidate))
            .map(ToOwned::to_owned)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The token with this id, for the next attempt.
    pub fn give_token(&mut self, id: String, token: Secret) {
        self.token = Some((id, token));
    }

    /// There is no token with this id: takes the candidates that want it out of the rest of the plan. For each this is a
    /// failed attempt, as if its provider had refused the token.
    pub fn drop_without(&mut self, id: &str, now_ms: u64) {
        let config = std::rc::Rc::clone(&self.config);
        let done = self.plan.len().min(self.next);
        let ahead = self.plan.split_off(done);
        let (without, rest): (Vec<_>, Vec<_>) = ahead.into_iter().partition(|candidate| {
            parties(&config, *candidate).is_some_and(|(_, provider)| self::id(provider) == Some(id))
        });
        self.plan.extend(rest);
        if self.next == 0 && !without.is_empty() {
            // It was made for the candidate that stood first.
            self.encoded = None;
        }
        for candidate in without {
            let failed = Attempt::unbegun(candidate, now_ms);
            let under_way = self.attempt.replace(failed);
            let error = Error::new(
                Kind::ProviderAuthentication,
                "no token could be had for this provider",
            );
            self.fail(error, now_ms);
            self.attempt = under_way;
        }
        if self.attempt.is_some() && self.ahead().is_empty() {
            self.let_request_go();
        }
    }
}
