//! What each key has used in the current windows of budgets, as a file that a new Envoy can begin with.

use super::day::Day;
use super::print::{members, pretty};
use super::read::Ledger;
use super::sum::Sums;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The version of the file's layout.
const VERSION: u32 = 1;

/// The text of the file. An exchange counts in the window in which it began; one without a key counts nowhere.
pub(super) fn of(ledger: &Ledger, today: Day) -> Result<String, String> {
    let windows = [
        ("day", today),
        ("week", today.monday()),
        ("month", today.first_of_month()),
    ];
    let mut keys: BTreeMap<&str, [Sums; 3]> = BTreeMap::new();
    for entry in ledger.entries().filter(|entry| entry.day <= today) {
        let Some(key) = &entry.key else { continue };
        let sums = keys.entry(key).or_default();
        for (sums, (_, begin)) in sums.iter_mut().zip(windows) {
            if entry.day >= begin {
                sums.add(entry);
            }
        }
    }
    let keys: Map<String, Value> = keys
        .iter()
        .map(|(key, sums)| {
            let used: Map<String, Value> = windows
                .iter()
                .zip(sums)
                .map(|((name, _), sums)| ((*name).to_owned(), Value::Object(members(sums))))
                .collect();
            ((*key).to_owned(), Value::Object(used))
        })
        .collect();
    let begins: Map<String, Value> = windows
        .iter()
        .map(|(name, begin)| ((*name).to_owned(), json!(begin.to_string())))
        .collect();
    pretty(&json!({"version": VERSION, "begins": begins, "keys": keys}))
}
