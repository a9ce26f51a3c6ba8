//! The server on a real socket: connections that live on, break off, or are left by the client.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Role, Shared, accept};
use crate::ledger::Ledger;
use crate::table::sample_keys;

async fn start() -> (TcpStream, Arc<Ledger>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let ledger = Arc::new(Ledger::new(true));
    let shared = Shared {
        ledger: ledger.clone(),
        keys: sample_keys(),
        client_prefixes: Vec::new(),
    };
    tokio::spawn(accept(
        listener,
        Role::Provider(ledger.page("openai").unwrap().clone()),
        Arc::new(shared),
    ));
    (client, ledger)
}

async fn send(client: &mut TcpStream, model: &str) {
    let body =
        format!(r#"{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"hello"}}]}}"#);
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\nauthorization: Bearer sim-openai-key\r\n";
    let request = format!(
        "{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    client.write_all(request.as_bytes()).await.unwrap();
}

/// Reads until the text is there or the connection ends.
async fn read_until(client: &mut TcpStream, text: &str) -> io::Result<String> {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = tokio::time::timeout(Duration::from_secs(5), client.read(&mut buffer)).await??;
        seen.extend_from_slice(&buffer[..read]);
        let so_far = String::from_utf8_lossy(&seen).into_owned();
        if read == 0 || so_far.contains(text) {
            return Ok(so_far);
        }
    }
}

async fn counted(ledger: &Ledger, name: &str) -> Value {
    for _ in 0..500 {
        let counters = ledger.counters()["openai"].clone();
        if counters[name] != 0 {
            return counters;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{name} stayed 0");
}

#[tokio::test]
async fn a_connection_carries_many_requests() {
    let (mut client, ledger) = start().await;
    for _ in 0..3 {
        send(&mut client, "m").await;
        assert!(
            read_until(&mut client, "\r\n0\r\n\r\n")
                .await
                .unwrap()
                .contains("[DONE]")
        );
    }
    assert_eq!(counted(&ledger, "completed").await["completed"], 3);
}

#[tokio::test]
async fn a_client_that_leaves_mid_stream_is_counted_with_its_tokens() {
    let (mut client, ledger) = start().await;
    send(&mut client, "m!stall_at=3").await;
    read_until(&mut client, "\" hello\"").await.unwrap();
    drop(client);
    let counters = counted(&ledger, "disconnects").await;
    assert_eq!(counters["tokens_written_at_disconnects"], 3);
    assert_eq!(counters["tokens_billed"], 3);
    assert_eq!(counters["completed"], 0);
}

#[tokio::test]
async fn a_client_that_leaves_before_the_headers_is_counted() {
    let (mut client, ledger) = start().await;
    send(&mut client, "m!no_headers").await;
    while ledger.requests(None).as_array().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(client);
    assert_eq!(counted(&ledger, "disconnects").await["tokens_billed"], 0);
}

#[tokio::test]
async fn a_cut_stream_has_its_tokens_and_no_end() {
    let (mut client, ledger) = start().await;
    send(&mut client, "m!cut_at=2").await;
    let seen = read_until(&mut client, "never").await.unwrap();
    assert!(
        seen.contains("\" said:\"") && !seen.contains("\" hello\"") && !seen.contains("\r\n0\r\n"),
        "{seen}"
    );
    assert_eq!(counted(&ledger, "cut").await["tokens_generated"], 2);
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    for model in ["m!reset", "m!reset_at=1"] {
        let (mut client, _) = start().await;
        send(&mut client, model).await;
        let error = read_until(&mut client, "never").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{model}");
    }
}

#[tokio::test]
async fn silence_comes_after_the_headers() {
    let (mut client, _) = start().await;
    send(&mut client, "m!silent").await;
    let seen = read_until(&mut client, "\r\n\r\n").await.unwrap();
    assert!(
        seen.starts_with("HTTP/1.1 200 OK") && !seen.contains("data:"),
        "{seen}"
    );
}
