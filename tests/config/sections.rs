//! Problems of middleware, and of sections of numbers.

use crate::table::Row::{self, Beside, Providers};
use crate::table::row;

pub(crate) fn rows() -> Vec<(Row, Vec<String>)> {
    let too_long: &str = format!(
        "middleware: [{{ redact: {{ rules: [{{ literal: {} }}] }} }}]",
        "x".repeat(9_999)
    )
    .leak();
    vec![
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
            Beside("middleware: [{ redact: { rules: [{}, { pattern: a, literal: b }, { literal: '' }] } }]"),
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
    ]
}
