//! One placement's root: reads the configuration, makes a context for each stream, ticks.

use super::attempt::AttemptContext;
use super::gateway::GatewayContext;
use super::host::{self, Buffer, Level};
use super::state::Gateway;
use super::{
    account, budget, callout, dispatch, downstream, gauges, health, memory, queue, ranking, registry, timer,
    tokens, workers,
};
use crate::config::Config;
use crate::load;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use serde_json::Value;
use std::rc::Rc;

/// Milliseconds between ticks.
const TICK_MS: u32 = 500;

/// The placement of this root's streams.
#[derive(Debug)]
enum Placement {
    /// Not configured yet.
    None,
    Gateway(Rc<Gateway>),
    Attempt,
}

/// A root context.
#[derive(Debug)]
pub(super) struct Root {
    placement: Placement,
}

impl Root {
    pub(super) const fn new() -> Self {
        Self {
            placement: Placement::None,
        }
    }

    fn configure(bytes: &[u8]) -> Result<Placement, Vec<String>> {
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|error| vec![format!("the plugin configuration is no JSON: {error}")])?;
        match value.get("placement").and_then(Value::as_str) {
            Some("attempt") => Ok(Placement::Attempt),
            Some("gateway") => {
                let begin = host::now_ms();
                let env = |name: &str| std::env::var(name).ok();
                let mut config = load::config(value.get("config").unwrap_or(&Value::Null), Some(&env))
                    .map_err(|problems| {
                        problems
                            .iter()
                            .map(|problem| format!("config.{problem}"))
                            .collect::<Vec<_>>()
                    })?;
                settle(&mut config);
                announce(&config, host::now_ms().saturating_sub(begin));
                #[cfg(feature = "shell")]
                let config = super::test_hooks::with_added(config);
                Ok(Placement::Gateway(Rc::new(Gateway::new(config))))
            }
            _ => Err(vec!["placement: expected \"gateway\" or \"attempt\"".to_owned()]),
        }
    }
}

/// Tells a configuration that wants to know in which region this Envoy is.
fn settle(config: &mut Config) {
    if !config.routing.prefer_local_region {
        return;
    }
    let region = host::property_text(&["xds", "node", "locality", "region"]);
    if region.is_empty() {
        host::log(
            Level::Warn,
            "crosspoint: config.routing.prefer_local_region: this Envoy does not know its region; set \
             node.locality.region in its bootstrap",
        );
    }
    config.set_local_region(&region);
}

/// Says what a worker begins with, and how long it took to read.
fn announce(config: &Config, took_ms: u64) {
    let (providers, models) = (config.providers.len(), config.models.len());
    let endpoints: usize = config.models.iter().map(|model| model.endpoints.len()).sum();
    host::log(
        Level::Info,
        &format!(
            "crosspoint: {}: {models} models with {endpoints} endpoints at {providers} providers, read in {took_ms} ms",
            config.name
        ),
    );
}

impl Context for Root {
    fn on_http_call_response(&mut self, call: u32, _headers: usize, body: usize, _trailers: usize) {
        let Placement::Gateway(gateway) = &self.placement else {
            return;
        };
        let reply = callout::reply(gateway.config.memory, body);
        let now = host::now_ms();
        if tokens::answered(call, &reply, now) {
            dispatch::wake(now);
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        match Self::configure(&host::buffer(Buffer::PluginConfiguration)) {
            Ok(placement) => {
                if let Placement::Gateway(gateway) = &placement {
                    host::set_tick_ms(TICK_MS);
                    queue::start(gateway.random());
                    health::start(gateway.random());
                    workers::start(gateway.random());
                }
                self.placement = placement;
                true
            }
            Err(problems) => {
                for problem in problems {
                    host::log(Level::Error, &format!("crosspoint: {problem}"));
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        let Placement::Gateway(gateway) = &self.placement else {
            return;
        };
        let now = host::now_ms();
        let own = workers::Load {
            exchanges: registry::len() as u64,
            taken: host::memory_bytes(),
            held: memory::held() as u64,
        };
        gauges::running(workers::report(own, now), now);
        // First of all, while this root is the context that calls are made for.
        tokens::tick(gateway, now);
        dispatch::wake(now);
        downstream::close_ended();
        health::flush(now);
        ranking::flush(now);
        budget::flush();
        budget::advance(gateway, now);
        account::flush();
        gauges::budgets(gateway, now);
        timer::tick(now);
    }

    fn on_queue_ready(&mut self, queue: u32) {
        queue::ready(queue);
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        // The SDK panics on `None`; a context that lets everything pass stands in until there is a configuration.
        Some(match &self.placement {
            Placement::Gateway(gateway) => Box::new(GatewayContext::new(Rc::clone(gateway), context_id)),
            Placement::Attempt => Box::new(AttemptContext::new(context_id)),
            Placement::None => Box::new(Unconfigured),
        })
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Unconfigured;

impl Context for Unconfigured {}
impl HttpContext for Unconfigured {}
