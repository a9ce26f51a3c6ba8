use super::activity::{Day, Row};
use super::*;
use crate::meter::budget::{Demand, Used};
use crate::test;
use serde_json::{Value, json};

const NOW: u64 = 1_795_318_769_000;

fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice::<Value>(bytes).unwrap()["data"].clone()
}

fn key(budget: [Option<u64>; 3]) -> ClientKey {
    ClientKey {
        name: "team".to_owned(),
        sha256: None,
        expires_ms: Some(NOW + 1_000),
        disabled: false,
        metadata: Vec::new(),
        allowance: Allowance {
            requests_per_minute: Some(9),
            tokens_per_minute: None,
            budget: budget.map(|amount| amount.map(PicoUsd)),
        },
        policy: None,
    }
}

#[test]
fn a_key_is_told_the_limit_that_it_meets_first() {
    let key = key([Some(2_000_000_000_000), None, Some(1_500_000_000_001)]);
    let demand = Demand {
        cost: PicoUsd(1),
        ..Demand::default()
    };
    let (record, _) = Record::default()
        .admit(&key.allowance, &demand, 1_000, NOW)
        .unwrap();
    let used = Used {
        tokens: 5,
        cost: PicoUsd(500_000_000_000),
        byok: PicoUsd(250_000_000_000),
    };
    let record = record.settle(None, &used, NOW);
    let account = Account {
        name: "team",
        key: Some(&key),
        record: &record,
        now_ms: NOW,
    };
    let body = String::from_utf8(account.key()).unwrap();
    assert!(
        body.contains(r#""limit":1.500000000001,"limit_remaining":1,"limit_reset":"monthly""#),
        "{body}"
    );
    let data = read(body.as_bytes());
    assert_eq!((&data["usage"], &data["usage_daily"]), (&json!(0.5), &json!(0.5)));
    for name in ["", "_daily", "_weekly", "_monthly"] {
        assert_eq!(data[format!("byok_usage{name}")], json!(0.25));
    }
    assert_eq!(data["expires_at"], "2026-11-22T03:39:30.000Z");
    assert_eq!(data["requests_per_minute"], json!({"limit": 9, "remaining": 7}));
    assert_eq!(data["budgets"][0]["remaining"], json!(1.499999999999));
    assert_eq!(
        read(&account.credits()),
        json!({"total_credits": 1.500000000001, "total_usage": 0.5, "byok_usage": 0.25})
    );
}

#[test]
fn a_key_without_limits_is_told_what_it_used() {
    let record = Record::default();
    let account = Account {
        name: "ann",
        key: None,
        record: &record,
        now_ms: NOW,
    };
    let data = read(&account.key());
    assert_eq!(
        (&data["label"], &data["limit"], &data["usage"]),
        (&json!("ann"), &Value::Null, &json!(0))
    );
    assert_eq!(
        read(&account.credits()),
        json!({"total_credits": null, "total_usage": 0, "byok_usage": 0})
    );
}

#[test]
fn questions_are_understood_or_refused() {
    let read = |path, query| Question::read(path, query).unwrap();
    assert_eq!(read("/v1/key", "").unwrap(), Question::Key);
    assert_eq!(read("/v1/auth/key", "").unwrap(), Question::Key);
    assert_eq!(
        read("/v1/generation", "id=gen-1").unwrap(),
        Question::Generation("gen-1".to_owned())
    );
    assert_eq!(
        read("/v1/activity", "date=1970-01-03").unwrap(),
        Question::Activity(Some(2))
    );
    assert_eq!(read("/v1/activity", "").unwrap(), Question::Activity(None));
    for (path, query) in [
        ("/v1/key", "all"),
        ("/v1/credits", "a=b"),
        ("/v1/generation", ""),
        ("/v1/generation", "id=a&key=b"),
        ("/v1/activity", "date=today"),
    ] {
        assert!(read(path, query).is_err(), "{path}?{query}");
    }
    assert_eq!(Question::read("/v1/keys", ""), None);
}

#[test]
fn an_id_tells_its_place() {
    for (at, wanted) in [(0, 0), (4_095, 4_095), (4_096, 0), (70_000, 70_000 % 4_096)] {
        let id = generation::id(NOW, u64::MAX, at);
        assert_eq!((id.len(), generation::place(&id)), (32, Some(wanted)), "{id}");
    }
    for text in [
        "",
        "gen-1",
        "gen-zzzzzzzzzzzzzzzzzzzzzzzzzzzz",
        "gen-éééééééééééééé",
    ] {
        assert_eq!(generation::place(text), None, "{text}");
    }
}

fn row(model: &str) -> Row {
    Row::read(&format!("{model}\tp\t1\t20\t3\t4\t0\t30")).unwrap()
}

#[test]
fn a_day_adds_up_by_model_and_reads_as_it_was_written() {
    let mut day = Day::read(b"", 2, "k\t\n");
    for model in ["a", "b", "a"] {
        day.add(&row(model));
    }
    assert_eq!(Day::read(&day.to_bytes(), 2, "k\t\n"), day);
    for (other_day, key) in [(34, "k\t\n"), (2, "k"), (2, "k  "), (2, "")] {
        assert_eq!(
            Day::read(&day.to_bytes(), other_day, key),
            Day::read(b"", other_day, key),
            "that of another day or key"
        );
    }
    let data = read(&activity::answer(&[day]));
    assert_eq!(data.as_array().unwrap().len(), 2);
    assert_eq!(
        (&data[0]["date"], &data[0]["requests"]),
        (&json!("1970-01-03"), &json!(2))
    );
    assert_eq!(
        (&data[0]["usage"], &data[0]["completion_tokens"]),
        (&json!(4e-11), &json!(8))
    );
    assert_eq!(data[0]["byok_usage_inference"], json!(6e-11));
}

#[test]
fn a_day_stays_small_whatever_is_used() {
    let mut day = Day::read(b"", 2, "k");
    for index in 0..1_000 {
        day.add(&row(&format!("m{index}")));
    }
    let day = Day::read(&day.to_bytes(), 2, "k");
    let data = read(&activity::answer(&[day]));
    let requests: u64 = data
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["requests"].as_u64().unwrap())
        .sum();
    assert_eq!((data.as_array().unwrap().len(), requests), (101, 1_000));
    let noise: [&[u8]; 2] = [
        b"3\t2\t\"k\"\nx\ty\n\xff",
        b"3\t2\t\"k\"\nx\ty\t-1\t0\t0\t0\t0\t0\n",
    ];
    for noise in noise {
        assert_eq!(Day::read(noise, 2, "k"), Day::read(b"", 2, "k"));
    }
}
