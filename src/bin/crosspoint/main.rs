//! The native tool: checks a configuration, explains what it makes of a request, renders Envoy's and Istio's from it, and
//! sums receipts.

#![allow(clippy::disallowed_methods, reason = "a program of its own, with effects")]

mod check;
mod explain;
mod file;
mod ledger;
mod render;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Turns the Envoy that you run into an OpenAI-compatible gateway in front of every model provider.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Report everything that is wrong with a configuration
    Check(check::Options),
    /// Show what would be sent for a request, to whom, and in which order
    Explain(explain::Options),
    /// Sum the receipts in access logs, and compare them with invoices
    Ledger(Box<ledger::Options>),
    /// Write the configuration of an Envoy or an Istio mesh to standard output
    Render(render::Options),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Check(options) => check::run(&options),
        Command::Explain(options) => explain::run(&options),
        Command::Ledger(options) => ledger::run(&options),
        Command::Render(options) => render::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
