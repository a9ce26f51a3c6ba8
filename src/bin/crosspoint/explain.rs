//! `crosspoint explain`: what would be sent for a request, to whom, and in which order. Nothing is sent.

use crate::file;
use crosspoint::auth::Secret;
use crosspoint::config::{Config, PolicyScope};
use crosspoint::dialect::client::{self, ClientDialect};
use crosspoint::error::Error;
use crosspoint::exchange::{Exchange, Outgoing};
use crosspoint::health::View;
use crosspoint::middleware::Step;
use crosspoint::route::RouteContext;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The configuration, in YAML
    config: PathBuf,
    /// A request, in JSON; standard input without it
    request: Option<PathBuf>,
    /// The path that it is posted to
    #[arg(long, default_value = "/v1/chat/completions")]
    path: String,
    /// The route that it takes, by the name of its policy
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// The key that it comes with, by its name
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    /// The region that the Envoy is in, for routing.prefer_local_region
    #[arg(long)]
    region: Option<String>,
}

/// Prints one attempt a line, in the order in which they would be made if each failed; every endpoint counts as healthy.
/// Credentials are left out.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let mut config = file::read(&options.config)?.config;
    if let Some(region) = &options.region {
        config.set_local_region(region);
    }
    let config = Rc::new(config);
    let client = client::at(&options.path).ok_or_else(|| {
        let known: Vec<_> = client::PATHS.iter().map(|(path, _)| *path).collect();
        format!(
            "--path: nothing is posted to {}; known: {}",
            options.path,
            known.join(", ")
        )
    })?;
    let scope = scope(&config, options)?;
    for attempt in attempts(&config, client, scope, request(options.request.as_deref())?)? {
        let line = serde_json::to_string(&attempt).map_err(|error| error.to_string())?;
        println!("{line}");
    }
    Ok(())
}

fn scope(config: &Config, options: &Options) -> Result<PolicyScope, String> {
    let routes = config.routes.iter().map(|route| &*route.name);
    let keys = config.keys.iter().map(|key| key.name.as_str());
    let scope = PolicyScope {
        route: place("--route", options.route.as_deref(), routes)?,
        key: place("--key", options.key.as_deref(), keys)?,
    };
    if config.is_admitted(scope) {
        return Ok(scope);
    }
    Err(match &options.key {
        Some(key) => format!("refused with status 403: the policy of the route does not name key {key}"),
        None => "the policy of the route names who may call; say --key".to_owned(),
    })
}

fn place<'n>(
    option: &str,
    asked: Option<&str>,
    names: impl Iterator<Item = &'n str>,
) -> Result<Option<usize>, String> {
    let names: Vec<_> = names.collect();
    let place = |asked: &str| {
        let place = names.iter().position(|name| *name == asked);
        place.ok_or_else(|| match &*names {
            [] => format!("{option}: the configuration has none"),
            names => format!("{option}: none is called {asked}; known: {}", names.join(", ")),
        })
    };
    asked.map(place).transpose()
}

fn request(path: Option<&Path>) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    match path {
        Some(path) => std::fs::read(path).map(|read| body = read),
        None => std::io::stdin().read_to_end(&mut body).map(|_| ()),
    }
    .map_err(|error| format!("the request cannot be read: {error}"))?;
    Ok(body)
}

fn attempts(
    config: &Rc<Config>,
    client: &'static ClientDialect,
    scope: PolicyScope,
    body: Vec<u8>,
) -> Result<Vec<Attempt>, String> {
    let refused = |error: Error| format!("refused with status {}: {}", error.status(), error.message);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    let id = "gen-explain".to_owned();
    let mut exchange = Exchange::open(Rc::clone(config), client, id, None, now).under(scope);
    exchange.read(body).map_err(refused)?;
    match exchange.run_request_middleware() {
        Step::Done => {}
        Step::Reject(error) => return Err(refused(error)),
        Step::Wait(_) => {
            return Err("a middleware wants to call a service, which is not done here".to_owned());
        }
    }
    exchange
        .plan(
            &mut |_| View::default(),
            RouteContext {
                now_ms: now,
                seed: now,
            },
        )
        .map_err(refused)?;
    let mut attempts = Vec::new();
    for candidate in exchange.candidates().to_vec() {
        let parties = config.models.get(candidate.model).and_then(|model| {
            let endpoint = model.endpoints.get(candidate.endpoint)?;
            Some((model, endpoint, config.providers.get(endpoint.provider)?))
        });
        let Some((model, endpoint, provider)) = parties else {
            continue;
        };
        if let Some(id) = exchange.next_token() {
            // What stands for the token is left out of what is shown.
            exchange.give_token(id, Secret::new(String::new()));
        }
        let (_, outgoing) = exchange
            .begin(&provider.cluster, now)
            .map_err(|refused| format!("{} cannot be asked: {refused:?}", provider.id))?;
        attempts.push(Attempt {
            model: model.name.clone(),
            provider: provider.id.clone(),
            upstream_model: endpoint.model.clone(),
            cluster: provider.cluster.clone(),
            reason: candidate.reason,
            strategy: candidate.strategy.name(),
            automatic: exchange
                .rated()
                .iter()
                .find(|rated| rated.model == candidate.model)
                .map(|rated| format!("score {}: {}", rated.score(), rated.verdict)),
            request: Sent::of(outgoing)?,
        });
    }
    Ok(attempts)
}

/// A place of the plan, and what would go there.
#[derive(serde::Serialize)]
struct Attempt {
    model: String,
    provider: String,
    upstream_model: String,
    cluster: String,
    reason: &'static str,
    /// How the model was found by the name that the request has.
    strategy: &'static str,
    /// What the automatic choice made of the model, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    automatic: Option<String>,
    request: Sent,
}

#[derive(serde::Serialize)]
struct Sent {
    method: String,
    url: String,
    headers: BTreeMap<String, String>,
    body: Box<RawValue>,
}

impl Sent {
    fn of(outgoing: Outgoing) -> Result<Self, String> {
        let mut headers: BTreeMap<String, String> = outgoing.headers.into_iter().collect();
        let mut pseudo = |name: &str| headers.remove(name).unwrap_or_default();
        let (method, scheme, authority) = (pseudo(":method"), pseudo(":scheme"), pseudo(":authority"));
        let url = format!("{scheme}://{authority}{}", pseudo(":path"));
        // No key was looked up, so a signature would be nonsense.
        headers.retain(|name, _| !name.starts_with("x-amz-") && name != "authorization");
        let body = serde_json::from_slice(&outgoing.body)
            .map_err(|error| format!("the body is no JSON: {error}"))?;
        Ok(Self {
            method,
            url,
            headers,
            body,
        })
    }
}
