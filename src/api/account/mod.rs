//! The caller's own usage: `/v1/key`, `/v1/credits`, `/v1/generation` and `/v1/activity`.
//!
//! Paths and shapes are OpenRouter's (<https://openrouter.ai/docs/api-reference/api-keys/get-current-key> and beside it).
//! Amounts are exact decimal numbers of USD. Records come as arguments: [`generation`] and [`activity`] define
//! their layout.

pub mod activity;
pub mod generation;

use super::data::Data;
use super::parameters::only;
use crate::config::ClientKey;
use crate::error::Error;
use crate::json;
use crate::meter::budget::{Allowance, Record, SPANS, Span};
use crate::meter::{PicoUsd, Usd};
use crate::time::rfc3339;
use serde::Serialize;

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// How much the key may use, and has used.
    Key,
    /// The same in two numbers.
    Credits,
    /// One exchange, by its id.
    Generation(String),
    /// What was used in the last days, or on one day since 1970.
    Activity(Option<u64>),
}

impl Question {
    /// Reads the path and the query of a `GET`; `None` for a path that is not one of these.
    pub fn read(path: &str, query: &str) -> Option<Result<Self, Error>> {
        Some(match path {
            "/v1/key" | "/v1/auth/key" => only(query, None).map(|_| Self::Key),
            "/v1/credits" => only(query, None).map(|_| Self::Credits),
            "/v1/generation" => match only(query, Some("id")) {
                Ok(Some(id)) => Ok(Self::Generation(id.to_owned())),
                Ok(None) => Err(Error::invalid("id: missing; name the generation")),
                Err(error) => Err(error),
            },
            "/v1/activity" => only(query, Some("date")).and_then(|date| {
                let Some(date) = date else {
                    return Ok(Self::Activity(None));
                };
                let day = crate::time::Date::parse(date)
                    .ok_or_else(|| Error::invalid("date: expected a date such as 2027-01-31"))?;
                Ok(Self::Activity(Some(day.days())))
            }),
            _ => return None,
        })
    }
}

/// A key, and what it has used.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// The caller's name.
    pub name: &'a str,
    /// Its configuration, where it has any.
    pub key: Option<&'a ClientKey>,
    /// What it has used.
    pub record: &'a Record,
    /// What it has used that no worker has written yet is not in there; nor is the time.
    pub now_ms: u64,
}

#[derive(Serialize)]
struct KeyBody<'a> {
    label: &'a str,
    limit: Option<Usd>,
    limit_remaining: Option<Usd>,
    limit_reset: Option<&'static str>,
    include_byok_in_limit: bool,
    usage: Usd,
    usage_daily: Usd,
    usage_weekly: Usd,
    usage_monthly: Usd,
    byok_usage: Usd,
    byok_usage_daily: Usd,
    byok_usage_weekly: Usd,
    byok_usage_monthly: Usd,
    is_free_tier: bool,
    is_management_key: bool,
    is_provisioning_key: bool,
    expires_at: Option<String>,
    creator_user_id: Option<&'static str>,
    rate_limit: RateLimit,
    requests_per_minute: Option<Minute>,
    tokens_per_minute: Option<Minute>,
    budgets: Vec<Budget>,
}

/// OpenRouter has only this left of it.
#[derive(Serialize)]
struct RateLimit {
    requests: i8,
    interval: &'static str,
}

#[derive(Serialize)]
struct Minute {
    limit: u64,
    remaining: u64,
}

#[derive(Serialize)]
struct Budget {
    span: &'static str,
    limit: Usd,
    usage: Usd,
    held: Usd,
    remaining: Usd,
    resets_at: String,
}

#[derive(Serialize)]
struct Credits {
    total_credits: Option<Usd>,
    total_usage: Usd,
    /// Ours: what was paid beside these, since this Envoy started.
    byok_usage: Usd,
}

impl Account<'_> {
    fn allowance(&self) -> Allowance {
        self.key.map(|key| key.allowance).unwrap_or_default()
    }

    fn spent(&self, span: Span) -> PicoUsd {
        self.record.spent(span, self.now_ms)
    }

    fn budgets(&self) -> Vec<(Span, Budget)> {
        let held = self.record.held(self.now_ms);
        let allowance = self.allowance();
        let budget = |(span, name): (Span, &'static str)| {
            let limit = allowance.budget(span)?;
            let used = self.spent(span);
            let taken = used.plus(held);
            let budget = Budget {
                span: name,
                limit: Usd(limit),
                usage: Usd(used),
                held: Usd(held),
                remaining: Usd(PicoUsd(limit.0.saturating_sub(taken.0))),
                resets_at: rfc3339(span.end_ms(self.now_ms)),
            };
            Some((span, budget))
        };
        SPANS.into_iter().filter_map(budget).collect()
    }

    /// The answer to `GET /v1/key`. Of several budgets `limit` is the one that has the least left.
    pub fn key(&self) -> Vec<u8> {
        let budgets = self.budgets();
        let tightest = budgets.iter().min_by_key(|(_, budget)| budget.remaining.0);
        let allowance = self.allowance();
        let (requests, tokens) = self.record.of_minute(self.now_ms);
        let minute = |limit: Option<u64>, used: u64| {
            limit.map(|limit| Minute {
                limit,
                remaining: limit.saturating_sub(used),
            })
        };
        let [daily, weekly, monthly] = SPANS.map(|(span, _)| Usd(self.spent(span)));
        let [byok_daily, byok_weekly, byok_monthly] =
            SPANS.map(|(span, _)| Usd(self.record.byok(span, self.now_ms)));
        let data = KeyBody {
            label: self.name,
            limit: tightest.map(|(_, budget)| budget.limit),
            limit_remaining: tightest.map(|(_, budget)| budget.remaining),
            limit_reset: tightest.map(|(span, _)| match span {
                Span::Day => "daily",
                Span::Week => "weekly",
                Span::Month => "monthly",
            }),
            include_byok_in_limit: false,
            usage: Usd(self.record.total()),
            usage_daily: daily,
            usage_weekly: weekly,
            usage_monthly: monthly,
            byok_usage: Usd(self.record.byok_total()),
            byok_usage_daily: byok_daily,
            byok_usage_weekly: byok_weekly,
            byok_usage_monthly: byok_monthly,
            is_free_tier: false,
            is_management_key: false,
            is_provisioning_key: false,
            expires_at: self.key.and_then(|key| key.expires_ms).map(rfc3339),
            creator_user_id: None,
            rate_limit: RateLimit {
                requests: -1,
                interval: "10s",
            },
            requests_per_minute: minute(allowance.requests_per_minute, requests),
            tokens_per_minute: minute(allowance.tokens_per_minute, tokens),
            budgets: budgets.into_iter().map(|(_, budget)| budget).collect(),
        };
        json::to_vec(&Data { data })
    }

    /// The answer to `GET /v1/credits`: the longest budget, and what was used of it; or all that was used at all.
    pub fn credits(&self) -> Vec<u8> {
        let (total_credits, total_usage) = match self.allowance().longest() {
            Some((span, budget)) => (Some(Usd(budget)), self.spent(span)),
            None => (None, self.record.total()),
        };
        let data = Credits {
            total_credits,
            total_usage: Usd(total_usage),
            byok_usage: Usd(self.record.byok_total()),
        };
        json::to_vec(&Data { data })
    }
}

#[cfg(test)]
mod tests;
