//! `usage`: OpenAI's counts, and beside them what they are charged, in OpenRouter's members.
//!
//! <https://openrouter.ai/docs/use-cases/usage-accounting>

use crate::chat::Usage;
use crate::json::{self, Members, Str};
use crate::meter::{Charge, PicoUsd, Rate, Usd};
use serde::Serialize;
use serde_json::value::RawValue;
use std::num::NonZeroU64;

/// The members that say what is charged: a provider's own of these names are its bill to somebody else.
const CHARGED: [&str; 3] = ["cost", "is_byok", "cost_details"];

#[derive(Serialize)]
pub(super) struct UsageBody {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    cost: Option<Usd>,
    is_byok: bool,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
    cost_details: Option<CostDetails>,
}

/// What the provider charges. `upstream_inference_cost` is only there where somebody else than we pay it.
#[derive(Serialize)]
struct CostDetails {
    upstream_inference_cost: Option<Usd>,
    upstream_inference_prompt_cost: Usd,
    upstream_inference_completions_cost: Usd,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_inference_request_cost: Option<Usd>,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_tokens: Option<NonZeroU64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_tokens: Option<NonZeroU64>,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_tokens: Option<NonZeroU64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_tokens: Option<NonZeroU64>,
}

impl UsageBody {
    pub(super) fn new(usage: &Usage, rate: &Rate) -> Self {
        let charge = rate.charge(usage);
        Self {
            prompt_tokens: usage.prompt,
            completion_tokens: usage.completion,
            total_tokens: usage.total(),
            cost: charge.map(|charge| Usd(charge.cost)),
            is_byok: rate.byok.is_some(),
            prompt_tokens_details: PromptDetails {
                cached_tokens: usage.cache_read,
                cache_write_tokens: usage.cache_write,
                audio_tokens: NonZeroU64::new(usage.audio_input),
                image_tokens: NonZeroU64::new(usage.image_input),
            },
            completion_tokens_details: CompletionDetails {
                reasoning_tokens: usage.reasoning,
                audio_tokens: NonZeroU64::new(usage.audio_output),
                image_tokens: NonZeroU64::new(usage.image_output),
            },
            cost_details: charge.as_ref().map(CostDetails::from),
        }
    }
}

impl From<&Charge> for CostDetails {
    fn from(charge: &Charge) -> Self {
        let upstream = charge.upstream;
        let request = Some(upstream.request).filter(|cost| *cost != PicoUsd::default());
        Self {
            upstream_inference_cost: charge.is_byok.then(|| Usd(upstream.total())),
            upstream_inference_prompt_cost: Usd(upstream.prompt),
            upstream_inference_completions_cost: Usd(upstream.completion),
            upstream_inference_request_cost: request.map(Usd),
        }
    }
}

/// Writes the members that say what `usage` is charged, each after a comma; `null` where no price is known.
pub(super) fn charge(usage: &Usage, rate: &Rate, out: &mut Vec<u8>) {
    let charge = rate.charge(usage);
    let [cost, is_byok, details] = CHARGED;
    json::member(out, cost, |out| {
        json::write(out, &charge.map(|charge| Usd(charge.cost)))
    });
    json::member(out, is_byok, |out| json::write(out, &rate.byok.is_some()));
    let charged = charge.as_ref().map(CostDetails::from);
    json::member(out, details, |out| json::write(out, &charged));
}

/// The frame `data` of a provider, with what its counts are charged beside them, or with ours in their place; all other
/// bytes stay. `None` where it has no counts.
pub(super) fn priced(data: &[u8], usage: &Usage, rate: &Rate) -> Option<Vec<u8>> {
    let members = Members::of_bytes(data)?;
    let raw = members
        .get("usage")
        .filter(|raw| json::shape(raw) == json::Shape::Object)?;
    let start = (raw.get().as_ptr() as usize).checked_sub(data.as_ptr() as usize)?;
    let end = start.checked_add(raw.get().len())?;
    let mut out = Vec::with_capacity(data.len().saturating_add(256));
    out.extend_from_slice(data.get(..start)?);
    if rate.recounted {
        json::write(&mut out, &UsageBody::new(usage, rate));
        out.extend_from_slice(data.get(end..)?);
        return Some(out);
    }
    let counts = Members::of(raw);
    let is_charged = |(name, _): &(Str<'_>, &RawValue)| CHARGED.contains(&&**name);
    let open = raw.get().strip_suffix('}').unwrap_or_default();
    let (mut own, space) = open.split_at(open.trim_ascii_end().len());
    let mut kept = Vec::new();
    if counts.iter().any(|member| is_charged(&member)) {
        let others = counts.iter().filter(|member| !is_charged(member));
        json::object(&mut kept, others, &mut |out, _, raw| {
            out.extend_from_slice(raw.get().as_bytes());
        });
        kept.pop();
        own = "";
    }
    out.extend_from_slice(own.as_bytes());
    out.append(&mut kept);
    charge(usage, rate, &mut out);
    out.extend_from_slice(space.as_bytes());
    out.push(b'}');
    out.extend_from_slice(data.get(end..)?);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Price;
    use crate::test;

    #[test]
    fn only_what_is_charged_changes_in_a_frame() {
        let rate = Rate {
            price: Some(Price {
                prompt: PicoUsd(2_000_000),
                completion: PicoUsd(8_000_000),
                ..Price::default()
            }),
            byok: None,
            insured: false,
            recounted: false,
        };
        let usage = Usage {
            prompt: 3,
            completion: 1,
            ..Usage::default()
        };
        let ours = concat!(
            r#""cost":0.000014,"is_byok":false,"cost_details":{"upstream_inference_cost":null,"#,
            r#""upstream_inference_prompt_cost":0.000006,"upstream_inference_completions_cost":0.000008}"#,
        );
        for (before, after) in [
            (
                "{ \"a\" : 1.0,\n\"usage\": { \"x\": 1e2\n} , \"b\":[ ] }",
                Some(format!(
                    "{{ \"a\" : 1.0,\n\"usage\": {{ \"x\": 1e2,{ours}\n}} , \"b\":[ ] }}"
                )),
            ),
            (
                r#"{"usage":{"cost":7,"x":{ }}}"#,
                Some(format!(r#"{{"usage":{{"x":{{ }},{ours}}}}}"#)),
            ),
            (r#"{"usage":{ }}"#, Some(format!(r#"{{"usage":{{{ours} }}}}"#))),
            (r#"{"usage":null}"#, None),
            ("[DONE]", None),
        ] {
            let found =
                priced(before.as_bytes(), &usage, &rate).map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(found, after, "{before}");
        }
    }
}
