//! What an exchange asks of its key's budget, computed from what will be sent: before it has used anything.

use super::prompt::names;
use super::{Exchange, parties};
use crate::chat::{Operation, Request, Usage};
use crate::config::{Endpoint, Provider, Unbounded};
use crate::error::{Error, Kind};
use crate::meter::budget::{Ask, Demand, LEAST_LIMIT};
use crate::meter::{self, Ceiling, PicoUsd};
use crate::route::Candidate;

/// What stands in the place of limits that no caller set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clamp {
    /// The limit that the budget covers.
    limit: u64,
    /// The most tokens of the prompt.
    prompt: u64,
}

/// What is the same for all endpoints.
struct Sizes {
    ceiling: Ceiling,
    prompts: u64,
    completions: u64,
    /// Text that the caller expects: what a model does not take over of it is billed as if it had been written.
    predicted: u64,
    /// The answer may hold images or sound.
    draws: bool,
    /// The time at which the last attempt may begin.
    last_ms: u64,
}

impl Exchange {
    /// The name of the caller's key.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// What the configuration has beside that name, for the receipt.
    pub(super) fn key_metadata(&self) -> Vec<(String, String)> {
        let key = self.key().and_then(|name| self.config.key_named(name));
        key.map(|key| key.metadata.clone()).unwrap_or_default()
    }

    /// What a key with a limit on tokens holds of it: the prompt, by estimate, and a completion as long as the caller
    /// allows, or a usual one. All of it is put right at the end.
    fn tokens(&self) -> Demand {
        let estimate = |request| meter::sketch_prompt(request, &self.serving()).0;
        let prompt = self.request.as_ref().map_or(0, estimate);
        let completion = match self.client.operation() {
            Operation::Embeddings => 0,
            Operation::Chat | Operation::Completions => {
                let usual = self.config.billing.usual_completion;
                let usual = usual.saturating_mul(self.envelope.completions);
                self.envelope.max_tokens.unwrap_or(usual)
            }
        };
        Demand {
            tokens: prompt.saturating_add(completion),
            completion,
            ..Demand::default()
        }
    }

    /// What the exchange asks for: tokens where `counts`, and money where `pays`, at the dearest endpoint of the plan, as any
    /// of them may serve.
    ///
    /// # Errors
    /// When no bound is known of what it may cost, and the configuration does not allow that.
    pub fn ask(&mut self, counts: bool, pays: bool, now_ms: u64) -> Result<Ask, Error> {
        let known = if counts { self.tokens() } else { Demand::default() };
        let request = if pays { self.request.take() } else { None };
        let Some(mut request) = request else {
            return Ok(Ask { known, open: None });
        };
        let asked = self.ask_money(&mut request, known, now_ms);
        self.request = Some(request);
        asked
    }

    fn ask_money(&mut self, request: &mut Request, tokens: Demand, now_ms: u64) -> Result<Ask, Error> {
        let models = self.plan.iter().map(|candidate| names(&self.config, *candidate));
        let sizes = Sizes {
            ceiling: meter::prompt_ceiling(request, models),
            prompts: self.envelope.prompts,
            completions: match request.operation() {
                Operation::Embeddings => 0,
                Operation::Chat | Operation::Completions => self.envelope.completions,
            },
            predicted: request.raw("prediction").map_or(0, meter::text_ceiling),
            draws: ["modalities", "audio", "image_config"]
                .iter()
                .any(|name| request.has(name)),
            last_ms: now_ms.saturating_add(self.longest_life_ms()),
        };
        self.prompt_ceiling = sizes.ceiling.tokens;
        self.drop_unbounded(sizes.ceiling.unbounded)?;
        let mut ask = Ask {
            known: tokens,
            open: None,
        };
        for candidate in &self.plan {
            self.add(&mut ask, *candidate, request, &sizes, now_ms)?;
        }
        Ok(ask)
    }

    /// Adds what an endpoint may charge.
    fn add(
        &self,
        ask: &mut Ask,
        candidate: Candidate,
        request: &mut Request,
        sizes: &Sizes,
        now_ms: u64,
    ) -> Result<(), Error> {
        let Some((endpoint, provider)) = self.parties(candidate) else {
            return Ok(());
        };
        let mode = self.config.budgets.unbounded;
        let prompt = prompt(mode, sizes, endpoint);
        let is_open = mode == Unbounded::Clamp && self.envelope.max_tokens.is_none() && sizes.completions > 0;
        let limit = match (self.sent_limit(candidate, request), mode) {
            _ if sizes.completions == 0 => 0,
            (Some(limit), _) => limit,
            (None, Unbounded::Clamp) => longest(endpoint, provider, sizes.ceiling.tokens),
            (None, Unbounded::Reserve) => self.config.billing.usual_completion,
            (None, Unbounded::Refuse) => return Err(refused("max_tokens: missing")),
        };
        let completion = limit
            .saturating_add(sizes.predicted)
            .saturating_mul(sizes.completions);
        let fee = self.fee(endpoint, provider);
        let charged = |amount| match fee {
            Some(fee) => fee.of(amount),
            None => amount,
        };
        for price in [now_ms, sizes.last_ms]
            .iter()
            .filter_map(|at| endpoint.price_at(*at))
        {
            let draws = sizes.draws || draws(endpoint);
            let rates = price.dearest(prompt, sizes.ceiling.caches, sizes.ceiling.has_media, draws);
            let usage = Usage {
                prompt,
                completion: if is_open { sizes.predicted } else { completion },
                ..Usage::default()
            };
            let cost = rates.cost(&usage);
            let (total, of_completion) = (charged(cost.total()), charged(cost.completion));
            if !is_open {
                if total > ask.known.cost {
                    ask.known.cost = total;
                    ask.known.completion_cost = of_completion;
                    ask.known.completion = completion;
                }
                continue;
            }
            let open = ask.open.get_or_insert_default();
            open.completions = sizes.completions;
            open.usual = self.config.billing.usual_completion;
            open.base = open.base.max(total);
            open.most = open.most.max(limit);
            // Rounded up: a fee of a token may be less than a pico-dollar.
            let rate =
                charged(rates.completion.times(sizes.completions)).plus(PicoUsd(u64::from(fee.is_some())));
            open.rate = open.rate.max(rate);
        }
        Ok(())
    }

    /// The limit that goes to a candidate, if one does.
    pub(super) fn sent_limit(&self, candidate: Candidate, request: &mut Request) -> Option<u64> {
        let (endpoint, provider) = self.parties(candidate)?;
        let dialect = endpoint.dialect_for(request.operation())?;
        let target = provider.target(endpoint, self.envelope.stream);
        // What cannot be read has been refused.
        let limit = candidate
            .variant
            .of(request, |request| dialect.limit(request, &target));
        limit.ok().flatten()
    }

    /// The limit of ours that goes to a candidate, where the caller has set none.
    pub(super) fn own_limit(&self, candidate: Candidate, request: &mut Request) -> Option<u64> {
        let clamp = self.clamp?;
        let (endpoint, provider) = self.parties(candidate)?;
        let usual = self.sent_limit(candidate, request);
        let most = usual.unwrap_or_else(|| longest(endpoint, provider, clamp.prompt));
        Some(clamp.limit.min(most))
    }

    /// From now on this limit stands in the place of those that the caller did not set.
    pub fn clamp(&mut self, limit: Option<u64>) {
        let Some(limit) = limit else { return };
        self.clamp = Some(Clamp {
            limit,
            prompt: self.prompt_ceiling,
        });
        // It was written without.
        self.encoded = None;
    }

    /// Takes the endpoints out of the plan at which nothing bounds what the exchange may cost: those without a known price,
    /// and where the tokens of `what` have no bound those without a known context.
    fn drop_unbounded(&mut self, what: Option<&'static str>) -> Result<(), Error> {
        let lacks = |endpoint: &Endpoint| match (&endpoint.price, what, endpoint.facts.context_length) {
            (None, _, _) => Some("has no price in the configuration"),
            (Some(_), Some(_), None) => Some("has no context_length in the configuration"),
            (Some(_), ..) => None,
        };
        match (self.config.budgets.unbounded, what) {
            (Unbounded::Reserve, _) => return Ok(()),
            (Unbounded::Refuse, Some(what)) => {
                return Err(refused(&format!("nothing bounds the tokens of {what}")));
            }
            (Unbounded::Refuse, None) | (Unbounded::Clamp, _) => {}
        }
        let config = std::rc::Rc::clone(&self.config);
        let first = self.plan.first().copied();
        let mut lack = None;
        for candidate in std::mem::take(&mut self.plan) {
            let Some((endpoint, _)) = parties(&config, candidate) else {
                continue;
            };
            match lacks(endpoint) {
                None => self.plan.push(candidate),
                Some(detail) => {
                    lack = lack.or(Some(detail));
                    self.routing.is_unbounded(candidate, detail);
                }
            }
        }
        if let (true, Some(lack)) = (self.plan.is_empty(), lack) {
            return Err(Error::new(
                Kind::PaymentRequired,
                format!("this key has a budget, which covers no endpoint of the model: it {lack}"),
            ));
        }
        if self.plan.first().copied() != first {
            // It was made for the candidate that stood first.
            self.encoded = None;
        }
        if lack.is_some() {
            self.renew_longest_deadline();
        }
        Ok(())
    }
}

/// The most tokens of the prompt at an endpoint.
fn prompt(mode: Unbounded, sizes: &Sizes, endpoint: &Endpoint) -> u64 {
    let known = sizes.ceiling.tokens;
    let context = endpoint.facts.context_length.unwrap_or_default();
    match sizes.ceiling.unbounded {
        Some(_) if mode == Unbounded::Clamp => known.max(context.saturating_mul(sizes.prompts)),
        _ => known,
    }
}

fn refused(what: &str) -> Error {
    Error::invalid(format!(
        "{what}: this key has a budget, which covers only what is bounded"
    ))
}

/// The longest completion that an endpoint writes after a prompt of so many tokens, as far as is known.
fn longest(endpoint: &Endpoint, provider: &Provider, prompt: u64) -> u64 {
    let facts = &endpoint.facts;
    let most = facts.max_completion_tokens.unwrap_or(provider.default_max_tokens);
    // Providers refuse a limit that has no room beside the prompt. Ours of that is above the truth.
    let room = facts
        .context_length
        .map_or(most, |context| context.saturating_sub(prompt).max(context / 8));
    most.min(room).max(LEAST_LIMIT)
}

/// Whether an endpoint's answers may hold more than text.
fn draws(endpoint: &Endpoint) -> bool {
    let output = endpoint.facts.output_modalities;
    output.contains("image") || output.contains("audio")
}
