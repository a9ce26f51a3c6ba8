//! Noise at everything that reads bytes: nothing may panic, and what comes out must stay in form.
//!
//! `FUZZ_SECONDS` says how long (2 seconds in a debug build, 10 in a release build), `FUZZ_SEED` where to begin; a
//! failure prints the seed of its case, and `FUZZ_SEED=<that> FUZZ_SECONDS=0` runs that case alone.

#![allow(clippy::disallowed_methods, reason = "tests have clocks and an environment")]

#[cfg(test)]
mod support;

#[cfg(test)]
#[path = "fuzz/endless.rs"]
mod endless;
#[cfg(test)]
#[path = "fuzz/noise.rs"]
mod noise;

#[cfg(test)]
mod targets {
    use crate::noise::{Corpus, Rng, run};
    use crate::support::{Client, Spoken, config, serve, serve_operation, spoken};
    use crosspoint::chat::{Operation, Request};
    use crosspoint::config::{Config, Limits};
    use crosspoint::dialect::client;
    use crosspoint::dialect::{self, DIALECTS, Target};
    use crosspoint::error::MAX_MESSAGE;
    use crosspoint::exchange::{Action, Due, Ending, Exchange, Head, ResponseHead};
    use crosspoint::health::{LENGTH, Record, Sample, View};
    use crosspoint::load;
    use crosspoint::meter::ranking::{self, Period};
    use crosspoint::middleware::Step;
    use crosspoint::provider;
    use crosspoint::route::RouteContext;
    use serde::de::IgnoredAny;
    use serde_json::Value;
    use std::rc::Rc;

    fn is_json(bytes: &[u8]) -> bool {
        serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
    }

    fn shown(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// A configuration with an endpoint of every dialect behind one model.
    fn all_dialects(masks: bool, response_body: u64) -> Rc<Config> {
        let providers: serde_json::Map<_, _> = DIALECTS
            .iter()
            .map(|dialect| {
                (
                    dialect.name().to_owned(),
                    serde_json::json!({"dialect": dialect.name(), "base_url": "https://upstream.example/v1", "key": {"env": "KEY"}}),
                )
            })
            .collect();
        let endpoints: Vec<_> = DIALECTS
            .iter()
            .map(|dialect| serde_json::json!({"provider": dialect.name(), "model": "a/..%é:1", "price": {"prompt": "1", "completion": "2"}}))
            .collect();
        let middleware = if masks {
            serde_json::json!([{"redact": {"rules": [{"pattern": "\\d+"}, {"literal": "jour"}]}}])
        } else {
            serde_json::json!([])
        };
        let value = serde_json::json!({
            "providers": providers,
            "models": {"author/model": {"endpoints": endpoints}},
            "limits": {"response_body": response_body},
            "middleware": middleware,
        });
        Rc::new(load::config(&value, Some(&|_| Some(KEY.to_owned()))).unwrap())
    }

    const KEY: &str = "sk-the-key-of-the-provider";

    /// What is known of an endpoint after some samples.
    fn view(rng: &mut Rng) -> View {
        let samples = [Sample::Failure, Sample::Success, Sample::FirstToken { ms: 9 }];
        let limited = Sample::RateLimited { retry_after_ms: None };
        let record = (0..rng.below(6)).fold(Record::default(), |record, at| {
            record.update(
                *rng.one_of(&[samples[0], samples[0], samples[1], samples[2], limited]),
                at,
            )
        });
        record.view(1, *rng.one_of(&[0, 5, 10_000]))
    }

    fn plan(exchange: &mut Exchange, rng: &mut Rng) -> bool {
        let (seed, now_ms) = (rng.next(), *rng.one_of(&[0, 5, 10_000]));
        let planned = exchange.plan(&mut |_| view(rng), RouteContext { now_ms, seed });
        if rng.chance(2) {
            exchange.forgo_trial();
        }
        planned.is_ok()
    }

    fn check_receipt(receipt: &[u8]) {
        assert!(is_json(receipt), "no receipt: {}", shown(receipt));
        assert!(!receipt.contains(&b'\n'), "{}", shown(receipt));
    }

    fn check_headers(headers: &[(String, String)]) {
        for (name, value) in headers {
            let sound = |text: &str| !text.bytes().any(|byte| byte < 0x20 || byte == 0x7f);
            assert!(
                !name.is_empty() && sound(name) && sound(value),
                "{name:?}: {value:?}"
            );
            if name == ":path" {
                assert!(value.bytes().all(|byte| byte.is_ascii_graphic()), "{value:?}");
            }
        }
    }

    #[test]
    fn requests_are_refused_or_written_in_form() {
        let corpus = Corpus::of("request");
        let config = all_dialects(false, 1 << 20);
        run("requests", 4, |rng| {
            let body = corpus.noise(rng);
            if let Ok(request) = Request::parse(body.clone()) {
                let row = &provider::ROWS[rng.below(provider::ROWS.len() as u64) as usize];
                let target = Target {
                    model: "m",
                    stream: rng.chance(2),
                    default_max_tokens: rng.next(),
                    quirks: row.quirks,
                };
                for Spoken {
                    dialect, operation, ..
                } in spoken()
                {
                    if let Ok(encoded) = dialect.encode(&request.clone().of(operation), &target) {
                        let what = dialect.name();
                        assert!(is_json(&encoded.body), "{what}: {}", shown(&encoded.body));
                        assert!(encoded.path.starts_with('/'), "{what}: {}", encoded.path);
                    }
                }
            }
            let mut exchange = Exchange::open(
                Rc::clone(&config),
                client::OPENAI_CHAT,
                "gen-1".to_owned(),
                None,
                1,
            );
            // Most mutated requests name a model that is not there.
            let mut body = body;
            if let (Some(at), true) = (body.iter().position(|byte| *byte == b'{'), rng.chance(2)) {
                body.splice(at + 1..at + 1, *br#""models":["author/model"],"#);
            }
            let planned = exchange.read(body).is_ok()
                && matches!(exchange.run_request_middleware(), Step::Done)
                && plan(&mut exchange, rng);
            while let (true, Some(cluster)) = (planned, exchange.next_cluster()) {
                let cluster = cluster.to_owned();
                let Ok((_, outgoing)) = exchange.begin(&cluster, 2) else {
                    break;
                };
                assert!(is_json(&outgoing.body), "{}", shown(&outgoing.body));
                check_headers(&outgoing.headers);
                assert!(!shown(&outgoing.body).contains(KEY));
            }
            let ending = *rng.one_of(&[Ending::Complete, Ending::ClientLeft, Ending::Broken]);
            check_receipt(&exchange.settle(ending, 3).0.to_json());
        });
    }

    /// What a client has got of one exchange.
    #[derive(Default)]
    struct Seen {
        head: Option<Head>,
        body: Vec<u8>,
    }

    impl Seen {
        /// Takes what the shell would do; says whether another attempt is to begin.
        fn take(&mut self, action: Action, piece: &[u8], limits: Limits) -> bool {
            // An error is written in room of its own.
            let room = limits.response_body + 16 * MAX_MESSAGE;
            match action {
                Action::Hold => assert!(self.head.is_none(), "held after it was let out"),
                Action::Retry { .. } => {
                    assert!(self.head.is_none(), "another attempt after something was let out");
                    return true;
                }
                Action::Release { head } => {
                    assert!(self.head.is_none(), "let out twice");
                    assert!(head.body.len() <= room, "{} bytes at once", head.body.len());
                    check_headers(&head.headers);
                    self.body.extend_from_slice(&head.body);
                    self.head = Some(head);
                }
                Action::Pass(bytes) | Action::BreakOff(bytes) => {
                    assert!(self.head.is_some() || bytes.is_empty(), "a body before its head");
                    assert!(bytes.len() <= room, "{} bytes at once", bytes.len());
                    self.body.extend_from_slice(&bytes);
                }
                Action::Unchanged => self.body.extend_from_slice(piece),
                Action::Wait(_) => panic!("nothing here waits"),
            }
            false
        }

        fn check(&self, is_over: bool) {
            let Some(head) = &self.head else { return };
            assert!(
                std::str::from_utf8(&self.body).is_ok(),
                "no UTF-8: {}",
                shown(&self.body)
            );
            let is_stream = head
                .headers
                .contains(&("content-type".to_owned(), "text/event-stream".to_owned()));
            if is_stream {
                check_events(&self.body);
            } else if is_over {
                assert!(is_json(&self.body), "{}", shown(&self.body));
            }
            assert!(!shown(&self.body).contains(KEY));
        }
    }

    /// Whether all events are JSON or `[DONE]`; nothing comes after that.
    fn check_events(body: &[u8]) {
        let mut done = false;
        let mut framer = crosspoint::wire::Sse::new(usize::MAX);
        let mut check = |frame: crosspoint::wire::Frame<'_>| {
            assert!(!done, "an event after [DONE]: {}", shown(body));
            done = frame.data == "[DONE]";
            // OpenAI's SDKs read the data of every event, and end over one without any.
            let sound = done || serde_json::from_str::<serde_json::Map<_, _>>(frame.data).is_ok();
            assert!(sound, "no JSON object: {}", frame.raw);
        };
        framer.feed(body, &mut check).unwrap();
        framer.finish(&mut check).unwrap();
    }

    const TYPES: &[Option<&str>] = &[
        Some("text/event-stream"),
        Some("text/event-stream; charset=utf-8"),
        Some("application/json"),
        Some("application/vnd.amazon.eventstream"),
        Some("application/x-ndjson"),
        Some("text/html"),
        Some(";"),
        None,
    ];
    const STATUSES: &[u16] = &[
        200, 200, 200, 200, 201, 204, 0, 100, 302, 400, 401, 404, 413, 422, 429, 500, 503, 529, 65535,
    ];
    const NUMBERS: &[Option<&str>] = &[
        None,
        Some("1"),
        Some("1e308"),
        Some("-1"),
        Some("NaN"),
        Some("inf"),
        Some("x"),
        Some("Wed, 21 Oct 2026 07:28:00 GMT"),
    ];

    const REQUESTS: &[&str] = &[
        r#"{"model":"author/model","messages":[{"role":"user","content":"Say hi."}],"stream":true,"stream_options":{"include_usage":true}}"#,
        r#"{"model":"author/model","messages":[{"role":"user","content":"Say hi."}],"stream":true}"#,
        r#"{"model":"author/model","messages":[{"role":"user","content":"Say hi."}]}"#,
    ];

    #[test]
    fn responses_reach_the_client_in_its_own_form() {
        let corpus = Corpus::of("stream");
        let buffered = Corpus::of("buffered");
        let errors = Corpus::of("error");
        let configs: Vec<_> = [false, true]
            .iter()
            .flat_map(|masks| [1_024, 1 << 20].map(|limit| all_dialects(*masks, limit)))
            .collect();
        run("responses", 1, |rng| {
            let config = rng.one_of(&configs);
            let mut now = rng.below(1 << 42);
            let mut exchange = Exchange::open(
                Rc::clone(config),
                client::OPENAI_CHAT,
                "gen-1".to_owned(),
                None,
                now,
            );
            exchange.read(rng.one_of(REQUESTS).as_bytes().to_vec()).unwrap();
            assert!(plan(&mut exchange, rng));
            let mut seen = Seen::default();
            let mut is_over = false;
            let mut again = true;
            while let (true, Some(cluster)) = (again, exchange.next_cluster()) {
                again = false;
                let cluster = cluster.to_owned();
                let (number, _) = exchange.begin(&cluster, now).unwrap();
                let (status, content_type) = (*rng.one_of(STATUSES), *rng.one_of(TYPES));
                let head = ResponseHead {
                    status,
                    content_type,
                    content_encoding: *rng.one_of(&[None, None, None, None, Some("identity"), Some("gzip")]),
                    retry_after: *rng.one_of(NUMBERS),
                    retry_after_ms: *rng.one_of(NUMBERS),
                };
                let bytes = match (status, content_type) {
                    (400.., _) if rng.chance(2) => errors.noise(rng),
                    (_, Some("application/json")) => buffered.noise(rng),
                    (_, Some("application/vnd.amazon.eventstream")) => corpus.framed_noise(rng),
                    _ => corpus.noise(rng),
                };
                if !rng.chance(20) {
                    exchange.headers(number, &head, now);
                }
                let pieces = rng.cut(&bytes);
                let ends = !rng.chance(8);
                for (at, piece) in pieces.iter().enumerate() {
                    now = now.saturating_add(rng.below(100));
                    let end = ends && at + 1 == pieces.len();
                    again = seen.take(exchange.body(number, piece, end, now), piece, config.limits);
                    is_over = end;
                    if rng.chance(40) {
                        check_receipt(&exchange.provisional(now).to_json());
                        assert!(exchange.take_samples().len() < 8);
                    }
                    if again {
                        break;
                    }
                }
                match rng.below(8) {
                    0 => exchange.gone(number, now),
                    1 => {
                        now = now.saturating_add(120_000);
                        match exchange.due(now) {
                            Some(Due::BreakOff(bytes)) => {
                                assert!(seen.head.is_some(), "a stall before anything was let out");
                                seen.body.extend_from_slice(&bytes);
                                is_over = true;
                            }
                            Some(Due::Retry(head)) => {
                                assert!(seen.head.is_none() && is_json(&head.body), "a retry of an answer");
                                again = true;
                            }
                            Some(Due::Release(_) | Due::Write(_)) => panic!("no comments are configured"),
                            None => {}
                        }
                    }
                    2 if seen.head.is_none() => {
                        let details = *rng.one_of(&[
                            "upstream_reset_before_response_started{overflow}",
                            "no_healthy_upstream",
                            "",
                            "é",
                        ]);
                        let head = exchange.local_reply(*rng.one_of(STATUSES), details, now);
                        assert!(is_json(&head.body), "{}", shown(&head.body));
                        again = false;
                    }
                    _ => {}
                }
            }
            seen.check(is_over);
            let ending = *rng.one_of(&[Ending::Complete, Ending::ClientLeft, Ending::Broken]);
            let (receipt, samples) = exchange.settle(ending, now);
            check_receipt(&receipt.to_json());
            assert!(samples.len() <= 8);
        });
    }

    #[test]
    fn what_comes_does_not_depend_on_how_it_was_cut() {
        let streams = Corpus::of("stream");
        let configs: Vec<_> = DIALECTS
            .iter()
            .map(|dialect| (dialect.name(), config(dialect.name())))
            .collect();
        run("cuts", 2, |rng| {
            let (name, config) = rng.one_of(&configs);
            let framed = name.contains("bedrock");
            let bytes = if framed {
                streams.framed_noise(rng)
            } else {
                streams.noise(rng)
            };
            let content_type = match *name {
                "bedrock-converse" => "application/vnd.amazon.eventstream",
                "ollama" => "application/x-ndjson",
                _ => "text/event-stream",
            };
            let client = *rng.one_of(&[Client::Stream, Client::QuietStream, Client::Buffered]);
            let whole = serve(config, client, content_type, &[&bytes]);
            let cut = serve(config, client, content_type, &rng.cut(&bytes));
            // Half an answer is let out or not, depending on when the failure came.
            let broken_off =
                whole.receipt_member("outcome") == "error" && cut.receipt_member("outcome") == "cut";
            if !broken_off {
                assert_eq!(
                    shown(&whole.golden()),
                    shown(&cut.golden()),
                    "{name} {client:?} {:?}",
                    shown(&bytes)
                );
            }
        });
    }

    #[test]
    fn other_operations_are_the_same_wherever_their_answers_are_cut() {
        let corpus = Corpus::of("buffered");
        let spoken: Vec<_> = spoken()
            .into_iter()
            .filter(|spoken| spoken.operation != Operation::Chat)
            .map(|spoken| (spoken.operation, config(spoken.dialect.name())))
            .collect();
        run("operations", 2, |rng| {
            let (operation, config) = rng.one_of(&spoken);
            let client = *rng.one_of(&Client::with_goldens(*operation));
            let bytes = corpus.noise(rng);
            let served =
                |pieces: &[&[u8]]| serve_operation(*operation, config, client, "application/json", pieces);
            let (whole, cut) = (served(&[&bytes]), served(&rng.cut(&bytes)));
            assert_eq!(
                shown(&whole.golden()),
                shown(&cut.golden()),
                "{:?}",
                shown(&bytes)
            );
            check_receipt(whole.receipt.as_bytes());
        });
    }

    #[test]
    fn errors_of_any_form_become_errors() {
        let corpus = Corpus::of("error");
        run("errors", 8, |rng| {
            let body = corpus.noise(rng);
            let status = *rng.one_of(STATUSES);
            for Spoken { dialect, .. } in spoken() {
                let error = dialect.error(status, &body);
                assert!(!error.message.is_empty());
                assert!(error.message.len() <= MAX_MESSAGE);
                assert!((400..600).contains(&error.status()));
                assert!(is_json(&client::OPENAI_CHAT.error(&error, &[])));
            }
        });
    }

    #[test]
    fn a_configuration_is_sound_or_has_problems() {
        let full = serde_json::json!({
            "name": "n",
            "providers": {
                "openai": {"cluster": "c", "key": {"env": "SET"}, "default_max_tokens": 5, "on_cancel": "stops", "auth": {"header": "x", "prefix": "p"}},
                "acme": {"dialect": "bedrock-converse", "base_url": "https://a.example:8443/x"},
            },
            "models": {"a/b": {"endpoints": [{"provider": "openai", "model": "m", "price": {"prompt": "3.00", "completion": 15}}]}},
            "keys": [{"name": "a", "sha256": "0".repeat(64)}],
            "middleware": [{"redact": {"rules": [{"pattern": "(a|b){2,3}\\d+[^x-z]?", "mask": "m"}, {"literal": "s"}]}}],
            "limits": {"request_body": "32MiB", "response_body": 4096},
            "timeouts": {"first_token": "250ms", "stall": "3s", "total": "10m"},
            "routing": {"max_attempts": 3}, "listen": {"address": "::", "port": 1}, "admin": {"port": 2},
        });
        run("config", 8, |rng| {
            let mut value = full.clone();
            for _ in 0..=rng.below(3) {
                spoil(rng, &mut value);
            }
            let env = |name: &str| (name != "UNSET").then(|| "k".to_owned());
            match load::config(&value, Some(&env)) {
                Ok(config) => assert!(!config.providers.is_empty() && !config.models.is_empty()),
                Err(problems) => assert!(!problems.is_empty(), "{value}"),
            }
        });
    }

    /// Changes one thing somewhere in a value.
    fn spoil(rng: &mut Rng, value: &mut Value) {
        let children = match value {
            Value::Array(items) => items.len(),
            Value::Object(members) => members.len(),
            _ => 0,
        };
        if children > 0 && !rng.chance(6) {
            let at = rng.index(children);
            let child = match value {
                Value::Array(items) => items.get_mut(at),
                Value::Object(members) => members.values_mut().nth(at),
                _ => None,
            };
            if let Some(child) = child {
                return spoil(rng, child);
            }
        }
        match value {
            Value::String(text) => {
                let bytes = rng.mutated(text.as_bytes(), &[]);
                *text = String::from_utf8_lossy(&bytes).into_owned();
            }
            Value::Object(members) if rng.chance(2) => {
                let name = rng.one_of(&["", "dialect", "x", "env", "rules", "pattern"]);
                members.insert((*name).to_owned(), Value::from(1.5));
            }
            _ => {
                *value = rng
                    .one_of(&[
                        Value::Null,
                        Value::Bool(true),
                        Value::from(-1),
                        Value::from(u64::MAX),
                        Value::from(1e300),
                        Value::from(""),
                        serde_json::json!([]),
                        serde_json::json!({}),
                    ])
                    .clone();
            }
        }
    }

    #[test]
    fn what_lies_in_shared_data_for_keys_may_be_anything() {
        use crosspoint::api::account::{activity::Day, generation};
        use crosspoint::meter::PicoUsd;
        use crosspoint::meter::budget::{self, Allowance, Demand, Used};
        run("budget", 8, |rng| {
            let whole = !rng.chance(4);
            let length = if whole { budget::LENGTH } else { rng.index(400) };
            let mut bytes: Vec<u8> = (0..length).map(|_| rng.byte()).collect();
            if let (Some(version), false) = (bytes.first_mut(), rng.chance(8)) {
                *version = budget::VERSION;
            }
            let amount = |rng: &mut Rng| rng.below(u64::MAX) >> rng.below(64);
            let (now, lifetime) = (amount(rng), amount(rng));
            if let Some(record) = budget::Record::from_bytes(&bytes, "") {
                let demand = Demand {
                    tokens: amount(rng),
                    completion: amount(rng),
                    cost: PicoUsd(amount(rng)),
                    completion_cost: PicoUsd(amount(rng)),
                };
                let allowance = Allowance {
                    requests_per_minute: Some(amount(rng)),
                    tokens_per_minute: Some(amount(rng)),
                    budget: [Some(PicoUsd(amount(rng))), None, Some(PicoUsd(amount(rng)))],
                };
                let used = Used {
                    tokens: amount(rng),
                    cost: PicoUsd(amount(rng)),
                    byok: PicoUsd(amount(rng)),
                };
                let before = record.total();
                let hold = match record.admit(&allowance, &demand, lifetime, now) {
                    Ok((_, hold)) => Some(hold),
                    Err(refusal) => {
                        assert!(!refusal.error(&demand, now).message.is_empty());
                        None
                    }
                };
                assert!(record.settle(hold.as_ref(), &used, now).total() >= before);
            }
            let number = amount(rng);
            let mut text = format!("3\t{number}\t\"k\"\n").into_bytes();
            text.extend(&bytes);
            let day = Day::read(&text, number, "k");
            assert_eq!(Day::read(&day.to_bytes(), number, "k"), day);
            assert_eq!(generation::answer(&bytes, "key", "gen-1"), None);
            let _ = generation::place(&String::from_utf8_lossy(&bytes));
        });
    }

    #[test]
    fn health_records_of_any_bytes_are_records() {
        run("health", 8, |rng| {
            let length = if rng.chance(4) { rng.index(1_000) } else { LENGTH };
            let mut bytes: Vec<u8> = (0..length).map(|_| rng.byte()).collect();
            if let (Some(version), false) = (bytes.first_mut(), rng.chance(4)) {
                *version = 2;
            }
            let mut record = Record::from_bytes(&bytes);
            for _ in 0..rng.below(20) {
                let now = *rng.one_of(&[0, 1, 1_760_000_000_000, u64::MAX]);
                let now = now ^ rng.below(100_000);
                let _view = (record.view(1, now), record.uptime(1, now));
                let retry_after_ms = *rng.one_of(&[None, Some(0), Some(u64::MAX)]);
                let sample = *rng.one_of(&[
                    Sample::Success,
                    Sample::Failure,
                    Sample::RateLimited { retry_after_ms },
                    Sample::Nothing,
                    Sample::FirstToken { ms: now ^ 9_999 },
                    Sample::Throughput { tokens_per_10_s: now },
                ]);
                record = record.update(sample, now);
                let known = Record::from_bytes(&record.to_bytes());
                assert_eq!(Record::from_bytes(&known.to_bytes()), known);
            }
        });
    }

    #[test]
    fn rankings_of_any_bytes_are_rankings() {
        run("ranking", 8, |rng| {
            let length = if rng.chance(4) {
                rng.index(1_000)
            } else {
                ranking::LENGTH
            };
            let mut bytes: Vec<u8> = (0..length).map(|_| rng.byte()).collect();
            if let (Some(version), false) = (bytes.first_mut(), rng.chance(4)) {
                *version = 1;
            }
            let index = ranking::Index::from_bytes(&bytes);
            assert_eq!(ranking::Index::from_bytes(&index.to_bytes()), index);
            let listed = index.with(rng.below(9), rng.below(u64::MAX));
            assert!(listed.is_none_or(|index| index.to_bytes().len() <= 7 + 8 * ranking::MOST));
            let mut record = ranking::Record::from_bytes(&bytes);
            for _ in 0..rng.below(20) {
                let now = *rng.one_of(&[0, 1, 1_760_000_000_000, u64::MAX]);
                let count = ranking::Count {
                    requests: rng.below(u64::MAX),
                    tokens: u64::MAX ^ now,
                };
                record = record.add(count, now ^ rng.below(99_000_000));
                let _sums = [Period::Day, Period::Week].map(|period| record.sum(period, now));
                let known = ranking::Record::from_bytes(&record.to_bytes());
                assert_eq!(ranking::Record::from_bytes(&known.to_bytes()), known);
            }
        });
    }

    #[test]
    fn every_dialect_is_fed() {
        for dialect in DIALECTS {
            assert!(dialect::find(dialect.name()).is_some());
        }
        for kind in crate::support::fixtures::KINDS {
            assert!(Corpus::of(kind).len() > 10, "{kind}");
        }
    }
}
