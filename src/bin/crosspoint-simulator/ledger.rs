//! What the simulator remembers: counters, recorded requests, leaks, and the faults set for a whole provider.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hyper::HeaderMap;
use serde_json::{Value, json};

use crate::fault::Faults;
use crate::provider::Provider;
use crate::table::PROVIDERS;
use crate::text::Usage;

/// How many requests are kept for one provider.
const KEPT: usize = 1000;
/// How many bytes of bodies are kept for one provider; the oldest requests go first.
const KEPT_BYTES: usize = 64 << 20;

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) index: u64,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// How it ended, once it has.
    pub(crate) settled: Option<Settled>,
}

/// How a request ended, and what the provider charges for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settled {
    outcome: &'static str,
    prompt: u64,
    cache_read: u64,
    cache_write: u64,
    /// Completion tokens of a healthy answer.
    completion: u64,
    /// Completion tokens that were written.
    generated: u64,
    /// Completion tokens that are charged.
    billed: u64,
}

/// Counts of one provider. They only grow, until they are reset.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    refused: AtomicU64,
    completed: AtomicU64,
    cut: AtomicU64,
    disconnects: AtomicU64,
    disconnect_tokens: AtomicU64,
    prompt_tokens: AtomicU64,
    generated: AtomicU64,
    billed: AtomicU64,
}

impl Counters {
    fn all(&self) -> [(&'static str, &AtomicU64); 9] {
        [
            ("requests", &self.requests),
            ("refused", &self.refused),
            ("completed", &self.completed),
            ("cut", &self.cut),
            ("disconnects", &self.disconnects),
            ("tokens_written_at_disconnects", &self.disconnect_tokens),
            ("prompt_tokens", &self.prompt_tokens),
            ("tokens_generated", &self.generated),
            ("tokens_billed", &self.billed),
        ]
    }
}

/// One provider's memory.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) provider: &'static dyn Provider,
    pub(crate) counters: Counters,
    recorded: Mutex<(VecDeque<Recorded>, usize)>,
    leaks: Mutex<Vec<Value>>,
    fault: Mutex<Option<(String, u64)>>,
    times: Mutex<HashMap<String, u64>>,
}

/// The whole memory.
#[derive(Debug)]
pub(crate) struct Ledger {
    pages: Vec<Arc<Page>>,
    sequence: AtomicU64,
    pub(crate) record: bool,
}

impl Ledger {
    pub(crate) fn new(record: bool) -> Ledger {
        let pages = PROVIDERS.iter().map(|provider| Arc::new(Page::new(*provider)));
        Ledger {
            pages: pages.collect(),
            sequence: AtomicU64::new(0),
            record,
        }
    }

    /// The memory of every provider.
    pub(crate) fn pages(&self) -> &[Arc<Page>] {
        &self.pages
    }

    /// The memory of the provider of this name.
    pub(crate) fn page(&self, name: &str) -> Option<&Arc<Page>> {
        self.pages.iter().find(|page| page.provider.name() == name)
    }

    /// Takes the next number; requests of all providers share one order.
    pub(crate) fn next(&self) -> u64 {
        self.sequence.fetch_add(1, Relaxed) + 1
    }

    /// Counters of all providers, as the control endpoint shows them.
    pub(crate) fn counters(&self) -> Value {
        let pages = self.pages.iter().map(|page| {
            let mut counts: serde_json::Map<String, Value> = page
                .counters
                .all()
                .iter()
                .map(|(name, count)| ((*name).to_owned(), json!(count.load(Relaxed))))
                .collect();
            counts.insert("leaks".to_owned(), Value::Array(lock(&page.leaks).clone()));
            (page.provider.name().to_owned(), Value::Object(counts))
        });
        Value::Object(pages.collect())
    }

    /// Recorded requests of one provider or of all, oldest first.
    pub(crate) fn requests(&self, only: Option<&Page>) -> Value {
        let mut found: Vec<(&str, Recorded)> = Vec::new();
        for page in &self.pages {
            let name = page.provider.name();
            if only.is_none_or(|only| only.provider.name() == name) {
                found.extend(lock(&page.recorded).0.iter().map(|kept| (name, kept.clone())));
            }
        }
        found.sort_by_key(|(_, recorded)| recorded.index);
        let skipped = found.len().saturating_sub(KEPT);
        found
            .iter()
            .skip(skipped)
            .map(|(provider, recorded)| recorded.show(provider))
            .collect()
    }

    /// Forgets the recorded requests.
    pub(crate) fn forget_requests(&self) {
        for page in &self.pages {
            *lock(&page.recorded) = (VecDeque::new(), 0);
        }
    }

    /// Forgets everything: requests, leaks, faults, `times` and counters.
    pub(crate) fn reset(&self) {
        self.forget_requests();
        for page in &self.pages {
            page.counters
                .all()
                .iter()
                .for_each(|(_, count)| count.store(0, Relaxed));
            lock(&page.leaks).clear();
            lock(&page.times).clear();
            *lock(&page.fault) = None;
        }
    }
}

impl Page {
    fn new(provider: &'static dyn Provider) -> Page {
        Page {
            provider,
            counters: Counters::default(),
            recorded: Mutex::default(),
            leaks: Mutex::default(),
            fault: Mutex::default(),
            times: Mutex::default(),
        }
    }

    pub(crate) fn count_request(&self) {
        self.counters.requests.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_refused(&self) {
        self.counters.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn keep(&self, recorded: Recorded) {
        let mut kept = lock(&self.recorded);
        let (list, bytes) = &mut *kept;
        *bytes += recorded.body.len();
        list.push_back(recorded);
        while list.len() > KEPT || (*bytes > KEPT_BYTES && list.len() > 1) {
            *bytes -= list.pop_front().map_or(0, |old| old.body.len());
        }
    }

    pub(crate) fn leak(&self, index: u64, what: &str) {
        lock(&self.leaks).push(json!({"request": index, "what": what}));
    }

    pub(crate) fn set_fault(&self, directives: Option<String>) -> Result<(), String> {
        if let Some(directives) = &directives {
            Faults::parse(directives)?;
        }
        *lock(&self.fault) = directives.map(|directives| (directives, 0));
        Ok(())
    }

    pub(crate) fn fault(&self) -> Value {
        match &*lock(&self.fault) {
            Some((directives, used)) => json!({"directives": directives, "used": used}),
            None => Value::Null,
        }
    }

    /// The faults of one request: those of the provider, with those of its model id on top.
    pub(crate) fn faults(&self, id: &str, directives: &str) -> Result<Faults, String> {
        let mut faults = Faults::default();
        if let Some((wide, used)) = &mut *lock(&self.fault) {
            let parsed = Faults::parse(wide)?;
            if parsed.times.is_none_or(|times| *used < times) {
                *used += 1;
                faults = parsed;
            }
        }
        if directives.is_empty() {
            return Ok(faults);
        }
        if let Some(times) = Faults::parse(directives)?.times {
            let mut seen = lock(&self.times);
            let seen = seen.entry(id.to_owned()).or_default();
            *seen += 1;
            if *seen > times {
                return Ok(faults);
            }
        }
        faults.apply(directives)?;
        Ok(faults)
    }
}

impl Settled {
    fn show(&self) -> Value {
        json!({
            "outcome": self.outcome, "prompt": self.prompt, "cache_read": self.cache_read,
            "cache_write": self.cache_write, "completion": self.completion, "generated": self.generated,
            "billed": self.billed,
        })
    }
}

impl Recorded {
    fn show(&self, provider: &str) -> Value {
        let headers: Vec<Value> = self
            .headers
            .iter()
            .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
            .collect();
        let text = String::from_utf8_lossy(&self.body);
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        json!({
            "index": self.index, "provider": provider, "method": self.method, "path": self.path,
            "headers": headers, "body": body, "body_text": text,
            "settled": self.settled.as_ref().map(Settled::show),
        })
    }
}

/// Follows one request to its end. Dropped without `complete` or `cut`, the client has gone away.
pub(crate) struct Watch {
    page: Arc<Page>,
    index: u64,
    written: u64,
    expected: Usage,
    total: u64,
    over: bool,
}

impl Watch {
    /// Follows the request of this number.
    pub(crate) fn new(page: Arc<Page>, index: u64) -> Watch {
        Watch {
            page,
            index,
            written: 0,
            expected: Usage::default(),
            total: 0,
            over: false,
        }
    }

    /// The tokens that a healthy answer would have, with so many choices.
    pub(crate) fn expect(&mut self, usage: &Usage, choices: u64) {
        self.expected = *usage;
        self.total = usage.completion * choices;
        self.page.counters.prompt_tokens.fetch_add(usage.prompt, Relaxed);
    }

    pub(crate) fn wrote(&mut self, tokens: u64) {
        self.written += tokens;
    }

    /// The answer was written to its end.
    pub(crate) fn complete(mut self) {
        self.page.counters.completed.fetch_add(1, Relaxed);
        self.settle("complete", self.written);
    }

    /// The simulator itself broke the answer off.
    pub(crate) fn cut(mut self) {
        self.page.counters.cut.fetch_add(1, Relaxed);
        self.settle("cut", self.written);
    }

    /// An error went out instead of an answer; nothing was generated.
    pub(crate) fn refused(mut self) {
        self.page.count_refused();
        self.settle("refused", 0);
    }

    fn settle(&mut self, outcome: &'static str, billed: u64) {
        self.over = true;
        let counters = &self.page.counters;
        counters.generated.fetch_add(self.written, Relaxed);
        counters.billed.fetch_add(billed, Relaxed);
        let settled = Settled {
            outcome,
            prompt: self.expected.prompt,
            cache_read: self.expected.cache_read,
            cache_write: self.expected.cache_write,
            completion: self.total,
            generated: self.written,
            billed,
        };
        let mut recorded = lock(&self.page.recorded);
        let mut latest = recorded.0.iter_mut().rev();
        if let Some(recorded) = latest.find(|recorded| recorded.index == self.index) {
            recorded.settled = Some(settled);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let counters = &self.page.counters;
        counters.disconnects.fetch_add(1, Relaxed);
        counters.disconnect_tokens.fetch_add(self.written, Relaxed);
        // A model that cannot be stopped generates on, and its provider bills for all of it.
        let billed = if self.page.provider.stops_on_cancel() {
            self.written
        } else {
            self.total
        };
        self.settle("left", billed);
    }
}

/// A lock is only ever poisoned by a panic elsewhere; the data is good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_is_counted_for_each_model_id() {
        let page = Page::new(PROVIDERS[0]);
        let ask = |id: &str| page.faults(id, "status=503;times=1").unwrap().status;
        assert_eq!(ask("a!status=503;times=1"), Some(503));
        assert_eq!(ask("a!status=503;times=1"), None);
        assert_eq!(ask("b!status=503;times=1"), Some(503));
    }

    #[test]
    fn a_fault_of_the_provider_ends_after_its_times() {
        let page = Page::new(PROVIDERS[0]);
        page.set_fault(Some("status=500;times=2".to_owned())).unwrap();
        let seen: Vec<_> = (0..3).map(|_| page.faults("m", "").unwrap().status).collect();
        assert_eq!(seen, [Some(500), Some(500), None]);
        assert!(page.set_fault(Some("nonsense".to_owned())).is_err());
    }

    #[test]
    fn a_client_that_goes_away_is_billed_by_the_providers_policy() {
        let ledger = Arc::new(Ledger::new(true));
        for provider in ["anthropic", "bedrock"] {
            let mut watch = Watch::new(ledger.page(provider).unwrap().clone(), 1);
            let usage = Usage {
                prompt: 4,
                completion: 10,
                ..Usage::default()
            };
            watch.expect(&usage, 1);
            watch.wrote(3);
        }
        let counters = ledger.counters();
        assert_eq!(counters["anthropic"]["disconnects"], 1);
        assert_eq!(counters["anthropic"]["tokens_written_at_disconnects"], 3);
        assert_eq!(counters["anthropic"]["tokens_billed"], 3);
        assert_eq!(counters["bedrock"]["tokens_billed"], 10);
    }

    #[test]
    fn only_the_last_thousand_requests_are_kept() {
        let ledger = Ledger::new(true);
        let page = ledger.page("openai").unwrap();
        for index in 0..1100 {
            page.keep(Recorded {
                index,
                method: "POST".to_owned(),
                path: "/".to_owned(),
                headers: HeaderMap::new(),
                body: Bytes::from_static(b"{}"),
                settled: None,
            });
        }
        let requests = ledger.requests(Some(page));
        assert_eq!(requests.as_array().unwrap().len(), KEPT);
        assert_eq!(requests[0]["index"], 100);
    }
}
