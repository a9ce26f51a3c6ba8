//! `crosspoint ledger reconcile`: our receipts beside a provider's invoice.
//!
//! An invoice names models by the provider's ids, so these are what rows are made by; and failed attempts that the provider
//! charges for are on it. Which column holds what differs from
//! provider to provider, so the operator says it.

use super::day::Day;
use super::money::{pico, usd, whole};
use super::print::{Format, aligned, csv, pretty};
use super::read::{self, Charge};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    source: super::Source,
    /// The invoice: CSV with a row of names first
    #[arg(long, value_name = "FILE.csv")]
    invoice: PathBuf,
    /// Only receipts of this provider
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// The invoice's column of the model
    #[arg(long, value_name = "COLUMN", default_value = "model")]
    model: String,
    /// The column of the prompt's tokens; several are added up (what was cached may stand apart)
    #[arg(long, value_name = "COLUMN")]
    input: Vec<String>,
    /// The column of the completion's tokens; several are added up
    #[arg(long, value_name = "COLUMN")]
    output: Vec<String>,
    /// The column of the cost in USD; several are added up
    #[arg(long, value_name = "COLUMN")]
    cost: Vec<String>,
    /// The column of the day, to compare by day, too
    #[arg(long, value_name = "COLUMN")]
    day: Option<String>,
    /// What the invoice calls a model that is sent for by another id (may be repeated)
    #[arg(long, value_name = "INVOICED=SENT", value_parser = pair)]
    alias: Vec<(String, String)>,
    /// How many percent of the invoice's number may lie between the two
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    tolerance: i128,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// A model, and where days are compared a day.
type Name = (String, Option<Day>);

/// What is compared, in the order of the columns.
const COMPARED: [&str; 3] = ["input", "output", "cost_usd"];

/// One row's numbers, of which the last is money.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    ours: Option<[i128; 3]>,
    theirs: Option<[i128; 3]>,
}

pub(super) fn run(options: &Options) -> Result<(), String> {
    if options.input.is_empty() && options.output.is_empty() && options.cost.is_empty() {
        return Err("nothing to compare: name columns with --input, --output or --cost".to_owned());
    }
    let ledger = options.source.read()?;
    eprint!("{}", ledger.remarks());
    let mut rows: BTreeMap<Name, Row> = BTreeMap::new();
    for entry in options.source.chosen(&ledger) {
        for charge in entry.charges.iter().filter(|charge| options.compares(charge)) {
            let day = options.day.is_some().then_some(entry.day);
            let counts = [charge.prompt, charge.completion, charge.cost_pico_usd].map(i128::from);
            add(
                &mut rows.entry((charge.model.to_string(), day)).or_default().ours,
                counts,
            );
        }
    }
    options.read_invoice(&mut rows)?;
    print!("{}", options.print(&rows)?);
    let differing = rows.values().filter(|row| options.verdict(row) != "same").count();
    match differing {
        0 => Ok(()),
        1 => Err("1 row differs".to_owned()),
        count => Err(format!("{count} rows differ")),
    }
}

fn add(sums: &mut Option<[i128; 3]>, counts: [i128; 3]) {
    let sums = sums.get_or_insert_default();
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum = sum.saturating_add(count);
    }
}

impl Options {
    /// Whether this is compared: what cost nothing is on no invoice.
    fn compares(&self, charge: &Charge) -> bool {
        let billed = charge.prompt > 0 || charge.completion > 0 || charge.cost_pico_usd > 0;
        billed
            && self
                .provider
                .as_ref()
                .is_none_or(|wanted| wanted.as_str() == &*charge.provider)
    }

    fn read_invoice(&self, rows: &mut BTreeMap<Name, Row>) -> Result<(), String> {
        let shown = self.invoice.display();
        let file = read::open(&self.invoice).map_err(|error| format!("{shown}: cannot be read: {error}"))?;
        let mut invoice = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .flexible(true)
            .from_reader(file);
        let head = invoice
            .headers()
            .map_err(|error| format!("{shown}: {error}"))?
            .clone();
        let places: HashMap<&str, usize> = head
            .iter()
            .enumerate()
            .map(|(at, name)| (name.trim_start_matches('\u{feff}'), at))
            .collect();
        let place = |name: &String| {
            places.get(name.as_str()).copied().ok_or_else(|| {
                let known: Vec<_> = head.iter().collect();
                format!(
                    "{shown}: there is no column {name}; there are: {}",
                    known.join(", ")
                )
            })
        };
        let all = |names: &[String]| names.iter().map(place).collect::<Result<Vec<_>, _>>();
        let model = place(&self.model)?;
        let day = self.day.as_ref().map(place).transpose()?;
        let columns = [all(&self.input)?, all(&self.output)?, all(&self.cost)?];
        for (at, record) in invoice.records().enumerate() {
            let record = record.map_err(|error| format!("{shown}: {error}"))?;
            let wrong = |what: &str| format!("{shown}: row {}: {what}", at + 2);
            let cell = |at: usize| record.get(at).unwrap_or_default();
            let named = cell(model);
            if named.is_empty() {
                eprintln!("{}", wrong("names no model and is left out"));
                continue;
            }
            let sent = self.alias.iter().find(|(invoiced, _)| invoiced == named);
            let day = day
                .map(|at| date(cell(at)).ok_or_else(|| wrong(&format!("{:?} is no day", cell(at)))))
                .transpose()?;
            if day.is_some_and(|day| {
                self.source.from.is_some_and(|from| day < from) || self.source.to.is_some_and(|to| day > to)
            }) {
                continue;
            }
            let mut counts = [0_i128; 3];
            for ((count, places), read) in counts.iter_mut().zip(&columns).zip([whole, whole, pico]) {
                for place in places {
                    let text = cell(*place);
                    let value = if text.is_empty() { Some(0) } else { read(text) };
                    let value =
                        value.ok_or_else(|| wrong(&format!("{text:?} is no number that fits here")))?;
                    *count = count.saturating_add(value);
                }
            }
            let name = sent.map_or(named, |(_, sent)| sent);
            add(
                &mut rows.entry((name.to_owned(), day)).or_default().theirs,
                counts,
            );
        }
        Ok(())
    }

    /// Which of the three are compared.
    const fn compared(&self) -> [bool; 3] {
        [
            !self.input.is_empty(),
            !self.output.is_empty(),
            !self.cost.is_empty(),
        ]
    }

    fn verdict(&self, row: &Row) -> &'static str {
        let (ours, theirs) = match (row.ours, row.theirs) {
            (Some(ours), Some(theirs)) => (ours, theirs),
            (Some(_), None) => return "not invoiced",
            (None, _) => return "no receipts",
        };
        let near = |(ours, theirs): (i128, i128)| {
            let apart = ours.saturating_sub(theirs).saturating_abs();
            apart.saturating_mul(HUNDRED_PERCENT) <= theirs.saturating_abs().saturating_mul(self.tolerance)
        };
        let same = ours
            .into_iter()
            .zip(theirs)
            .zip(self.compared())
            .all(|(pair, compared)| !compared || near(pair));
        if same { "same" } else { "differs" }
    }

    fn print(&self, rows: &BTreeMap<Name, Row>) -> Result<String, String> {
        let compared: Vec<_> = COMPARED
            .iter()
            .enumerate()
            .zip(self.compared())
            .filter(|(_, compared)| *compared)
            .map(|((at, name), _)| (at, *name))
            .collect();
        let mut head = vec!["model".to_owned()];
        head.extend(self.day.is_some().then(|| "day".to_owned()));
        head.push("verdict".to_owned());
        let names = head.len();
        for (_, name) in &compared {
            head.extend(["ours", "invoiced", "difference"].map(|which| format!("{name}_{which}")));
        }
        let lines: Vec<Vec<String>> = rows
            .iter()
            .map(|((model, day), row)| {
                let mut line = vec![model.clone()];
                line.extend(day.map(|day| day.to_string()));
                line.push(self.verdict(row).to_owned());
                let (ours, theirs) = (row.ours.unwrap_or_default(), row.theirs.unwrap_or_default());
                for (at, name) in &compared {
                    let of = |counts: [i128; 3]| counts.get(*at).copied().unwrap_or_default();
                    let show = |value: i128| {
                        if *name == "cost_usd" {
                            usd(value)
                        } else {
                            value.to_string()
                        }
                    };
                    let difference = of(ours).saturating_sub(of(theirs));
                    line.extend([of(ours), of(theirs), difference].map(show));
                }
                line
            })
            .collect();
        match self.format {
            Format::Table => Ok(aligned(&head, &lines, names)),
            Format::Csv => csv(&head, lines.into_iter()),
            Format::Json => {
                let rows: Vec<Value> = lines
                    .into_iter()
                    .map(|line| {
                        let members = head.iter().cloned().zip(line.into_iter().map(|cell| json!(cell)));
                        Value::Object(members.collect::<Map<_, _>>())
                    })
                    .collect();
                pretty(&json!({ "rows": rows }))
            }
        }
    }
}

/// A day as invoices write it: `2026-11-22`, also with a time behind it or with slashes; or seconds since 1970.
fn date(text: &str) -> Option<Day> {
    if text.len() >= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<u64>().ok()?.checked_mul(1_000).map(Day::of_ms);
    }
    let day = text.split(['T', ' ']).next().unwrap_or_default();
    day.replace('/', "-").parse().ok()
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((invoiced, sent)) if !invoiced.is_empty() && !sent.is_empty() => {
            Ok((invoiced.to_owned(), sent.to_owned()))
        }
        _ => Err("expected INVOICED=SENT".to_owned()),
    }
}

/// All of a number, in the unit of tolerances: millionths of a percent.
const HUNDRED_PERCENT: i128 = 100_000_000;

fn percent(text: &str) -> Result<i128, String> {
    pico(text)
        .filter(|value| *value >= 0)
        .map(|value| value / 1_000_000)
        .ok_or_else(|| "expected a percentage, such as 0.5".to_owned())
}
