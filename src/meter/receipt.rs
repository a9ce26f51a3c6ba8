//! The receipt: what one exchange cost and why, as one line of JSON in the access log.
//!
//! It holds names, numbers and outcomes only: no prompt, no completion, no secret, and no message of a provider.

use super::{Bill, PicoUsd, Source};
use crate::chat::{Operation, Usage};
use crate::json;
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of the receipt's layout.
pub const VERSION: u32 = 1;

/// Whether a receipt is the last word on its exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The exchange goes on. If this is what the log shows, the filter died under it.
    Open,
    /// The exchange is over.
    Final,
}

/// How an exchange, or one attempt of it, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on.
    Open,
    /// A complete answer was delivered.
    Success,
    /// It was answered with an error; of an attempt: it failed.
    Error,
    /// The client left before the end.
    Cancelled,
    /// The answer had begun and was cut.
    Cut,
    /// Refused before any attempt.
    Refused,
}

impl Outcome {
    /// The word in receipts and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Success => "success",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Cut => "cut",
            Self::Refused => "refused",
        }
    }
}

/// One attempt in a receipt.
#[derive(Clone, Debug)]
pub struct AttemptLine {
    /// The provider.
    pub provider: String,
    /// The provider's name for the model.
    pub model: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The `error_type` of its failure, if it failed.
    pub error_type: Option<&'static str>,
    /// The provider's own code for it.
    pub provider_code: Option<String>,
    /// The HTTP status that the provider answered with, if it answered.
    pub status: Option<u16>,
    /// Why this endpoint stood at this place of the plan.
    pub reason: &'static str,
    /// From the beginning of the attempt to its first token, in milliseconds.
    pub first_token_ms: Option<u64>,
    /// From the beginning of the attempt to its end, in milliseconds.
    pub duration_ms: u64,
    /// What its provider charges though it failed, if its price is known, and for which tokens; those of the attempt that
    /// served are the receipt's own.
    pub wasted: Option<(Bill, Option<PicoUsd>)>,
    /// Whether the caller pays this provider itself. Not written, nor are the next two: the receipt says it of the one
    /// that served.
    pub is_byok: bool,
    /// The place of the model in the configuration, for statistics, as is the next.
    pub listed: usize,
    /// The key under which the endpoint's health is kept.
    pub health_key: u64,
}

/// An endpoint that was not tried.
#[derive(Clone, Debug, Serialize)]
pub struct PlaceLine {
    /// The provider.
    pub provider: String,
    /// The provider's name for the model.
    pub model: String,
    /// Why it stood where it stood, or why it was not asked.
    pub reason: &'static str,
}

/// What one exchange cost and why.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Whether this is the last word.
    pub state: State,
    /// Our id of the exchange.
    pub id: String,
    /// The name of the client's key.
    pub key: Option<String>,
    /// What the configuration has beside that name.
    pub key_metadata: Vec<(String, String)>,
    /// What was asked for.
    pub operation: Operation,
    /// The model that was asked for.
    pub model: String,
    /// The model that served.
    pub served_model: Option<String>,
    /// The provider that served.
    pub provider: Option<String>,
    /// Whether the caller asked for a stream.
    pub stream: bool,
    /// How the exchange ended.
    pub outcome: Outcome,
    /// The HTTP status that the client saw.
    pub status: Option<u16>,
    /// The `error_type` that the client was told.
    pub error_type: Option<&'static str>,
    /// Why the completion ended, in unified words and in the provider's.
    pub finish: Option<(&'static str, Option<String>)>,
    /// The tokens.
    pub bill: Option<Bill>,
    /// What the caller is charged for them.
    pub cost: PicoUsd,
    /// What our providers charge for the exchange, failed attempts included.
    pub upstream_cost: PicoUsd,
    /// Whether the caller paid the provider itself.
    pub is_byok: bool,
    /// What the provider charges the caller for the tokens, then.
    pub byok_cost: Option<PicoUsd>,
    /// No price of the endpoint that served is known, so that the costs leave it out.
    pub unpriced: bool,
    /// What the caller would have been charged, had the answer been one.
    pub insured: Option<PicoUsd>,
    /// What the provider does to its bill when a client leaves; only of a cancelled or cut exchange.
    pub on_cancel: Option<&'static str>,
    /// When the exchange began, in milliseconds since 1970.
    pub started_ms: u64,
    /// From the beginning of the exchange to its first token, in milliseconds.
    pub first_token_ms: Option<u64>,
    /// How long the exchange took, in milliseconds.
    pub duration_ms: u64,
    /// How the models were chosen.
    pub strategy: &'static str,
    /// How many endpoints the models have that were asked for.
    pub considered: usize,
    /// All attempts, in order.
    pub attempts: Vec<AttemptLine>,
    /// The first of those that would have been tried next.
    pub untried: Vec<PlaceLine>,
    /// The first of those that were not to be asked.
    pub passed_over: Vec<PlaceLine>,
}

impl Receipt {
    /// The receipt as one line of JSON, without a line break.
    pub fn to_json(&self) -> Vec<u8> {
        json::to_vec(&Wire::from(self))
    }
}

/// The receipt of an exchange that has just begun, as one line of JSON. Every exchange has one, and few need it, so it is
/// written member by member.
pub fn begun(
    id: &str,
    operation: Operation,
    key: Option<&str>,
    key_metadata: &[(String, String)],
    started_ms: u64,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(384);
    out.extend_from_slice(br#"{"version":1,"state":"open","id":"#);
    json::write(&mut out, id);
    if operation != Operation::Chat {
        out.extend_from_slice(br#","operation":"#);
        json::write(&mut out, operation.name());
    }
    out.extend_from_slice(br#","outcome":"open""#);
    if let Some(key) = key {
        out.extend_from_slice(br#","key":"#);
        json::write(&mut out, key);
    }
    if !key_metadata.is_empty() {
        let all: BTreeMap<_, _> = key_metadata.iter().map(|(name, value)| (name, value)).collect();
        out.extend_from_slice(br#","key_metadata":"#);
        json::write(&mut out, &all);
    }
    out.extend_from_slice(
        br#","model":"","stream":false,"cost_pico_usd":0,"cost_usd":"0","upstream_cost_pico_usd":0,"started_ms":"#,
    );
    json::write(&mut out, &started_ms);
    out.extend_from_slice(br#","duration_ms":0,"attempts":[]}"#);
    out
}

#[derive(Serialize)]
struct Wire<'a> {
    version: u32,
    state: &'static str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    key_metadata: BTreeMap<&'a str, &'a str>,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    served_model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    native_finish_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Tokens>,
    cost_pico_usd: PicoUsd,
    cost_usd: String,
    upstream_cost_pico_usd: PicoUsd,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_byok: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    byok_cost_pico_usd: Option<PicoUsd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unpriced: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    insured_pico_usd: Option<PicoUsd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_cancel: Option<&'static str>,
    started_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_token_ms: Option<u64>,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    considered: Option<usize>,
    attempts: Vec<WireAttempt<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    untried: &'a [PlaceLine],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    passed_over: &'a [PlaceLine],
}

#[derive(Serialize)]
struct Tokens {
    prompt: u64,
    cache_read: u64,
    cache_write: u64,
    completion: u64,
    reasoning: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered: Option<u64>,
    prompt_source: &'static str,
    completion_source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed: Option<Claimed>,
}

/// A provider's counts that cannot be.
#[derive(Serialize)]
struct Claimed {
    prompt: u64,
    cache_read: u64,
    cache_write: u64,
    completion: u64,
    reasoning: u64,
}

#[derive(Serialize)]
struct WireAttempt<'a> {
    provider: &'a str,
    model: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_token_ms: Option<u64>,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Tokens>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_pico_usd: Option<PicoUsd>,
}

impl From<&Bill> for Tokens {
    fn from(bill: &Bill) -> Self {
        Self {
            prompt: bill.usage.prompt,
            cache_read: bill.usage.cache_read,
            cache_write: bill.usage.cache_write,
            completion: bill.usage.completion,
            reasoning: bill.usage.reasoning,
            // Of what the provider has counted to the end, it tells nothing more.
            delivered: (bill.completion_source != Source::Provider).then_some(bill.delivered),
            prompt_source: bill.prompt_source.name(),
            completion_source: bill.completion_source.name(),
            claimed: bill.claimed.as_ref().map(Claimed::from),
        }
    }
}

impl From<&Usage> for Claimed {
    fn from(usage: &Usage) -> Self {
        Self {
            prompt: usage.prompt,
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            completion: usage.completion,
            reasoning: usage.reasoning,
        }
    }
}

impl<'a> From<&'a Receipt> for Wire<'a> {
    fn from(receipt: &'a Receipt) -> Self {
        Self {
            version: VERSION,
            state: match receipt.state {
                State::Open => "open",
                State::Final => "final",
            },
            id: &receipt.id,
            // Left out for a chat, as nearly every exchange is, and as every one was before there were others.
            operation: (receipt.operation != Operation::Chat).then(|| receipt.operation.name()),
            outcome: receipt.outcome.name(),
            status: receipt.status,
            error_type: receipt.error_type,
            key: receipt.key.as_deref(),
            key_metadata: receipt
                .key_metadata
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            model: &receipt.model,
            served_model: receipt.served_model.as_deref(),
            provider: receipt.provider.as_deref(),
            stream: receipt.stream,
            finish_reason: receipt.finish.as_ref().map(|(reason, _)| *reason),
            native_finish_reason: receipt.finish.as_ref().and_then(|(_, native)| native.as_deref()),
            tokens: receipt.bill.as_ref().map(Tokens::from),
            cost_pico_usd: receipt.cost,
            cost_usd: receipt.cost.to_string(),
            upstream_cost_pico_usd: receipt.upstream_cost,
            is_byok: receipt.is_byok.then_some(true),
            byok_cost_pico_usd: receipt.byok_cost,
            unpriced: receipt.unpriced.then_some(true),
            insured_pico_usd: receipt.insured,
            on_cancel: receipt.on_cancel,
            started_ms: receipt.started_ms,
            first_token_ms: receipt.first_token_ms,
            duration_ms: receipt.duration_ms,
            // Left out where there is nothing to tell: one model, all of whose endpoints were tried.
            strategy: (receipt.strategy != "direct").then_some(receipt.strategy),
            considered: (receipt.considered > receipt.attempts.len()).then_some(receipt.considered),
            attempts: receipt.attempts.iter().map(WireAttempt::from).collect(),
            untried: &receipt.untried,
            passed_over: &receipt.passed_over,
        }
    }
}

impl<'a> From<&'a AttemptLine> for WireAttempt<'a> {
    fn from(line: &'a AttemptLine) -> Self {
        Self {
            provider: &line.provider,
            model: &line.model,
            outcome: line.outcome.name(),
            error_type: line.error_type,
            provider_code: line.provider_code.as_deref(),
            status: line.status,
            reason: line.reason,
            first_token_ms: line.first_token_ms,
            duration_ms: line.duration_ms,
            tokens: line.wasted.as_ref().map(|(bill, _)| Tokens::from(bill)),
            cost_pico_usd: line.wasted.and_then(|(_, cost)| cost),
        }
    }
}
