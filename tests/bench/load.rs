//! What `make bench` loads an Envoy with: the clients on its one side and the providers on its other, in one thread.
//!
//! The providers replay answers that were recorded from `crosspoint-simulator`, so that answering costs next to nothing
//! and never is what limits a measurement. Of a stream every event is written by itself, so many microseconds after the
//! one before, so that Envoy gets one piece an event.
//!
//! `load RECORDED` reads the answers from a JSON file (`{"openai": {"whole": A, "stream": A}, "anthropic": …}`, where A
//! is `{"headers": [[name, value]…], "events": [text…]}`), listens, and prints the ports as a line of JSON. Then every line of
//! standard input is a run (`Run`), answered by a line of standard output (`Done`).

#![allow(clippy::disallowed_methods, reason = "tests have clocks and an environment")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a tool that had better stop than measure something else"
)]

use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, LocalSet};

/// One measurement: so many requests over so many connections, each of which sends the next when it has its answer.
#[derive(Deserialize)]
struct Run {
    /// Where Envoy listens.
    port: u16,
    /// The header lines of the request, each ended, but for `content-length`.
    head: String,
    /// The file that holds the request's body.
    body: String,
    stream: bool,
    /// Microseconds from one event of a stream to the next.
    pace_us: u64,
    connections: usize,
    requests: usize,
}

#[derive(Default, Serialize)]
struct Done {
    seconds: f64,
    requests: usize,
    /// Pieces of bodies (chunks of the chunked coding, so one for every time that Envoy sent some of it).
    pieces: usize,
    /// In microseconds. A buffered answer: from the request's first byte to the answer's last. A stream, when there is
    /// one connection: from the moment that the provider writes a token to that in which the client has read it.
    samples: Vec<u32>,
}

#[derive(Deserialize)]
struct Recorded {
    whole: Answer,
    stream: Answer,
}

#[derive(Deserialize)]
struct Answer {
    headers: Vec<(String, String)>,
    events: Vec<String>,
}

/// An answer as it is written: piece by piece, each with whether it holds a token.
struct Script(Vec<(Vec<u8>, bool)>);

impl Script {
    fn whole(answer: &Answer) -> Self {
        let body = answer.events.concat();
        let head = head(answer, &format!("content-length: {}", body.len()));
        Self(vec![((head + &body).into_bytes(), false)])
    }

    fn stream(answer: &Answer) -> Self {
        let last = answer.events.len() - 1;
        let pieces = answer.events.iter().enumerate().map(|(at, event)| {
            let mut text = format!("{:x}\r\n{event}\r\n", event.len());
            if at == 0 {
                text = head(answer, "transfer-encoding: chunked") + &text;
            }
            if at == last {
                text += "0\r\n\r\n";
            }
            let token = event.contains("\"text_delta\"") || tokens(event.as_bytes()) > 0;
            (text.into_bytes(), token)
        });
        Self(pieces.collect())
    }
}

fn head(answer: &Answer, length: &str) -> String {
    let lines = answer
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    format!("HTTP/1.1 200 OK\r\n{}{length}\r\n\r\n", lines.collect::<String>())
}

/// How many chunks of OpenAI's format with text in them begin here.
fn tokens(bytes: &[u8]) -> usize {
    const MARK: &[u8] = b"\"content\":\"";
    bytes
        .windows(MARK.len() + 1)
        .filter(|window| window.starts_with(MARK) && window[MARK.len()] != b'"')
        .count()
}

/// What both sides know of the run under way.
#[derive(Default)]
struct Shared {
    stream: Cell<bool>,
    pace: Cell<Duration>,
    /// When each token of the one stream under way was written.
    written: RefCell<Vec<Instant>>,
}

struct Provider {
    whole: Script,
    stream: Script,
    shared: Rc<Shared>,
}

impl Provider {
    async fn accept(self: Rc<Self>, listener: TcpListener) {
        loop {
            let (socket, _) = listener.accept().await.expect("no further connection");
            socket.set_nodelay(true).unwrap();
            tokio::task::spawn_local(Rc::clone(&self).serve(socket));
        }
    }

    async fn serve(self: Rc<Self>, mut socket: TcpStream) {
        let mut buffer = Vec::with_capacity(128 << 10);
        loop {
            let Some(length) = request_length(&mut socket, &mut buffer).await else {
                return;
            };
            while buffer.len() < length {
                if !matches!(socket.read_buf(&mut buffer).await, Ok(1..)) {
                    return;
                }
            }
            buffer.drain(..length);
            if self.answer(&mut socket).await.is_err() {
                return;
            }
        }
    }

    async fn answer(&self, socket: &mut TcpStream) -> std::io::Result<()> {
        if !self.shared.stream.get() {
            return socket.write_all(&self.whole.0[0].0).await;
        }
        self.shared.written.borrow_mut().clear();
        let mut due = tokio::time::Instant::now();
        for (bytes, token) in &self.stream.0 {
            if *token {
                self.shared.written.borrow_mut().push(Instant::now());
            }
            socket.write_all(bytes).await?;
            // Never two at once, even when this one came late.
            due = (due + self.shared.pace.get()).max(tokio::time::Instant::now());
            tokio::time::sleep_until(due).await;
        }
        Ok(())
    }
}

/// Reads until a head is complete: how long it is, with the body that it announces. `None`: the other side is gone.
async fn request_length(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<usize> {
    loop {
        if let Some(head) = end_of_head(buffer) {
            let text = std::str::from_utf8(&buffer[..head]).expect("a head that is no text");
            let length = header(text, "content-length").expect("a request without content-length");
            return Some(head + length.parse::<usize>().expect("content-length"));
        }
        if !matches!(socket.read_buf(buffer).await, Ok(1..)) {
            return None;
        }
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(at + 4)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// One connection of a client.
struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
    body: Vec<u8>,
}

impl Client {
    async fn exchange(&mut self, request: &[u8], run: &Run, shared: &Shared, done: &mut Done) {
        let begun = Instant::now();
        let alone = run.connections == 1;
        self.socket.write_all(request).await.unwrap();
        let head = loop {
            if let Some(head) = end_of_head(&self.buffer) {
                break head;
            }
            self.read().await;
        };
        let text = std::str::from_utf8(&self.buffer[..head]).expect("a head that is no text");
        assert!(
            text.starts_with("HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&self.buffer)
        );
        let length = header(text, "content-length").map(|length| length.parse::<usize>().unwrap());
        self.buffer.drain(..head);
        self.body.clear();
        if let Some(length) = length {
            while self.buffer.len() < length {
                self.read().await;
            }
            self.body.extend(self.buffer.drain(..length));
            done.pieces += 1;
        } else {
            let mut seen = 0;
            loop {
                let Some((start, end)) = chunk(&self.buffer) else {
                    self.read().await;
                    continue;
                };
                let piece = &self.buffer[start..end];
                if alone && run.stream {
                    let now = Instant::now();
                    let written = shared.written.borrow();
                    for _ in 0..tokens(piece) {
                        done.samples.push(microseconds(now - written[seen]));
                        seen += 1;
                    }
                }
                self.body.extend_from_slice(piece);
                self.buffer.drain(..end + 2);
                if start == end {
                    break;
                }
                done.pieces += 1;
            }
        }
        if !run.stream {
            done.samples.push(microseconds(begun.elapsed()));
        }
        done.requests += 1;
        let text = std::str::from_utf8(&self.body).expect("an answer that is no text");
        let complete = ["\"finish_reason\":\"stop\"", "\"finish_reason\": \"stop\""];
        assert!(
            complete.iter().any(|mark| text.contains(mark)),
            "not a complete answer: {text}"
        );
    }

    async fn read(&mut self) {
        let size = self.socket.read_buf(&mut self.buffer).await.unwrap();
        assert!(
            size > 0,
            "Envoy closed the connection: {}",
            String::from_utf8_lossy(&self.buffer)
        );
    }
}

fn microseconds(time: Duration) -> u32 {
    time.as_micros().try_into().unwrap()
}

/// Where the content of a complete chunk lies, at the front.
fn chunk(bytes: &[u8]) -> Option<(usize, usize)> {
    let line = bytes.iter().position(|byte| *byte == b'\n')?;
    let size = std::str::from_utf8(&bytes[..line]).unwrap().trim();
    let size = usize::from_str_radix(size, 16).expect("the size of a chunk");
    let start = line + 1;
    (bytes.len() >= start + size + 2).then_some((start, start + size))
}

async fn run(run: Run, shared: Rc<Shared>) -> Done {
    shared.stream.set(run.stream);
    shared.pace.set(Duration::from_micros(run.pace_us));
    let body = std::fs::read(&run.body).expect("the request's body");
    let mut request = format!("{}content-length: {}\r\n\r\n", run.head, body.len()).into_bytes();
    request.extend_from_slice(&body);
    let (run, request) = (Rc::new(run), Rc::new(request));
    let left = Rc::new(Cell::new(run.requests));
    let mut clients = JoinSet::new();
    let begun = Instant::now();
    for number in 0..run.connections {
        let (run, request, left, shared) = (run.clone(), request.clone(), left.clone(), shared.clone());
        clients.spawn_local(async move {
            if run.stream {
                // Not all at once: providers' streams do not tick together.
                tokio::time::sleep(shared.pace.get() * number as u32 / run.connections as u32).await;
            }
            let socket = TcpStream::connect(("127.0.0.1", run.port))
                .await
                .expect("Envoy's port");
            socket.set_nodelay(true).unwrap();
            let buffer = Vec::with_capacity(64 << 10);
            let body = Vec::with_capacity(64 << 10);
            let mut client = Client { socket, buffer, body };
            let mut done = Done::default();
            while left.get() > 0 {
                left.set(left.get() - 1);
                client.exchange(&request, &run, &shared, &mut done).await;
            }
            done
        });
    }
    let mut all = Done::default();
    while let Some(done) = clients.join_next().await {
        let done = done.expect("a client failed");
        all.requests += done.requests;
        all.pieces += done.pieces;
        all.samples.extend(done.samples);
    }
    all.seconds = begun.elapsed().as_secs_f64();
    all
}

async fn serve(recorded: HashMap<String, Recorded>) {
    let shared = Rc::new(Shared::default());
    let mut ports = HashMap::new();
    for (name, recorded) in recorded {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        ports.insert(name, listener.local_addr().unwrap().port());
        let provider = Rc::new(Provider {
            whole: Script::whole(&recorded.whole),
            stream: Script::stream(&recorded.stream),
            shared: Rc::clone(&shared),
        });
        tokio::task::spawn_local(provider.accept(listener));
    }
    say(&ports);
    let (lines, mut next) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if lines.send(line.expect("standard input")).is_err() {
                return;
            }
        }
    });
    while let Some(line) = next.recv().await {
        let asked = serde_json::from_str(&line).expect("a run");
        say(&run(asked, Rc::clone(&shared)).await);
    }
}

fn say(value: &impl Serialize) {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, value).unwrap();
    out.write_all(b"\n").unwrap();
    out.flush().unwrap();
}

fn main() {
    let path = std::env::args().nth(1).expect("usage: load RECORDED");
    let recorded = serde_json::from_slice(&std::fs::read(path).expect("the recorded answers"))
        .expect("the recorded answers");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, serve(recorded));
}
