//! A complete bootstrap for one Envoy.

use super::template::{fill, scalar};
use super::{Source, parts, routes, stats};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,
}

pub(super) fn render(options: &Options) -> Result<String, String> {
    let gateway = options.source.read()?;
    let config = &gateway.config;
    // Below 1.39 Envoy cannot ask again where a retry goes; below 1.36 it was not tried.
    let floor = if options.source.without_failover {
        "1.36"
    } else {
        "1.39"
    };
    let routes = routes::routes(
        config,
        &options.source,
        include_str!("envoy/named_route.yaml"),
        &[],
    );
    let values = [
        ("floor", floor.to_owned()),
        ("key_envs", parts::key_envs_shown(config)),
        ("admin_address", scalar(&config.admin.address)),
        ("admin_port", config.admin.port.to_string()),
        ("stats_tags", stats::tags()),
        ("stats_buckets", stats::buckets()),
        ("listen_address", scalar(&config.listen.address)),
        ("listen_port", config.listen.port.to_string()),
        ("buffer_limit", parts::buffer_limit(config)),
        ("stream_idle_timeout", parts::stream_idle_timeout(config)),
        ("access_log", parts::access_log(&options.source.access_log)),
        ("routes", routes.concat()),
        ("gateway", parts::gateway_filter(&gateway, &options.source)),
        ("router", parts::router(&gateway, &options.source)),
        ("clusters", parts::clusters(config, &options.source)),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    Ok(fill(include_str!("envoy/bootstrap.yaml"), &values))
}
