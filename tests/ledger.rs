//! `crosspoint ledger` as an operator runs it, on access logs as Envoy writes them.

#![cfg(feature = "cli")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "this is how a test fails"
)]

use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A directory of a test's own, which goes with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("crosspoint-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the tool printed, what it said besides, and whether it was content.
fn ledger(arguments: &[&str], input: impl AsRef<[u8]>) -> (String, String, bool) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_crosspoint"))
        .arg("ledger")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A run that never reads its input is fine, too.
    let _ = child.stdin.take().unwrap().write_all(input.as_ref());
    let out = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(out.stdout), text(out.stderr), out.status.success())
}

/// A receipt: 10 tokens in, 5 out, at a dollar and two a million, on the 22nd of November 2026.
fn receipt(id: &str, more: &Value) -> String {
    let mut receipt = json!({
        "version": 1, "state": "final", "id": id, "outcome": "success", "status": 200, "key": "team",
        "model": "a/b", "served_model": "a/b", "provider": "p", "stream": true, "finish_reason": "stop",
        "tokens": {
            "prompt": 10, "cache_read": 2, "cache_write": 1, "completion": 5, "reasoning": 3,
            "prompt_source": "provider", "completion_source": "provider",
        },
        "cost_pico_usd": 20_000_000, "cost_usd": "0.00002", "started_ms": 1_795_305_600_000_u64,
        "duration_ms": 50,
        "attempts": [
            {"provider": "q", "model": "other", "outcome": "error", "reason": "price", "duration_ms": 1},
            {"provider": "p", "model": "b-2026", "outcome": "success", "reason": "price", "duration_ms": 50},
        ],
    });
    for (name, value) in more.as_object().unwrap() {
        receipt[name] = value.clone();
    }
    // `version` stands first, as the filter writes it: this map keeps its members in the order of the alphabet.
    let version = receipt.as_object_mut().unwrap().remove("version").unwrap();
    format!("{{\"version\":{version},{}\n", &receipt.to_string()[1..])
}

fn rows(arguments: &[&str], input: &str) -> Value {
    let (text, _, content) = ledger(&[&["--format", "json"], arguments].concat(), input);
    assert!(content);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn sums_stand_in_a_table() {
    let log = [
        receipt("gen-1", &json!({})),
        receipt("gen-2", &json!({"served_model": "c/d", "cost_pico_usd": 1})),
        receipt("gen-3", &json!({})),
    ];
    let (table, said, content) = ledger(&["--by", "model,key"], log.concat());
    assert!(content);
    assert_eq!(said, "");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows,
        [
            "model key exchanges prompt cache_read cache_write completion reasoning cost_usd upstream_cost_usd by_provider by_tokenizer estimated open",
            "a/b team 2 20 4 2 10 6 0.00004 0.00004 2 0 0 0",
            "c/d team 1 10 2 1 5 3 0.000000000001 0.000000000001 1 0 0 0",
            "total 3 30 6 3 15 9 0.000040000001 0.000040000001 3 0 0 0",
        ]
        .map(|row| row.split_whitespace().collect::<Vec<_>>())
    );
}

#[test]
fn what_the_sums_lack_is_said() {
    let mut tokens: Value = serde_json::from_str(&receipt("gen-1", &json!({}))).unwrap();
    tokens["tokens"]["claimed"] = json!({"prompt": u64::MAX, "completion": 1});
    let log = [
        receipt("gen-1", &json!({"tokens": tokens["tokens"]})),
        receipt("gen-2", &json!({"unpriced": true, "cost_pico_usd": 0})),
    ];
    let (_, said, content) = ledger(&[], log.concat());
    assert!(content);
    assert!(said.contains("without a price: 1 exchanges"), "{said}");
    assert!(said.contains("counted here: 1 exchanges"), "{said}");
}

#[test]
fn every_member_can_make_rows() {
    let log = [
        receipt("gen-1", &json!({})),
        receipt(
            "gen-2",
            &json!({"operation": "embeddings", "outcome": "cancelled", "started_ms": 0}),
        ),
    ];
    for (by, names) in [
        ("key", vec![json!("team")]),
        ("model", vec![json!("a/b")]),
        ("provider", vec![json!("p")]),
        ("day", vec![json!("1970-01-01"), json!("2026-11-22")]),
        ("outcome", vec![json!("cancelled"), json!("success")]),
        ("operation", vec![json!("chat"), json!("embeddings")]),
    ] {
        let told = rows(&["--by", by], &log.concat());
        let told: Vec<_> = told["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row[by].clone())
            .collect();
        assert_eq!(told, names, "{by}");
    }
}

#[test]
fn an_exchange_is_counted_once() {
    let open = json!({"state": "open", "outcome": "open", "cost_pico_usd": 7});
    let mut later = open.clone();
    later["duration_ms"] = json!(90);
    later["cost_pico_usd"] = json!(9);
    let log = [
        // Superseded by its final line, whichever comes first.
        receipt("gen-1", &open),
        receipt("gen-1", &json!({})),
        receipt("gen-2", &json!({})),
        receipt("gen-2", &open),
        // Never closed: the last word stands.
        receipt("gen-3", &later),
        receipt("gen-3", &open),
        // Logged twice, and once with another amount.
        receipt("gen-4", &json!({})),
        receipt("gen-4", &json!({})),
        receipt("gen-4", &json!({"cost_pico_usd": 5})),
    ];
    let (text, said, _) = ledger(&["--format", "json", "--by", "outcome"], log.concat());
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["total"]["exchanges"], 4);
    assert_eq!(told["total"]["cost_pico_usd"], 3 * 20_000_000 + 9);
    assert_eq!(told["total"]["open"], 1);
    assert_eq!(
        said,
        "counted once: 2 lines of an exchange that was there already\n\
         1 of them say something else than the first, which counts: gen-4\n"
    );
}

#[test]
fn foreign_lines_are_skipped_and_told_of() {
    let cut = receipt("gen-2", &json!({}));
    let log = [
        receipt("gen-1", &json!({})),
        // What a container runtime writes before a line.
        format!(
            "2026-11-22T00:00:00.000000000Z stdout F {}",
            receipt("gen-9", &json!({}))
        ),
        "[2026-11-22 00:00:00.000][1][info] starting\n\n{\"method\":\"GET\"}\n".to_owned(),
        format!("{}\n", &cut[..60]),
        "{\"version\":1,\"state\":\"final\"}\n{\"version\":1,\"id\":7}\n{\"version\":9}\n".to_owned(),
        format!("{}\n", "x".repeat(3 << 20)),
        receipt("gen-3", &json!({})).trim_end().to_owned(),
    ];
    let (text, said, content) = ledger(&["--format", "json"], log.concat());
    assert!(content);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["total"]["exchanges"], 3);
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "skipped 1 line: a receipt of version 9",
            "skipped 1 line: a receipt that is cut or damaged",
            "skipped 1 line: a receipt that lacks members",
            "skipped 1 line: a receipt whose members cannot be read",
            "skipped 1 line: longer than any receipt",
            "skipped 2 lines: no receipt",
        ]
    );
}

#[test]
fn files_are_read_plain_and_gzipped() {
    let place = Place::new("files");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(receipt("gen-1", &json!({})).as_bytes()).unwrap();
    let mut packed = packed.finish().unwrap();
    // Rotated logs may be two archives, one behind the other.
    packed.extend(packed.clone());
    let one = place.write("one.log.gz", packed);
    let two = place.write("two.log", receipt("gen-2", &json!({})));
    let log = receipt("gen-3", &json!({}));
    assert_eq!(rows(&[&one, &two, "-"], &log)["total"]["exchanges"], 3);
    let (_, said, content) = ledger(&["no-such-file.log"], "");
    assert!(
        !content && said.starts_with("no-such-file.log: cannot be read: "),
        "{said}"
    );
}

#[test]
fn days_can_be_chosen() {
    let day = 86_400_000_u64;
    let log: String = (0..5)
        .map(|at| {
            let started = json!({"started_ms": 1_795_305_600_000 + at * day});
            receipt(&format!("gen-{at}"), &started)
        })
        .collect();
    let count = |arguments: &[&str]| rows(arguments, &log)["total"]["exchanges"].clone();
    assert_eq!(count(&["--from", "2026-11-23"]), 4);
    assert_eq!(count(&["--to", "2026-11-23"]), 2);
    assert_eq!(count(&["--from", "2026-11-23", "--to", "2026-11-23"]), 1);
    let (_, said, content) = ledger(&["--from", "2026-02-30"], "");
    assert!(!content && said.contains("expected a day as YYYY-MM-DD"));
}

#[test]
fn it_says_how_exact_a_line_is() {
    let sources = |prompt: &str, completion: &str| json!({"tokens": {"prompt": 1, "completion": 1, "prompt_source": prompt, "completion_source": completion}});
    let log = [
        receipt("gen-1", &sources("provider", "provider")),
        receipt("gen-2", &sources("provider", "tokenizer")),
        receipt("gen-3", &sources("estimate", "tokenizer")),
        receipt(
            "gen-4",
            &json!({"tokens": null, "cost_pico_usd": 0, "outcome": "refused"}),
        ),
        receipt("gen-5", &json!({"state": "open"})),
    ];
    let total = &rows(&[], &log.concat())["total"];
    let told =
        ["exchanges", "by_provider", "by_tokenizer", "estimated", "open"].map(|name| total[name].as_u64());
    assert_eq!(told, [5, 1, 1, 1, 1].map(Some));
}

#[test]
fn money_is_exact_beyond_64_bits() {
    let log: String = (0..3)
        .map(|at| receipt(&format!("gen-{at}"), &json!({"cost_pico_usd": u64::MAX})))
        .collect();
    assert_eq!(rows(&[], &log)["total"]["cost_usd"], "55340232.221128654845");
}

#[test]
fn spreadsheets_get_csv() {
    let log = receipt("gen-1", &json!({"served_model": "a,\"b\""}));
    let (text, _, _) = ledger(&["--format", "csv"], log);
    assert_eq!(
        text,
        "model,provider,exchanges,prompt,cache_read,cache_write,completion,reasoning,cost_usd,upstream_cost_usd,by_provider,by_tokenizer,estimated,open\n\
         \"a,\"\"b\"\"\",p,1,10,2,1,5,3,0.00002,0.00002,1,0,0,0\n"
    );
}

#[test]
fn balances_are_by_window() {
    let place = Place::new("balances");
    let out = place.0.join("balances.json").display().to_string();
    // The 22nd is a Sunday.
    let log: String = [
        ("2026-11-22", 0),
        ("the 18th", 4),
        ("the 15th", 7),
        ("in October", 30),
        ("tomorrow", -1),
    ]
    .iter()
    .map(|(id, ago)| {
        receipt(
            id,
            &json!({"started_ms": 1_795_305_600_000_i64 - ago * 86_400_000}),
        )
    })
    .chain([receipt("without a key", &json!({"key": null}))])
    .collect();
    let arguments = [
        "--balances",
        &out,
        "--today",
        "2026-11-22",
        "--from",
        "2026-11-22",
    ];
    assert_eq!(rows(&arguments, &log)["total"]["exchanges"], 3);
    let balances: Value = serde_json::from_slice(&std::fs::read(Path::new(&out)).unwrap()).unwrap();
    assert_eq!(
        balances,
        json!({"team": {
            "day": {"start": "2026-11-22", "used": "0.00002"},
            "week": {"start": "2026-11-16", "used": "0.00004"},
            "month": {"start": "2026-11-01", "used": "0.00006"},
            "total": "0.00008",
        }})
    );
    // An Envoy can begin with it, if it knows the keys.
    let config = place.write(
        "config.yaml",
        "providers: { openai: {} }\nkeys: [{ name: team, sha256: 2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b }]",
    );
    let rendered = std::process::Command::new(env!("CARGO_BIN_EXE_crosspoint"))
        .args(["render", "envoy", &config, "--balances", &out])
        .output()
        .unwrap();
    let said = String::from_utf8(rendered.stdout).unwrap();
    assert!(said.contains("\"used\": \"0.00006\""), "{:?}", rendered.stderr);
}

/// Two models in the log, and what an invoice says of them.
fn reconcile(invoice: &str, arguments: &[&str]) -> (String, String, bool) {
    let place = Place::new(&format!(
        "invoice-{}",
        crosspoint::hash::stable(&[invoice, &arguments.concat()])
    ));
    let path = place.write("invoice.csv", invoice);
    let other = json!([{"provider": "p", "model": "d-2026", "outcome": "success"}]);
    let wasted = json!([
        {"provider": "p", "model": "e-2026", "outcome": "error", "cost_pico_usd": 10_000_000,
         "tokens": {"prompt": 8, "completion": 1, "prompt_source": "provider", "completion_source": "estimate"}},
        {"provider": "q", "model": "x", "outcome": "success"},
    ]);
    let elsewhere = json!([{"provider": "q", "model": "x", "outcome": "success"}]);
    let log = [
        receipt("gen-1", &json!({})),
        receipt("gen-2", &json!({"attempts": other})),
        receipt("gen-3", &json!({"attempts": elsewhere, "provider": "q"})),
        receipt(
            "gen-4",
            &json!({"provider": null, "tokens": null, "cost_pico_usd": 0}),
        ),
        // Failed at p, which charges for it; what q charges is the rest.
        receipt(
            "gen-5",
            &json!({"attempts": wasted, "cost_pico_usd": 9, "upstream_cost_pico_usd": 10_000_009}),
        ),
        // The caller has an invoice of its own.
        receipt(
            "gen-6",
            &json!({"is_byok": true, "byok_cost_pico_usd": 20_000_000, "cost_pico_usd": 1, "upstream_cost_pico_usd": 0}),
        ),
    ];
    let common = [
        "reconcile",
        "--provider",
        "p",
        "--invoice",
        &path,
        "--format",
        "csv",
    ];
    ledger(&[&common, arguments].concat(), log.concat())
}

#[test]
fn an_invoice_that_agrees_is_the_same() {
    let invoice = "\u{feff}model,in,cached,out,usd\nb-2026,\"7\",3,5,$0.00002\nd-2026,4,0,2,1e-05\nd-2026,6,0,3.0,0.00001\ne-2026,8,0,1,0.00001\n";
    let columns = [
        "--input", "in", "--input", "cached", "--output", "out", "--cost", "usd",
    ];
    let (text, said, content) = reconcile(invoice, &columns);
    assert!(content, "{text}{said}");
    assert_eq!(
        text,
        "model,verdict,input_ours,input_invoiced,input_difference,output_ours,output_invoiced,output_difference,\
         cost_usd_ours,cost_usd_invoiced,cost_usd_difference\n\
         b-2026,same,10,10,0,5,5,0,0.00002,0.00002,0\n\
         d-2026,same,10,10,0,5,5,0,0.00002,0.00002,0\n\
         e-2026,same,8,8,0,1,1,0,0.00001,0.00001,0\n"
    );
}

#[test]
fn differences_are_shown_and_fail() {
    let invoice = "model,cost\nb-2026,0.00003\ne-2026,0.00001\nz-2026,1\n";
    let (text, said, content) = reconcile(invoice, &["--cost", "cost"]);
    assert!(!content);
    assert_eq!(said, "3 rows differ\n");
    assert_eq!(
        text.lines().skip(1).collect::<Vec<_>>(),
        [
            "b-2026,differs,0.00002,0.00003,-0.00001",
            "d-2026,not invoiced,0.00002,0,0.00002",
            "e-2026,same,0.00001,0.00001,0",
            "z-2026,no receipts,0,1,-1",
        ]
    );
    let near = "model,cost\nb-2026,0.0000201\nD,0.0000199\ne-2026,0.00001\n";
    let arguments = ["--cost", "cost", "--tolerance", "0.51", "--alias", "D=d-2026"];
    assert!(reconcile(near, &arguments).2);
    assert!(
        !reconcile(
            near,
            &["--cost", "cost", "--tolerance", "0.49", "--alias", "D=d-2026"]
        )
        .2
    );
}

#[test]
fn invoices_are_compared_by_day() {
    let invoice = "model,when,out\nb-2026,2026-11-22T00:00:00Z,5\nd-2026,1795305600,5\nd-2026,2026/11/23,5\ne-2026,2026-11-22,1\n";
    let (text, _, content) = reconcile(invoice, &["--output", "out", "--day", "when"]);
    assert!(!content);
    assert_eq!(
        text.lines().skip(1).collect::<Vec<_>>(),
        [
            "b-2026,2026-11-22,same,5,5,0",
            "d-2026,2026-11-22,same,5,5,0",
            "d-2026,2026-11-23,no receipts,0,5,-5",
            "e-2026,2026-11-22,same,1,1,0",
        ]
    );
    assert!(
        reconcile(
            invoice,
            &["--output", "out", "--day", "when", "--to", "2026-11-22"]
        )
        .2
    );
}

#[test]
fn what_an_invoice_lacks_is_said() {
    for (invoice, arguments, expected) in [
        (
            "model,out\nb,1\n",
            &["--cost", "usd"][..],
            "there is no column usd; there are: model, out",
        ),
        (
            "model,out\nb,1\n",
            &[],
            "nothing to compare: name columns with --input, --output or --cost",
        ),
        (
            "model,out\nb,many\n",
            &["--output", "out"],
            "row 2: \"many\" is no number that fits here",
        ),
        (
            "model,out\nb,1.5\n",
            &["--output", "out"],
            "row 2: \"1.5\" is no number that fits here",
        ),
        (
            "model,d,out\nb,soon,1\n",
            &["--output", "out", "--day", "d"],
            "row 2: \"soon\" is no day",
        ),
        (
            "model,out\n,1\n",
            &["--output", "out"],
            "row 2: names no model and is left out",
        ),
    ] {
        let (_, said, content) = reconcile(invoice, arguments);
        assert!(!content && said.contains(expected), "{said}");
    }
}
