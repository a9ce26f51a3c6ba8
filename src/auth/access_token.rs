//! A token that all workers share: its record in shared data, and the choice of the worker that fetches the next one. Pure
//! functions of (record, now); times are milliseconds since 1970.
//!
//! One worker claims the fetch by writing a lease into the record; a lease lapses, so that a worker that
//! died with it blocks no other. A wrong clock, garbage bytes or an older layout give an empty record.

use super::Secret;

const VERSION: u8 = 1;
/// Time before its end at which a token is replaced, as in Google's own libraries (googleapis/google-auth-library-python
/// `_helpers.py`, `REFRESH_THRESHOLD`). The metadata server hands the same token out until five minutes before its end.
const AHEAD_MS: u64 = 225_000;
/// Time that a worker has for a fetch: longer than the call may take.
const LEASE_MS: u64 = 10_000;
/// Shortest time between two fetches: a token that comes with little time left is not asked for all the time.
const PAUSE_MS: u64 = 15_000;
/// Time from a failure to the next fetch; doubled with each failure that follows.
const BACKOFF_MS: u64 = 1_000;
const MAX_BACKOFF_MS: u64 = 60_000;
/// The longest that a token is believed to hold. Google's hold for an hour, and for twelve where an administrator allows it
/// (<https://cloud.google.com/iam/docs/create-short-lived-credentials-direct>).
pub(super) const MAX_HOLD_MS: u64 = 12 * 3_600_000;
/// The numbers in front of the token.
const HEAD: usize = 1 + 4 + 3 * 8;

/// A token, and until when it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// The token.
    pub secret: Secret,
    /// In milliseconds since 1970.
    pub expires_ms: u64,
}

/// Record of a token that workers share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRecord {
    token: Option<AccessToken>,
    /// Until when some worker fetches.
    lease_ms: u64,
    /// No worker fetches before that.
    rest_ms: u64,
    /// Failures in a row.
    failures: u32,
}

/// State of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// Here it is.
    Ready(Secret),
    /// It is being fetched, or will be at once.
    Coming,
    /// The last fetch failed, and the next one is not due.
    Missing,
}

impl TokenRecord {
    /// Reads a record.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::read(bytes).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (head, token) = bytes.split_at_checked(HEAD)?;
        let (version, numbers) = head.split_first()?;
        let (failures, times) = numbers.split_at_checked(4)?;
        let time = |at: usize| {
            Some(u64::from_le_bytes(
                times.get(at * 8..at * 8 + 8)?.try_into().ok()?,
            ))
        };
        if *version != VERSION {
            return None;
        }
        let secret = String::from_utf8(token.to_vec()).ok()?;
        Some(Self {
            token: (!secret.is_empty()).then_some(AccessToken {
                secret: Secret(secret),
                expires_ms: time(0)?,
            }),
            lease_ms: time(1)?,
            rest_ms: time(2)?,
            failures: u32::from_le_bytes(failures.try_into().ok()?),
        })
    }

    /// Writes the record.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (secret, expires_ms) = match &self.token {
            Some(token) => (token.secret.expose(), token.expires_ms),
            None => ("", 0),
        };
        let mut out = Vec::with_capacity(HEAD + secret.len());
        out.push(VERSION);
        out.extend_from_slice(&self.failures.to_le_bytes());
        for time in [expires_ms, self.lease_ms, self.rest_ms] {
            out.extend_from_slice(&time.to_le_bytes());
        }
        out.extend_from_slice(secret.as_bytes());
        out
    }

    /// The token, if it holds for `spare_ms` more. An end that lies further ahead than it could is from a clock that was
    /// wrong, and says nothing.
    fn holding(&self, spare_ms: u64, now_ms: u64) -> Option<&AccessToken> {
        let ends = now_ms.saturating_add(spare_ms).saturating_add(1)..=now_ms.saturating_add(MAX_HOLD_MS);
        let token = self.token.as_ref();
        token.filter(|token| ends.contains(&token.expires_ms))
    }

    /// The state of a token that must hold for `spare_ms` more.
    pub fn standing(&self, spare_ms: u64, now_ms: u64) -> TokenState {
        match self.holding(spare_ms, now_ms) {
            Some(token) => TokenState::Ready(token.secret.clone()),
            None if self.failures > 0 && now_ms < self.rest_ms => TokenState::Missing,
            None => TokenState::Coming,
        }
    }

    /// The record of a worker that fetches now; `None` when no fetch is due, or another worker is at it.
    pub fn claim(&self, now_ms: u64) -> Option<Self> {
        // A lease or a pause that lies further ahead than it could is from a clock that was wrong.
        let rests = |until: u64, at_most: u64| (1..=at_most).contains(&until.saturating_sub(now_ms));
        let due = self.holding(AHEAD_MS, now_ms).is_none()
            && !rests(self.lease_ms, LEASE_MS)
            && !rests(self.rest_ms, MAX_BACKOFF_MS);
        due.then(|| Self {
            lease_ms: now_ms.saturating_add(LEASE_MS),
            ..self.clone()
        })
    }

    /// True where the fetch that `claimed` began is still the one under way.
    pub const fn is_leased_as(&self, claimed: &Self) -> bool {
        self.lease_ms == claimed.lease_ms
    }

    /// The record once a token was fetched.
    #[must_use]
    pub const fn fetched(token: AccessToken, now_ms: u64) -> Self {
        Self {
            token: Some(token),
            lease_ms: 0,
            rest_ms: now_ms.saturating_add(PAUSE_MS),
            failures: 0,
        }
    }

    /// The record once a fetch failed. The old token stays for as long as it holds.
    #[must_use]
    pub fn failed(mut self, now_ms: u64) -> Self {
        let backoff_ms = BACKOFF_MS.checked_shl(self.failures).unwrap_or(MAX_BACKOFF_MS);
        self.rest_ms = now_ms.saturating_add(backoff_ms.clamp(BACKOFF_MS, MAX_BACKOFF_MS));
        self.lease_ms = 0;
        self.failures = self.failures.saturating_add(1).min(16);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test;

    const NOW: u64 = 1_790_000_000_000;

    fn token(seconds: u64) -> AccessToken {
        AccessToken {
            secret: Secret("ya29.a".to_owned()),
            expires_ms: NOW + seconds * 1_000,
        }
    }

    #[test]
    fn one_worker_at_a_time_fetches() {
        let claimed = TokenRecord::default().claim(NOW).unwrap();
        assert_eq!(claimed.claim(NOW), None);
        assert_eq!(claimed.claim(NOW + LEASE_MS - 1), None);
        assert!(claimed.claim(NOW + LEASE_MS).is_some(), "a lease lapses");
        assert_eq!(claimed.standing(0, NOW), TokenState::Coming);
    }

    #[test]
    fn a_token_is_replaced_ahead_of_its_end() {
        let record = TokenRecord::fetched(token(3_600), NOW);
        let end = NOW + 3_600_000;
        assert_eq!(record.claim(end - AHEAD_MS - 1), None);
        let claimed = record.claim(end - AHEAD_MS).unwrap();
        assert!(matches!(claimed.standing(0, end - 1), TokenState::Ready(_)));
        assert_eq!(claimed.standing(60_000, end - 60_000), TokenState::Coming);
        assert_eq!(claimed.standing(0, end), TokenState::Coming);
    }

    #[test]
    fn a_token_that_comes_with_little_time_left_is_not_asked_for_all_the_time() {
        let record = TokenRecord::fetched(token(60), NOW);
        assert_eq!(record.claim(NOW + PAUSE_MS - 1), None);
        assert!(record.claim(NOW + PAUSE_MS).is_some());
    }

    #[test]
    fn failures_are_made_rarer_and_keep_the_old_token() {
        let mut record = TokenRecord::fetched(token(200), NOW);
        for (rest, since) in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
            .into_iter()
            .zip(1..)
        {
            record = record.failed(NOW);
            assert_eq!(record.claim(NOW + rest - 1), None, "{since}");
            assert!(record.claim(NOW + rest).is_some(), "{since}");
        }
        assert!(matches!(record.standing(0, NOW), TokenState::Ready(_)));
        assert_eq!(
            TokenRecord::default().failed(NOW).standing(0, NOW),
            TokenState::Missing
        );
        assert_eq!(
            TokenRecord::default().failed(NOW).standing(0, NOW + 1_000),
            TokenState::Coming
        );
    }

    #[test]
    fn records_survive_shared_data_and_garbage_is_none() {
        for record in [
            TokenRecord::default(),
            TokenRecord::default().claim(NOW).unwrap(),
            TokenRecord::fetched(token(9), NOW),
            TokenRecord::fetched(token(9), NOW).failed(NOW).failed(NOW),
        ] {
            assert_eq!(TokenRecord::from_bytes(&record.to_bytes()), record);
        }
        for bytes in [&b""[..], b"x", &[0xff; 64], &[1; 12]] {
            assert_eq!(TokenRecord::from_bytes(bytes), TokenRecord::default());
        }
    }

    #[test]
    fn a_clock_that_was_wrong_stops_nothing() {
        let record = TokenRecord::default().claim(NOW + 1_000_000_000).unwrap();
        assert!(record.claim(NOW).is_some());
        assert!(
            TokenRecord::default()
                .failed(NOW + 1_000_000_000)
                .claim(NOW)
                .is_some()
        );
        let record = TokenRecord::fetched(token(1_000_000), NOW + 1_000_000_000);
        assert!(record.claim(NOW).is_some());
        assert_eq!(record.standing(0, NOW), TokenState::Coming);
    }
}
