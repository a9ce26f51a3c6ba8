//! The record of one key.

use super::{Advance, Allowance, Demand, Held, Hold, Rate, Refusal, SPANS, Span, Used, held};
use crate::bytes::{Reader, TIME, Writer};
use crate::meter::PicoUsd;
use crate::time::DAY_MS;

/// The version of the record's layout. Those before lie under other names in shared data.
pub const VERSION: u8 = 3;
const MINUTE_MS: u64 = 60_000;
const BYOK: usize = (SPANS.len() + 1) * 8;
/// The length of a record in shared data, in bytes, without the name of its key, which stands at the end.
pub const LENGTH: usize = 1 + TIME + 8 + 8 + SPANS.len() * (4 + 8) + 8 + held::LENGTH + BYOK;

/// What one key has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The minute since 1970 that the two numbers below belong to.
    minute: u64,
    requests: u64,
    tokens: u64,
    /// Money by [`Span`], each with the first day of the span that it belongs to.
    spent: [(u64, PicoUsd); SPANS.len()],
    /// Money since the record was made, with what was known then.
    total: PicoUsd,
    held: Held,
    /// What was paid to providers by the caller itself, in the same spans and at all.
    byok: [PicoUsd; SPANS.len()],
    byok_total: PicoUsd,
}

impl Record {
    /// Reads the record of the key `owner`; `None` for anything else: another layout, another key's.
    pub fn from_bytes(bytes: &[u8], owner: &str) -> Option<Self> {
        let (bytes, name) = bytes.split_at_checked(LENGTH)?;
        let mut reader = Reader(bytes);
        if reader.u8() != VERSION || name != owner.as_bytes() {
            return None;
        }
        let mut record = Self {
            minute: reader.time(),
            requests: reader.number(8),
            tokens: reader.number(8),
            ..Self::default()
        };
        for spent in &mut record.spent {
            *spent = (reader.number(4), PicoUsd(reader.number(8)));
        }
        record.total = PicoUsd(reader.number(8));
        record.held = Held::read(&mut reader);
        for amount in record.byok.iter_mut().chain([&mut record.byok_total]) {
            *amount = PicoUsd(reader.number(8));
        }
        Some(record)
    }

    /// Writes the record of the key `owner`.
    pub fn to_bytes(&self, owner: &str) -> Vec<u8> {
        let mut writer = Writer(Vec::with_capacity(LENGTH.saturating_add(owner.len())));
        writer.number(u64::from(VERSION), 1);
        writer.number(self.minute, TIME);
        writer.number(self.requests, 8);
        writer.number(self.tokens, 8);
        for (start, amount) in self.spent {
            writer.number(start, 4);
            writer.number(amount.0, 8);
        }
        writer.number(self.total.0, 8);
        self.held.write(&mut writer);
        for amount in self.byok.into_iter().chain([self.byok_total]) {
            writer.number(amount.0, 8);
        }
        writer.0.extend_from_slice(owner.as_bytes());
        writer.0
    }

    /// Takes over what was spent in the span that begins on this day, before there was a record.
    pub fn begin_with(&mut self, span: Span, start: u64, amount: PicoUsd) {
        if let Some(spent) = self.spent.get_mut(span as usize) {
            *spent = (start, amount);
        }
    }

    /// Takes over what was spent at all.
    pub const fn begin_with_total(&mut self, amount: PicoUsd) {
        self.total = amount;
    }

    /// Admits an exchange that lives for `lifetime_ms` at the most.
    ///
    /// # Errors
    /// When a limit is reached, or what is left of a budget does not cover the demand. The record is then unchanged.
    pub fn admit(
        mut self,
        allowance: &Allowance,
        demand: &Demand,
        lifetime_ms: u64,
        now: u64,
    ) -> Result<(Self, Hold), Refusal> {
        self.turn(now);
        if let Some(refusal) = self.used_up(allowance, now) {
            return Err(refusal);
        }
        if let Some(limit) = allowance.tokens_per_minute {
            // One that wants more than a minute has may have a whole minute.
            let wanted = demand.tokens.min(limit);
            if self.tokens.saturating_add(wanted) > limit || self.tokens >= limit {
                return Err(Refusal::Tokens(self.rate(limit, self.tokens)));
            }
        }
        for (span, budget) in allowance.budgets() {
            let needed = self.spent(span, now).plus(self.held(now)).plus(demand.cost);
            if needed > budget {
                return Err(self.beyond(span, budget, now));
            }
        }
        self.requests = self.requests.saturating_add(1);
        self.tokens = self.tokens.saturating_add(demand.tokens);
        let hold = Hold {
            until_ms: self.held.add(demand.cost, lifetime_ms, now),
            cost: demand.cost,
            minute: self.minute,
            tokens: demand.tokens,
        };
        Ok((self, hold))
    }

    /// Why every exchange of this minute is refused, whatever it asks for. What is only held may come back, and refuses
    /// nobody here.
    pub fn used_up(mut self, allowance: &Allowance, now: u64) -> Option<Refusal> {
        self.turn(now);
        if let Some(limit) = allowance.requests_per_minute
            && self.requests >= limit
        {
            return Some(Refusal::Requests(self.rate(limit, self.requests)));
        }
        let mut budgets = allowance.budgets();
        let (span, budget) = budgets.find(|(span, budget)| self.spent(*span, now) >= *budget)?;
        Some(self.beyond(span, budget, now))
    }

    const fn rate(&self, limit: u64, used: u64) -> Rate {
        Rate {
            limit,
            remaining: limit.saturating_sub(used),
            resets_ms: self.minute.saturating_add(1).saturating_mul(MINUTE_MS),
        }
    }

    fn beyond(&self, span: Span, budget: PicoUsd, now: u64) -> Refusal {
        Refusal::Budget {
            span,
            budget,
            spent: self.spent(span, now),
            held: self.held(now),
            resets_ms: span.end_ms(now),
        }
    }

    /// Takes what an exchange has used, and gives back what was held for it.
    #[must_use]
    pub fn settle(self, hold: Option<&Hold>, used: &Used, now: u64) -> Self {
        self.settle_rest(hold, None, used, now)
    }

    /// The same, of an exchange for which `before` was charged in advance.
    #[must_use]
    pub fn settle_rest(
        mut self,
        hold: Option<&Hold>,
        before: Option<&Advance>,
        used: &Used,
        now: u64,
    ) -> Self {
        self.turn(now);
        match hold {
            Some(hold) => {
                let rest = hold.cost.minus(before.copied().unwrap_or_default().cost);
                self.held.change(hold.until_ms, rest, PicoUsd::default());
                if hold.minute == self.minute {
                    self.tokens = self.tokens.saturating_sub(hold.tokens);
                    self.tokens = self.tokens.saturating_add(used.tokens);
                } else {
                    // The minute that it was admitted in is over; what it did not count there counts now.
                    let beyond = used.tokens.saturating_sub(hold.tokens);
                    self.tokens = self.tokens.saturating_add(beyond);
                }
            }
            None => {
                self.requests = self.requests.saturating_add(1);
                self.tokens = self.tokens.saturating_add(used.tokens);
            }
        }
        self.charge(before, (used.cost, used.byok), now);
        self
    }

    /// Charges what an exchange that goes on has cost so far, instead of `before`. That much is held no more: what is held
    /// and what is spent of it come to the same, unless it costs more than was held.
    #[must_use]
    pub fn advance(
        mut self,
        hold: Option<&Hold>,
        before: Option<&Advance>,
        used: &Used,
        now: u64,
    ) -> (Self, Advance) {
        if let Some(hold) = hold {
            let rest = |charged| hold.cost.minus(charged);
            let known = before.copied().unwrap_or_default();
            self.held.change(hold.until_ms, rest(known.cost), rest(used.cost));
        }
        self.charge(before, (used.cost, used.byok), now);
        let advance = Advance {
            cost: used.cost,
            byok: used.byok,
            at_ms: now,
        };
        (self, advance)
    }

    /// Charges amounts, instead of those of `before`. Where a span has ended since, it keeps them, and what is new counts in
    /// the next one.
    fn charge(&mut self, before: Option<&Advance>, (cost, byok): (PicoUsd, PicoUsd), now: u64) {
        let before = before.copied().unwrap_or_default();
        for (span, _) in SPANS {
            let start = span.start(now / DAY_MS);
            let mut sums = (self.spent(span, now), self.byok(span, now));
            if span.start(before.at_ms / DAY_MS) == start {
                sums = (
                    sums.0.plus(cost).minus(before.cost),
                    sums.1.plus(byok).minus(before.byok),
                );
            } else {
                sums = (
                    sums.0.plus(cost.minus(before.cost)),
                    sums.1.plus(byok.minus(before.byok)),
                );
            }
            if let Some(spent) = self.spent.get_mut(span as usize) {
                *spent = (spent.0.max(start), sums.0);
            }
            if let Some(byok) = self.byok.get_mut(span as usize) {
                *byok = sums.1;
            }
        }
        self.total = self.total.plus(cost).minus(before.cost);
        self.byok_total = self.byok_total.plus(byok).minus(before.byok);
    }

    /// What exchanges may still ask of the budget that has the least left; `None` where there is none.
    pub fn free(&self, allowance: &Allowance, now: u64) -> Option<PicoUsd> {
        let used = |span| self.spent(span, now).plus(self.held(now));
        let left = |(span, budget): (Span, PicoUsd)| PicoUsd(budget.0.saturating_sub(used(span).0));
        allowance.budgets().map(left).min()
    }

    /// What was spent in the span that `now` is in.
    pub fn spent(&self, span: Span, now: u64) -> PicoUsd {
        let (start, amount) = self.spent.get(span as usize).copied().unwrap_or_default();
        since(start, span, now, amount)
    }

    /// What was spent at all.
    pub const fn total(&self) -> PicoUsd {
        self.total
    }

    /// What the caller has paid to providers itself in the span that `now` is in.
    pub fn byok(&self, span: Span, now: u64) -> PicoUsd {
        let (start, _) = self.spent.get(span as usize).copied().unwrap_or_default();
        let amount = self.byok.get(span as usize).copied().unwrap_or_default();
        since(start, span, now, amount)
    }

    /// What the caller has paid to providers itself since the record was made.
    pub const fn byok_total(&self) -> PicoUsd {
        self.byok_total
    }

    /// What exchanges under way may still cost.
    pub fn held(&self, now: u64) -> PicoUsd {
        self.held.sum(now)
    }

    /// The requests and the tokens of this minute.
    pub fn of_minute(mut self, now: u64) -> (u64, u64) {
        self.turn(now);
        (self.requests, self.tokens)
    }

    /// Begins a new minute, if it is time.
    const fn turn(&mut self, now: u64) {
        let minute = now / MINUTE_MS;
        if minute > self.minute {
            self.minute = minute;
            self.requests = 0;
            self.tokens = 0;
        }
    }
}

/// An amount that belongs to the span that begins on the day `start`, if that is not over.
const fn since(start: u64, span: Span, now: u64, amount: PicoUsd) -> PicoUsd {
    // A clock that went back is still in the span that it was in.
    if start < span.start(now / DAY_MS) {
        PicoUsd(0)
    } else {
        amount
    }
}
