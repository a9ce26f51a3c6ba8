//! The ports: options, listeners, and connections.

use std::fmt::Display;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use crate::ledger::{Ledger, Page};
use crate::shared::Shared;
use crate::wire::Wire;
use crate::{control, exchange, table};

/// The control endpoint among the providers.
const CONTROL: &str = "control";
const CONTROL_PORT: u16 = 18009;

/// Simulates model providers: their wire formats, and their faults on demand
#[derive(Debug, Clone, clap::Parser)]
#[command(version, about, max_term_width = 100)]
pub(crate) struct Options {
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
    /// Port of a provider, or of `control`: faults, counters, recorded requests (may be repeated; 0: any free one)
    #[arg(long, value_name = "NAME=PORT", value_parser = pair::<u16>)]
    port: Vec<(String, u16)>,
    /// Listen on any free port wherever --port says nothing
    #[arg(long)]
    free_ports: bool,
    /// What a provider takes as its key (may be repeated); `bedrock-secret` makes Bedrock take signed requests too
    #[arg(long, value_name = "NAME=KEY", value_parser = pair::<String>)]
    key: Vec<(String, String)>,
    /// A header value that starts so is a client's key and counts as a leak (may be repeated)
    #[arg(long, default_values = ["cp-", "client-key"], value_name = "PREFIX")]
    client_key_prefix: Vec<String>,
    /// Do not record requests; counters stay
    #[arg(long)]
    no_record: bool,
}

/// What a port is for.
#[derive(Debug, Clone)]
enum Role {
    Provider(Arc<Page>),
    Control,
}

impl Role {
    fn name(&self) -> &'static str {
        match self {
            Role::Provider(page) => page.provider.name(),
            Role::Control => CONTROL,
        }
    }

    fn port(&self) -> u16 {
        match self {
            Role::Provider(page) => page.provider.port(),
            Role::Control => CONTROL_PORT,
        }
    }
}

fn pair<T>(text: &str) -> Result<(String, T), String>
where
    T: FromStr,
    T::Err: Display,
{
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let value = value.parse().map_err(|error: T::Err| error.to_string())?;
    Ok((name.to_owned(), value))
}

/// Listens on all ports and serves until Ctrl-C. The error of a port in use names the port and its flag.
pub(crate) async fn run(options: Options) -> io::Result<()> {
    let invalid = |message| io::Error::new(io::ErrorKind::InvalidInput, message);
    let shared = Arc::new(Shared {
        ledger: Arc::new(Ledger::new(!options.no_record)),
        keys: table::keys(&options.key).map_err(invalid)?,
        client_prefixes: options.client_key_prefix,
    });
    let pages = shared.ledger.pages().iter().cloned().map(Role::Provider);
    let roles: Vec<Role> = pages.chain([Role::Control]).collect();
    if let Some((name, _)) = options
        .port
        .iter()
        .find(|(name, _)| roles.iter().all(|role| role.name() != name))
    {
        let known: Vec<_> = roles.iter().map(Role::name).collect();
        let message = format!(
            "--port: nothing is named `{name}`; there are {}",
            known.join(", ")
        );
        return Err(invalid(message));
    }
    let mut listeners = Vec::with_capacity(roles.len());
    let mut ready = String::from("simulator ready:");
    for role in roles {
        let given = options.port.iter().rev().find(|(name, _)| name == role.name());
        let usual = if options.free_ports { 0 } else { role.port() };
        let port = given.map_or(usual, |(_, port)| *port);
        let listener = listen(SocketAddr::new(options.address, port), &role).await?;
        ready.push_str(&format!(" {} {}", role.name(), listener.local_addr()?));
        listeners.push((role, listener));
    }
    for (role, listener) in listeners {
        tokio::spawn(accept(listener, role, shared.clone()));
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{ready}")?;
    out.flush()?;
    drop(out);
    tokio::signal::ctrl_c().await
}

async fn listen(address: SocketAddr, role: &Role) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let name = role.name();
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => "is in use".to_owned(),
            _ => format!("cannot be opened ({error})"),
        };
        io::Error::new(
            error.kind(),
            format!("crosspoint-simulator: {address} for {name} {why}; choose another port with --port {name}=PORT"),
        )
    })
}

async fn accept(listener: TcpListener, role: Role, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, role.clone(), shared.clone()));
            }
            // Out of file descriptors, mostly: later connections may find some.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
}

async fn connection(stream: TcpStream, role: Role, shared: Arc<Shared>) {
    // Without it only the timing is worse.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let wire = TokioIo::new(Wire {
        stream,
        reset: reset.clone(),
    });
    let service = service_fn(move |request| {
        let (shared, reset, role) = (shared.clone(), reset.clone(), role.clone());
        async move {
            match &role {
                Role::Provider(page) => exchange::serve(&shared, page, reset, request).await,
                Role::Control => control::serve(&shared, request).await,
            }
        }
    });
    // A client that goes away is counted by its body; there is nobody to tell about anything else.
    let _ = http1::Builder::new().serve_connection(wire, service).await;
}

#[cfg(test)]
mod tests;
