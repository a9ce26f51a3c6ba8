//! The routes: one for each policy that says which requests it is for, and one for all others.

use super::template::{fill, scalar};
use super::{Source, parts};
use crosspoint::config::{Config, Match, PolicyScope};
use std::cmp::Reverse;

/// The route of all requests that no policy matches.
const DEFAULT: &str = "crosspoint";

/// What `template` makes of each route, in the order in which they are to be looked at: who asks for more comes first,
/// then who has the longer prefix.
pub(super) fn routes(
    config: &Config,
    source: &Source,
    template: &str,
    values: &[(&str, &str)],
) -> Vec<String> {
    let named = config.routes.iter().enumerate();
    let mut named: Vec<_> = named.filter(|(_, route)| !route.matches.is_empty()).collect();
    named.sort_by_key(|(_, route)| Reverse(weight(&route.matches)));
    let named = named
        .into_iter()
        .map(|(at, route)| (&*route.name, Some(at), matching(&route.matches)));
    named
        .chain([(DEFAULT, None, matching(&Match::default()))])
        .map(|(name, route, matches)| {
            let (name, route) = (
                scalar(name),
                parts::route(config, PolicyScope { route, key: None }, source),
            );
            let own = [("name", &*name), ("match", &matches), ("route", &route)];
            fill(template, &[&own, values].concat())
        })
        .collect()
}

fn weight(matches: &Match) -> (usize, usize) {
    let Match { prefix, host, header } = matches;
    let said = [prefix.is_some(), host.is_some(), header.is_some()];
    (
        said.into_iter().filter(|said| *said).count(),
        prefix.as_ref().map_or(0, String::len),
    )
}

fn matching(matches: &Match) -> String {
    let mut out = match &matches.prefix {
        Some(prefix) => format!("path_separated_prefix: {}\n", scalar(prefix)),
        None => "prefix: /\n".to_owned(),
    };
    let host = matches.host.as_ref().map(|host| {
        // A caller may name the port, too.
        let pattern = format!("(?i){}(:[0-9]+)?", host.replace('.', "[.]"));
        fill(
            include_str!("envoy/match_host.yaml"),
            &[("pattern", &scalar(&pattern))],
        )
    });
    let header = matches.header.as_ref().map(|(name, value)| {
        let values = [("name", &*scalar(name)), ("value", &*scalar(value))];
        fill(include_str!("envoy/match_header.yaml"), &values)
    });
    if host.is_some() || header.is_some() {
        out.push_str("headers:\n");
        out.extend(host);
        out.extend(header);
    }
    out
}
