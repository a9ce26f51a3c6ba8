//! The budget: instructions that one go of each workload may take, in `budget.toml`.

use crate::instructions::{counted, of};
use crate::workloads::{Workload, all};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

/// The first go finds memory and caches as no other does, so it is not counted; these are.
const GOES: u64 = 10;
const HEAD: &str = "\
# Instructions that one go of each workload of `tests/bench/core.rs` takes, counted by callgrind on x86-64 in the release
# profile. `make budget` fails where one takes more than the tolerance allows; `make budget BLESS=1` writes this file anew,
# which needs a reason in the commit.
";

struct Budget {
    tolerance_percent: u64,
    /// What compiled the program that was counted, in quotes.
    compiler: String,
    instructions: BTreeMap<String, u64>,
}

/// Counts the workloads and holds them to the budget, or makes them the budget.
pub(crate) fn hold(wanted: &[String], bless: bool) -> ExitCode {
    let arguments: Vec<&str> = ["--budget"]
        .into_iter()
        .chain(wanted.iter().map(String::as_str))
        .collect();
    let mut workloads = all(wanted);
    let names: Vec<String> = workloads.iter().map(|one| one.name.clone()).collect();
    let totals = match of(&arguments, || workloads.iter_mut().for_each(count)) {
        Ok(totals) => totals,
        Err(failed) => {
            eprintln!("{failed}");
            return ExitCode::FAILURE;
        }
    };
    assert_eq!(totals.len(), names.len(), "every workload is counted once");
    let counts = names
        .into_iter()
        .zip(totals.into_iter().map(|total| total / GOES));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/budget.toml");
    let mut budget = Budget::read(&fs::read_to_string(&path).unwrap());
    if bless {
        if wanted.is_empty() {
            budget.instructions.clear();
        }
        budget.instructions.extend(counts);
        budget.compiler = compiler();
        fs::write(&path, budget.write()).unwrap();
        println!("{} has what the workloads take now", path.display());
        return ExitCode::SUCCESS;
    }
    budget.compare(&counts.collect::<Vec<_>>(), wanted.is_empty())
}

fn count(workload: &mut Workload) {
    (workload.work)();
    counted(&mut || (0..GOES).for_each(|_| (workload.work)()));
}

/// The compiler that cargo takes, in quotes.
fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().expect("a compiler");
    format!("{:?}", String::from_utf8_lossy(&version.stdout).trim())
}

impl Budget {
    fn read(text: &str) -> Self {
        let mut budget = Self {
            tolerance_percent: 0,
            compiler: String::new(),
            instructions: BTreeMap::new(),
        };
        let number = |text: &str| text.parse().expect("a number");
        for (name, value) in text.lines().filter_map(|line| line.rsplit_once(" = ")) {
            match name {
                "tolerance_percent" => budget.tolerance_percent = number(value),
                "compiler" => budget.compiler = value.to_owned(),
                name => {
                    let name = serde_json::from_str(name).expect("a name in quotes");
                    budget.instructions.insert(name, number(value));
                }
            }
        }
        budget
    }

    fn write(&self) -> String {
        let (percent, compiler) = (self.tolerance_percent, &self.compiler);
        let mut text =
            format!("{HEAD}tolerance_percent = {percent}\ncompiler = {compiler}\n\n[instructions]\n");
        for (name, count) in &self.instructions {
            writeln!(text, "\"{name}\" = {count}").unwrap();
        }
        text
    }

    fn compare(&self, counts: &[(String, u64)], is_all: bool) -> ExitCode {
        let compiler = compiler();
        if compiler != self.compiler {
            println!("the budget was made with {}, this by {compiler}", self.compiler);
        }
        let mut wrong = 0;
        println!(
            "{:<52} {:>12} {:>12} {:>8}",
            "instructions of one go", "budget", "now", "change"
        );
        for (name, now) in counts {
            let (budget, change, verdict) = match self.instructions.get(name) {
                None => ("-".to_owned(), "-".to_owned(), "  not in the budget"),
                Some(&allowed) => {
                    let change = (*now as f64 / allowed as f64 - 1.0) * 100.0;
                    let is_over = now * 100 > allowed * (100 + self.tolerance_percent);
                    (
                        allowed.to_string(),
                        format!("{change:+.2} %"),
                        if is_over { "  OVER" } else { "" },
                    )
                }
            };
            wrong += u32::from(!verdict.is_empty());
            println!("{name:<52} {budget:>12} {now:>12} {change:>8}{verdict}");
        }
        for name in self.instructions.keys() {
            if is_all && counts.iter().all(|(counted, _)| counted != name) {
                wrong += 1;
                println!("{name:<52} is in the budget and no workload any more");
            }
        }
        if wrong == 0 {
            return ExitCode::SUCCESS;
        }
        println!(
            "{wrong} of the workloads are more than {} % over tests/bench/budget.toml, or not the same as there",
            self.tolerance_percent
        );
        ExitCode::FAILURE
    }
}
