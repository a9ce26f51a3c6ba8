//! `crosspoint render`: the configuration of an Envoy or of an Istio mesh.
//!
//! What is written is made of the YAML templates beside this file, so that every setting stands there with its reason,
//! in the template and in what the operator reads. This file parses the options and fills the caps in.

mod bootstrap;
mod istio;
mod parts;
mod routes;
mod stats;
mod template;

use crate::file::{self, File};
use crosspoint::config::Config;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    target: Target,
}

#[derive(clap::Subcommand)]
enum Target {
    /// A complete bootstrap for one Envoy (1.39 or later)
    Envoy(bootstrap::Options),
    /// The manifests for an Istio mesh whose proxies are Envoy 1.39 or later
    Istio(istio::Options),
}

pub(crate) fn run(options: &Options) -> Result<(), String> {
    let text = match &options.target {
        Target::Envoy(options) => bootstrap::render(options)?,
        Target::Istio(options) => istio::render(options)?,
    };
    print!("{text}");
    Ok(())
}

/// What every target is rendered from.
#[derive(clap::Args)]
struct Source {
    /// The configuration, in YAML; - reads standard input
    config: PathBuf,
    /// Where Envoy finds the certificates that it trusts
    #[arg(
        long,
        value_name = "PATH",
        default_value = "/etc/ssl/certs/ca-certificates.crt"
    )]
    ca_file: String,
    /// Where Envoy finds the filter
    #[arg(long, value_name = "PATH", default_value = "/etc/crosspoint/crosspoint.wasm")]
    wasm: String,
    /// Where Envoy writes the receipts, one a line
    #[arg(long, value_name = "PATH", default_value = "/dev/stdout")]
    access_log: String,
    /// What keys have used before this Envoy starts, in JSON: {"<key>": {"day": {"start": "2027-01-31", "used": "1.25"},
    /// "week": …, "month": …, "total": "9.5"}}; takes the place of budgets.balances
    #[arg(long, value_name = "FILE")]
    balances: Option<PathBuf>,
    /// For Envoy 1.36 to 1.38: each request gets one attempt
    #[arg(long)]
    without_failover: bool,
}

/// An operator's configuration with its caps filled in.
struct Gateway {
    /// As it goes into the plugin configuration.
    value: Value,
    config: Config,
}

/// What the caps are raised to where the operator names none; Envoy's own limits are raised with them.
const BODY_LIMIT: &str = "32MiB";

impl Gateway {
    /// Reads the configuration again after its value was changed.
    fn resolve(&mut self) -> Result<(), String> {
        self.config = file::resolve(&self.value)?;
        Ok(())
    }
}

/// What keys have used, as the ledger says.
fn balances(path: &Path) -> Result<Value, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: cannot be read: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("{shown}: is not JSON: {error}"))
}

impl Source {
    fn read(&self) -> Result<Gateway, String> {
        let File { mut value, .. } = file::read(&self.config)?;
        if let Some(root) = value.as_object_mut() {
            let limits = root.entry("limits").or_insert(Value::Null);
            if limits.is_null() {
                *limits = Value::Object(Map::new());
            }
            if let Some(limits) = limits.as_object_mut() {
                for name in ["request_body", "response_body"] {
                    let limit = limits.entry(name).or_insert(Value::Null);
                    if limit.is_null() {
                        *limit = json!(BODY_LIMIT);
                    }
                }
            }
        }
        if let (Some(path), Some(root)) = (&self.balances, value.as_object_mut()) {
            let balances = balances(path)?;
            let budgets = root.entry("budgets").or_insert(Value::Null);
            if budgets.is_null() {
                *budgets = Value::Object(Map::new());
            }
            if let Some(budgets) = budgets.as_object_mut() {
                budgets.insert("balances".to_owned(), balances);
            }
        }
        let config = file::resolve(&value)?;
        Ok(Gateway { value, config })
    }
}
