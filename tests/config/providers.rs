//! Problems of the whole configuration, and of its providers.

use crate::table::Row::{self, Beside, Provider, Providers, Whole};
use crate::table::{dialects, row};

pub(crate) fn rows() -> Vec<(Row, Vec<String>)> {
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
            &["providers.openai.base_url: \"https://a:0\" is no URL of the form https://host[:port][/path]"],
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
            &["providers.amazon-bedrock.key: has more than one of env, aws and google; leave the others out"],
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
            &["providers.groq.key: aws is for providers that speak bedrock-converse or anthropic-bedrock"],
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
    ]
}
