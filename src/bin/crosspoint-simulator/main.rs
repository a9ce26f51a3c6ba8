//! Providers on local ports, for trials, tests and benchmarks; `table` lists them.
//!
//! Each provider speaks its own wire format, buffered and streamed, refuses what the real one refuses, and misbehaves
//! on demand. It shares no code with the gateway: it is the second opinion on what the gateway sends and reads.
//! What it says is a pure function of the request (see `text`), what goes wrong is in the model id (see `fault`), and
//! what it saw is on the control port (see `control`). It does no TLS and no HTTP/2.
//!
//! ```text
//! crosspoint-simulator --port openai=18001
//! curl -s localhost:18001/v1/chat/completions -H 'authorization: Bearer sim-openai-key' \
//!   -H 'content-type: application/json' -d '{"model":"gpt-4o!cut_at=2","stream":true,
//!   "messages":[{"role":"user","content":"hello"}]}'
//! ```

#![allow(clippy::disallowed_methods, reason = "a program of its own, with effects")]

mod anthropic;
mod ask;
mod bedrock;
mod cohere;
mod control;
mod embed;
mod exchange;
mod fault;
mod gemini;
mod ledger;
mod ollama;
mod openai;
mod percent;
mod piece;
mod provider;
mod responses;
mod schema;
mod script;
mod seed;
mod server;
mod shared;
mod table;
mod text;
mod waiting;
mod wire;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let options = server::Options::parse();
    let served = tokio::runtime::Runtime::new().and_then(|runtime| runtime.block_on(server::run(options)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod floods;
