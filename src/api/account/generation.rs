//! One exchange of the recent ones: a ring of places in shared data.
//!
//! The place is in the id, so that it is found by one look. Places are given out in blocks, in order, to whichever worker
//! asks; so an exchange stays readable until about [`PLACES`] newer ones have begun.

use crate::api::data::Data;
use crate::json;
use crate::meter::{Outcome, Receipt, Usd};
use crate::time::rfc3339;
use serde::Serialize;

/// How many exchanges are kept. They are three hexadecimal digits of the id.
pub const PLACES: u64 = 1 << 12;
/// How many places a worker takes at once.
pub const BLOCK: u64 = 16;
/// The version of an entry's layout.
const VERSION: u8 = 2;

/// An id that nobody can guess, with a place in it.
pub fn id(now_ms: u64, random: u64, place: u64) -> String {
    format!("gen-{now_ms:012x}{:013x}{:03x}", random >> 12, place % PLACES)
}

/// The place in an id of ours.
pub fn place(id: &str) -> Option<u64> {
    let digits = id.strip_prefix("gen-").filter(|rest| rest.len() == 28)?;
    u64::from_str_radix(digits.get(25..)?, 16).ok()
}

/// What lies at a place: of which key and exchange it is, and the answer to `GET /v1/generation`.
pub fn entry(receipt: &Receipt) -> Vec<u8> {
    let mut bytes = owner(receipt.key.as_deref().unwrap_or_default(), &receipt.id);
    bytes.extend(json::to_vec(&Data {
        data: Body::of(receipt),
    }));
    bytes
}

/// The answer in an entry, if it is that of this id and of this key.
pub fn answer(entry: &[u8], key: &str, id: &str) -> Option<Vec<u8>> {
    entry.strip_prefix(&*owner(key, id)).map(<[u8]>::to_vec)
}

/// The beginning of an entry: the version of its layout, and both names, each with its length before it.
fn owner(key: &str, id: &str) -> Vec<u8> {
    let mut owner = vec![VERSION];
    for name in [key, id] {
        owner.extend_from_slice(&(name.len() as u64).to_le_bytes());
        owner.extend_from_slice(name.as_bytes());
    }
    owner
}

#[derive(Serialize)]
struct Body<'a> {
    id: &'a str,
    upstream_id: Option<&'a str>,
    model: &'a str,
    provider_name: Option<&'a str>,
    created_at: String,
    streamed: bool,
    cancelled: bool,
    is_byok: bool,
    api_type: &'static str,
    origin: &'static str,
    router: Option<&'static str>,
    external_user: Option<&'a str>,
    total_cost: Usd,
    usage: Usd,
    upstream_inference_cost: Option<Usd>,
    cache_discount: Option<Usd>,
    latency: Option<u64>,
    moderation_latency: Option<u64>,
    generation_time: u64,
    finish_reason: Option<&'static str>,
    native_finish_reason: Option<&'a str>,
    tokens_prompt: Option<u64>,
    tokens_completion: Option<u64>,
    native_tokens_prompt: Option<u64>,
    native_tokens_completion: Option<u64>,
    native_tokens_reasoning: Option<u64>,
    native_tokens_cached: Option<u64>,
    provider_responses: Vec<Response<'a>>,
}

#[derive(Serialize)]
struct Response<'a> {
    provider_name: &'a str,
    endpoint_id: Option<&'a str>,
    status: Option<u16>,
    latency: u64,
    is_byok: bool,
}

impl<'a> Body<'a> {
    fn of(receipt: &'a Receipt) -> Self {
        let usage = receipt.bill.map(|bill| bill.usage);
        let first_token = receipt.first_token_ms.unwrap_or(0);
        Self {
            id: &receipt.id,
            upstream_id: None,
            model: receipt.served_model.as_deref().unwrap_or(&receipt.model),
            provider_name: receipt.provider.as_deref(),
            created_at: rfc3339(receipt.started_ms),
            streamed: receipt.stream,
            cancelled: receipt.outcome == Outcome::Cancelled,
            is_byok: receipt.is_byok,
            // OpenRouter's word for chats, too.
            api_type: match receipt.operation {
                crate::chat::Operation::Embeddings => "embeddings",
                crate::chat::Operation::Chat | crate::chat::Operation::Completions => "completions",
            },
            origin: "",
            router: None,
            external_user: None,
            total_cost: Usd(receipt.cost),
            usage: Usd(receipt.cost),
            upstream_inference_cost: receipt.byok_cost.map(Usd),
            cache_discount: None,
            latency: receipt.first_token_ms,
            moderation_latency: None,
            generation_time: receipt.duration_ms.saturating_sub(first_token),
            finish_reason: receipt.finish.as_ref().map(|(finish, _)| *finish),
            native_finish_reason: receipt.finish.as_ref().and_then(|(_, native)| native.as_deref()),
            tokens_prompt: usage.map(|usage| usage.prompt),
            tokens_completion: usage.map(|usage| usage.completion),
            native_tokens_prompt: usage.map(|usage| usage.prompt),
            native_tokens_completion: usage.map(|usage| usage.completion),
            native_tokens_reasoning: usage.map(|usage| usage.reasoning),
            native_tokens_cached: usage.map(|usage| usage.cache_read),
            provider_responses: receipt
                .attempts
                .iter()
                .map(|line| Response {
                    provider_name: &line.provider,
                    endpoint_id: None,
                    status: line.status,
                    latency: line.first_token_ms.unwrap_or(line.duration_ms),
                    is_byok: line.is_byok,
                })
                .collect(),
        }
    }
}
