//! From lines of access logs to one entry an exchange.

use super::day::Day;
use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What no receipt is longer than.
const MAX_LINE: u64 = 1 << 20;
/// How a receipt begins. What stands before it is taken for the mark of a container runtime.
const BEGINNING: &[u8] = b"{\"version\":";

/// How exact the tokens of a line are, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exactness {
    /// No tokens were billed: there is nothing to be inexact about.
    Nothing,
    /// The provider's own counts.
    Provider,
    /// Counted here, by the model's own tokenizer.
    Tokenizer,
    /// At least one of the two is an estimate.
    Estimate,
    /// The filter died under this exchange: what was known last.
    Open,
}

/// One exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: Option<Rc<str>>,
    pub(super) operation: Rc<str>,
    /// The model that served, or else that was asked for.
    pub(super) model: Rc<str>,
    /// The provider that served.
    pub(super) provider: Option<Rc<str>>,
    /// What providers charge for.
    pub(super) charges: Vec<Charge>,
    pub(super) outcome: Rc<str>,
    pub(super) day: Day,
    pub(super) prompt: u64,
    pub(super) cache_read: u64,
    pub(super) cache_write: u64,
    pub(super) completion: u64,
    pub(super) reasoning: u64,
    pub(super) cost_pico_usd: u64,
    /// What providers charge for it, failed attempts included.
    pub(super) upstream_cost_pico_usd: u64,
    pub(super) exactness: Exactness,
    /// No price of the endpoint was known, so that the costs lack it.
    unpriced: bool,
    /// A provider counted more than can be, so that counts of ours are billed.
    recounted: bool,
    /// Of lines that are not final the longest one is the last.
    duration_ms: u64,
}

/// What one attempt is charged for by its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Charge {
    pub(super) provider: Rc<str>,
    /// The provider's own id of the model.
    pub(super) model: Rc<str>,
    pub(super) prompt: u64,
    pub(super) completion: u64,
    pub(super) cost_pico_usd: u64,
}

/// All that was read.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: HashMap<Box<str>, Entry>,
    names: HashSet<Rc<str>>,
    /// Lines that were not counted, by the reason.
    skipped: BTreeMap<String, u64>,
    /// Lines whose exchange had been counted already, and those of them that say something else.
    repeated: u64,
    contradicting: Vec<String>,
}

#[derive(Deserialize)]
struct Wire<'a> {
    version: u64,
    #[serde(borrow)]
    state: Option<std::borrow::Cow<'a, str>>,
    id: Option<String>,
    key: Option<String>,
    operation: Option<String>,
    model: Option<String>,
    served_model: Option<String>,
    provider: Option<String>,
    outcome: Option<String>,
    tokens: Option<Tokens>,
    cost_pico_usd: Option<u64>,
    upstream_cost_pico_usd: Option<u64>,
    #[serde(default)]
    is_byok: bool,
    #[serde(default)]
    unpriced: bool,
    started_ms: Option<u64>,
    #[serde(default)]
    duration_ms: u64,
    #[serde(default)]
    attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
struct Tokens {
    prompt: u64,
    #[serde(default)]
    cache_read: u64,
    #[serde(default)]
    cache_write: u64,
    completion: u64,
    #[serde(default)]
    reasoning: u64,
    #[serde(default)]
    prompt_source: String,
    #[serde(default)]
    completion_source: String,
    claimed: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Attempt {
    provider: String,
    model: String,
    tokens: Option<Tokens>,
    #[serde(default)]
    cost_pico_usd: u64,
}

/// Reads logs; standard input where there are none.
pub(super) fn read(files: &[PathBuf]) -> Result<Ledger, String> {
    let mut ledger = Ledger::default();
    let stdin = [PathBuf::from("-")];
    for path in if files.is_empty() { &stdin } else { files } {
        open(path)
            .and_then(|log| ledger.take(log))
            .map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
    }
    Ok(ledger)
}

/// A file as it is, or unpacked where it is gzipped.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let raw: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(path)?)
    };
    let mut raw = BufReader::new(raw);
    if raw.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        Ok(Box::new(BufReader::new(MultiGzDecoder::new(raw))))
    } else {
        Ok(Box::new(raw))
    }
}

impl Ledger {
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    fn take(&mut self, mut log: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = log.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(());
            }
            if !line.ends_with(b"\n") && read as u64 == MAX_LINE {
                log.skip_until(b'\n')?;
                self.skip("longer than any receipt");
            } else if let Err(reason) = self.line(line.trim_ascii()) {
                self.skip(&reason);
            }
        }
    }

    fn skip(&mut self, reason: &str) {
        *self.skipped.entry(reason.to_owned()).or_default() += 1;
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        if line.is_empty() {
            return Ok(());
        }
        let at = line
            .windows(BEGINNING.len())
            .position(|window| window == BEGINNING)
            .ok_or("no receipt")?;
        let receipt = line.get(at..).unwrap_or_default();
        let wire: Wire<'_> = serde_json::from_slice(receipt).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => "a receipt whose members cannot be read",
            _ => "a receipt that is cut or damaged",
        })?;
        if wire.version != u64::from(crosspoint::meter::VERSION) {
            return Err(format!("a receipt of version {}", wire.version));
        }
        let (id, entry) = self.entry(wire).ok_or("a receipt that lacks members")?;
        self.count(id, entry);
        Ok(())
    }

    fn entry(&mut self, wire: Wire<'_>) -> Option<(String, Entry)> {
        let open = wire.state.as_deref()? == "open";
        let exactness = match &wire.tokens {
            _ if open => Exactness::Open,
            None => Exactness::Nothing,
            Some(tokens) => source(&tokens.prompt_source).max(source(&tokens.completion_source)),
        };
        let tokens = wire.tokens.as_ref();
        let of = |count: fn(&Tokens) -> u64| tokens.map_or(0, count);
        let cost_pico_usd = wire.cost_pico_usd?;
        let upstream_cost_pico_usd = wire.upstream_cost_pico_usd.unwrap_or(cost_pico_usd);
        let charges = self.charges(&wire, upstream_cost_pico_usd);
        let entry = Entry {
            key: wire.key.map(|name| self.name(&name)),
            operation: self.name(wire.operation.as_deref().unwrap_or("chat")),
            model: self.name(&wire.served_model.or(wire.model)?),
            charges,
            provider: wire.provider.map(|name| self.name(&name)),
            outcome: self.name(&wire.outcome?),
            day: Day::of_ms(wire.started_ms?),
            prompt: of(|tokens| tokens.prompt),
            cache_read: of(|tokens| tokens.cache_read),
            cache_write: of(|tokens| tokens.cache_write),
            completion: of(|tokens| tokens.completion),
            reasoning: of(|tokens| tokens.reasoning),
            cost_pico_usd,
            upstream_cost_pico_usd,
            exactness,
            unpriced: wire.unpriced,
            recounted: tokens.is_some_and(|tokens| tokens.claimed.is_some()),
            duration_ms: wire.duration_ms,
        };
        Some((wire.id?, entry))
    }

    /// What each attempt is charged for: those that failed say it themselves, and the rest is that of the one that served,
    /// which is the last one, unless the caller pays that itself.
    fn charges(&mut self, wire: &Wire<'_>, upstream_cost_pico_usd: u64) -> Vec<Charge> {
        let mut charge = |attempt: &Attempt, tokens: &Tokens, cost_pico_usd| Charge {
            provider: self.name(&attempt.provider),
            model: self.name(&attempt.model),
            prompt: tokens.prompt,
            completion: tokens.completion,
            cost_pico_usd,
        };
        let mut rest = upstream_cost_pico_usd;
        let mut charges = Vec::new();
        for attempt in &wire.attempts {
            if let Some(tokens) = &attempt.tokens {
                rest = rest.saturating_sub(attempt.cost_pico_usd);
                charges.push(charge(attempt, tokens, attempt.cost_pico_usd));
            }
        }
        if let (Some(tokens), Some(last), false) = (&wire.tokens, wire.attempts.last(), wire.is_byok) {
            charges.push(charge(last, tokens, rest));
        }
        charges
    }

    /// Every name is held once: a log has millions of lines and a dozen models.
    fn name(&mut self, name: &str) -> Rc<str> {
        if let Some(known) = self.names.get(name) {
            return Rc::clone(known);
        }
        let name: Rc<str> = name.into();
        self.names.insert(Rc::clone(&name));
        name
    }

    /// The last word on an exchange stands: a final receipt, or else the latest of those that are not.
    fn count(&mut self, id: String, entry: Entry) {
        let mut known = match self.entries.entry(id.into_boxed_str()) {
            Slot::Vacant(slot) => {
                slot.insert(entry);
                return;
            }
            Slot::Occupied(slot) => slot,
        };
        let open = |entry: &Entry| entry.exactness == Exactness::Open;
        match (open(known.get()), open(&entry)) {
            (true, false) => {
                known.insert(entry);
            }
            (true, true) => {
                if entry.duration_ms > known.get().duration_ms {
                    known.insert(entry);
                }
            }
            (false, true) => {}
            (false, false) => {
                self.repeated += 1;
                if *known.get() != entry {
                    self.contradicting.push(known.key().to_string());
                }
            }
        }
    }

    /// What a reader should know besides the sums, a line each.
    pub(super) fn remarks(&self) -> String {
        /// How many ids are named.
        const NAMED: usize = 10;
        let mut text = String::new();
        for (reason, count) in &self.skipped {
            // Writing to a String does not fail.
            let _ = writeln!(text, "skipped {}: {reason}", lines(*count));
        }
        if self.repeated > 0 {
            let _ = writeln!(
                text,
                "counted once: {} of an exchange that was there already",
                lines(self.repeated)
            );
        }
        if !self.contradicting.is_empty() {
            let named: Vec<_> = self
                .contradicting
                .iter()
                .take(NAMED)
                .map(String::as_str)
                .collect();
            let _ = writeln!(
                text,
                "{} of them say something else than the first, which counts: {}",
                self.contradicting.len(),
                named.join(" ")
            );
        }
        let unpriced = self.entries().filter(|entry| entry.unpriced).count();
        if unpriced > 0 {
            let _ = writeln!(
                text,
                "without a price: {unpriced} exchanges, of which the endpoint has none, so that the costs leave them out"
            );
        }
        let recounted = self.entries().filter(|entry| entry.recounted).count();
        if recounted > 0 {
            let _ = writeln!(
                text,
                "counted here: {recounted} exchanges, of which the provider reported more than it can have used (tokens.claimed)"
            );
        }
        text
    }
}

fn source(word: &str) -> Exactness {
    match word {
        "provider" => Exactness::Provider,
        "tokenizer" => Exactness::Tokenizer,
        _ => Exactness::Estimate,
    }
}

fn lines(count: u64) -> String {
    match count {
        1 => "1 line".to_owned(),
        count => format!("{count} lines"),
    }
}
