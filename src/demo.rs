//! `backstop demo`: the main job, live, with simulated providers on loopback.
//!
//! Nothing is staged: three providers listen on real sockets, the real proxy tries them, a client
//! asks over HTTP, and what is shown of the attempts are the lines of the log.

use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::app::{self, CouldNotStart};
use crate::cli::DemoArgs;
use crate::config::{self, Environment, Faults, Overrides, Source};
use crate::shutdown::Signals;
use crate::sim::{Act, Finish, Provider, Refusing, Script};

mod client;
mod lines;
mod screen;

use client::{Answer, Event};
use lines::Line;
use screen::Screen;

/// What is asked.
const QUESTION: &str = "Is anybody there?";

/// What the third provider says.
const ANSWER: &str = "Yes, here I am: the third provider of the chain. The first one refused every \
    connection and the second kept failing in ways of its own, so Backstop went on asking until it \
    came to me. You sent one request and get one answer. From here on it streams straight through, \
    word by word, just as it comes off my socket.";

/// Where the demo listens unless it is told: any free port.
const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Why the demo did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was served.
    #[error(transparent)]
    CouldNotStart(#[from] CouldNotStart),
    /// The configuration of the demo itself is wrong.
    #[error("{0}")]
    Config(#[from] Faults),
    /// The system denies something else.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The chat went wrong.
    #[error("{0}")]
    Chat(String),
}

/// How the demo ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The show is over.
    Shown,
    /// A signal came before the answer, or another one that would not wait for the drain.
    Interrupted,
}

/// Shows a chat that fails, fails again and is answered, then stays up unless it is for `once`.
///
/// Takes over the log of the process, which must not have been started. No answer is an error.
pub async fn run(arguments: &DemoArgs) -> Result<Ended, Error> {
    let mut lines = lines::subscribe().map_err(io::Error::other)?;
    let (mut first, mut both) = (Signals::install()?, Signals::install()?);
    let cast = Cast::start()?;
    let listener = app::listen(arguments.listen.unwrap_or(ANYWHERE))?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();

    let server = serve(listener, &cast.config(), stop.clone())?;
    let colour =
        io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut screen = Screen::new(io::stdout(), colour);
    let show = async {
        let shown = show(&mut screen, &mut lines, address, arguments.once, &mut first).await;
        stop.cancel();
        shown
    };
    tokio::select! {
        (shown, served) = async { tokio::join!(show, server) } => {
            served?;
            shown
        }
        () = both.second() => Ok(Ended::Interrupted),
    }
}

/// The proxy itself, until `stop`.
fn serve(
    listener: TcpListener,
    config: &str,
    stop: CancellationToken,
) -> Result<impl Future<Output = io::Result<()>> + use<>, Faults> {
    let source = Source::Text { name: "demo.toml".to_owned(), text: config.to_owned() };
    let runtime = config::load(&source, &Environment::new(), &Overrides::default())?.runtime;
    Ok(async move { app::run(listener, Arc::new(runtime), stop.cancelled_owned()).await.map(drop) })
}

/// The simulated providers.
struct Cast {
    gone: Refusing,
    shaky: Provider,
    steady: Provider,
}

impl Cast {
    fn start() -> io::Result<Self> {
        let think = Duration::from_millis(250);
        let failures = [
            Act::status(429).after(think),
            Act::status(503).after(think),
            Act::answer(ANSWER).after(think).cut_after(1).then(Finish::Eof),
        ];
        let asked = AtomicUsize::new(0);
        let shaky =
            Script::by(move |_| failures[asked.fetch_add(1, Ordering::Relaxed) % failures.len()].clone());
        let steady = Act::answer(ANSWER).after(think).pace(Duration::from_millis(55));
        Ok(Self {
            gone: Refusing::start()?,
            shaky: Provider::start(shaky.models(["shaky-mini"]))?,
            steady: Provider::start(Script::always(steady).models(["steady-large"]))?,
        })
    }

    fn config(&self) -> String {
        format!(
            r#"[providers.gone]
base_url = "{}"

[providers.shaky]
base_url = "{}"

[providers.steady]
base_url = "{}"

[retry]
attempts_per_burst = 3
attempt_delay = "300ms..600ms"
bursts_per_cycle = 1
cycles = 1

[routes.demo]
chain = ["gone/first-choice", "shaky/shaky-mini", "steady/steady-large"]
"#,
            self.gone.base_url(),
            self.shaky.base_url(),
            self.steady.base_url(),
        )
    }
}

/// The whole show, until the signal to stop; an error if no answer came.
async fn show(
    screen: &mut Screen<impl Write>,
    lines: &mut mpsc::Receiver<Line>,
    address: SocketAddr,
    once: bool,
    signals: &mut Signals,
) -> Result<Ended, Error> {
    screen.title("Backstop demo", "three simulated providers, no keys, no network")?;
    screen.fact("route", "demo")?;
    screen.fact("chain", "1  gone/first-choice      refuses every connection")?;
    screen.fact("", "2  shaky/shaky-mini       429, then 503, then a stream cut at once")?;
    screen.fact("", "3  steady/steady-large    answers")?;
    screen.fact("policy", "3 attempts each, 300 to 600 ms apart")?;
    screen.fact("client", &format!("POST http://{address}/v1/chat/completions"))?;
    screen.fact("", &format!("\"{QUESTION}\", streamed"))?;
    screen.blank()?;

    tokio::select! {
        chat = chat(screen, lines, address) => chat?,
        () = signals.next() => return Ok(Ended::Interrupted),
    }
    if !once {
        screen.invitation(address)?;
        stay(screen, lines, signals).await?;
    }
    Ok(Ended::Shown)
}

/// Asks once and shows everything that happens until the answer ends.
async fn chat(
    screen: &mut Screen<impl Write>,
    lines: &mut mpsc::Receiver<Line>,
    address: SocketAddr,
) -> Result<(), Error> {
    let start = Instant::now();
    let asked = client::ask(address, QUESTION);
    tokio::pin!(asked);
    let mut answer: Answer = loop {
        tokio::select! {
            biased;
            Some(line) = lines.recv() => screen.attempt(Some(start.elapsed()), &line)?,
            answer = &mut asked => break answer?,
        }
    };
    let opened = start.elapsed();
    let mut failure = None;
    loop {
        tokio::select! {
            biased;
            Some(line) = lines.recv() => screen.attempt(Some(start.elapsed()), &line)?,
            event = answer.next() => match event? {
                Event::Text(text) => screen.text(&text)?,
                Event::Error(message) => failure = Some(message),
                Event::End => break,
            },
        }
    }
    screen.end_text()?;
    if let Some(message) = failure {
        return Err(Error::Chat(format!("no answer came: {message}")));
    }
    if !answer.finished() {
        return Err(Error::Chat("the answer broke off".to_owned()));
    }
    screen.summary(&answer.provenance(), opened, start.elapsed())?;
    Ok(())
}

/// Shows what others ask for, until the signal to stop.
async fn stay(
    screen: &mut Screen<impl Write>,
    lines: &mut mpsc::Receiver<Line>,
    signals: &mut Signals,
) -> io::Result<()> {
    loop {
        tokio::select! {
            Some(line) = lines.recv() => screen.attempt(None, &line)?,
            () = signals.next() => return Ok(()),
        }
    }
}
