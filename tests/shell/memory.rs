//! What a worker's memory has no room for. `limits.memory` is 4 MiB here, so the second mark is 5 MiB, and a test says how
//! much of it is in use.

use super::envoy::{Envoy, chat_headers};
use super::host::host;
use super::provider::{
    Event, PROVIDERS, answer, chat, config, fails_over, head, streamed, streamed_head, test_with,
};
use crosspoint::filter::set_memory_in_use;
use serde_json::{Value, json};

const MIB: usize = 1 << 20;
const MARK: usize = 4 * MIB;
/// A long body, though one below Envoy's limit.
const LONG: usize = 900 << 10;

fn test(work: impl FnOnce(&mut Envoy) + Send) {
    let mut config = config();
    config["limits"] = json!({"memory": "4MiB"});
    test_with(&config, work);
}

/// A request of about this length.
fn long_chat(length: usize) -> Vec<u8> {
    let mut request = chat("m/openai", false);
    request["messages"][0]["content"] = "x".repeat(length).into();
    request.to_string().into_bytes()
}

/// A request that declares its length and has sent nothing of it yet.
fn declare(envoy: &mut Envoy, length: usize) -> u32 {
    let mut headers = chat_headers();
    headers.set(b"content-length", length.to_string().as_bytes());
    envoy.open(&headers, false)
}

fn is_full(envoy: &Envoy, id: u32) -> bool {
    if !envoy.has_ended(id) {
        return false;
    }
    let client = envoy.client(id);
    assert_eq!(client.status(), 429, "{}", client.text());
    assert_eq!(client.headers.as_ref().unwrap().text("retry-after").unwrap(), "5");
    let error = client.json()["error"].clone();
    assert_eq!(error["metadata"]["error_type"], "gateway_full");
    assert_eq!(envoy.receipt(id)["error_type"], "gateway_full");
    true
}

fn finish(envoy: &mut Envoy, id: u32, body: &[u8]) {
    envoy.request_data(id, body, true);
    envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
    assert_eq!(envoy.client(id).status(), 200, "{}", envoy.client(id).text());
}

fn refusals() -> u64 {
    host(|host| host.metric_value("crosspoint.memory_refusals", &[])).unwrap_or_default()
}

#[test]
fn beyond_the_mark_long_bodies_are_refused_before_they_come_and_short_ones_pass() {
    test(|envoy| {
        set_memory_in_use(MARK - LONG);
        let id = declare(envoy, LONG);
        assert!(!envoy.has_ended(id));
        finish(envoy, id, &long_chat(LONG / 2));
        set_memory_in_use(MARK - LONG + 1);
        let id = declare(envoy, LONG);
        assert!(is_full(envoy, id));
        assert_eq!(envoy.receipt(id)["outcome"], "refused");
        assert_eq!(refusals(), 1);
        let id = declare(envoy, 200);
        finish(envoy, id, &long_chat(10));
    });
}

#[test]
fn beyond_the_second_mark_short_bodies_are_refused_too() {
    test(|envoy| {
        set_memory_in_use(MARK + MARK / 4 - 200);
        let id = declare(envoy, 200);
        finish(envoy, id, &long_chat(10));
        set_memory_in_use(MARK + MARK / 4 - 199);
        let id = declare(envoy, 200);
        assert!(is_full(envoy, id));
        let id = envoy.open(&chat_headers(), false);
        envoy.request_data(id, &long_chat(200), true);
        assert!(is_full(envoy, id));
    });
}

#[test]
fn what_is_declared_counts_until_it_has_come() {
    test(|envoy| {
        let promised = [(); 4].map(|()| declare(envoy, LONG));
        assert!(promised.iter().all(|id| !envoy.has_ended(*id)));
        let id = declare(envoy, LONG);
        assert!(is_full(envoy, id));
        finish(envoy, promised[0], &long_chat(LONG / 2));
        let id = declare(envoy, LONG);
        assert!(!envoy.has_ended(id));
        for id in promised.into_iter().skip(1).chain([id]) {
            envoy.client_leaves(id);
        }
        let again = [(); 4].map(|()| declare(envoy, LONG));
        assert!(again.iter().all(|id| !envoy.has_ended(*id)));
        again.into_iter().for_each(|id| envoy.client_leaves(id));
    });
}

#[test]
fn what_comes_without_a_length_counts_as_it_grows() {
    test(|envoy| {
        set_memory_in_use(MARK - 300 * 1024);
        let id = envoy.open(&chat_headers(), false);
        let body = long_chat(LONG);
        envoy.request_data(id, &body[..290 * 1024], false);
        assert!(!envoy.has_ended(id));
        envoy.request_data(id, &body[290 * 1024..310 * 1024], false);
        assert!(is_full(envoy, id));
        // What had come of it counts no more.
        let id = declare(envoy, 299 * 1024);
        assert!(!envoy.has_ended(id));
        envoy.client_leaves(id);
    });
}

#[test]
fn what_is_declared_and_does_not_come_counts_for_some_seconds_only() {
    test(|envoy| {
        let wait = |envoy: &mut Envoy, ticks| {
            for _ in 0..ticks {
                envoy.advance(500);
                envoy.tick();
            }
        };
        let [slow, silent, ..] = [(); 4].map(|()| declare(envoy, LONG));
        wait(envoy, 19);
        let id = declare(envoy, LONG);
        assert!(is_full(envoy, id));
        envoy.request_data(slow, &long_chat(LONG)[..100], false);
        wait(envoy, 4);
        // Three of the four have given up their room.
        let more = [(); 3].map(|()| declare(envoy, LONG));
        assert!(more.iter().all(|id| !envoy.has_ended(*id)));
        let id = declare(envoy, LONG);
        assert!(is_full(envoy, id));
        // Of one that goes on after all, what comes counts.
        envoy.request_data(silent, &long_chat(LONG)[..600 << 10], false);
        assert!(is_full(envoy, silent));
        for id in envoy.open_streams() {
            envoy.client_leaves(id);
        }
    });
}

/// The beginning of a long buffered answer.
fn long_answer() -> Vec<Event> {
    vec![
        Event::Head(head(200, "application/json")),
        Event::Data(vec![b' '; 200 << 10]),
        Event::Data(vec![b' '; 100 << 10]),
        Event::Data(vec![b' '; 1 << 10]),
    ]
}

#[test]
fn a_buffered_answer_that_grows_beyond_the_mark_fails_over() {
    test(|envoy| {
        set_memory_in_use(MARK);
        let script = fails_over(long_answer(), answer("anthropic", false, "hi"));
        let id = envoy.exchange(&chat("m/any", false), &script);
        assert_eq!(envoy.client(id).status(), 200, "{}", envoy.client(id).text());
        assert_eq!(
            envoy.attempts(id),
            json!([
                ["openai", "error", "gateway_full", 200],
                ["anthropic", "success", null, 200]
            ])
        );
        assert_eq!(refusals(), 1);
        // The endpoint is not to blame.
        set_memory_in_use(0);
        let script = [("openai", answer("openai", false, "hi"))];
        let id = envoy.exchange(&chat("m/any", false), &script);
        assert_eq!(envoy.client(id).status(), 200);
    });
}

#[test]
fn below_the_mark_it_may_grow() {
    test(|envoy| {
        set_memory_in_use(MARK - 2 * MIB);
        let mut script = long_answer();
        script.extend(answer("openai", false, "hi").into_iter().skip(1));
        let id = envoy.exchange(&chat("m/openai", false), &[("openai", script)]);
        assert_eq!(envoy.client(id).status(), 200);
        assert_eq!(refusals(), 0);
    });
}

#[test]
fn the_last_endpoints_answer_ends_with_an_error() {
    test(|envoy| {
        set_memory_in_use(MARK);
        for (provider, stream) in PROVIDERS
            .into_iter()
            .flat_map(|name| [(name, false), (name, true)])
        {
            let mut script = match stream {
                true => streamed_head(provider),
                false => vec![Event::Head(head(200, "application/json"))],
            };
            script.extend(unfinished(provider, stream));
            script.push(Event::End(Vec::new()));
            let id = envoy.exchange(&chat(&format!("m/{provider}"), stream), &[(provider, script)]);
            assert!(is_full(envoy, id), "{provider}, {stream}");
        }
    });
}

/// A document or an event that does not end.
fn unfinished(provider: &str, stream: bool) -> Vec<Event> {
    let fill = || Event::Data(vec![b' '; 150 << 10]);
    match provider {
        // The length of a message, and a sum that is checked first.
        "bedrock" if stream => vec![Event::Data(unfinished_message()), fill(), fill(), fill()],
        _ if stream => vec![Event::Data(b"data: {\"".to_vec()), fill(), fill(), fill()],
        _ => vec![fill(), fill(), fill()],
    }
}

/// The beginning of a message of 900 KiB in AWS's format.
fn unfinished_message() -> Vec<u8> {
    let lengths = [u32::try_from(LONG).unwrap().to_be_bytes(), 0_u32.to_be_bytes()].concat();
    let sum = crc32(&lengths).to_be_bytes();
    [lengths, sum.to_vec()].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (0_u32.wrapping_sub(sum & 1)))
        })
    })
}

#[test]
fn streams_go_on_beyond_the_mark_and_what_one_gathers_ends_it() {
    test(|envoy| {
        for provider in PROVIDERS {
            let id = envoy.post(&chat(&format!("m/{provider}"), true));
            let text = "word ".repeat(20_000);
            let pieces = streamed(provider, &text);
            let (begin, rest) = pieces.split_at(4);
            for event in streamed_head(provider) {
                envoy.event(id, &event);
            }
            for piece in begin {
                envoy.event(id, &Event::Data(piece.clone()));
            }
            set_memory_in_use(MARK * 2);
            for piece in &rest[..rest.len() - 10] {
                envoy.event(id, &Event::Data(piece.clone()));
            }
            assert_eq!(refusals(), 0, "{provider}");
            assert!(!envoy.has_ended(id));
            for event in unfinished(provider, true) {
                envoy.event(id, &event);
            }
            let text = envoy.client(id).text();
            assert!(text.contains("gateway_full"), "{provider}");
            envoy.event(id, &Event::End(Vec::new()));
            assert_eq!(envoy.receipt(id)["outcome"], "cut");
            set_memory_in_use(0);
            host(|host| host.metrics.retain(|metric| !metric.name.contains("refusals")));
        }
    });
}

#[test]
fn a_route_has_no_memory_of_its_own() {
    let config: Value =
        json!({"limits": {"memory": "5MiB"}, "routes": {"a": {"limits": {"memory": "5MiB"}}}});
    let problems = crosspoint::load::config(&config, None).unwrap_err();
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let known = "routes.a.limits.memory: is unknown; known here: request_body, response_body";
    assert!(problems.iter().any(|problem| problem == known), "{problems:?}");
}
