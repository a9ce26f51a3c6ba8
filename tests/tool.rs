//! The native tool as an operator runs it: what `check` says of a configuration, and what `render` makes of one.

#![cfg(feature = "cli")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is how a test fails"
)]

use crosspoint::dialect::{DIALECTS, Dialect, FEATURES, Handling};
use crosspoint::provider::{Address, ROWS, catalogue};
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the tool with `input` as its standard input and no provider key in its environment.
fn tool(arguments: &[&str], input: &str, env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crosspoint"));
    command
        .args(arguments)
        .current_dir(root())
        .env_clear()
        .envs(env.iter().copied());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A tool that refuses its arguments may end before it has read anything.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn render(arguments: &[&str], input: &str) -> String {
    let out = tool(
        &[&["render"], arguments].concat(),
        input,
        &[("OPENAI_API_KEY", "sk-secret-value")],
    );
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(!text.contains("${"), "a name of a template has no value:\n{text}");
    assert!(!text.contains("sk-secret-value"), "a key was written down");
    text
}

/// A sound configuration, into which a case puts its own `providers` and the like.
fn config(more: &str) -> String {
    let sections = [
        (
            "providers:",
            "providers: { openai: { key: { env: OPENAI_API_KEY } } }",
        ),
        (
            "models:",
            "models: { a/b: { endpoints: [ { provider: openai, model: m } ] } }",
        ),
    ];
    let defaults = sections
        .iter()
        .filter(|(name, _)| !more.lines().any(|line| line.starts_with(name)));
    let defaults: Vec<_> = defaults.map(|(_, text)| *text).collect();
    format!("{}\n{more}\n", defaults.join("\n"))
}

fn check(input: &str, expected: &str) {
    let out = tool(&["check", "-"], input, &[]);
    let said = String::from_utf8(out.stderr).unwrap();
    let problems: Vec<_> = said
        .lines()
        .filter(|line| !line.starts_with("standard input: "))
        .collect();
    assert_eq!(
        out.status.code(),
        Some(1),
        "{input}\nwas taken for sound:\n{}",
        String::from_utf8_lossy(&out.stdout)
    );
    assert_eq!(problems.join("\n"), expected, "of\n{input}");
}

#[test]
fn every_problem_is_named_with_its_path() {
    let cases: &[(&str, &str)] = &[
        ("modles: {}", "modles: is unknown; known here: KNOWN"),
        (
            "providers: {}",
            "providers: name at least one provider\nmodels.a/b.endpoints[0].provider: \"openai\" is not under providers ()",
        ),
        ("models: {}", "models: name at least one model"),
        (
            "providers: [openai]",
            "providers: expected a mapping, found a list\nmodels.a/b.endpoints[0].provider: \"openai\" is not under providers ()",
        ),
        (
            "providers: { openai: {}, mine: { base_url: \"http://10.0.0.1\" } }",
            "providers.mine: is no provider known by name, so it needs a dialect (DIALECTS) and a base_url",
        ),
        (
            "providers: { openai: { dialect: openai } }",
            "providers.openai.dialect: \"openai\" is no dialect; known: DIALECTS",
        ),
        (
            "providers: { openai: { base_url: api.openai.com } }",
            "providers.openai.base_url: \"api.openai.com\" is no URL of the form https://host[:port][/path]",
        ),
        (
            "providers: { openai: {}, amazon-bedrock: {} }",
            "providers.amazon-bedrock: needs a base_url of the form https://bedrock-runtime.{region}.amazonaws.com: its address is not the same for everybody",
        ),
        (
            "providers: { openai: {}, groq: { cluster: openai } }",
            "providers.openai: its cluster \"openai\" is also that of provider \"groq\"; a provider needs a cluster of its own, so that its key goes nowhere else",
        ),
        (
            "providers: { openai: { key: sk-123 } }",
            "providers.openai.key: expected a mapping, found \"sk-123\"",
        ),
        (
            "providers: { openai: { key: { value: sk-123 } } }",
            "providers.openai.key.value: is unknown; known here: env, aws, google\nproviders.openai.key: needs env, aws for signed requests, or google for tokens",
        ),
        (
            "providers: { openai: { auth: { header: Host } } }",
            "providers.openai.auth.header: \"Host\" cannot be the header of a key",
        ),
        (
            "providers: { openai: { on_cancel: bills } }",
            "providers.openai.on_cancel: \"bills\" is none of stops, bills_all, unknown",
        ),
        (
            "providers: { openai: { default_max_tokens: 0 } }",
            "providers.openai.default_max_tokens: must be at least 1",
        ),
        (
            "models: { a/b: {} }",
            "models.a/b: is not in the catalogue, so it needs endpoints",
        ),
        (
            "models: { a/b: { endpoints: [] } }",
            "models.a/b.endpoints: name at least one endpoint",
        ),
        (
            "models: { a/b: { endpoints: [ { model: m } ] } }",
            "models.a/b.endpoints[0].provider: is missing",
        ),
        (
            "models: { a/b: { endpoints: [ { provider: groq } ] } }",
            "models.a/b.endpoints[0].provider: \"groq\" is not under providers (openai)",
        ),
        (
            "models: { a/b: { endpoints: [ { provider: openai, price: { prompt: -1, completion: free } } ] } }",
            "models.a/b.endpoints[0].price.prompt: \"-1\" is no price in USD per million tokens, such as \"3.00\"\n\
             models.a/b.endpoints[0].price.completion: \"free\" is no price in USD per million tokens, such as \"3.00\"",
        ),
        (
            "keys: []",
            "keys: is empty, which would let nobody in; leave it out to let everybody in",
        ),
        (
            "keys: [ { name: a, sha256: abc } ]",
            "keys[0].sha256: expected 64 hexadecimal digits: printf %s \"$KEY\" | sha256sum",
        ),
        (
            "middleware: [ { redcat: {} } ]",
            "middleware[0].redcat: is unknown; known here: redact\nmiddleware[0]: names no middleware; known: redact",
        ),
        (
            "middleware: [ { redact: { rules: [ { mask: x } ] } } ]",
            "middleware[0].redact.rules[0]: needs either a pattern or a literal",
        ),
        (
            "limits: { request_body: 1GiB }",
            "limits.request_body: expected a size from 1KiB to 256MiB, such as 512KiB or 32MiB",
        ),
        (
            "timeouts: { total: 10 minutes }",
            "timeouts.total: expected a duration from 1ms to 24h, such as 250ms, 30s or 10m",
        ),
        (
            "routing: { max_attempts: 0 }",
            "routing.max_attempts: expected a whole number from 1 to 20",
        ),
        (
            "listen: { address: localhost }",
            "listen.address: expected an IP address",
        ),
        (
            "admin: { port: 70000 }",
            "admin.port: expected a port from 1 to 65535",
        ),
    ];
    for (more, expected) in cases {
        let known = "name, providers, models, catalogue, aliases, auto, preferences, keys, identity, budgets, middleware, limits, timeouts, routes, routing, billing, page, listen, admin";
        let dialects: Vec<_> = DIALECTS.iter().map(|dialect| dialect.name()).collect();
        let expected = expected
            .replace("KNOWN", known)
            .replace("DIALECTS", &dialects.join(", "));
        check(&config(more), &expected);
    }
}

#[test]
fn all_problems_come_at_once() {
    let input = config(
        "listen: { port: 0 }\nadmin: 1\nrouting: { max_attempts: 0, tries: 2 }\nkeys: [ { name: a } ]",
    );
    let out = tool(&["check", "-"], &input, &[]);
    let said = String::from_utf8(out.stderr).unwrap();
    assert_eq!(said.lines().last(), Some("standard input: 5 problems"), "{said}");
}

#[test]
fn yaml_that_is_none_is_named_with_its_line() {
    let out = tool(&["check", "-"], "providers:\n  openai: { key: [ }\n", &[]);
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(said.starts_with("standard input:2:"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let out = tool(&["check", "no/such.yaml"], "", &[]);
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).starts_with("no/such.yaml: cannot be read: "));
}

#[test]
fn a_summary_says_which_keys_are_not_set() {
    let out = tool(
        &["check", "examples/providers.yaml"],
        "",
        &[("OPENAI_API_KEY", "sk-secret-value")],
    );
    let said = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success());
    assert!(
        said.contains("3 providers") && said.contains("2 models, 3 endpoints"),
        "{said}"
    );
    assert!(said.contains("key from OPENAI_API_KEY\n"), "{said}");
    assert!(
        said.contains("key from ANTHROPIC_API_KEY, which is not set here"),
        "{said}"
    );
    assert!(!said.contains("sk-secret-value"), "{said}");
}

#[test]
fn a_summary_says_how_much_each_key_may_use() {
    let said = String::from_utf8(tool(&["check", "examples/keys.yaml"], "", &[]).stdout).unwrap();
    for line in [
        "  search-team  600 requests a minute, 200000 tokens a minute, 5 USD a day, 100 USD a month\n",
        "  trial  until 2030-01-31T12:00:00.000Z, 2 requests a minute, 0.5 USD a month\n",
    ] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn balances_are_rendered_or_what_is_wrong_with_them_is_said() {
    let file = std::env::temp_dir().join(format!("crosspoint-balances-{}.json", std::process::id()));
    let path = file.to_str().unwrap();
    let render = |balances: &str| {
        std::fs::write(&file, balances).unwrap();
        tool(
            &["render", "envoy", "examples/keys.yaml", "--balances", path],
            "",
            &[],
        )
    };
    let out = render(r#"{"trial": {"day": {"start": "2027-01-31", "used": "0.25"}}}"#);
    let said = String::from_utf8(out.stdout).unwrap();
    assert!(said.contains(r#""start": "2027-01-31""#), "{said}");
    for (balances, expected) in [
        ("{", "is not JSON"),
        (
            r#"{"trial": {"day": 1}}"#,
            "budgets.balances.trial.day: expected a mapping, found 1",
        ),
    ] {
        let out = render(balances);
        let said = String::from_utf8(out.stderr).unwrap();
        assert!(!out.status.success() && said.contains(expected), "{said}");
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_summary_warns_of_endpoints_without_a_price() {
    let endpoints = "[{ provider: openai, model: tuned }, \
         { provider: openai, model: priced, price: { prompt: 1, completion: 0 } }, \
         { provider: openai, model: gift, price: { prompt: 0, completion: '0.00' } }]";
    let config = config(&format!("models: {{ a/b: {{ endpoints: {endpoints} }} }}"));
    let said = String::from_utf8(tool(&["check", "-"], &config, &[]).stdout).unwrap();
    let line = "  a/b  openai:tuned (no price), openai:priced, openai:gift (free)\n";
    assert!(said.contains(line), "{said}");
    let warning = "warning: 1 endpoints have no price: they come after those with one";
    assert!(said.contains(warning), "{said}");
    let useless = "warning: keys with a budget cannot use endpoints without a price";
    assert!(!said.contains(useless), "{said}");
    let keys = format!(
        "keys: [{{ name: team, sha256: '{}', budget: {{ day: 1 }} }}]",
        "0".repeat(64)
    );
    for (budgets, warns) in [("", true), ("budgets: { unbounded: reserve }", false)] {
        let keyed = format!("{config}\n{keys}\n{budgets}\n");
        let said = String::from_utf8(tool(&["check", "-"], &keyed, &[]).stdout).unwrap();
        assert_eq!(said.contains(useless), warns, "{said}");
    }
}

#[test]
fn committed_renderings_are_current() {
    for (path, arguments) in [
        ("envoy/bootstrap.yaml", ["envoy", "examples/providers.yaml"]),
        ("envoy/istio.yaml", ["istio", "examples/providers.yaml"]),
        (
            "examples/sidecar/envoy.yaml",
            ["envoy", "examples/sidecar/crosspoint.yaml"],
        ),
    ] {
        let committed = std::fs::read_to_string(root().join(path)).unwrap();
        let command = arguments.join(" ");
        assert!(
            committed == render(&arguments, ""),
            "{path} is old: crosspoint render {command} > {path}"
        );
    }
}

/// A configuration with an address, a name, TLS and none, and names that YAML could misread.
const MIXED: &str = r#"
name: "no"
listen: { port: 10080 }
providers:
  plain: { dialect: openai-chat, base_url: "http://10.1.2.3:8000/v1", cluster: "1e3" }
  named: { dialect: openai-chat, base_url: "http://llm.internal", key: { env: ZZ_KEY } }
  address: { dialect: openai-chat, base_url: "https://10.1.2.4", key: { env: AA_KEY } }
  anthropic: { key: { env: AA_KEY } }
models: { "ü: {}": { endpoints: [ { provider: plain, model: "a\u2028b" }, { provider: named } ] } }
limits: { request_body: 2MiB }
timeouts: { total: 90500ms }
routing: { max_attempts: 3 }
"#;

struct Bootstrap(Value);

impl Bootstrap {
    fn of(arguments: &[&str], input: &str) -> Self {
        let text = render(&[&["envoy", "-"], arguments].concat(), input);
        Self(serde_saphyr::from_str(&text).unwrap())
    }

    fn listener(&self) -> &Value {
        &self.0["static_resources"]["listeners"][0]
    }

    fn hcm(&self) -> &Value {
        &self.listener()["filter_chains"][0]["filters"][0]["typed_config"]
    }

    fn route(&self) -> &Value {
        &self.hcm()["route_config"]["virtual_hosts"][0]["routes"][0]
    }

    /// The `config` of the Wasm filter in both placements.
    fn placements(&self) -> [&Value; 2] {
        let filters = &self.hcm()["http_filters"];
        let attempt = &filters[1]["typed_config"]["upstream_http_filters"][0];
        [
            &filters[0]["typed_config"]["config"],
            &attempt["typed_config"]["config"],
        ]
    }

    fn cluster(&self, name: &str) -> &Value {
        let clusters = self.0["static_resources"]["clusters"].as_array().unwrap();
        clusters.iter().find(|cluster| cluster["name"] == name).unwrap()
    }
}

#[test]
fn both_placements_share_a_vm_and_differ_in_their_root() {
    let bootstrap = Bootstrap::of(&["--wasm", "/x/y.wasm"], MIXED);
    let [gateway, attempt] = bootstrap.placements();
    assert_eq!(gateway["vm_config"], attempt["vm_config"]);
    assert_eq!(gateway["vm_config"]["code"]["local"]["filename"], "/x/y.wasm");
    let keys = &gateway["vm_config"]["environment_variables"]["host_env_keys"];
    assert_eq!(*keys, serde_json::json!(["AA_KEY", "ZZ_KEY"]));
    for (placement, name) in [(gateway, "gateway"), (attempt, "attempt")] {
        assert_eq!(placement["root_id"], name);
        assert_eq!(placement["failure_policy"], "FAIL_RELOAD");
        assert_eq!(placement["allow_on_headers_stop_iteration"], true);
        let plugin: Value =
            serde_json::from_str(placement["configuration"]["value"].as_str().unwrap()).unwrap();
        assert_eq!(plugin["placement"], name);
    }
    let upstream = &bootstrap.hcm()["http_filters"][1]["typed_config"]["upstream_http_filters"];
    assert_eq!(upstream[1]["name"], "envoy.filters.http.upstream_codec");
}

#[test]
fn the_plugin_gets_the_operators_configuration_with_caps() {
    let bootstrap = Bootstrap::of(&[], MIXED);
    let text = bootstrap.placements()[0]["configuration"]["value"]
        .as_str()
        .unwrap();
    let plugin: Value = serde_json::from_str(text).unwrap();
    let mut expected: Value = serde_saphyr::from_str(MIXED).unwrap();
    expected["limits"] = serde_json::json!({ "request_body": "2MiB", "response_body": "32MiB" });
    assert_eq!(plugin["config"], expected);
}

#[test]
fn envoys_limits_are_above_the_filters() {
    let bootstrap = Bootstrap::of(&[], MIXED);
    let cap = 32 << 20;
    assert!(bootstrap.listener()["per_connection_buffer_limit_bytes"].as_u64() > Some(cap));
    assert!(bootstrap.route()["request_body_buffer_limit"].as_u64() > Some(cap));
    assert_eq!(bootstrap.route()["route"]["timeout"], "90.500s");
    assert_eq!(bootstrap.hcm()["stream_idle_timeout"], "120.500s");
    let retry = &bootstrap.route()["route"]["retry_policy"];
    assert_eq!(retry["num_retries"], 2);
    assert_eq!(retry["refresh_cluster_on_retry"], true);
}

#[test]
fn every_provider_has_a_cluster_that_the_route_knows() {
    let bootstrap = Bootstrap::of(&[], MIXED);
    let plugin = &bootstrap.route()["route"]["inline_cluster_specifier_plugin"]["extension"]["typed_config"];
    let matches = plugin["cluster_matcher"]["matcher_tree"]["exact_match_map"]["map"]
        .as_object()
        .unwrap();
    assert_eq!(
        matches.keys().collect::<Vec<_>>(),
        ["1e3", "address", "anthropic", "named"]
    );
    for (name, entry) in matches {
        assert_eq!(entry["action"]["typed_config"]["cluster"], *name);
        let endpoints = &bootstrap.cluster(name)["load_assignment"]["endpoints"];
        assert_eq!(endpoints[1]["priority"], 1, "{name}");
        let fallback = &endpoints[1]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"];
        assert_eq!(
            *fallback,
            serde_json::json!({ "address": "127.0.0.1", "port_value": 1 })
        );
        let thresholds = bootstrap.cluster(name)["circuit_breakers"]["thresholds"][0]
            .as_object()
            .unwrap();
        assert!(
            thresholds.len() == 4 && thresholds.values().all(|value| *value == 100_000),
            "{name}"
        );
    }
}

#[test]
fn certificates_are_checked_against_the_name_or_the_address() {
    let bootstrap = Bootstrap::of(&["--ca-file", "/ca.pem"], MIXED);
    let tls = |name: &str| bootstrap.cluster(name)["transport_socket"]["typed_config"].clone();
    assert_eq!(tls("anthropic")["sni"], "api.anthropic.com");
    assert_eq!(tls("anthropic")["auto_sni_san_validation"], true);
    let context = |name: &str| tls(name)["common_tls_context"]["validation_context"].clone();
    assert_eq!(context("anthropic")["trusted_ca"]["filename"], "/ca.pem");
    assert_eq!(tls("address")["sni"], Value::Null);
    assert_eq!(
        context("address")["match_typed_subject_alt_names"][0]["matcher"]["exact"],
        "10.1.2.4"
    );
    assert_eq!(tls("1e3"), Value::Null);
    for (name, kind) in [
        ("anthropic", "STRICT_DNS"),
        ("named", "STRICT_DNS"),
        ("1e3", "STATIC"),
        ("address", "STATIC"),
    ] {
        assert_eq!(bootstrap.cluster(name)["type"], kind, "{name}");
    }
}

#[test]
fn without_failover_nothing_is_retried() {
    let bootstrap = Bootstrap::of(&["--without-failover"], MIXED);
    assert_eq!(bootstrap.route()["route"]["retry_policy"], Value::Null);
}

#[test]
fn a_mesh_names_the_clusters_as_istio_does() {
    let text = render(
        &[
            "istio",
            "-",
            "--context",
            "sidecar",
            "--label",
            "app=x",
            "--namespace",
            "y",
        ],
        MIXED,
    );
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let filter = documents
        .iter()
        .find(|document| document["kind"] == "EnvoyFilter")
        .unwrap();
    let patches = filter["spec"]["configPatches"].as_array().unwrap();
    let gateway = patches
        .iter()
        .find(|patch| patch["patch"]["operation"] == "INSERT_BEFORE")
        .unwrap();
    let plugin = gateway["patch"]["value"]["typed_config"]["config"]["configuration"]["value"]
        .as_str()
        .unwrap();
    let plugin: Value = serde_json::from_str(plugin).unwrap();
    for provider in ["plain", "named", "address", "anthropic"] {
        let cluster = format!("outbound|80||{provider}.crosspoint.internal");
        assert_eq!(plugin["config"]["providers"][provider]["cluster"], cluster);
        assert!(
            text.contains(&format!("hosts: [{provider}.crosspoint.internal]")),
            "{provider}"
        );
    }
    assert_eq!(filter["spec"]["workloadSelector"]["labels"]["app"], "x");
    assert!(
        documents
            .iter()
            .all(|document| document["metadata"]["namespace"] == "y")
    );
    assert!(!text.contains("context: GATEWAY"));
}

#[test]
fn a_provider_whose_name_is_no_host_name_is_refused_in_a_mesh() {
    let input = "providers: { my_llm: { dialect: openai-chat, base_url: \"http://a\" } }\n\
                 models: { m: { endpoints: [ { provider: my_llm } ] } }\n";
    let out = tool(&["render", "istio", "-"], input, &[]);
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).starts_with("providers.my_llm: "));
}

#[test]
fn nothing_is_rendered_of_a_wrong_configuration() {
    let out = tool(
        &["render", "envoy", "-"],
        &config("routing: { max_attempts: 0 }"),
        &[],
    );
    assert_eq!(out.status.code(), Some(1));
    assert!(out.stdout.is_empty());
}

/// Every provider that is known by name, each with a key and a model, and the whole catalogue.
fn everybody() -> String {
    let mut providers = String::from("providers:\n");
    let mut models = String::from("models:\n");
    for row in ROWS {
        let id = row.id;
        let base_url = match row.address {
            Address::Known(_) => String::new(),
            Address::Like(url) => format!(
                "base_url: \"{}\", ",
                url.replace(['{', '}'], "").replace('_', "-")
            ),
        };
        providers += &format!("  \"{id}\": {{ {base_url}key: {{ env: {} }} }}\n", key_env(id));
        models += &format!("  some/{id}: {{ endpoints: [ {{ provider: \"{id}\", model: m }} ] }}\n");
    }
    providers + &models + "catalogue: true\n"
}

fn key_env(id: &str) -> String {
    format!("X_{}_API_KEY", id.to_ascii_uppercase().replace('-', "_"))
}

#[test]
fn all_known_providers_work_at_once() {
    let keys: Vec<String> = ROWS.iter().map(|row| key_env(row.id)).collect();
    let env: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "sk-secret-value")).collect();
    let out = tool(&["check", "-"], &everybody(), &env);
    let said = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(said.contains(&format!("{} providers", ROWS.len())), "{said}");
    assert!(!said.contains("not set") && !said.contains("secret"), "{said}");
    for model in catalogue::all() {
        assert!(said.contains(&format!("\n  {}  ", model.id)), "{}", model.id);
    }

    let bootstrap = Bootstrap::of(&[], &everybody());
    let clusters = bootstrap.0["static_resources"]["clusters"].as_array().unwrap();
    assert_eq!(clusters.len(), ROWS.len());
    for row in ROWS {
        let cluster = clusters.iter().find(|cluster| cluster["name"] == row.id).unwrap();
        let tls = cluster.get("transport_socket").is_some();
        assert_eq!(
            tls,
            matches!(row.address, Address::Known(url) | Address::Like(url) if url.starts_with("https:")),
            "{}",
            row.id
        );
    }
    let [gateway, _] = bootstrap.placements();
    let passed = gateway["vm_config"]["environment_variables"]["host_env_keys"]
        .as_array()
        .unwrap();
    assert_eq!(passed.len(), ROWS.len());
}

#[test]
fn the_readme_names_every_known_provider() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let ids: Vec<String> = ROWS.iter().map(|row| format!("`{}`", row.id)).collect();
    let flat: String = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(&ids.join(" ")), "the list is: {}", ids.join(" "));
    assert!(flat.contains(&format!("{} providers are known by name", ROWS.len())));
}

/// How a loss is marked in README's table.
const MARKS: [(Handling, &str); 3] = [
    (Handling::Drop, "–"),
    (Handling::DropForSomeModels, "some"),
    (Handling::Reject, "refused"),
];

/// A row for all features that fare alike, a column for all dialects that do.
fn table_of_gaps() -> String {
    let mark = |dialect: &Dialect, feature: &str| {
        let gap = dialect.gaps().list.iter().find(|gap| gap.feature == feature);
        let mark = gap.and_then(|gap| MARKS.iter().find(|(handling, _)| *handling == gap.handling));
        mark.map_or("", |(_, mark)| *mark)
    };
    let column = |dialect: &&'static Dialect| -> Vec<&str> {
        FEATURES
            .iter()
            .map(|feature| mark(dialect, feature.name))
            .collect()
    };
    let columns = alike(DIALECTS.iter().map(|dialect| (dialect.name(), column(dialect))));
    let row = |index: usize| -> Vec<&str> { columns.iter().map(|(_, marks)| marks[index]).collect() };
    let rows = FEATURES
        .iter()
        .enumerate()
        .map(|(index, feature)| (feature.name, row(index)));
    let head: Vec<_> = columns.iter().map(|(names, _)| names.as_str()).collect();
    let mut table = format!("| | {} |\n|---{}|\n", head.join(" | "), "|---".repeat(head.len()));
    for (names, marks) in alike(rows) {
        if marks.iter().any(|mark| !mark.is_empty()) {
            table += &format!("| {names} | {} |\n", marks.join(" | "));
        }
    }
    table
}

/// The names of those whose marks are the same, in the order of the first of them.
fn alike<'a>(all: impl Iterator<Item = (&'a str, Vec<&'a str>)>) -> Vec<(String, Vec<&'a str>)> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, marks) in all {
        match groups.iter_mut().find(|(_, known)| *known == marks) {
            Some((names, _)) => *names += &format!(", `{name}`"),
            None => groups.push((format!("`{name}`"), marks)),
        }
    }
    groups
}

#[test]
fn the_readme_has_the_table_of_what_formats_cannot_carry() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let table = table_of_gaps();
    assert!(readme.contains(&table), "README's table is to be:\n{table}");
}

/// One provider whose requests are signed.
const SIGNED: &str = "providers: { amazon-bedrock: { base_url: \"https://bedrock-runtime.eu-west-1.amazonaws.com\", key: { aws: {} } } }\n\
                      models: { m: { endpoints: [ { provider: amazon-bedrock } ] } }\n";

#[test]
fn a_summary_says_what_signs() {
    for (env, expected) in [
        (
            &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"][..],
            "signed for eu-west-1 with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN\n",
        ),
        (
            &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
            "signed for eu-west-1 with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY\n",
        ),
        (
            &["AWS_ACCESS_KEY_ID"],
            "signed for eu-west-1 with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY; not set here: AWS_SECRET_ACCESS_KEY; Envoy will refuse the filter without it\n",
        ),
    ] {
        let env: Vec<_> = env.iter().map(|name| (*name, "sk-secret-value")).collect();
        let out = tool(&["check", "-"], SIGNED, &env);
        let said = String::from_utf8(out.stdout).unwrap();
        assert!(
            said.contains(expected) && !said.contains("secret-value"),
            "{said}"
        );
    }
}

#[test]
fn everything_that_signs_is_passed_on_from_the_environment() {
    let bootstrap = Bootstrap::of(&[], SIGNED);
    let keys = &bootstrap.placements()[0]["vm_config"]["environment_variables"]["host_env_keys"];
    let expected = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    assert_eq!(*keys, serde_json::json!(expected));
}

const TOKENS: &str = "\
providers:
  google-vertex:
    base_url: https://us-east5-aiplatform.googleapis.com/v1/projects/p/locations/us-east5
    key: { google: { service_account: { env: ACCOUNT } } }
  machine: { dialect: gemini-vertex, base_url: \"https://m.example/v1\", key: { google: { metadata: true } } }
models: { a/b: { endpoints: [ { provider: google-vertex, model: m }, { provider: machine, model: m } ] } }
";

#[test]
fn where_tokens_come_from_is_a_cluster_that_no_request_is_routed_to() {
    let bootstrap = Bootstrap::of(&[], TOKENS);
    let address = |name: &str| {
        let cluster = bootstrap.cluster(name);
        let endpoint = &cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"];
        let address = &endpoint["address"]["socket_address"];
        let sni = &cluster["transport_socket"]["typed_config"]["sni"];
        serde_json::json!([address["address"], address["port_value"], sni])
    };
    let name = "oauth2.googleapis.com";
    assert_eq!(
        address("google-vertex-token"),
        serde_json::json!([name, 443, name])
    );
    let name = "metadata.google.internal";
    assert_eq!(address("machine-token"), serde_json::json!([name, 80, null]));
    let plugin = &bootstrap.route()["route"]["inline_cluster_specifier_plugin"]["extension"]["typed_config"];
    let matches = plugin["cluster_matcher"]["matcher_tree"]["exact_match_map"]["map"]
        .as_object()
        .unwrap();
    assert_eq!(matches.keys().collect::<Vec<_>>(), ["google-vertex", "machine"]);
    let keys = &bootstrap.placements()[0]["vm_config"]["environment_variables"]["host_env_keys"];
    assert_eq!(*keys, serde_json::json!(["ACCOUNT"]));
}

#[test]
fn a_mesh_has_a_service_for_tokens() {
    let text = render(&["istio", "-"], TOKENS);
    let cluster = "outbound|80||google-vertex-token.crosspoint.internal";
    assert!(
        text.contains(&format!("\"token_cluster\": \"{cluster}\"")),
        "{text}"
    );
    for line in [
        "hosts: [google-vertex-token.crosspoint.internal]",
        "hosts: [machine-token.crosspoint.internal]",
        "- address: metadata.google.internal",
        "sni: oauth2.googleapis.com",
    ] {
        assert!(text.contains(line), "{line}");
    }
}

#[test]
fn a_summary_says_where_tokens_come_from() {
    let out = tool(&["check", "-"], TOKENS, &[]);
    let said = String::from_utf8(out.stdout).unwrap();
    for line in [
        "tokens from https://oauth2.googleapis.com/token with ACCOUNT, which is not set here; Envoy will refuse the filter without it\n",
        "tokens from http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token\n",
    ] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn explain_needs_no_token() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tokens.yaml");
    std::fs::write(&path, TOKENS).unwrap();
    let request = r#"{"model":"a/b","messages":[{"role":"user","content":"hi"}]}"#;
    let out = tool(&["explain", path.to_str().unwrap()], request, &[]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("/publishers/google/models/m:generateContent") && !text.contains("authorization"));
}

#[test]
fn explain_shows_every_attempt_without_credentials() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("explain.yaml");
    std::fs::write(
        &path,
        "providers: { openai: { key: { env: OPENAI_API_KEY } }, anthropic: { key: { env: K } } }\n\
         models: { a/b: { endpoints: [ { provider: anthropic, model: claude }, { provider: openai, model: gpt } ] } }\n\
         aliases: { short: a/b }\nauto: { models: { a/b: { score: 0.7 } } }\n",
    )
    .unwrap();
    let explain = |request: &str| {
        let env = [("OPENAI_API_KEY", "sk-secret-value")];
        tool(&["explain", path.to_str().unwrap()], request, &env)
    };
    let out = explain(
        r#"{"model":"a/b","messages":[{"role":"user","content":"hi"}],"seed":1.0,"provider":{"order":["openai"]}}"#,
    );
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(!text.contains("secret"), "{text}");
    let attempts: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(attempts.len(), 2, "{text}");
    assert_eq!(attempts[0]["provider"], "openai");
    assert_eq!(attempts[0]["reason"], "order");
    assert_eq!(
        attempts[0]["request"]["url"],
        "https://api.openai.com/v1/chat/completions"
    );
    assert!(text.contains(r#""seed":1.0"#), "{text}");
    assert_eq!(attempts[1]["request"]["body"]["max_tokens"], 8192);
    let env = [("OPENAI_API_KEY", "sk-secret-value")];
    let at = |place: &str| {
        let arguments = ["explain", path.to_str().unwrap(), "--path", place];
        tool(&arguments, r#"{"model":"a/b","input":"hi"}"#, &env)
    };
    let text = String::from_utf8(at("/v1/embeddings").stdout).unwrap();
    assert!(
        text.contains("https://api.openai.com/v1/embeddings") && text.lines().count() == 1,
        "{text}"
    );
    let message = String::from_utf8(at("/v1/else").stderr).unwrap();
    assert!(
        message.contains("nothing is posted to /v1/else; known: /v1/chat/completions"),
        "{message}"
    );
    let named = |model: &str| {
        let request = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
        let text = String::from_utf8(explain(&request).stdout).unwrap();
        serde_json::from_str::<Value>(text.lines().next().unwrap()).unwrap()
    };
    assert_eq!(named("short:floor")["strategy"], "alias");
    assert_eq!(named("short:floor")["model"], "a/b");
    let picked = named("crosspoint/auto");
    assert_eq!(picked["strategy"], "auto");
    assert_eq!(picked["automatic"], "score 0.7: able");
    let refused = explain(r#"{"model":"c","messages":[]}"#);
    assert!(!refused.status.success());
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(message.contains(r#"no model named "c""#), "{message}");
}

/// Policies of every form of match, and keys with and without rules.
const TEAMS: &str = r#"
providers: { openai: {}, anthropic: {} }
models: { a/b: { endpoints: [ { provider: anthropic, model: claude }, { provider: openai, model: gpt } ] }, c/d: { endpoints: [ { provider: openai } ] } }
keys:
- { name: ann, sha256: "0000000000000000000000000000000000000000000000000000000000000000" }
- { name: bob, sha256: "1111111111111111111111111111111111111111111111111111111111111111", models: ["a/*"] }
limits: { request_body: 1MiB, response_body: 1MiB }
routes:
  short: { match: { prefix: /a } }
  long:  { match: { prefix: /a/b.c }, keys: [ann], timeouts: { total: 20m }, limits: { request_body: 64MiB } }
  both:  { match: { prefix: /a, host: x.Example.com, header: { name: X-Team, value: "1" } }, providers: ["!openai"] }
  named: {}
"#;

#[test]
fn every_policy_has_a_route_and_who_asks_for_more_comes_first() {
    let bootstrap = Bootstrap::of(&[], TEAMS);
    let hosts = bootstrap.hcm()["route_config"]["virtual_hosts"]
        .as_array()
        .unwrap();
    let [host] = &hosts[..] else { panic!("{hosts:?}") };
    let routes = host["routes"].as_array().unwrap();
    let names: Vec<_> = routes
        .iter()
        .map(|route| route["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["both", "long", "short", "crosspoint"]);
    let expected = serde_json::json!([
        {
            "path_separated_prefix": "/a",
            "headers": [
                {"name": ":authority", "string_match": {"safe_regex": {"regex": "(?i)x[.]example[.]com(:[0-9]+)?"}}},
                {"name": "x-team", "string_match": {"exact": "1"}},
            ],
        },
        {"path_separated_prefix": "/a/b.c"},
        {"path_separated_prefix": "/a"},
        {"prefix": "/"},
    ]);
    let matches: Vec<_> = routes.iter().map(|route| route["match"].clone()).collect();
    assert_eq!(Value::from(matches), expected);
    let timeouts: Vec<_> = routes
        .iter()
        .map(|route| route["route"]["timeout"].clone())
        .collect();
    assert_eq!(timeouts, ["600s", "1200s", "600s", "600s"]);
    assert_eq!(bootstrap.hcm()["stream_idle_timeout"], "1230s");
    // Envoy's limits are above those of every route.
    assert!(bootstrap.listener()["per_connection_buffer_limit_bytes"].as_u64() > Some(64 << 20));
    assert!(routes[3]["request_body_buffer_limit"].as_u64() > Some(64 << 20));
}

#[test]
fn a_mesh_has_the_same_routes_each_put_before_the_last() {
    let text = render(&["istio", "-"], TEAMS);
    let mut names: Vec<_> = text
        .split("operation: INSERT_FIRST")
        .skip(1)
        .filter_map(|patch| patch.split_once("name: ")?.1.lines().next())
        .collect();
    names.reverse();
    assert_eq!(names, ["both", "long", "short", "crosspoint"]);
}

#[test]
fn a_summary_says_what_policies_and_keys_leave() {
    let out = tool(&["check", "-"], TEAMS, &[]);
    let said = String::from_utf8(out.stdout).unwrap();
    for line in [
        "2 client keys\n  bob  1 of 2 models, 2 of 3 endpoints\n4 policies of routes\n",
        "  both  /a, host x.example.com, x-team: 1  1 of 2 models, 1 of 3 endpoints  every key\n",
        "  long  /a/b.c  all models  keys ann\n",
        "  named  no match: not rendered  all models  every key\n",
    ] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn explain_knows_routes_and_keys() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("teams.yaml");
    std::fs::write(&path, TEAMS).unwrap();
    let explain = |options: &[&str], model: &str| {
        let request = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}]}}"#);
        let out = tool(
            &[&["explain", path.to_str().unwrap()], options].concat(),
            &request,
            &[],
        );
        let text = if out.status.success() {
            out.stdout
        } else {
            out.stderr
        };
        String::from_utf8(text).unwrap()
    };
    assert_eq!(explain(&[], "a/b").lines().count(), 2);
    let only = explain(&["--route", "both"], "a/b");
    assert!(
        only.lines().count() == 1 && only.contains(r#""provider":"anthropic""#),
        "{only}"
    );
    for (options, message) in [
        (
            &["--route", "both"][..],
            "[providers of the policy of route both]",
        ),
        (&["--key", "bob"], "[models of key bob]"),
        (
            &["--route", "long", "--key", "bob"],
            "refused with status 403: the policy of the route does not name key bob",
        ),
        (
            &["--route", "long"],
            "the policy of the route names who may call; say --key",
        ),
        (
            &["--route", "x"],
            "--route: none is called x; known: both, long, named, short",
        ),
        (&["--key", "eve"], "--key: none is called eve; known: ann, bob"),
    ] {
        let said = explain(options, "c/d");
        assert!(said.contains(message), "{said}");
    }
}

#[test]
fn explain_takes_the_region_of_the_envoy() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("explain-region.yaml");
    let config = |region: &str| {
        format!(
            "providers: {{ openai: {{}}, anthropic: {{ {region} }} }}\n\
             routing: {{ prefer_local_region: true }}\n\
             models: {{ a/b: {{ endpoints: [ {{ provider: openai, model: m, price: {{ prompt: 1, completion: 0 }} }},\n\
             {{ provider: anthropic, model: m, price: {{ prompt: 9, completion: 0 }} }} ] }} }}\n"
        )
    };
    std::fs::write(&path, config("region: eu-west-1")).unwrap();
    let explain = |more: &[&str]| {
        let arguments = [&["explain", path.to_str().unwrap()], more].concat();
        let request =
            r#"{"model":"a/b","messages":[{"role":"user","content":"hi"}],"provider":{"sort":"price"}}"#;
        let out = tool(&arguments, request, &[]);
        let text = String::from_utf8(out.stdout).unwrap();
        let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        (first["provider"].clone(), first["reason"].clone())
    };
    assert_eq!(explain(&[]), ("openai".into(), "price".into()));
    assert_eq!(
        explain(&["--region", "eu-west-2"]),
        ("anthropic".into(), "region".into())
    );
    let said = |region: &str| String::from_utf8(tool(&["check", "-"], &config(region), &[]).stdout).unwrap();
    let useless = "no endpoint has a region, so that routing.prefer_local_region changes nothing";
    assert!(said("").contains(useless) && !said("region: eu").contains(useless));
}
