//! The manifests for an Istio mesh: the filter in a gateway, or in the sidecars of applications.

use super::template::{fill, scalar};
use super::{Gateway, Source, parts, routes, stats};
use crosspoint::auth::Credential;
use crosspoint::config::{Provider, Upstream};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    source: Source,
    /// Where the proxies run that take the filter
    #[arg(long, value_enum, default_value_t = Context::Gateway)]
    context: Context,
    /// The namespace of all that is rendered, and of the proxies
    #[arg(long, value_name = "NAME", default_value = "crosspoint")]
    namespace: String,
    /// A label of the proxies' pods (may be repeated)
    #[arg(long, value_name = "KEY=VALUE", default_value = "app=crosspoint", value_parser = label)]
    label: Vec<(String, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Context {
    /// An ingress gateway
    Gateway,
    /// The sidecars of applications, for what they send out
    Sidecar,
}

pub(super) fn render(options: &Options) -> Result<String, String> {
    let mut gateway = options.source.read()?;
    let services = name_clusters(&mut gateway)?;
    let config = &gateway.config;
    let (context, entrance) = match options.context {
        Context::Gateway => ("GATEWAY", include_str!("istio/gateway.yaml")),
        Context::Sidecar => ("SIDECAR_OUTBOUND", include_str!("istio/sidecar.yaml")),
    };
    let labels: String = options
        .label
        .iter()
        .map(|(key, value)| format!("{}: {}\n", scalar(key), scalar(value)))
        .collect();
    let clusters: String = services
        .iter()
        .map(|service| {
            fill(
                include_str!("istio/cluster.yaml"),
                &[("context", context), ("service", &scalar(service))],
            )
        })
        .collect();
    let place = [("context", context), ("port", &*config.listen.port.to_string())];
    let template = include_str!("istio/route.yaml");
    let mut routes = routes::routes(config, &options.source, template, &place);
    // Each is put before those that are there.
    routes.reverse();
    let routes = routes.concat();
    let values = [
        ("wasm", options.source.wasm.clone()),
        ("key_envs", parts::key_envs_shown(config)),
        ("namespace", scalar(&options.namespace)),
        ("labels", labels),
        ("port", config.listen.port.to_string()),
        ("context", context.to_owned()),
        ("buffer_limit", parts::buffer_limit(config)),
        ("stream_idle_timeout", parts::stream_idle_timeout(config)),
        ("access_log", parts::access_log(&options.source.access_log)),
        ("gateway", parts::gateway_filter(&gateway, &options.source)),
        ("router", parts::router(&gateway, &options.source)),
        ("routes", routes),
        ("clusters", clusters),
        ("stats_tags", stats::tags()),
        ("stats_buckets", stats::buckets()),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    let upstreams: String = config
        .providers
        .iter()
        .flat_map(Provider::upstreams)
        .zip(&services)
        .map(|(one, service)| upstream(&one, service, options))
        .collect();
    Ok([
        fill(include_str!("istio/head.yaml"), &values),
        fill(entrance, &values),
        upstreams,
        fill(include_str!("istio/filter.yaml"), &values),
    ]
    .concat())
}

/// Names the clusters as Istio does, and gives the service of each host.
fn name_clusters(gateway: &mut Gateway) -> Result<Vec<String>, String> {
    let mut services = Vec::new();
    for provider in &gateway.config.providers {
        let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !provider.id.bytes().all(sound) || provider.id.starts_with('-') || provider.id.ends_with('-') {
            return Err(format!(
                "providers.{}: its name becomes a host name in the mesh, so it may have lower-case letters, digits and - only",
                provider.id
            ));
        }
        let google = matches!(provider.key, Some(Credential::Google(_)));
        for (name, member, place) in [
            (provider.id.clone(), "cluster", ""),
            (format!("{}-token", provider.id), "token_cluster", "/key/google"),
        ]
        .into_iter()
        .take(if google { 2 } else { 1 })
        {
            let service = format!("{name}.crosspoint.internal");
            let row = gateway
                .value
                .pointer_mut(&format!("/providers/{}{place}", provider.id))
                .and_then(|row| row.as_object_mut());
            if let Some(row) = row {
                row.insert(member.to_owned(), format!("outbound|80||{service}").into());
            }
            services.push(service);
        }
    }
    gateway.resolve()?;
    Ok(services)
}

fn upstream(upstream: &Upstream<'_>, service: &str, options: &Options) -> String {
    let host = scalar(&upstream.base.host);
    let tls = if upstream.base.tls {
        let sni = if parts::is_address(upstream.base) {
            String::new()
        } else {
            format!("sni: {host}\n")
        };
        format!(
            "mode: SIMPLE\n{sni}subjectAltNames: [{host}]\ncaCertificates: {}",
            scalar(&options.source.ca_file)
        )
    } else {
        "mode: DISABLE".to_owned()
    };
    let values = [
        ("id", upstream.name.clone()),
        ("namespace", scalar(&options.namespace)),
        ("service", scalar(service)),
        ("host", host),
        ("port", upstream.base.port.to_string()),
        ("tls", tls),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    fill(include_str!("istio/provider.yaml"), &values)
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}
