//! Health in shared data, with one worker and with two.

use super::envoy::Envoy;
use super::host::{Shared, host};
use super::provider::{PROVIDERS, answer, chat, config, error, test};
use super::vm::worker_sharing;
use crosspoint::health::{Record, Standing};
use serde_json::json;
use std::sync::{Arc, Mutex};

fn fail(envoy: &mut Envoy, times: usize) {
    for _ in 0..times {
        envoy.exchange(&chat("m/openai", false), &[("openai", error("openai", 500))]);
    }
}

/// The records of endpoints.
fn endpoints(shared: &Shared) -> impl Iterator<Item = &Vec<u8>> {
    let health = shared
        .records
        .iter()
        .filter(|(name, _)| name.contains(".health."));
    health.map(|(_, (bytes, _))| bytes)
}

/// How the one endpoint that shared data knows stands.
fn standing() -> Standing {
    host(|host| {
        let shared = host.shared.lock().unwrap();
        let records: Vec<_> = endpoints(&shared).collect();
        assert_eq!(records.len(), 1);
        Record::from_bytes(records[0]).standing(host.clock_ms)
    })
}

fn writes() -> usize {
    host(|host| host.shared.lock().unwrap().writes)
}

#[test]
fn an_outage_is_stored() {
    test(|envoy| {
        fail(envoy, 2);
        assert_eq!(standing(), Standing::Healthy);
        fail(envoy, 1);
        assert_eq!(standing(), Standing::Down);
    });
}

#[test]
fn a_write_that_was_overtaken_is_tried_again() {
    test(|envoy| {
        fail(envoy, 1);
        host(|host| host.shared.lock().unwrap().overtaken = 3);
        let before = writes();
        fail(envoy, 1);
        assert_eq!(writes() - before, 4);
        fail(envoy, 1);
        assert_eq!(standing(), Standing::Down, "no sample was lost");
    });
}

#[test]
fn a_first_write_that_was_overtaken_is_tried_again() {
    test(|envoy| {
        host(|host| host.shared.lock().unwrap().overtaken = 1);
        fail(envoy, 1);
        assert_eq!(writes(), 2);
        fail(envoy, 2);
        assert_eq!(standing(), Standing::Down, "no sample was lost");
    });
}

#[test]
fn a_write_that_is_overtaken_again_and_again_is_given_up() {
    test(|envoy| {
        fail(envoy, 1);
        host(|host| host.shared.lock().unwrap().overtaken = usize::MAX);
        let before = writes();
        fail(envoy, 1);
        assert_eq!(writes() - before, 4);
        host(|host| host.shared.lock().unwrap().overtaken = 0);
        fail(envoy, 1);
        assert_eq!(standing(), Standing::Healthy, "one sample was lost");
    });
}

#[test]
fn garbage_in_shared_data_is_an_empty_record() {
    test(|envoy| {
        fail(envoy, 1);
        host(|host| {
            let mut shared = host.shared.lock().unwrap();
            let record = shared.records.values_mut().next().unwrap();
            record.0 = vec![0xff; 64];
        });
        envoy.advance(100);
        fail(envoy, 1);
        assert_eq!(standing(), Standing::Healthy);
    });
}

/// Both workers have an outage of the only endpoint of `m/openai` before them.
fn two_workers() -> Arc<Mutex<Shared>> {
    let shared = Arc::default();
    worker_sharing(Arc::clone(&shared), || {
        let mut envoy = Envoy::start(&config());
        fail(&mut envoy, 3);
        envoy.assert_sound();
    });
    shared
}

#[test]
fn another_worker_sees_an_outage() {
    worker_sharing(two_workers(), || {
        let mut envoy = Envoy::start(&config());
        let mut request = chat("m/any", false);
        request["provider"] = json!({"only": ["openai", "bedrock"], "sort": "price"});
        let id = envoy.exchange(&request, &PROVIDERS.map(|name| (name, answer(name, false, "hi"))));
        assert_eq!(envoy.sent(id)[0].cluster, "bedrock");
        envoy.assert_sound();
    });
}

#[test]
fn a_trial_is_claimed_once() {
    // The second worker asks while the first one's trial is still under way.
    let shared = two_workers();
    let reason = |envoy: &mut Envoy, id: u32| {
        envoy.reset(id);
        envoy.receipt(id)["attempts"][0]["reason"].clone()
    };
    worker_sharing(Arc::clone(&shared), || {
        let mut envoy = Envoy::start(&config());
        envoy.advance(5_100);
        let trial = envoy.post(&chat("m/openai", false));
        let second = envoy.post(&chat("m/openai", false));
        worker_sharing(Arc::clone(&shared), || {
            let mut envoy = Envoy::start(&config());
            envoy.advance(5_101);
            let id = envoy.post(&chat("m/openai", false));
            assert_eq!(reason(&mut envoy, id), "down");
        });
        assert_eq!(reason(&mut envoy, second), "down");
        assert_eq!(reason(&mut envoy, trial), "trial");
        envoy.assert_sound();
    });
}

#[test]
fn a_trial_that_the_client_leaves_is_free_again() {
    let shared = two_workers();
    worker_sharing(shared, || {
        let mut envoy = Envoy::start(&config());
        envoy.advance(5_100);
        let id = envoy.post(&chat("m/openai", false));
        envoy.client_leaves(id);
        assert_eq!(envoy.receipt(id)["attempts"][0]["reason"], "trial");
        assert_eq!(standing(), Standing::Trial);
        envoy.assert_sound();
    });
}

#[test]
fn gateways_of_different_names_do_not_mix() {
    let shared: Arc<Mutex<Shared>> = Arc::default();
    for name in ["one", "two"] {
        worker_sharing(Arc::clone(&shared), || {
            let mut config = config();
            config["name"] = json!(name);
            fail(&mut Envoy::start(&config), 1);
        });
    }
    assert_eq!(shared.lock().unwrap().records.len(), 2);
}

#[test]
fn a_trial_that_another_worker_claimed_in_the_same_moment_is_not_ours() {
    worker_sharing(two_workers(), || {
        let mut envoy = Envoy::start(&config());
        envoy.advance(5_100);
        host(|host| host.shared.lock().unwrap().overtaken = 1);
        let id = envoy.post(&chat("m/openai", false));
        envoy.client_leaves(id);
        assert_eq!(envoy.receipt(id)["attempts"][0]["reason"], "down");
        envoy.assert_sound();
    });
}

#[test]
fn a_trial_is_claimed_in_shared_data_though_a_copy_of_the_record_is_at_hand() {
    worker_sharing(two_workers(), || {
        let mut envoy = Envoy::start(&config());
        envoy.advance(5_100);
        // A model that is only a fallback claims no trial, but its record is read.
        let mut fallback = chat("m/anthropic", false);
        fallback["models"] = json!(["m/openai"]);
        let looking = envoy.post(&fallback);
        assert_eq!(standing(), Standing::Trial);
        let claiming = envoy.post(&chat("m/openai", false));
        assert_eq!(standing(), Standing::Down);
        for id in [looking, claiming] {
            envoy.client_leaves(id);
        }
        assert_eq!(envoy.receipt(claiming)["attempts"][0]["reason"], "trial");
        envoy.assert_sound();
    });
}

fn good(envoy: &mut Envoy, times: usize) {
    for _ in 0..times {
        envoy.exchange(
            &chat("m/openai", false),
            &[("openai", answer("openai", false, "hi"))],
        );
    }
}

/// How many attempts at the one endpoint shared data knows of.
fn known() -> u32 {
    host(|host| {
        let shared = host.shared.lock().unwrap();
        let known = endpoints(&shared).map(|bytes| Record::from_bytes(bytes).outcomes(host.clock_ms).total());
        known.sum()
    })
}

#[test]
fn what_went_well_is_written_by_the_tick_all_at_once() {
    test(|envoy| {
        good(envoy, 1);
        envoy.tick();
        let before = writes();
        good(envoy, 5);
        assert_eq!((writes() - before, known()), (0, 1));
        envoy.tick();
        // The endpoint's health, and the model's use.
        assert_eq!((writes() - before, known()), (2, 6));
        envoy.tick();
        assert_eq!(writes() - before, 2);
    });
}

#[test]
fn a_failure_is_written_at_once_and_brings_what_went_well() {
    test(|envoy| {
        good(envoy, 2);
        let before = writes();
        fail(envoy, 1);
        assert_eq!((writes() - before, known()), (1, 3));
    });
}

#[test]
fn many_that_went_well_do_not_wait_for_the_tick() {
    test(|envoy| {
        good(envoy, 200);
        assert!(writes() >= 2, "{}", writes());
    });
}

#[test]
fn another_worker_learns_how_many_attempts_are_under_way() {
    let shared: Arc<Mutex<Shared>> = Arc::default();
    let others = |host: &super::host::Host| {
        let shared = host.shared.lock().unwrap();
        let bytes = endpoints(&shared).next().unwrap();
        Record::from_bytes(bytes).view(0, host.clock_ms).in_flight
    };
    worker_sharing(shared, || {
        let mut envoy = Envoy::start(&config());
        let under_way = [
            envoy.post(&chat("m/openai", false)),
            envoy.post(&chat("m/openai", false)),
        ];
        envoy.advance(5_000);
        envoy.tick();
        assert_eq!(host(|host| others(host)), 2);
        for id in under_way {
            envoy.client_leaves(id);
        }
        envoy.advance(5_000);
        envoy.tick();
        assert_eq!(host(|host| others(host)), 0);
        envoy.assert_sound();
    });
}
