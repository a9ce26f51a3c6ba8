//! Problems of client keys, of identities and budgets, and of what policies allow and prefer.

use crate::table::Row::{self, Beside};
use crate::table::row;

pub(crate) fn rows() -> Vec<(Row, Vec<String>)> {
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
    vec![
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
    ]
}
