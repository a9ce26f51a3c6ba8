//! Budgets of keys, in Envoy's shared data: one record a key, for all workers.
//!
//! An exchange of a key with limits is admitted and settled at once, so that no worker is ahead of another; what keys
//! without limits use waits for the tick. A settlement that cannot be written waits for the tick too, and is never lost
//! while this VM lives. Of a stream a tick charges what its receipt says so far, so that a VM that dies leaves nothing
//! unpaid but the last second. An exchange that cannot be admitted because shared data is away is refused, unless the
//! configuration says otherwise.

use super::contract::{COST, KEY, TOKENS};
use super::host::{self, Failed, Level};
use super::identity::Caller;
use super::registry;
use super::slot::Slot;
use super::state::Gateway;
use super::stats;
use super::store::{self, Key, MANY_TRIES, Unchanged};
use crate::config::{Budgets, Config};
use crate::error::{Error, Kind};
use crate::meter::budget::{Advance, Ask, Demand, Hold, Record, SPANS, Used};
use crate::meter::{PicoUsd, Receipt};
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

/// Milliseconds that an exchange may live beyond its deadline.
const SLACK_MS: u64 = 60_000;

thread_local! {
    static WAITING: RefCell<Vec<Waiting>> = const { RefCell::new(Vec::new()) };
}

/// A settlement that is not written yet.
#[derive(Clone, Debug)]
struct Waiting {
    key: Key,
    /// The name of the caller.
    owner: String,
    /// The record to begin with, should there be none.
    fresh: Record,
    hold: Option<Hold>,
    /// The part that was charged in advance.
    before: Option<Advance>,
    used: Used,
    at_ms: u64,
}

/// The use of a key cannot be read or written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unavailable;

/// The record of a key that has none: what it had used before this Envoy started.
fn fresh(budgets: &Budgets, key: &str) -> Record {
    let mut record = Record::default();
    if let Some(balance) = budgets.balance(key) {
        for ((span, _), spent) in SPANS.into_iter().zip(balance.spent) {
            if let Some((day, amount)) = spent {
                record.begin_with(span, span.start(day), amount);
            }
        }
        record.begin_with_total(balance.total.unwrap_or_default());
    }
    record
}

/// The record of a key's use.
pub(super) fn record(gateway: &Gateway, caller: &Caller) -> Result<Record, Unavailable> {
    match store::find(&key(gateway.namespace, caller)) {
        Ok((Some(bytes), _)) => Record::from_bytes(&bytes, &caller.name).ok_or(Unavailable),
        Ok((None, _)) => Ok(fresh(&gateway.config.budgets, &caller.name)),
        Err(Failed) => Err(Unavailable),
    }
}

fn key(namespace: u64, caller: &Caller) -> Key {
    Key::budget(namespace, caller.hash)
}

/// Changes the record of a caller. The inner error is that of `change`.
fn update<T, E>(
    key: &Key,
    owner: &str,
    fresh: &Record,
    change: impl Fn(Record) -> Result<(Record, T), E>,
) -> Result<Result<T, E>, Unavailable> {
    let changed = store::update(key, MANY_TRIES, |bytes| {
        let record = match bytes {
            Some(bytes) => Record::from_bytes(bytes, owner).ok_or(None::<E>)?,
            None => *fresh,
        };
        let (record, result) = change(record).map_err(Some)?;
        Ok((record.to_bytes(owner), result))
    });
    match changed {
        Ok(result) => Ok(Ok(result)),
        Err(Unchanged::Refused(Some(error))) => Ok(Err(error)),
        Err(Unchanged::Refused(None) | Unchanged::Unavailable) => Err(Unavailable),
    }
}

/// Sets the caller's name for Envoy, and refuses a request that would be refused whatever is in it, so that neither its body
/// nor a callout is waited for. Holds nothing. Where the use cannot be read, [`admit`] decides.
pub(super) fn greet(gateway: &Gateway, caller: &Caller, now: u64) -> Result<(), Error> {
    let _ = host::set_property(KEY, caller.name.as_bytes());
    let refusal = limits(&gateway.config, caller)
        .and_then(|allowance| record(gateway, caller).ok()?.used_up(allowance, now));
    refusal.map_or(Ok(()), |refusal| Err(refusal.error(&Demand::default(), now)))
}

/// Admits a planned exchange, and says what is held for it.
pub(super) fn admit(
    gateway: &Gateway,
    caller: &Caller,
    slot: &Slot,
    now: u64,
) -> Result<Option<Hold>, Error> {
    let config = &gateway.config;
    let Some(allowance) = limits(config, caller) else {
        return Ok(None);
    };
    let name = &caller.name;
    let counts = allowance.tokens_per_minute.is_some();
    let pays = allowance.longest().is_some();
    let ask = match slot.with(|exchange| exchange.ask(counts, pays, now)) {
        Some(ask) => ask?,
        None => Ask::default(),
    };
    let lifetime = slot
        .with(|exchange| exchange.longest_life_ms())
        .unwrap_or_default();
    let lifetime = lifetime.saturating_add(SLACK_MS);
    let record_key = key(gateway.namespace, caller);
    let admitted = update(&record_key, name, &fresh(&config.budgets, name), |record| {
        let (demand, limit) = ask.within(record.free(allowance, now));
        match record.admit(allowance, &demand, lifetime, now) {
            Ok((record, hold)) => Ok((record, (hold, limit))),
            Err(refusal) => Err(refusal.error(&demand, now)),
        }
    });
    match admitted {
        Ok(Ok((hold, limit))) => {
            slot.with(|exchange| exchange.clamp(limit));
            Ok(Some(hold))
        }
        Ok(Err(error)) => Err(error),
        Err(Unavailable) => {
            stats::budgets_unavailable();
            host::log(
                Level::Warn,
                &format!("crosspoint: what the key {name} has used is not to be had"),
            );
            if config.budgets.allow_when_unavailable {
                return Ok(None);
            }
            let message = "what this key has used is not to be had, so nothing may be used";
            Err(Error::new(Kind::Server, message))
        }
    }
}

/// The limits of a key that has any.
fn limits<'c>(config: &'c Config, caller: &Caller) -> Option<&'c crate::meter::budget::Allowance> {
    let key = config.keys.get(caller.key?)?;
    Some(&key.allowance).filter(|allowance| allowance.is_limited())
}

/// The use of an exchange, by its receipt.
pub(super) fn used(receipt: &Receipt) -> Used {
    let usage = receipt.bill.map(|bill| bill.usage).unwrap_or_default();
    Used {
        tokens: usage.prompt.saturating_add(usage.completion),
        cost: receipt.cost,
        byok: receipt.byok_cost.unwrap_or_default(),
    }
}

/// Takes what an exchange has used, and gives back what was held for it.
pub(super) fn settle(gateway: &Gateway, slot: &Slot, receipt: &Receipt, now: u64) {
    let Some(caller) = &slot.caller else { return };
    let used = used(receipt);
    let (hold, before) = (slot.hold.take(), slot.advance.take());
    let _ = host::set_property(TOKENS, used.tokens.to_string().as_bytes());
    let _ = host::set_property(COST, micro_usd(used.cost).to_string().as_bytes());
    if hold.is_none() && before.is_none() && used == Used::default() {
        return;
    }
    let waiting = Waiting {
        key: key(gateway.namespace, caller),
        owner: caller.name.clone(),
        fresh: fresh(&gateway.config.budgets, &caller.name),
        hold,
        before,
        used,
        at_ms: now,
    };
    let urgent = limits(&gateway.config, caller).is_some();
    if !urgent || write(std::slice::from_ref(&waiting)).is_err() {
        WAITING.with_borrow_mut(|all| push(all, waiting));
    }
}

/// In whole millionths of a USD, rounded up: many small amounts must not come to nothing.
const fn micro_usd(cost: PicoUsd) -> u64 {
    cost.0.div_ceil(1_000_000)
}

/// Adds a settlement to those that wait; to one of the same minute and the same hold, so that they do not grow without end.
fn push(all: &mut Vec<Waiting>, new: Waiting) {
    let place = |one: &Waiting| (one.hold.map(|hold| (hold.until_ms, hold.minute)), one.before);
    let minute = |one: &Waiting| one.at_ms / 60_000;
    let same = all
        .iter_mut()
        .find(|one| one.key == new.key && place(one) == place(&new) && minute(one) == minute(&new));
    // What was charged in advance belongs to one exchange.
    let Some(known) = same.filter(|_| new.before.is_none()) else {
        all.push(new);
        return;
    };
    known.used.tokens = known.used.tokens.saturating_add(new.used.tokens);
    known.used.cost = known.used.cost.plus(new.used.cost);
    known.used.byok = known.used.byok.plus(new.used.byok);
    if let (Some(known), Some(new)) = (&mut known.hold, new.hold) {
        known.cost = known.cost.plus(new.cost);
        known.tokens = known.tokens.saturating_add(new.tokens);
    }
}

/// Writes settlements of one caller.
fn write(all: &[Waiting]) -> Result<(), Unavailable> {
    let Some(first) = all.first() else { return Ok(()) };
    let settled = update(&first.key, &first.owner, &first.fresh, |record| {
        let settle = |record: Record, one: &Waiting| {
            record.settle_rest(one.hold.as_ref(), one.before.as_ref(), &one.used, one.at_ms)
        };
        Ok::<_, Infallible>((all.iter().fold(record, settle), ()))
    });
    settled.map(|_| ())
}

/// Charges keys what their exchanges are known to have cost so far, should this VM not live to settle them.
pub(super) fn advance(gateway: &Gateway, now: u64) {
    let of_here = |slot: &Rc<Slot>| slot.namespace == gateway.namespace;
    let mut all: Vec<_> = registry::all()
        .into_iter()
        .filter(of_here)
        .filter_map(|slot| {
            let used = slot.known.take()?;
            let charged = slot.advance.get().map(|advance| (advance.cost, advance.byok));
            if charged.unwrap_or_default() == (used.cost, used.byok) {
                return None;
            }
            Some((Rc::clone(slot.caller.as_ref()?), slot, used))
        })
        .collect();
    all.sort_by_key(|(caller, ..)| caller.hash);
    for of_key in all.chunk_by(|a, b| a.0.hash == b.0.hash) {
        let Some((caller, ..)) = of_key.first() else {
            continue;
        };
        let key = key(gateway.namespace, caller);
        let fresh = fresh(&gateway.config.budgets, &caller.name);
        let charged = update(&key, &caller.name, &fresh, |mut record| {
            let mut advances = Vec::with_capacity(of_key.len());
            for (_, slot, used) in of_key {
                let (hold, before) = (slot.hold.get(), slot.advance.get());
                let (next, advance) = record.advance(hold.as_ref(), before.as_ref(), used, now);
                record = next;
                advances.push(advance);
            }
            Ok::<_, Infallible>((record, advances))
        });
        // If this fails the next renewal of the receipts tries again.
        let Ok(Ok(advances)) = charged else { continue };
        for ((_, slot, _), advance) in of_key.iter().zip(advances) {
            slot.advance.set(Some(advance));
        }
    }
}

/// Writes what waits.
pub(super) fn flush() {
    let mut all = WAITING.take();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    for of_key in all.chunk_by(|a, b| a.key == b.key) {
        if write(of_key).is_err() {
            stats::budgets_unavailable();
            WAITING.with_borrow_mut(|all| all.extend_from_slice(of_key));
        }
    }
}
