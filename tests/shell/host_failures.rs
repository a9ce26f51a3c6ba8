//! Host calls that fail. Nothing may panic, and nothing may stay behind.

use super::host::host;
use super::provider::{answer, chat, config, error, fails_over};
use super::random::Crowd;
use super::vm::worker;

/// The registry is empty.
fn nothing_open(crowd: &mut Crowd) {
    host(|host| {
        host.fail_call = None;
        host.fail_named = None;
    });
    crowd.envoy.turn();
    crowd.envoy.tick();
    host(|host| {
        assert_eq!(host.metric_value("crosspoint.exchanges_open", &[]), Some(0));
        assert_eq!(host.contexts.len(), 2);
    });
}

#[test]
fn any_one_call_may_fail() {
    let exchange = |fail: Option<u64>| {
        worker(move || {
            let mut envoy = super::envoy::Envoy::start(&config());
            let before = host(|host| host.calls);
            host(|host| host.fail_call = fail.map(|call| before + call));
            for stream in [false, true] {
                let scripts = fails_over(error("openai", 500), answer("anthropic", stream, "one two"));
                let id = envoy.exchange(&chat("m/any", stream), &scripts);
                envoy.client_leaves(id);
            }
            let calls = host(|host| host.calls) - before;
            host(|host| host.fail_call = None);
            envoy.turn();
            envoy.tick();
            host(|host| assert_eq!(host.metric_value("crosspoint.exchanges_open", &[]), Some(0)));
            calls
        })
    };
    let calls = exchange(None);
    assert!(calls > 50);
    for call in 1..=calls {
        exchange(Some(call));
    }
}

#[test]
fn any_call_may_fail_at_any_time() {
    for seed in 0..60 {
        worker(move || {
            let mut crowd = Crowd::new(1_000 + seed);
            for _ in 0..500 {
                if crowd.random.below(3) == 0 {
                    let ahead = 1 + crowd.random.below(10) as u64;
                    host(|host| host.fail_call = Some(host.calls + ahead));
                }
                crowd.step();
            }
            crowd.end();
            nothing_open(&mut crowd);
        });
    }
}

#[test]
fn any_function_may_fail_for_good() {
    for name in [
        "log",
        "time",
        "get_buffer",
        "set_buffer",
        "get_map",
        "set_map",
        "get_header",
        "set_header",
        "remove_header",
        "get_property",
        "set_property",
        "get_shared",
        "set_shared",
        "register_queue",
        "enqueue",
        "dequeue",
        "continue",
        "respond",
        "foreign",
        "define_metric",
        "record_metric",
        "increment_metric",
        "http_call",
    ] {
        worker(move || {
            let mut crowd = Crowd::new(7);
            host(|host| host.fail_named = Some(name));
            for _ in 0..400 {
                crowd.step();
            }
            crowd.end();
            nothing_open(&mut crowd);
        });
    }
}
