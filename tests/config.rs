//! What is wrong with a configuration: every problem at once, each with its path.

#[cfg(test)]
mod table {
    use crosspoint::auth::Credential;
    use crosspoint::config::{Adaptive, Identity, StreamUpstream, Waiting};
    use crosspoint::load;
    use crosspoint::meter::{Kind, PicoUsd};
    use crosspoint::provider::{OnCancel, PARAMETERS};
    use serde_json::Value;

    /// What the rows below are wrong in.
    enum Row {
        /// The whole file.
        Whole(&'static str),
        /// Members beside sound `providers` and `models`.
        Beside(&'static str),
        /// The provider `openai`.
        Provider(&'static str),
        /// Further providers beside a sound one.
        Providers(&'static str),
        /// An endpoint of a model.
        Endpoint(&'static str),
    }
    use Row::{Beside, Endpoint, Provider, Providers, Whole};

    impl Row {
        fn text(&self) -> String {
            match self {
                Whole(text) => (*text).to_owned(),
                Beside(text) => format!("{PROVIDERS}\n{MODELS}\n{text}"),
                Provider(text) => format!("providers: {{ openai: {text} }}\n{MODELS}"),
                Providers(text) => format!("{PROVIDERS}\n  {text}\n{MODELS}"),
                Endpoint(text) => format!("{PROVIDERS}\nmodels: {{ a/b: {{ endpoints: [{text}] }} }}"),
            }
        }
    }

    const PROVIDERS: &str = "providers:\n  openai: {}";
    const MODELS: &str = "models: { a/b: { endpoints: [{ provider: openai }] } }";

    /// Every dialect, as messages list them.
    fn dialects() -> String {
        let names: Vec<_> = crosspoint::dialect::DIALECTS
            .iter()
            .map(|dialect| dialect.name())
            .collect();
        names.join(", ")
    }

    fn problems(text: &str) -> Vec<String> {
        let value: Value = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
        let env = |name: &str| match name {
            "SET" => Some(" sk-1 \n".to_owned()),
            "BLANK" => Some("  ".to_owned()),
            "ODD" => Some("sk-é".to_owned()),
            "USER" => Some("{\"type\": \"authorized_user\"}".to_owned()),
            _ => None,
        };
        match load::config(&value, Some(&env)) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    fn rows() -> Vec<(Row, Vec<String>)> {
        let row = |row, expected: &[&str]| (row, expected.iter().map(|text| (*text).to_owned()).collect());
        let hash = "0".repeat(64);
        let two_keys = |second: &str| -> &'static str {
            let text = format!("keys: [{{ name: a, sha256: \"{hash}\" }}, {second}]");
            text.replace("HASH", &hash).leak()
        };
        let many: Vec<_> = (0..17).map(|index| format!("m{index}: a")).collect();
        let metadata = format!(
            "{{ name: b, sha256: {}, metadata: {{ {} }} }}",
            "1".repeat(64),
            many.join(", ")
        );
        let metadata = &metadata.replace("m0: a", &format!("m0: {}", "a".repeat(257)));
        let metadata = &metadata.replace(&"1".repeat(64), &format!("\"{}\"", "1".repeat(64)));
        let too_long: &str = format!(
            "middleware: [{{ redact: {{ rules: [{{ literal: {} }}] }} }}]",
            "x".repeat(9_999)
        )
        .leak();
        let known: Vec<_> = PARAMETERS.iter().map(|(name, _)| *name).collect();
        let parameters = &format!(
            "models.a/b.endpoints[0].supported_parameters[1]: \"speed\" is unknown; known: {}",
            known.join(", ")
        );
        vec![
            // The outermost shape.
            row(Whole("[]"), &["expected a mapping, found a list"]),
            row(Whole("7"), &["expected a mapping, found 7"]),
            row(Whole("null"), &["expected a mapping, found nothing"]),
            row(Whole("{}"), &["providers: is missing"]),
            row(
                Whole("{ providers: null, models: null }"),
                &["providers: is missing"],
            ),
            row(
                Whole("{ providers: {}, models: {} }"),
                &[
                    "providers: name at least one provider",
                    "models: name at least one model",
                ],
            ),
            row(
                Whole("{ providers: [openai], models: yes please }"),
                &[
                    "providers: expected a mapping, found a list",
                    "models: expected a mapping, found \"yes please\"",
                ],
            ),
            row(
                Beside("provider: {}"),
                &[
                    "provider: is unknown; known here: name, providers, models, catalogue, aliases, auto, preferences, keys, identity, budgets, middleware, limits, timeouts, routes, routing, billing, page, listen, admin",
                ],
            ),
            row(Beside("name: ''"), &["name: is empty"]),
            row(Beside("name: true"), &["name: expected a string, found true"]),
            // Providers.
            row(
                Provider("[]"),
                &[
                    "providers.openai: expected a mapping, found a list",
                    "models.a/b.endpoints[0].provider: \"openai\" is not under providers ()",
                    "providers: name at least one provider",
                ],
            ),
            row(
                Provider("{ kluster: x }"),
                &[
                    "providers.openai.kluster: is unknown; known here: dialect, base_url, auth, cluster, key, byok, default_max_tokens, on_cancel, path, data_collection, zdr, region, timeouts, stream_upstream",
                ],
            ),
            row(
                Provider("{ dialect: soap }"),
                &[&format!(
                    "providers.openai.dialect: \"soap\" is no dialect; known: {}",
                    dialects()
                )],
            ),
            row(
                Provider("{ dialect: 1 }"),
                &["providers.openai.dialect: expected a string, found 1"],
            ),
            row(
                Providers("acme: {}"),
                &[&format!(
                    "providers.acme: is no provider known by name, so it needs a dialect ({}) and a base_url",
                    dialects()
                )],
            ),
            row(
                Providers("acme: { dialect: openai-chat }"),
                &["providers.acme: needs a base_url: this provider has no address of its own"],
            ),
            row(
                Providers("amazon-bedrock: {}"),
                &[
                    "providers.amazon-bedrock: needs a base_url of the form https://bedrock-runtime.{region}.amazonaws.com: its address is not the same for everybody",
                ],
            ),
            row(
                Providers("acme: { dialect: openai-chat, base_url: 'https://a', cluster: openai }"),
                &[
                    "providers.openai: its cluster \"openai\" is also that of provider \"acme\"; a provider needs a cluster of its own, so that its key goes nowhere else",
                ],
            ),
            row(
                Provider("{ path: 'chat' }"),
                &[
                    "providers.openai.path: \"chat\" is no path of the form /chat/completions, with {model} where the model's id stands",
                ],
            ),
            row(
                Provider("{ path: '/d/{deployment}/chat' }"),
                &[
                    "providers.openai.path: \"/d/{deployment}/chat\" is no path of the form /chat/completions, with {model} where the model's id stands",
                ],
            ),
            row(
                Provider("{ dialect: ollama, base_url: 'http://a', path: /api/chat }"),
                &["providers.openai.path: is for providers that speak openai-chat"],
            ),
            row(
                Provider("{ base_url: 'api.openai.com/v1' }"),
                &[
                    "providers.openai.base_url: \"api.openai.com/v1\" is no URL of the form https://host[:port][/path]",
                ],
            ),
            row(
                Provider("{ base_url: 'ftp://a' }"),
                &["providers.openai.base_url: \"ftp://a\" is no URL of the form https://host[:port][/path]"],
            ),
            row(
                Provider("{ base_url: 'https://a:0' }"),
                &[
                    "providers.openai.base_url: \"https://a:0\" is no URL of the form https://host[:port][/path]",
                ],
            ),
            row(
                Provider("{ base_url: 'https://a/v1?key=1' }"),
                &[
                    "providers.openai.base_url: \"https://a/v1?key=1\" is no URL of the form https://host[:port][/path]",
                ],
            ),
            row(
                Provider("{ base_url: 'https://user@a' }"),
                &[
                    "providers.openai.base_url: \"https://user@a\" is no URL of the form https://host[:port][/path]",
                ],
            ),
            row(
                Provider("{ base_url: '' }"),
                &["providers.openai.base_url: is empty"],
            ),
            row(
                Provider("{ auth: {} }"),
                &["providers.openai.auth.header: is missing"],
            ),
            row(
                Provider("{ auth: { header: 'x key' } }"),
                &["providers.openai.auth.header: \"x key\" cannot be the header of a key"],
            ),
            row(
                Provider("{ auth: { header: Host } }"),
                &["providers.openai.auth.header: \"Host\" cannot be the header of a key"],
            ),
            row(
                Provider("{ auth: { header: ':path' } }"),
                &["providers.openai.auth.header: \":path\" cannot be the header of a key"],
            ),
            row(
                Provider("{ auth: { header: x-key, suffix: s } }"),
                &["providers.openai.auth.suffix: is unknown; known here: header, prefix"],
            ),
            row(
                Provider("{ key: sk-1 }"),
                &["providers.openai.key: expected a mapping, found \"sk-1\""],
            ),
            row(
                Provider("{ key: { file: /etc/key } }"),
                &[
                    "providers.openai.key.file: is unknown; known here: env, aws, google",
                    "providers.openai.key: needs env, aws for signed requests, or google for tokens",
                ],
            ),
            row(
                Provider("{ key: { env: UNSET } }"),
                &["providers.openai.key: env UNSET is not set; add it to vm_config.environment_variables"],
            ),
            row(
                Provider("{ key: { env: BLANK } }"),
                &["providers.openai.key: env BLANK is not set; add it to vm_config.environment_variables"],
            ),
            row(
                Provider("{ key: { env: ODD } }"),
                &["providers.openai.key: env ODD holds characters that no header may carry"],
            ),
            row(
                Providers(
                    "amazon-bedrock: { base_url: 'https://bedrock-runtime.us-east-1.amazonaws.com', key: { env: SET, aws: {} } }",
                ),
                &[
                    "providers.amazon-bedrock.key: has more than one of env, aws and google; leave the others out",
                ],
            ),
            row(
                Providers(
                    "amazon-bedrock: { base_url: 'https://bedrock-runtime.us-east-1.amazonaws.com', key: { aws: SET } }",
                ),
                &["providers.amazon-bedrock.key.aws: expected a mapping, found \"SET\""],
            ),
            row(
                Providers(
                    "amazon-bedrock: { base_url: 'https://bedrock-runtime.us-east-1.amazonaws.com', key: { aws: {} } }",
                ),
                &[
                    "providers.amazon-bedrock.key.aws: env AWS_ACCESS_KEY_ID is not set; add it to vm_config.environment_variables",
                    "providers.amazon-bedrock.key.aws: env AWS_SECRET_ACCESS_KEY is not set; add it to vm_config.environment_variables",
                ],
            ),
            row(
                Providers(
                    "amazon-bedrock: { base_url: 'https://bedrock-runtime.us-east-1.amazonaws.com', key: { aws: { access_key_id: { env: UNSET }, secret_access_key: SET, session_token: { env: BLANK }, profile: p } } }",
                ),
                &[
                    "providers.amazon-bedrock.key.aws.access_key_id: env UNSET is not set; add it to vm_config.environment_variables",
                    "providers.amazon-bedrock.key.aws.secret_access_key: expected a mapping, found \"SET\"",
                    "providers.amazon-bedrock.key.aws.session_token: env BLANK is not set; add it to vm_config.environment_variables",
                    "providers.amazon-bedrock.key.aws.profile: is unknown; known here: access_key_id, secret_access_key, session_token, region",
                ],
            ),
            row(
                Providers(
                    "amazon-bedrock: { base_url: 'https://bedrock-runtime.us-east-1.amazonaws.com', key: { aws: { access_key_id: {}, secret_access_key: { env: ODD }, session_token: { env: SET, optional: maybe } } } }",
                ),
                &[
                    "providers.amazon-bedrock.key.aws.access_key_id.env: is missing",
                    "providers.amazon-bedrock.key.aws.secret_access_key: env ODD holds characters that no header may carry",
                    "providers.amazon-bedrock.key.aws.session_token.optional: expected true or false, found \"maybe\"",
                ],
            ),
            row(
                Providers(
                    "amazon-bedrock: { base_url: 'https://bedrock-runtime.us-east-1.amazonaws.com', key: { aws: { access_key_id: { env: SET }, secret_access_key: { env: SET }, region: 'EU West' } } }",
                ),
                &["providers.amazon-bedrock.key.aws.region: \"EU West\" is no region, such as us-east-1"],
            ),
            row(
                Providers(
                    "amazon-bedrock: { base_url: 'http://10.0.0.1', key: { aws: { access_key_id: { env: SET }, secret_access_key: { env: SET } } } }",
                ),
                &["providers.amazon-bedrock.key.aws: needs a region: the host of base_url does not name one"],
            ),
            row(
                Providers(
                    "amazon-bedrock: { key: { aws: { access_key_id: { env: SET }, secret_access_key: { env: SET } } } }",
                ),
                &[
                    "providers.amazon-bedrock: needs a base_url of the form https://bedrock-runtime.{region}.amazonaws.com: its address is not the same for everybody",
                ],
            ),
            row(
                Providers(
                    "groq: { key: { aws: { access_key_id: { env: SET }, secret_access_key: { env: SET }, region: us-east-1 } } }",
                ),
                &[
                    "providers.groq.key: aws is for providers that speak bedrock-converse or anthropic-bedrock",
                ],
            ),
            row(
                Providers(
                    "amazon-bedrock: { base_url: 'https://bedrock-runtime.us-east-1.amazonaws.com', key: { aws: { access_key_id: { env: SET }, secret_access_key: { env: SET } } }, auth: { header: x-key } }",
                ),
                &["providers.amazon-bedrock.key: aws signs in headers of its own; leave auth out"],
            ),
            row(
                Providers("google-ai-studio: { key: { google: { metadata: true } } }"),
                &[
                    "providers.google-ai-studio.key: google's tokens need auth: { header: authorization, prefix: \"Bearer \" }, not the header of an API key",
                ],
            ),
            row(
                Provider("{ key: { google: {} } }"),
                &[
                    "providers.openai.key.google: needs either a service_account, or metadata: true on a machine of Google's",
                ],
            ),
            row(
                Provider("{ key: { google: { service_account: { env: ACCOUNT }, metadata: true } } }"),
                &[
                    "providers.openai.key.google: needs either a service_account, or metadata: true on a machine of Google's",
                ],
            ),
            row(
                Provider("{ key: { google: SET } }"),
                &["providers.openai.key.google: expected a mapping, found \"SET\""],
            ),
            row(
                Provider("{ key: { google: { metadata: yes please, project: p } } }"),
                &[
                    "providers.openai.key.google.metadata: expected true or false, found \"yes please\"",
                    "providers.openai.key.google.project: is unknown; known here: service_account, metadata, token_url, token_cluster",
                    "providers.openai.key.google: needs either a service_account, or metadata: true on a machine of Google's",
                ],
            ),
            row(
                Provider("{ key: { google: { metadata: true, token_url: metadata, token_cluster: '' } } }"),
                &[
                    "providers.openai.key.google.token_cluster: is empty",
                    "providers.openai.key.google.token_url: \"metadata\" is no URL of the form https://host[:port][/path]",
                ],
            ),
            row(
                Provider("{ key: { google: { service_account: { file: /key.json } } } }"),
                &[
                    "providers.openai.key.google.service_account.env: is missing",
                    "providers.openai.key.google.service_account.file: is unknown; known here: env",
                ],
            ),
            row(
                Provider("{ key: { google: { service_account: { env: UNSET } } } }"),
                &[
                    "providers.openai.key.google.service_account: env UNSET is not set; add it to vm_config.environment_variables",
                ],
            ),
            row(
                Provider("{ key: { google: { service_account: { env: SET } } } }"),
                &["providers.openai.key.google.service_account: env SET holds no JSON"],
            ),
            row(
                Provider("{ key: { google: { service_account: { env: USER } } } }"),
                &[
                    "providers.openai.key.google.service_account: env USER holds no key of a service account: its type is another",
                ],
            ),
            row(
                Provider("{ key: { google: { metadata: true, token_cluster: openai } } }"),
                &[
                    "providers.openai: its cluster \"openai\" is also that of provider \"openai\"; a provider needs a cluster of its own, so that its key goes nowhere else",
                ],
            ),
            row(
                Providers("groq: { key: { google: { metadata: true, token_cluster: openai } } }"),
                &[
                    "providers.openai: its cluster \"openai\" is also that of provider \"groq-token\"; a provider needs a cluster of its own, so that its key goes nowhere else",
                ],
            ),
            row(
                Provider("{ default_max_tokens: 0 }"),
                &["providers.openai.default_max_tokens: must be at least 1"],
            ),
            row(
                Provider("{ default_max_tokens: 1.5 }"),
                &["providers.openai.default_max_tokens: expected a whole number, found 1.5"],
            ),
            row(
                Provider("{ on_cancel: maybe }"),
                &["providers.openai.on_cancel: \"maybe\" is none of stops, bills_all, unknown"],
            ),
            // Models.
            row(
                Whole(
                    "{ providers: { openai: {} }, models: { a/b: {}, c/d: { endpoints: [] }, e/f: { endpoints: openai } } }",
                ),
                &[
                    "models.a/b: is not in the catalogue, so it needs endpoints",
                    "models.c/d.endpoints: name at least one endpoint",
                    "models.e/f.endpoints: expected a list, found \"openai\"",
                ],
            ),
            row(
                Endpoint("openai"),
                &["models.a/b.endpoints[0]: expected a mapping, found \"openai\""],
            ),
            row(
                Endpoint("{ provider: openai }, { model: x, zone: eu }"),
                &[
                    "models.a/b.endpoints[1].provider: is missing",
                    "models.a/b.endpoints[1].zone: is unknown; known here: provider, model, dialect, price, context_length, max_completion_tokens, input_modalities, output_modalities, supported_parameters, quantization, data_collection, zdr, region, timeouts, stream_upstream",
                ],
            ),
            row(
                Endpoint("{ provider: openai, dialect: soap }, { provider: openai, dialect: {} }"),
                &[
                    &format!(
                        "models.a/b.endpoints[0].dialect: \"soap\" is no dialect; known: {}",
                        dialects()
                    ),
                    "models.a/b.endpoints[1].dialect: expected a string, found a mapping",
                ],
            ),
            row(
                Endpoint("{ provider: groq, model: '' }"),
                &["models.a/b.endpoints[0].model: is empty"],
            ),
            row(
                Endpoint("{ provider: groq }"),
                &["models.a/b.endpoints[0].provider: \"groq\" is not under providers (openai)"],
            ),
            row(
                Endpoint(
                    "{ provider: openai, price: { prompt: -1, completion: '1e3', cache_read: [], input: 1 } }",
                ),
                &[
                    "models.a/b.endpoints[0].price.prompt: \"-1\" is no price in USD per million tokens, such as \"3.00\"",
                    "models.a/b.endpoints[0].price.completion: \"1e3\" is no price in USD per million tokens, such as \"3.00\"",
                    "models.a/b.endpoints[0].price.cache_read: \"\" is no price in USD per million tokens, such as \"3.00\"",
                    "models.a/b.endpoints[0].price.input: is unknown; known here: prompt, completion, cache_read, cache_write, cache_write_1h, reasoning, audio_input, audio_output, image_input, image_output, request, steps, times",
                ],
            ),
            row(
                Endpoint(
                    "{ provider: openai, price: { steps: [{ above: 5, prompt: 1 }, { above: 5 }, { prompt: 2 }, { above: -1 }, 7] } }",
                ),
                &[
                    "models.a/b.endpoints[0].price.prompt: is missing, and the catalogue has no price; where nothing is charged, write 0",
                    "models.a/b.endpoints[0].price.completion: is missing, and the catalogue has no price; where nothing is charged, write 0",
                    "models.a/b.endpoints[0].price.steps[1].above: must be more than that of the step before it",
                    "models.a/b.endpoints[0].price.steps[2].above: is missing",
                    "models.a/b.endpoints[0].price.steps[3].above: expected a whole number, found -1",
                    "models.a/b.endpoints[0].price.steps[4]: expected a mapping, found 7",
                ],
            ),
            row(
                Endpoint(
                    "{ provider: openai, price: { prompt: 0, request: '0,01', times: [{ from: '24:00', to: '0:30' }, { from: '16:30' }, 7] } }",
                ),
                &[
                    "models.a/b.endpoints[0].price.completion: is missing, and the catalogue has no price; where nothing is charged, write 0",
                    "models.a/b.endpoints[0].price.request: \"0,01\" is no amount of USD, such as \"0.005\"",
                    "models.a/b.endpoints[0].price.times[0].from: \"24:00\" is no time of the day (UTC), such as \"16:30\"",
                    "models.a/b.endpoints[0].price.times[0].to: \"0:30\" is no time of the day (UTC), such as \"16:30\"",
                    "models.a/b.endpoints[0].price.times[1].to: is missing",
                    "models.a/b.endpoints[0].price.times[2]: expected a mapping, found 7",
                ],
            ),
            row(
                Endpoint(
                    "{ provider: openai, context_length: 0, input_modalities: [text, smell], output_modalities: text }",
                ),
                &[
                    "models.a/b.endpoints[0].context_length: must be at least 1",
                    "models.a/b.endpoints[0].input_modalities[1]: \"smell\" is unknown; known: text, image, file, audio, video, embeddings",
                    "models.a/b.endpoints[0].output_modalities: expected a list, found \"text\"",
                ],
            ),
            row(
                Endpoint("{ provider: openai, timeouts: { first_token: 5, stall: 1s } }"),
                &[
                    "models.a/b.endpoints[0].timeouts.first_token: expected a duration from 1ms to 24h, such as 250ms, 30s or 10m",
                    "models.a/b.endpoints[0].timeouts.stall: is unknown; known here: first_token",
                ],
            ),
            row(
                Endpoint("{ provider: openai, stream_upstream: sometimes }"),
                &["models.a/b.endpoints[0].stream_upstream: \"sometimes\" is none of auto, always, never"],
            ),
            row(
                Endpoint("{ provider: openai, supported_parameters: [tools, speed] }"),
                &[parameters],
            ),
            row(
                Endpoint(
                    "{ provider: openai, quantization: fp7, data_collection: never, zdr: 1, region: '' }",
                ),
                &[
                    "models.a/b.endpoints[0].quantization: \"fp7\" is unknown; known: int4, int8, fp4, mxfp4, nvfp4, fp6, fp8, mxfp8, fp16, bf16, fp32, unknown",
                    "models.a/b.endpoints[0].data_collection: \"never\" is neither allow nor deny",
                    "models.a/b.endpoints[0].zdr: expected true or false, found 1",
                    "models.a/b.endpoints[0].region: is empty",
                ],
            ),
            row(
                Provider("{ data_collection: true, zdr: yes please, region: 7 }"),
                &[
                    "providers.openai.data_collection: expected a string, found true",
                    "providers.openai.zdr: expected true or false, found \"yes please\"",
                    "providers.openai.region: expected a string, found 7",
                ],
            ),
            // The catalogue.
            row(
                Whole(
                    "{ providers: { openai: {} }, models: { upstage/solar-mini: {}, openai/gpt4.1-mini: {} } }",
                ),
                &[
                    "models.openai/gpt4.1-mini: is not in the catalogue, so it needs endpoints; like it: openai/gpt-4.1-mini",
                    "models.upstage/solar-mini: is offered by no provider here; the catalogue knows of upstage",
                ],
            ),
            row(
                Whole("{ providers: { vllm: { base_url: 'http://127.0.0.1:8000/v1' } } }"),
                &["models: is missing, and the catalogue has no model of these providers"],
            ),
            row(
                Whole("{ providers: { vllm: { base_url: 'http://127.0.0.1:8000/v1' } }, catalogue: true }"),
                &["models: is missing, and the catalogue has no model of these providers"],
            ),
            row(
                Whole("{ providers: { openai: {} }, catalogue: [] }"),
                &["catalogue: names nothing, and there are no models beside it"],
            ),
            row(
                Whole("{ providers: { openai: {} }, catalogue: false }"),
                &["models: is missing, and the catalogue is switched off"],
            ),
            row(
                Beside("catalogue: some"),
                &["catalogue: expected true, false, or a list of patterns such as anthropic/*"],
            ),
            row(
                Beside("catalogue: ['openai/gpt-4*', 'nobody/*', 7, '']"),
                &[
                    "catalogue[1]: \"nobody/*\" fits no model of the catalogue that a provider here offers",
                    "catalogue[2]: expected a string, found 7",
                    "catalogue[3]: is empty",
                ],
            ),
            // Client keys.
            row(
                Beside("keys: []"),
                &["keys: is empty, which would let nobody in; leave it out to let everybody in"],
            ),
            row(Beside("keys: {}"), &["keys: expected a list, found a mapping"]),
            row(
                Beside("keys: [{ name: a }, { sha256: abc, key: sk-1 }]"),
                &[
                    "keys[0].sha256: is missing",
                    "keys[1].name: is missing",
                    "keys[1].key: is unknown; known here: name, sha256, models, providers, preferences, expires, disabled, metadata, requests_per_minute, tokens_per_minute, budget",
                    "keys[1].sha256: expected 64 hexadecimal digits: printf %s \"$KEY\" | sha256sum",
                ],
            ),
            row(
                Beside(two_keys("{ name: b, sha256: \"HASH\" }")),
                &["keys[1]: another key has the same name or the same hash"],
            ),
            row(
                Beside(two_keys(
                    "{ name: b, sha256: 1, expires: soon, disabled: maybe, metadata: { a: 1 }, requests_per_minute: -1, tokens_per_minute: x, budget: { day: lots, year: 1 } }",
                )),
                &[
                    "keys[1].expires: expected a date or a time, such as 2027-01-31 or 2027-01-31T12:00:00Z",
                    "keys[1].disabled: expected true or false, found \"maybe\"",
                    "keys[1].metadata.a: expected a string, found 1",
                    "keys[1].requests_per_minute: expected a whole number, found -1",
                    "keys[1].tokens_per_minute: expected a whole number, found \"x\"",
                    "keys[1].budget.day: \"lots\" is no amount of USD, such as \"0.005\"",
                    "keys[1].budget.year: is unknown; known here: day, week, month",
                    "keys[1].sha256: expected a string, found 1",
                    "keys[1].sha256: expected 64 hexadecimal digits: printf %s \"$KEY\" | sha256sum",
                ],
            ),
            row(
                Beside(two_keys(metadata)),
                &[
                    "keys[1].metadata: at most 16 members are written to receipts",
                    "keys[1].metadata.m0: may have 256 bytes",
                ],
            ),
            row(
                Beside(two_keys("{ name: '*', sha256: \"HASH\" }")),
                &[
                    "keys[1].sha256: the key * stands for callers that identity names; leave it out",
                    "keys[1]: another key has the same name or the same hash",
                    "identity: is missing: the key * stands for callers that it names",
                ],
            ),
            // Callers that another filter names.
            row(
                Beside("identity: {}"),
                &["identity: needs one of header, filter_state and metadata"],
            ),
            row(
                Beside("identity: { header: a, filter_state: b }"),
                &["identity: needs one of header, filter_state and metadata"],
            ),
            row(
                Beside("identity: { header: 'a b', cookie: c }"),
                &[
                    "identity.cookie: is unknown; known here: header, filter_state, metadata",
                    "identity.header: \"a b\" is no name of a header",
                ],
            ),
            row(
                Beside("identity: { metadata: [a] }"),
                &["identity.metadata: name a filter, and a path in its metadata"],
            ),
            // Budgets.
            row(
                Beside("budgets: { on_unavailable: shrug, unbounded: maybe, when: now }"),
                &[
                    "budgets.on_unavailable: expected refuse or allow",
                    "budgets.unbounded: expected clamp, reserve or refuse",
                    "budgets.when: is unknown; known here: on_unavailable, unbounded, balances",
                ],
            ),
            row(
                Beside("budgets: { balances: { a: { day: { start: today }, total: -1, hour: 1 }, b: 2 } }"),
                &[
                    "budgets.balances.a.day.start: expected a date, such as 2027-01-31",
                    "budgets.balances.a.day.used: is missing",
                    "budgets.balances.a.total: \"-1\" is no amount of USD, such as \"0.005\"",
                    "budgets.balances.a.hour: is unknown; known here: day, week, month, total",
                    "budgets.balances.b: expected a mapping, found 2",
                ],
            ),
            // What keys and routes allow and wish.
            row(
                Beside(two_keys(
                    "{ name: b, sha256: abc, models: [], providers: ['open*', 'x*'], preferences: { only: [openai, x], sort: 1, zdr: 1, models: [a/b, 'a/b:nitro', c], order: {}, fun: 1 } }",
                )),
                &[
                    "keys[1].models: is empty, which would allow nothing; leave it out to allow everything",
                    "keys[1].providers[1]: \"x*\" fits no provider that is served here",
                    "keys[1].preferences.only[1]: \"x\" names no provider here",
                    "keys[1].preferences.sort: expected a word",
                    "keys[1].preferences.zdr: expected true or false",
                    "keys[1].preferences.models[2]: no model named \"c\" is served here",
                    "keys[1].preferences.order: expected a list of provider names",
                    "keys[1].preferences.fun: is unknown; known here: order, only, ignore, allow_fallbacks, require_parameters, data_collection, zdr, quantizations, sort, max_price, preferred_min_throughput, preferred_max_latency, region, models",
                    "keys[1].sha256: expected 64 hexadecimal digits: printf %s \"$KEY\" | sha256sum",
                ],
            ),
            row(
                Beside(
                    "preferences: { sort: { by: speed }, max_price: { prompt: -1 }, order: [openai/eu], ignore: [7], models: a }",
                ),
                &[
                    "preferences.sort.by: \"speed\" is not supported; use \"price\", \"throughput\", \"latency\" or \"exacto\"",
                    "preferences.max_price.prompt: expected a number of at least 0",
                    "preferences.order[0]: \"openai/eu\" names no provider here",
                    "preferences.ignore: expected a list of provider names",
                    "preferences.models: expected a list, found \"a\"",
                ],
            ),
            row(
                Beside(
                    "aliases: { quick: 'a/b:nitro' }\npreferences: { models: [quick, 'quick:slow', ~a/b-latest, ~a/c-latest, crosspoint/auto] }",
                ),
                &[
                    "preferences.models[1]: \"quick:slow\": it has no variant :slow here; known: :nitro, :floor, :exacto, :free, :online, :thinking",
                    "preferences.models[3]: no model named \"~a/c-latest\" is served here",
                    "preferences.models[4]: \"crosspoint/auto\" needs a shortlist: write auto.models",
                ],
            ),
            row(
                Beside("preferences: []"),
                &["preferences: expected a mapping, found a list"],
            ),
            row(
                Beside(
                    "preferences: { zdr: true, data_collection: deny }\nroutes: { r: { preferences: { zdr: false, data_collection: allow } } }",
                ),
                &[
                    "routes.r.preferences.zdr: has no effect: preferences.zdr forbids it to all; say it there for those only whom it shall hold for",
                    "routes.r.preferences.data_collection: has no effect: preferences.data_collection forbids it to all; say it there for those only whom it shall hold for",
                ],
            ),
            row(
                Beside("routes: []"),
                &["routes: expected a mapping, found a list"],
            ),
            row(
                Beside("routes: { a: [], b: { keys: [], models: ['!a/*'], rate: 1 }, crosspoint: {} }"),
                &[
                    "routes.a: expected a mapping, found a list",
                    "routes.b.keys: is empty, which would let nobody in; leave it out to let every key in",
                    "routes.b.models: leaves no model",
                    "routes.b.rate: is unknown; known here: match, models, providers, preferences, middleware, limits, timeouts, keys",
                    "routes.crosspoint: is the name of no route that may have a policy; crosspoint is that of the others",
                ],
            ),
            row(
                Beside(
                    "routes: { a: { keys: [ann], limits: { request_body: 1 }, timeouts: { stall: 1 }, middleware: [{}] } }",
                ),
                &[
                    "routes.a.keys[0]: \"ann\" is the name of no key under keys",
                    "routes.a.limits.request_body: expected a size from 1KiB to 256MiB, such as 512KiB or 32MiB",
                    "routes.a.timeouts.stall: expected a duration from 1ms to 24h, such as 250ms, 30s or 10m",
                    "routes.a.middleware[0]: names no middleware; known: redact",
                ],
            ),
            row(
                Beside(
                    "routes: { a: { match: {} }, b: { match: { prefix: /a/, host: 'a:80', header: { name: X-Envoy-A, value: ' a' } } }, c: { match: { prefix: /a, header: {} } }, d: { match: { prefix: /a } } }",
                ),
                &[
                    "routes.a.match: says nothing; it may say prefix, host and header",
                    "routes.b.match.prefix: expected a path such as /team-a, without / at its end, found \"/a/\"",
                    "routes.b.match.host: expected a host name such as team-a.example.com, without port, found \"a:80\"",
                    "routes.b.match.header.name: expected the name of a header that is the caller's own, found \"X-Envoy-A\"",
                    "routes.b.match.header.value: expected text of visible ASCII, found \" a\"",
                    "routes.c.match.header.name: is missing",
                    "routes.c.match.header.value: is missing",
                    "routes.d: matches the same requests as \"c\"",
                ],
            ),
            // Middleware.
            row(
                Beside("middleware: [{}, { mask: {} }]"),
                &[
                    "middleware[0]: names no middleware; known: redact",
                    "middleware[1].mask: is unknown; known here: redact",
                    "middleware[1]: names no middleware; known: redact",
                ],
            ),
            row(
                Beside("middleware: [{ redact: {} }, { redact: { rules: [] } }]"),
                &[
                    "middleware[0].redact.rules: is missing",
                    "middleware[1].redact.rules: name at least one rule",
                ],
            ),
            row(
                Beside(
                    "middleware: [{ redact: { rules: [{}, { pattern: a, literal: b }, { literal: '' }] } }]",
                ),
                &[
                    "middleware[0].redact.rules[0]: needs either a pattern or a literal",
                    "middleware[0].redact.rules[1]: needs either a pattern or a literal",
                    "middleware[0].redact.rules[2].literal: is empty",
                ],
            ),
            row(
                Beside(
                    "middleware: [{ redact: { rules: [{ pattern: '(a' }, { pattern: 'a*' }, { pattern: '\\q' }, { literal: a, mask: '\"' }] } }]",
                ),
                &[
                    "middleware[0].redact.rules[0]: unclosed group at 0",
                    "middleware[0].redact.rules[1]: the pattern can match the empty text",
                    "middleware[0].redact.rules[2]: unknown escape \\q at 0",
                    "middleware[0].redact.rules[3]: the mask holds a quote, a backslash or a control character; leave those out",
                ],
            ),
            row(
                Beside(too_long),
                &["middleware[0].redact.rules[0]: the pattern expands to more than 2000 states"],
            ),
            // Numbers.
            row(
                Beside("limits: { request_body: 1023, response_body: 257MiB, header: 1 }"),
                &[
                    "limits.request_body: expected a size from 1KiB to 256MiB, such as 512KiB or 32MiB",
                    "limits.response_body: expected a size from 1KiB to 256MiB, such as 512KiB or 32MiB",
                    "limits.header: is unknown; known here: request_body, response_body, memory",
                ],
            ),
            row(
                Beside("limits: { request_body: 1MB, response_body: true }"),
                &[
                    "limits.request_body: expected a size from 1KiB to 256MiB, such as 512KiB or 32MiB",
                    "limits.response_body: expected a size from 1KiB to 256MiB, such as 512KiB or 32MiB",
                ],
            ),
            row(
                Beside("limits: { memory: 3MiB }"),
                &["limits.memory: expected a size from 4MiB to 768MiB, such as 512MiB"],
            ),
            row(
                Beside("limits: { memory: 60MiB }\nroutes: { a: { limits: { response_body: 31MiB } } }"),
                &[
                    "limits.memory: must be at least 65011712 bytes, twice the largest request_body and response_body; raise it, or lower them",
                ],
            ),
            row(
                Beside("timeouts: { first_token: 30, stall: 0s, total: 25h, idle: 1s }"),
                &[
                    "timeouts.first_token: expected a duration from 1ms to 24h, such as 250ms, 30s or 10m",
                    "timeouts.stall: expected a duration from 1ms to 24h, such as 250ms, 30s or 10m",
                    "timeouts.total: expected a duration from 1ms to 24h, such as 250ms, 30s or 10m",
                    "timeouts.idle: is unknown; known here: first_token, stall, total, adaptive, waiting_comment",
                ],
            ),
            row(
                Beside("timeouts: { adaptive: { factor: 0.5, min: 40s, max: 1 }, waiting_comment: 14s }"),
                &[
                    "timeouts.adaptive.factor: expected a number from 1 to 100",
                    "timeouts.adaptive.max: expected a duration from 1ms to 24h, such as 250ms, 30s or 10m",
                    "timeouts.adaptive.min: is longer than max, which is timeouts.first_token by default",
                    "timeouts.waiting_comment: below 15s clients lose failovers that would have come in time; if that is meant, write { after: …, early: true }",
                ],
            ),
            row(
                Beside("timeouts: { adaptive: 3, waiting_comment: { after: 1s, early: 1, each: 1s } }"),
                &[
                    "timeouts.adaptive: expected a mapping, found 3",
                    "timeouts.waiting_comment.early: expected true or false, found 1",
                    "timeouts.waiting_comment.each: is unknown; known here: after, every, early",
                    "timeouts.waiting_comment: below 15s clients lose failovers that would have come in time; if that is meant, write { after: …, early: true }",
                ],
            ),
            row(
                Beside("timeouts: { total: 99999999999999999999h }"),
                &["timeouts.total: expected a duration from 1ms to 24h, such as 250ms, 30s or 10m"],
            ),
            row(
                Providers("xai: { byok: { fee: 5 } }"),
                &["providers.xai.byok.fee: expected a string, found 5"],
            ),
            row(
                Providers("groq: { byok: { fee: '101%', cut: 1 } }"),
                &[
                    "providers.groq.byok.fee: expected a part of what the provider charges, from \"0%\" to \"100%\", such as \"2.5%\"",
                    "providers.groq.byok.cut: is unknown; known here: fee",
                ],
            ),
            row(
                Providers("mistral: { byok: {} }"),
                &["providers.mistral.byok.fee: is missing"],
            ),
            row(
                Providers(
                    "amazon-bedrock: { base_url: 'http://10.0.0.1', byok: true, key: { aws: { access_key_id: { env: SET }, secret_access_key: { env: SET }, region: us-east-1 } } }",
                ),
                &["providers.amazon-bedrock.byok: is for providers whose key is a plain one"],
            ),
            row(
                Beside("billing: { unknown_on_cancel: unknown, usual_completion: 1.5, usual: 1 }"),
                &[
                    "billing.unknown_on_cancel: \"unknown\" is neither stops nor bills_all",
                    "billing.usual_completion: expected a whole number, found 1.5",
                    "billing.usual: is unknown; known here: unknown_on_cancel, usual_completion",
                ],
            ),
            row(
                Beside("page: maybe"),
                &["page: expected true or false, found \"maybe\""],
            ),
            row(
                Beside("routing: { max_attempts: 0 }"),
                &["routing.max_attempts: expected a whole number from 1 to 20"],
            ),
            row(
                Beside("routing: { prefer_local_region: eu }"),
                &["routing.prefer_local_region: expected true or false, found \"eu\""],
            ),
            row(
                Beside("routing: { max_attempts: 21, sort: price }"),
                &[
                    "routing.max_attempts: expected a whole number from 1 to 20",
                    "routing.sort: is unknown; known here: max_attempts, prefer_local_region",
                ],
            ),
            row(
                Beside(
                    "listen: { address: localhost, port: 0 }\nadmin: { address: 1.2.3, port: 65536, path: / }",
                ),
                &[
                    "listen.address: expected an IP address",
                    "listen.port: expected a port from 1 to 65535",
                    "admin.address: expected an IP address",
                    "admin.port: expected a port from 1 to 65535",
                    "admin.path: is unknown; known here: address, port",
                ],
            ),
            row(
                Beside("limits: 5\ntimeouts: []\nrouting: x\nlisten: 80\nadmin: true\nmiddleware: {}"),
                &[
                    "limits: expected a mapping, found 5",
                    "timeouts: expected a mapping, found a list",
                    "routing: expected a mapping, found \"x\"",
                    "listen: expected a mapping, found 80",
                    "admin: expected a mapping, found true",
                    "middleware: expected a list, found a mapping",
                ],
            ),
            // Other names of models.
            row(
                Beside("aliases: [a/b]\nauto: fast"),
                &[
                    "aliases: expected a mapping, found a list",
                    "auto: expected a mapping, found \"fast\"",
                ],
            ),
            row(
                Beside(
                    "aliases: { a/b: a/b, openrouter/auto: a/b, ~x: a/b, none: [], odd: 7, lost: c/d, slow: 'a/b:slow', empty: [''], pick: crosspoint/auto }",
                ),
                &[
                    "aliases.a/b: is the name of a model, which an alias may not stand before",
                    "aliases.openrouter/auto: is the name of the automatic choice; write auto.models for that",
                    "aliases.~x: a name is wanted that is not empty and does not begin with ~",
                    "aliases.none: name at least one model",
                    "aliases.odd: expected a string, found 7",
                    "aliases.lost: \"c/d\" is no model here, and no alias",
                    "aliases.slow: \"a/b:slow\": it has no variant :slow here; known: :nitro, :floor, :exacto, :free, :online, :thinking",
                    "aliases.empty[0]: is empty",
                    "aliases.pick: \"crosspoint/auto\" needs a shortlist: write auto.models",
                ],
            ),
            row(
                Beside("aliases: { one: 'two:nitro', two: [a/b, three], three: one, self: self }"),
                &[
                    "aliases.three: leads back to itself: one → two → three → one",
                    "aliases.self: leads back to itself: self → self",
                ],
            ),
            row(
                Beside("auto: { model: a/b }"),
                &[
                    "auto.models: is missing",
                    "auto.model: is unknown; known here: models",
                ],
            ),
            row(
                Beside("auto: { models: {} }"),
                &["auto.models: name at least one model"],
            ),
            row(
                Beside("auto: { models: { a/b: { coding: 2 }, c/d: { score: high } } }"),
                &[
                    "auto.models.a/b.score: is missing",
                    "auto.models.a/b.coding: expected a number from 0 to 1",
                    "auto.models.c/d: is no model here",
                    "auto.models.c/d.score: expected a number from 0 to 1",
                ],
            ),
            // Values are cut, and control characters shown.
            row(
                Provider(
                    "{ on_cancel: \"a\\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" }",
                ),
                &[
                    "providers.openai.on_cancel: \"a\\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"… is none of stops, bills_all, unknown",
                ],
            ),
        ]
    }

    #[test]
    fn every_problem_is_told_at_once_with_its_path() {
        let rows = rows();
        assert!(rows.len() >= 35);
        let mut wrong = Vec::new();
        for (row, mut expected) in rows {
            let text = row.text();
            let mut found = problems(&text);
            found.sort();
            expected.sort();
            if found != expected {
                wrong.push(format!("{text:.400}\n  {}", found.join("\n  ")));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }

    /// The messages that the source holds, each by the longest piece between its placeholders.
    fn messages_of(source: &str) -> Vec<String> {
        let calls = source.split("problem(").skip(1);
        calls
            .filter_map(|call| {
                let call = call.trim_start();
                let literal = call.strip_prefix("format!(").unwrap_or(call).trim_start();
                let literal = literal.strip_prefix('"')?.replace("\\\"", "\u{1}");
                let literal = literal.split('"').next()?.replace('\u{1}', "\"");
                literal
                    .split(['{', '}'])
                    .step_by(2)
                    .max_by_key(|piece| piece.len())
                    .map(ToOwned::to_owned)
            })
            .collect()
    }

    #[test]
    fn no_message_is_without_its_row() {
        let expected: Vec<String> = rows().into_iter().flat_map(|(_, expected)| expected).collect();
        let readers = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/load")).unwrap();
        let messages: Vec<String> = readers
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
            .flat_map(|source| messages_of(&source))
            .collect();
        assert!(messages.len() >= 25, "{messages:?}");
        for message in messages {
            assert!(
                expected.iter().any(|expected| expected.contains(&message)),
                "no row expects {message:?}"
            );
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let text = format!("providers: {{ openai: {{ key: {{ env: ODD }} }} }}\n{MODELS}");
        assert!(!problems(&text).concat().contains("sk-"));
        let text = format!("providers: {{ openai: {{ key: {{ env: SET }} }} }}\n{MODELS}");
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        let config = load::config(&value, Some(&|_| Some("sk-secret".to_owned()))).unwrap();
        assert!(!format!("{config:?}").contains("sk-secret"));
    }

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
            let value: Value =
                serde_saphyr::from_str(&format!("{PROVIDERS}\n  {provider}\n{models}")).unwrap();
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
}
