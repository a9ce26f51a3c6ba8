//! What Envoy must know of the filter's statistics: which parts of their names are labels, and the buckets of histograms.

use super::template::fill;

/// The labels in the filter's names, and what they are called outside: as in OpenTelemetry's conventions for generative AI,
/// where these have such an attribute.
const TAGS: &[(&str, &str)] = &[
    ("model", "gen_ai.request.model"),
    ("provider", "gen_ai.provider.name"),
    ("operation", "gen_ai.operation.name"),
    ("token_type", "gen_ai.token.type"),
    ("error_type", "error.type"),
    ("outcome", "outcome"),
    ("endpoint", "endpoint"),
    ("key", "key"),
    ("window", "window"),
];

/// The beginnings of histograms' names, and their buckets.
const BUCKETS: &[(&str, &str)] = &[
    (
        "gen_ai.client.token.usage",
        "1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304",
    ),
    // An answer may take ten minutes.
    ("gen_ai.server.request.duration", DURATION),
    ("gen_ai.client.operation.duration", DURATION),
    ("gen_ai.server.time_to_first_token", FIRST_TOKEN),
    ("gen_ai.client.operation.time_to_first_chunk", FIRST_TOKEN),
    // The fastest models make a thousand tokens a second.
    (
        "gen_ai.server.time_per_output_token",
        "500, 1000, 2500, 5000, 10000, 25000, 50000, 75000, 100000, 150000, 200000, 300000, 400000, 500000, 750000, 1000000, 2500000",
    ),
];

const DURATION: &str =
    "10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 20480, 40960, 81920, 163840, 327680, 655360";
/// Models that think may take a minute.
const FIRST_TOKEN: &str =
    "1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000, 20000, 40000, 60000";

/// One rule a label.
pub(super) fn tags() -> String {
    TAGS.iter()
        .map(|(label, tag)| {
            let values = [("label", *label), ("tag", *tag)];
            fill(include_str!("envoy/stats_tag.yaml"), &values)
        })
        .collect()
}

/// One rule a histogram.
pub(super) fn buckets() -> String {
    BUCKETS
        .iter()
        .map(|(name, buckets)| {
            let values = [("name", *name), ("buckets", *buckets)];
            fill(include_str!("envoy/stats_buckets.yaml"), &values)
        })
        .collect()
}
