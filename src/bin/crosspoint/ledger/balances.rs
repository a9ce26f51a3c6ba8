//! What each key has used in the current windows of budgets, as a file that a new Envoy can begin with
//! (`crosspoint render --balances`).

use super::day::Day;
use super::money::usd;
use super::print::pretty;
use super::read::Ledger;
use super::sum::Sums;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The text of the file. An exchange counts in the window in which it began; one without a key counts nowhere.
pub(super) fn of(ledger: &Ledger, today: Day) -> Result<String, String> {
    let windows = [
        ("day", today),
        ("week", today.monday()),
        ("month", today.first_of_month()),
    ];
    let mut keys: BTreeMap<&str, (Sums, [Sums; 3])> = BTreeMap::new();
    for entry in ledger.entries().filter(|entry| entry.day <= today) {
        let Some(key) = &entry.key else { continue };
        let (total, sums) = keys.entry(key).or_default();
        total.add(entry);
        for (sums, (_, begin)) in sums.iter_mut().zip(windows) {
            if entry.day >= begin {
                sums.add(entry);
            }
        }
    }
    let spent = |sums: &Sums| usd(i128::try_from(sums.cost_pico_usd).unwrap_or(i128::MAX));
    let keys: Map<String, Value> = keys
        .iter()
        .map(|(key, (total, sums))| {
            let mut used: Map<String, Value> = windows
                .iter()
                .zip(sums)
                .map(|((name, begin), sums)| {
                    let window = json!({"start": begin.to_string(), "used": spent(sums)});
                    ((*name).to_owned(), window)
                })
                .collect();
            used.insert("total".to_owned(), json!(spent(total)));
            ((*key).to_owned(), Value::Object(used))
        })
        .collect();
    pretty(&Value::Object(keys))
}
