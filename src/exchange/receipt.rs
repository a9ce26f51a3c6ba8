//! From an exchange to its receipt.

use super::attempt::Attempt;
use super::{Ending, Exchange};
use crate::chat::Operation;
use crate::meter::{self, AttemptLine, Bill, Cancelled, Outcome, PicoUsd, Receipt, State};

/// The receipt of an exchange that goes on.
pub(super) fn provisional(exchange: &Exchange, now_ms: u64) -> Receipt {
    let mut receipt = build(exchange, now_ms);
    if let Some(attempt) = &exchange.attempt {
        let bill = bill(exchange, attempt, false);
        charge(&mut receipt, attempt, bill);
    }
    receipt
}

/// The last word on an exchange.
pub(super) fn settle(exchange: &mut Exchange, ending: Ending, now_ms: u64) -> Receipt {
    let outcome = exchange.outcome(ending);
    close(exchange, outcome, now_ms);
    let mut receipt = build(exchange, now_ms);
    receipt.state = State::Final;
    receipt.outcome = outcome;
    let served = matches!(outcome, Outcome::Success | Outcome::Cancelled | Outcome::Cut);
    if let Some(attempt) = exchange.attempt.as_ref().filter(|_| served) {
        let bill = match outcome {
            Outcome::Cancelled => cancelled(exchange, attempt),
            _ => bill(exchange, attempt, outcome == Outcome::Success),
        };
        charge(&mut receipt, attempt, bill);
        let insures = |bill| is_insured(exchange, attempt, outcome, bill);
        if receipt.bill.as_ref().is_some_and(insures) {
            receipt.insured = Some(std::mem::take(&mut receipt.cost));
        }
    }
    let waited = exchange.attempt.as_ref().is_some_and(Attempt::is_waited_for);
    let said = exchange.attempt.as_ref().is_some_and(Attempt::has_spoken);
    receipt.status = match &exchange.refusal {
        Some(error) => Some(error.status()),
        None => (said && (outcome != Outcome::Error || waited)).then_some(200),
    };
    receipt.error_type = match (&exchange.refusal, outcome) {
        (Some(error), _) => Some(error.kind.facts().error_type),
        (None, Outcome::Cut | Outcome::Error) => {
            exchange.attempt.as_ref().and_then(|attempt| attempt.error_type)
        }
        (None, _) => None,
    };
    if matches!(outcome, Outcome::Cancelled | Outcome::Cut) {
        receipt.on_cancel = exchange
            .attempt_provider()
            .map(|provider| provider.on_cancel.name());
    }
    receipt
}

/// Closes the attempt that the end of the exchange found open.
fn close(exchange: &mut Exchange, outcome: Outcome, now_ms: u64) {
    let Some(attempt) = &mut exchange.attempt else {
        return;
    };
    match outcome {
        Outcome::Cancelled if !attempt.has_ended() => {
            let trial = attempt.candidate.reason == crate::route::TRIAL;
            attempt.end(None, now_ms);
            attempt.outcome = Outcome::Cancelled;
            if trial {
                exchange.sample(crate::error::Fault::Nobody, None);
            }
        }
        Outcome::Cut | Outcome::Error if !attempt.has_ended() => {
            exchange.unanswered(now_ms);
            return;
        }
        _ => {}
    }
    let open = exchange
        .attempt
        .as_ref()
        .filter(|attempt| matches!(attempt.outcome, Outcome::Success | Outcome::Cancelled));
    if let Some(line) = open.and_then(|attempt| line(exchange, attempt, now_ms)) {
        exchange.lines.push(line);
    }
}

fn build(exchange: &Exchange, now_ms: u64) -> Receipt {
    let attempt = exchange.attempt.as_ref();
    let speaking = attempt.filter(|attempt| attempt.has_spoken() && attempt.outcome != Outcome::Error);
    let served = speaking.and_then(|attempt| exchange.config.models.get(attempt.candidate.model));
    let (considered, untried, passed_over) = exchange.places();
    Receipt {
        state: State::Open,
        id: exchange.id.clone(),
        key: exchange.key.clone(),
        key_metadata: exchange.key_metadata(),
        operation: exchange.client.operation(),
        model: exchange.envelope.models.first().cloned().unwrap_or_default(),
        served_model: served.map(|model| model.name.clone()),
        provider: speaking
            .and_then(|_| exchange.attempt_provider())
            .map(|provider| provider.id.clone()),
        stream: exchange.envelope.stream,
        outcome: Outcome::Open,
        status: None,
        error_type: None,
        finish: speaking
            .and_then(|attempt| attempt.finish.as_ref())
            .map(|(finish, native)| (finish.name(), native.clone())),
        bill: None,
        cost: PicoUsd::default(),
        upstream_cost: exchange
            .lines
            .iter()
            .filter_map(|line| line.wasted?.1)
            .fold(PicoUsd::default(), PicoUsd::plus),
        is_byok: speaking.is_some_and(|attempt| attempt.rate.byok.is_some()),
        byok_cost: None,
        unpriced: false,
        insured: None,
        on_cancel: None,
        started_ms: exchange.started_ms,
        first_token_ms: speaking.and_then(|attempt| {
            Some(
                attempt
                    .started_ms
                    .saturating_sub(exchange.started_ms)
                    .saturating_add(attempt.first_token_ms?),
            )
        }),
        duration_ms: now_ms.saturating_sub(exchange.started_ms),
        strategy: exchange.strategy(),
        considered,
        attempts: exchange.lines.clone(),
        untried,
        passed_over,
    }
}

/// One attempt's line.
pub(super) fn line(exchange: &Exchange, attempt: &Attempt, now_ms: u64) -> Option<AttemptLine> {
    let (endpoint, provider) = exchange.parties(attempt.candidate)?;
    Some(AttemptLine {
        provider: provider.id.clone(),
        model: endpoint.model.clone(),
        outcome: attempt.outcome,
        error_type: attempt.error_type,
        provider_code: attempt.provider_code.clone(),
        status: attempt.status,
        reason: attempt.candidate.reason,
        first_token_ms: attempt.first_token_ms,
        duration_ms: attempt
            .ended_ms
            .unwrap_or(now_ms)
            .saturating_sub(attempt.started_ms),
        wasted: wasted(exchange, attempt),
        is_byok: attempt.rate.byok.is_some(),
        listed: attempt.candidate.model,
        health_key: exchange.client.operation().health_key(endpoint.health_key),
    })
}

/// What an attempt used; `None` when it delivered nothing and reported nothing.
fn bill(exchange: &Exchange, attempt: &Attempt, complete: bool) -> Option<Bill> {
    if !complete && attempt.tally.reported().is_none() && attempt.tally.delivered() == 0 {
        return None;
    }
    Some(attempt.tally.bill(complete, || exchange.prompt_tokens()))
}

/// Whether the client does not pay for the tokens.
fn is_insured(exchange: &Exchange, attempt: &Attempt, outcome: Outcome, bill: &Bill) -> bool {
    match outcome {
        // Vectors are no tokens, and have no reason to end.
        Outcome::Success if exchange.client.operation() == Operation::Embeddings => false,
        Outcome::Success => {
            let finish = attempt.finish.as_ref();
            let finish = finish.map(|(reason, native)| (*reason, native.as_deref()));
            meter::is_insured(finish, &bill.usage)
        }
        // The client has read `finish_reason: "error"`.
        Outcome::Cut => attempt.has_told_error(),
        Outcome::Open | Outcome::Error | Outcome::Cancelled | Outcome::Refused => false,
    }
}

/// What an attempt used whose client has left.
fn cancelled(exchange: &Exchange, attempt: &Attempt) -> Option<Bill> {
    let (endpoint, provider) = exchange.parties(attempt.candidate)?;
    let rules = exchange.config.billing;
    let cancelled = Cancelled {
        policy: provider.on_cancel,
        stream: attempt.stream,
        limit: exchange.envelope.max_tokens,
        longest: endpoint
            .facts
            .max_completion_tokens
            .into_iter()
            .chain(attempt.limit)
            .min(),
    };
    if !cancelled.bills_all(rules) {
        return bill(exchange, attempt, false);
    }
    let mut bill = attempt.tally.bill(false, || exchange.prompt_tokens());
    if exchange.client.operation().streams() {
        cancelled.complete(&mut bill, rules);
    }
    Some(bill)
}

/// Puts what the current attempt used into the receipt, and what it costs.
fn charge(receipt: &mut Receipt, attempt: &Attempt, bill: Option<Bill>) {
    let Some(bill) = bill else { return };
    receipt.bill = Some(bill);
    let Some(charge) = attempt.rate.charge(&bill.usage) else {
        receipt.unpriced = true;
        return;
    };
    receipt.cost = charge.cost;
    receipt.byok_cost = charge.is_byok.then(|| charge.upstream.total());
    receipt.upstream_cost = receipt.upstream_cost.plus(charge.ours());
}

/// What a failed attempt's provider charges all the same: as far as it has said or delivered anything, or as for a client
/// that leaves where the attempt was given up. What had begun to go out is the receipt's own. No amount where the price is
/// not known.
fn wasted(exchange: &Exchange, attempt: &Attempt) -> Option<(Bill, Option<PicoUsd>)> {
    let failed = attempt.outcome == Outcome::Error;
    let bill = if attempt.was_given_up() {
        cancelled(exchange, attempt)
    } else {
        bill(exchange, attempt, false)
    };
    let bill = bill.filter(|_| failed)?;
    let charge = attempt.rate.charge(&bill.usage);
    Some((bill, charge.map(|charge| charge.ours())))
}
