//! What a key has used on one day, by model and provider: a record of bounded size.
//!
//! A record is text, a line for its version, day and key and one for each row, its members separated by tabs.

use crate::api::data::Data;
use crate::json;
use crate::meter::{PicoUsd, Receipt, Usd};
use crate::time::Date;
use serde::Serialize;

/// How many days can be read, today among them.
pub const DAYS: u64 = 30;
/// How many records a key has at the most: the days that can be read, and some more.
pub const SLOTS: u64 = 32;
/// How many models at providers are told apart; what comes later is one more row.
const MOST_ROWS: usize = 100;
const OTHERS: &str = "others";
const VERSION: &str = "3";

/// What was used of one model at one provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    model: String,
    provider: String,
    /// Requests, pico-USD, tokens of prompts, completions and thinking, and pico-USD that callers paid themselves.
    sums: [u64; 6],
}

impl Row {
    /// What one exchange has used; nothing of one that nobody served.
    pub fn of(receipt: &Receipt) -> Option<Self> {
        let usage = receipt.bill?.usage;
        // What would end a member, or a line, must not stand in one.
        let clean = |text: &str| text.replace(['\t', '\n'], " ");
        Some(Self {
            model: clean(receipt.served_model.as_deref()?),
            provider: clean(receipt.provider.as_deref()?),
            sums: [
                1,
                receipt.cost.0,
                usage.prompt,
                usage.completion,
                usage.reasoning,
                receipt.byok_cost.unwrap_or_default().0,
            ],
        })
    }

    pub(super) fn read(line: &str) -> Option<Self> {
        let mut members = line.split('\t');
        let (model, provider) = (members.next()?, members.next()?);
        let mut sums = [0; 6];
        for sum in &mut sums {
            *sum = members.next()?.parse().ok()?;
        }
        Some(Self {
            model: model.to_owned(),
            provider: provider.to_owned(),
            sums,
        })
    }

    fn add(&mut self, other: &Self) {
        for (sum, more) in self.sums.iter_mut().zip(other.sums) {
            *sum = sum.saturating_add(more);
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.model == other.model && self.provider == other.provider
    }
}

/// What was used on one day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    day: u64,
    /// The first line, which names the day and the key.
    head: String,
    rows: Vec<Row>,
}

impl Day {
    /// Reads the record of a day of the key `owner`; that of another day or key, or anything else, is an empty one.
    pub fn read(bytes: &[u8], day: u64, owner: &str) -> Self {
        // As JSON a name has neither a tab nor an end of line.
        let owner = json::to_vec(&owner);
        let head = format!("{VERSION}\t{day}\t{}", String::from_utf8_lossy(&owner));
        let mut lines = std::str::from_utf8(bytes).unwrap_or_default().lines();
        let is_it = lines.next() == Some(&*head);
        let rows = lines.filter(|_| is_it).filter_map(Row::read).take(MOST_ROWS + 1);
        Self {
            day,
            rows: rows.collect(),
            head,
        }
    }

    /// Writes the record.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\n", self.head);
        for row in &self.rows {
            text.extend([&row.model, "\t", &row.provider]);
            text.extend(row.sums.map(|sum| format!("\t{sum}")));
            text.push('\n');
        }
        text.into_bytes()
    }

    /// Adds what was used.
    pub fn add(&mut self, row: &Row) {
        if let Some(known) = self.rows.iter_mut().find(|known| known.is_like(row)) {
            known.add(row);
        } else if self.rows.len() < MOST_ROWS {
            self.rows.push(row.clone());
        } else {
            let others = Row {
                model: OTHERS.to_owned(),
                provider: OTHERS.to_owned(),
                sums: row.sums,
            };
            match self.rows.iter_mut().find(|known| known.is_like(&others)) {
                Some(known) => known.add(row),
                None => self.rows.push(others),
            }
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    date: String,
    model: &'a str,
    model_permaslug: &'a str,
    endpoint_id: Option<&'a str>,
    provider_name: &'a str,
    usage: Usd,
    byok_usage_inference: Usd,
    requests: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    reasoning_tokens: u64,
}

/// The answer to `GET /v1/activity`.
pub fn answer(days: &[Day]) -> Vec<u8> {
    let mut data = Vec::new();
    for day in days {
        for row in &day.rows {
            let [
                requests,
                cost,
                prompt_tokens,
                completion_tokens,
                reasoning_tokens,
                byok,
            ] = row.sums;
            data.push(Line {
                date: Date::of(day.day).to_string(),
                model: &row.model,
                model_permaslug: &row.model,
                endpoint_id: None,
                provider_name: &row.provider,
                usage: Usd(PicoUsd(cost)),
                byok_usage_inference: Usd(PicoUsd(byok)),
                requests,
                prompt_tokens,
                completion_tokens,
                reasoning_tokens,
            });
        }
    }
    json::to_vec(&Data { data })
}
