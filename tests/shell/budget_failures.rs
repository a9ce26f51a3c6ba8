//! Budgets of keys when shared data fails, or holds what is not theirs.

use super::budgets::{ask, cost, now, post, post_as, record, small, unavailable, with_key};
use super::host::host;
use super::provider::{answer, test_with};
use serde_json::json;

#[test]
fn a_record_under_a_name_that_is_anothers_lets_nobody_through() {
    let mut config = with_key(json!({}));
    config["identity"] = json!({"header": "x-user"});
    config["keys"] = json!([{"name": "*", "requests_per_minute": 9}]);
    test_with(&config, |envoy| {
        let id = post_as(envoy, ("x-user", "ann"), &small());
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
        host(|host| {
            let mut shared = host.shared.lock().unwrap();
            let of_budget = |(name, _): &(&String, &mut (Vec<u8>, u32))| name.contains(".budget.");
            let (_, (bytes, _)) = shared.records.iter_mut().find(of_budget).unwrap();
            let at = bytes.len() - 3;
            bytes[at..].copy_from_slice(b"bob");
        });
        let id = post_as(envoy, ("x-user", "ann"), &small());
        assert_eq!(envoy.client(id).status(), 500);
        assert_eq!(unavailable(), Some(1));
    });
}

#[test]
fn nobody_is_let_through_when_shared_data_fails() {
    for call in ["get_shared", "set_shared"] {
        test_with(&with_key(json!({"requests_per_minute": 5})), |envoy| {
            host(|host| host.fail_named = Some(call));
            let id = ask(envoy);
            assert_eq!(envoy.client(id).status(), 500, "{call}");
            assert_eq!(envoy.receipt(id)["outcome"], "refused");
            assert_eq!(unavailable(), Some(1));
            host(|host| host.fail_named = None);
            let id = ask(envoy);
            assert_eq!(envoy.client(id).status(), 200);
        });
    }
}

#[test]
fn who_wants_it_is_let_through_when_shared_data_fails() {
    let mut config = with_key(json!({"requests_per_minute": 5}));
    config["budgets"] = json!({"on_unavailable": "allow"});
    test_with(&config, |envoy| {
        host(|host| host.fail_named = Some("get_shared"));
        let id = ask(envoy);
        assert_eq!(envoy.client(id).status(), 200);
        envoy.tick();
        host(|host| host.fail_named = None);
        assert_eq!(unavailable(), Some(2));
        envoy.tick();
        assert_eq!(record().total().0, cost(envoy, id), "it is billed all the same");
    });
}

#[test]
fn a_record_that_cannot_be_read_lets_nobody_through() {
    test_with(&with_key(json!({"budget": {"day": 1}})), |envoy| {
        ask(envoy);
        host(|host| {
            let mut shared = host.shared.lock().unwrap();
            let mut records = shared
                .records
                .iter_mut()
                .filter(|(name, _)| name.contains(".budget."));
            records.next().unwrap().1.0 = vec![0xff; 64];
        });
        let id = ask(envoy);
        assert_eq!(envoy.client(id).status(), 500);
        assert_eq!(unavailable(), Some(1));
    });
}

#[test]
fn a_settlement_that_cannot_be_written_waits_and_is_not_lost() {
    test_with(&with_key(json!({"budget": {"day": 1}})), |envoy| {
        let ids = [post(envoy, &small()), post(envoy, &small())];
        host(|host| host.fail_named = Some("set_shared"));
        for id in ids {
            envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
        }
        envoy.tick();
        host(|host| host.fail_named = None);
        assert_eq!(record().total().0, 0);
        envoy.tick();
        let sum: u64 = ids.iter().map(|id| cost(envoy, *id)).sum();
        assert_eq!((record().total().0, record().held(now()).0), (sum, 0));
        envoy.tick();
        assert_eq!(record().total().0, sum, "once only");
    });
}

#[test]
fn a_settlement_is_tried_again_however_often_others_are_faster() {
    test_with(&with_key(json!({"budget": {"day": 1}})), |envoy| {
        let id = post(envoy, &small());
        host(|host| host.shared.lock().unwrap().overtaken = 60);
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
        assert_eq!(record().total().0, cost(envoy, id));
        let id = post(envoy, &small());
        host(|host| host.shared.lock().unwrap().overtaken = 100);
        envoy.play(id, &[("openai", answer("openai", false, "hi"))]);
        let before = record().total().0;
        envoy.tick();
        assert_eq!(record().total().0, before + cost(envoy, id));
    });
}
