//! `crosspoint ledger`: sums the receipts in Envoy's access logs, says what each key has used, and compares with invoices.
//!
//! A receipt is counted once, by its id, however often it was logged or its file was named. Money stays in whole pico-USD
//! until it is printed.

mod balances;
mod day;
mod money;
mod print;
mod read;
mod reconcile;
mod sum;

use day::Day;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    source: Source,
    /// What makes a row (several with commas between them)
    #[arg(long, value_enum, value_delimiter = ',', default_value = "model,provider")]
    by: Vec<sum::Member>,
    #[arg(long, value_enum, default_value_t = print::Format::Table)]
    format: print::Format,
    /// Also write what each key has used in this day, week (from Monday) and month, in UTC, whatever --from and --to say
    #[arg(long, value_name = "OUT.json")]
    balances: Option<PathBuf>,
    /// The day that is today for --balances
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Day>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Compare with a provider's invoice; fails where they differ
    Reconcile(reconcile::Options),
}

/// Where the receipts are, and which of them count.
#[derive(clap::Args)]
struct Source {
    /// Access logs, plain or gzipped; standard input without any, or for -
    files: Vec<PathBuf>,
    /// The first day that counts, in UTC; an exchange belongs to the day in which it began
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<Day>,
    /// The last day that counts
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<Day>,
}

pub(crate) fn run(options: &Options) -> Result<(), String> {
    if let Some(Command::Reconcile(options)) = &options.command {
        return reconcile::run(options);
    }
    let ledger = options.source.read()?;
    eprint!("{}", ledger.remarks());
    if let Some(path) = &options.balances {
        let today = options.today.unwrap_or_else(Day::today);
        write(path, &balances::of(&ledger, today)?)?;
    }
    let table = sum::table(options.source.chosen(&ledger), &options.by);
    print!("{}", print::table(&table, options.format)?);
    Ok(())
}

impl Source {
    fn read(&self) -> Result<read::Ledger, String> {
        read::read(&self.files)
    }

    /// The entries that count.
    fn chosen<'l>(&self, ledger: &'l read::Ledger) -> impl Iterator<Item = &'l read::Entry> {
        let (from, to) = (self.from, self.to);
        ledger.entries().filter(move |entry| {
            from.is_none_or(|from| entry.day >= from) && to.is_none_or(|to| entry.day <= to)
        })
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: cannot be written: {error}", path.display()))
}
