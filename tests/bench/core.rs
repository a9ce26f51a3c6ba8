//! What the core costs by itself, natively: `cargo bench` in nanoseconds an event or a request (`-- redact` chooses), and
//! `cargo bench --bench core -- --budget` in instructions, which are held to `budget.toml`.
//!
//! Every line of nanoseconds is the median of [`ROUNDS`] rounds, each long enough for the clock. Numbers of one machine in
//! one run are good for comparing with each other and for finding what has become slower; in Envoy the same code runs as
//! WebAssembly.

#![allow(clippy::disallowed_methods, reason = "tests have clocks and an environment")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that does not do what it measures had better stop"
)]

mod answers;
mod budget;
#[path = "../support/instructions.rs"]
mod instructions;
mod parts;
mod workloads;

use std::process::ExitCode;
use std::time::{Duration, Instant};

const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(40);

fn main() -> ExitCode {
    let (options, wanted): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|arg| arg.starts_with('-'));
    let has = |name: &str| options.iter().any(|option| option == name);
    if has("--budget") {
        return budget::hold(&wanted, has("--bless"));
    }
    for mut one in workloads::all(&wanted) {
        let nanoseconds = measure(&mut one.work) / one.per as f64;
        println!("{:<58} {nanoseconds:>10.0} ns per {}", one.name, one.unit);
    }
    ExitCode::SUCCESS
}

/// Nanoseconds for one go.
fn measure(work: &mut dyn FnMut()) -> f64 {
    let mut goes = 1_u32;
    while time(goes, work) < ROUND {
        goes *= 2;
    }
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| time(goes, work).as_secs_f64() * 1e9 / f64::from(goes))
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds.get(ROUNDS / 2).copied().unwrap()
}

fn time(goes: u32, work: &mut dyn FnMut()) -> Duration {
    let begun = Instant::now();
    for _ in 0..goes {
        work();
    }
    begun.elapsed()
}
