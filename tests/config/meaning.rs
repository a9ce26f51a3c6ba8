//! Meanings of sound configurations.

use crate::table::{MODELS, PROVIDERS, problems};
use crosspoint::auth::Credential;
use crosspoint::config::{Adaptive, Identity, StreamUpstream, Waiting};
use crosspoint::load;
use crosspoint::meter::{Kind, PicoUsd};
use crosspoint::provider::OnCancel;
use serde_json::Value;

const FULL: &str = r#"
name: edge
providers:
  openai:    { cluster: openai-eu, key: { env: SET }, default_max_tokens: 5.0, on_cancel: bills_all }
  anthropic: { base_url: "http://127.0.0.1:8081/anthropic/" }
  bedrock:   { dialect: bedrock-converse, base_url: "https://bedrock-runtime.us-east-1.amazonaws.com", key: { env: SET }, timeouts: { first_token: 4s } }
  acme:      { dialect: openai-chat, stream_upstream: never, base_url: "https://acme.example:8443", auth: { header: X-Api-Key, prefix: "Key " } }
models:
  z/last: { endpoints: [{ provider: acme }] }
  anthropic/claude:
    endpoints:
      - { provider: anthropic, model: claude-x, timeouts: { first_token: 9s }, price: { prompt: "3.00", completion: 15, cache_read: 0.3, cache_write: "3.75", cache_write_1h: "6" } }
      - { provider: bedrock, model: "anthropic.claude-v1:0" }
keys:
  - name: ann
    sha256: "5E884898DA28047151D0E56F8DC6292773603D0D6AABBDD62A11EF721D1542D8"
    expires: "2027-01-01T01:00:00+01:00"
    metadata: { team: red }
    requests_per_minute: 60
    tokens_per_minute: 100000
    budget: { day: "2.50", month: 50 }
  - { name: "*", disabled: true }
identity: { header: X-User }
budgets: { on_unavailable: allow, balances: { ann: { month: { start: "2026-11-01", used: "1" }, total: 2 } } }
middleware: [{ redact: { rules: [{ pattern: '\d{4}', mask: '[card]' }, { literal: "secret" }] } }]
limits: { request_body: 32MiB, response_body: 2097152, memory: 64MiB }
timeouts: { first_token: 20s, stall: 30s, total: 10m, adaptive: { factor: 2.5, max: 15s }, waiting_comment: { after: 5s, every: 10s, early: true } }
routing: { max_attempts: 3, prefer_local_region: true }
page: true
listen: { address: "::", port: 443 }
admin: { port: 9000.0 }
"#;

#[test]
fn a_full_configuration_means_what_it_says() {
    assert_eq!(problems(FULL), Vec::<String>::new());
    let value: Value = serde_saphyr::from_str(FULL).unwrap();
    let config = load::config(&value, Some(&|_| Some(" sk-1\n".to_owned()))).unwrap();
    assert_eq!(config.name, "edge");
    let provider = |id: &str| {
        config
            .providers
            .iter()
            .find(|provider| provider.id == id)
            .unwrap()
    };
    let openai = provider("openai");
    assert_eq!(
        (openai.cluster.as_str(), openai.default_max_tokens),
        ("openai-eu", 5)
    );
    let Some(Credential::Plain(key)) = &openai.key else {
        panic!("{:?}", openai.key)
    };
    assert_eq!(key.value.as_ref().unwrap().expose(), "sk-1");
    assert_eq!(openai.on_cancel, OnCancel::BillsAll);
    assert_eq!(openai.base.authority(), "api.openai.com");
    let anthropic = provider("anthropic");
    assert_eq!(anthropic.base.authority(), "127.0.0.1:8081");
    assert_eq!(
        (anthropic.base.tls, anthropic.base.path.as_str()),
        (false, "/anthropic")
    );
    assert_eq!(
        (anthropic.auth_header.as_str(), anthropic.auth_prefix.as_str()),
        ("x-api-key", "")
    );
    assert!(anthropic.key.is_none());
    let bedrock = provider("bedrock");
    assert_eq!(bedrock.dialect.name(), "bedrock-converse");
    assert_eq!(
        (bedrock.cluster.as_str(), bedrock.auth_prefix.as_str()),
        ("bedrock", "Bearer ")
    );
    let acme = provider("acme");
    assert_eq!(
        (acme.auth_header.as_str(), acme.auth_prefix.as_str()),
        ("x-api-key", "Key ")
    );
    assert_eq!(acme.base.authority(), "acme.example:8443");
    let names: Vec<_> = config.models.iter().map(|model| model.name.as_str()).collect();
    assert_eq!(names, ["anthropic/claude", "z/last"]);
    let claude = config.model("anthropic/claude").unwrap();
    assert_eq!(
        claude.endpoints[0].price.as_ref().unwrap().completion,
        PicoUsd(15_000_000)
    );
    assert_eq!(
        claude.endpoints[0].price.as_ref().unwrap().of(Kind::CacheRead),
        Some(PicoUsd(300_000))
    );
    assert_ne!(claude.endpoints[0].health_key, claude.endpoints[1].health_key);
    assert_eq!(config.model("z/last").unwrap().endpoints[0].model, "z/last");
    let ann = config
        .keys
        .get(config.key(&crosspoint::hash::sha256(b"password")).unwrap())
        .unwrap();
    assert_eq!((ann.name.as_str(), ann.disabled), ("ann", false));
    assert_eq!(ann.expires_ms, Some(1_798_761_600_000));
    assert_eq!(ann.metadata, [("team".to_owned(), "red".to_owned())]);
    assert_eq!(ann.allowance.requests_per_minute, Some(60));
    assert_eq!(ann.allowance.tokens_per_minute, Some(100_000));
    let budget = [
        Some(PicoUsd(2_500_000_000_000)),
        None,
        Some(PicoUsd(50_000_000_000_000)),
    ];
    assert_eq!(ann.allowance.budget, budget);
    assert_eq!(config.key_named("ann"), Some(ann));
    assert_eq!(config.key_named("ben").unwrap().name, "*");
    assert_eq!(config.identity, Some(Identity::Header("x-user".to_owned())));
    assert!(config.budgets.allow_when_unavailable);
    let balance = config.budgets.balance("ann").unwrap();
    assert_eq!(
        balance.spent,
        [None, None, Some((20_758, PicoUsd(1_000_000_000_000)))]
    );
    assert_eq!(balance.total, Some(PicoUsd(2_000_000_000_000)));
    assert_eq!(config.middleware.len(), 1);
    assert_eq!(
        (
            config.limits.request_body,
            config.limits.response_body,
            config.memory
        ),
        (32 << 20, 2 << 20, 64 << 20)
    );
    assert_eq!(
        (config.timeouts.first_token_ms, config.timeouts.total_ms),
        (20_000, 600_000)
    );
    let adaptive = Adaptive {
        factor_percent: 250,
        min_ms: 5_000,
        max_ms: 15_000,
    };
    assert_eq!(config.timeouts.adaptive, Some(adaptive));
    let waiting = Waiting {
        after_ms: 5_000,
        every_ms: 10_000,
    };
    assert_eq!(config.timeouts.waiting, Some(waiting));
    let deadlines = claude.endpoints.iter().map(|endpoint| endpoint.first_token_ms);
    assert_eq!(deadlines.collect::<Vec<_>>(), [Some(9_000), Some(4_000)]);
    let streamed = |name: &str| {
        let model = config.models.iter().find(|model| model.name == name).unwrap();
        model.endpoints[0].stream_upstream
    };
    assert_eq!(
        [streamed("z/last"), streamed("anthropic/claude")],
        [StreamUpstream::Never, StreamUpstream::Auto]
    );
    assert_eq!(config.routing.max_attempts, 3);
    assert!(config.routing.prefer_local_region && config.routing.local_regions.is_empty());
    assert!(config.page);
    assert_eq!((config.listen.address.as_str(), config.listen.port), ("::", 443));
    assert_eq!(
        (config.admin.address.as_str(), config.admin.port),
        ("127.0.0.1", 9_000)
    );
}

#[test]
fn the_quirks_of_a_row_are_of_its_own_dialect() {
    use crosspoint::chat::ReasoningTokens::{Excluded, Included};
    for (provider, path, reasoning) in [
        ("xai: {}", "/chat/completions", Excluded),
        (
            "xai: { dialect: anthropic-messages }",
            "/chat/completions",
            Included,
        ),
        (
            "azure: { base_url: 'https://x' }",
            "/openai/v1/chat/completions?api-version=v1",
            Included,
        ),
        (
            "azure-openai: { base_url: 'https://x' }",
            "/openai/deployments/{model}/chat/completions?api-version=2024-10-21",
            Included,
        ),
        (
            "mine: { dialect: openai-chat, base_url: 'https://x' }",
            "/chat/completions",
            Included,
        ),
    ] {
        let id = provider.split(':').next().unwrap();
        let models = format!("models: {{ a/b: {{ endpoints: [{{ provider: {id} }}] }} }}");
        let value: Value = serde_saphyr::from_str(&format!("{PROVIDERS}\n  {provider}\n{models}")).unwrap();
        let config = load::config(&value, None).unwrap();
        let found = &config.model("a/b").unwrap().endpoints[0];
        assert_eq!(
            (found.quirks.path, found.usage(found.dialect).reasoning),
            (path, reasoning),
            "{provider}"
        );
    }
}

#[test]
fn a_provider_in_another_dialect_keeps_its_address_and_key() {
    let models = "models: { m: { endpoints: [{ provider: openai, model: gpt-x }, { provider: azure, model: gpt-x }] } }";
    let text = format!(
        "providers:\n  openai: {{ dialect: openai-responses, key: {{ env: SET }} }}\n  azure: {{ dialect: openai-responses, base_url: 'https://r.openai.azure.com/openai/v1' }}\n{models}"
    );
    let value: Value = serde_saphyr::from_str(&text).unwrap();
    let config = load::config(&value, Some(&|_| Some("sk-1".to_owned()))).unwrap();
    let found: Vec<_> = config
        .providers
        .iter()
        .map(|provider| {
            let base = &provider.base;
            assert_eq!(provider.dialect.name(), "openai-responses");
            (
                base.authority(),
                base.path.as_str(),
                provider.auth_header.as_str(),
                provider.auth_prefix.as_str(),
            )
        })
        .collect();
    let expected = [
        ("r.openai.azure.com".to_owned(), "/openai/v1", "api-key", ""),
        ("api.openai.com".to_owned(), "/v1", "authorization", "Bearer "),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_model_that_is_not_served_in_chats_needs_no_dialect() {
    for (provider, model, dialect) in [
        ("openai", "gpt-5.1-codex-mini", "openai-responses"),
        ("openai", "gpt-5.1", "openai-chat"),
        ("openai", "o3-pro-2025-06-10", "openai-responses"),
        ("xai", "grok-4.20-multi-agent-0309", "openai-responses"),
        ("perplexity", "openai/gpt-5.4", "openai-responses"),
    ] {
        let text = format!(
            "providers: {{ {provider}: {{}} }}\nmodels: {{ m: {{ endpoints: [{{ provider: {provider}, model: {model} }}] }} }}"
        );
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        let config = load::config(&value, None).unwrap();
        assert_eq!(config.models[0].endpoints[0].dialect.name(), dialect, "{model}");
    }
}

#[test]
fn an_endpoint_may_speak_another_dialect_than_its_provider() {
    use crosspoint::chat::ReasoningTokens::{Excluded, Included};
    for (endpoint, dialect, reasoning) in [
        ("{ provider: xai }", "openai-chat", Excluded),
        ("{ provider: xai, dialect: openai-chat }", "openai-chat", Excluded),
        // The quirks of its row are of the row's dialect.
        (
            "{ provider: xai, dialect: anthropic-messages }",
            "anthropic-messages",
            Included,
        ),
        // So are the dialects of some of its models.
        (
            "{ provider: google-vertex, model: gemini-2.5-pro }",
            "gemini-vertex",
            Excluded,
        ),
        (
            "{ provider: google-vertex, model: claude-sonnet-4-5@20250929 }",
            "anthropic-vertex",
            Included,
        ),
        (
            "{ provider: google-vertex, model: claude-9, dialect: gemini-vertex }",
            "gemini-vertex",
            Excluded,
        ),
    ] {
        let text = format!(
            "providers: {{ xai: {{}}, google-vertex: {{ base_url: 'https://v.example/v1' }} }}\n\
                 models: {{ a/b: {{ endpoints: [{endpoint}] }} }}"
        );
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        let config = load::config(&value, None).unwrap();
        let found = &config.model("a/b").unwrap().endpoints[0];
        assert_eq!(
            (found.dialect.name(), found.usage(found.dialect).reasoning),
            (dialect, reasoning),
            "{endpoint}"
        );
    }
}

#[test]
fn a_region_comes_from_the_host_or_from_its_own_member() {
    for (host, member, expected) in [
        ("bedrock-runtime.eu-west-1.amazonaws.com", "", "eu-west-1"),
        (
            "bedrock-runtime-fips.us-gov-west-1.amazonaws.com",
            "",
            "us-gov-west-1",
        ),
        (
            "vpce-0a-b.bedrock-runtime.us-east-2.vpce.amazonaws.com",
            "",
            "us-east-2",
        ),
        (
            "bedrock-runtime.eu-west-1.amazonaws.com",
            "region: us-east-1",
            "us-east-1",
        ),
        ("proxy.internal", "region: cn-north-1", "cn-north-1"),
    ] {
        let provider =
            format!("amazon-bedrock: {{ base_url: 'https://{host}', key: {{ aws: {{ {member} }} }} }}");
        let text = format!("{PROVIDERS}\n  {provider}\n{MODELS}");
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        let config = load::config(&value, None).unwrap();
        let found = config
            .providers
            .iter()
            .find(|found| found.id != "openai")
            .unwrap();
        let Some(Credential::Aws(key)) = &found.key else {
            panic!("{:?}", found.key)
        };
        assert_eq!(key.region, expected, "{host}");
        assert!(key.session_token.optional && !key.secret_access_key.optional);
    }
}

#[test]
fn without_an_environment_no_key_is_missed() {
    let text = format!("providers: {{ openai: {{ key: {{ env: UNSET }} }} }}\n{MODELS}");
    let value: Value = serde_saphyr::from_str(&text).unwrap();
    let config = load::config(&value, None).unwrap();
    let variables = config.providers[0].key.as_ref().unwrap().variables();
    assert_eq!(variables[0].env, "UNSET");
    assert!(variables[0].value.is_none());
}
