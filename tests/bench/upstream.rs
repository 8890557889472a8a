//! A provider that is quick: it answers whatever it is asked at once, and spends little on it.
//!
//! What it answers is in the name of the model: `json.1024` is a whole answer of so many bytes of text,
//! `close.1024` the same and the end of the connection, `paced.20.50` a stream of 50 events 20 ms apart,
//! `burst.200` one of 200 events at once, and `busy` a 503.
//! The text of every event is the time at which it was made, in nanoseconds since [`epoch`]; the rest of it is the
//! same in each, as with real providers.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::tls;

/// The moment from which the times in events are counted.
pub fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// Where the provider listens.
#[derive(Debug, Clone, Copy)]
pub struct Upstream {
    /// For HTTP.
    pub plain: SocketAddr,
    /// For HTTP over TLS, as [`tls::NAME`].
    pub tls: SocketAddr,
}

/// Starts the provider on a thread of its own, for as long as the process lives.
pub fn start() -> io::Result<Upstream> {
    let [plain, tls] = [bind()?, bind()?];
    let upstream = Upstream { plain: plain.local_addr()?, tls: tls.local_addr()? };
    let acceptor = tls::acceptor()?;
    epoch();
    std::thread::Builder::new().name("upstream".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async move {
            tokio::join!(listen(plain, None), listen(tls, Some(acceptor)));
        });
    })?;
    Ok(upstream)
}

fn bind() -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn listen(listener: std::net::TcpListener, acceptor: Option<TlsAcceptor>) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let acceptor = acceptor.clone();
        #[expect(clippy::disallowed_methods, reason = "it is owned by the thread's runtime")]
        tokio::spawn(async move {
            // Whoever goes away in the middle has had enough.
            let _gone = welcome(stream, acceptor).await;
        });
    }
}

async fn welcome(stream: TcpStream, acceptor: Option<TlsAcceptor>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match acceptor {
        Some(acceptor) => serve(tls::accept(&acceptor, stream).await?).await,
        None => serve(stream).await,
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(8 * 1024);
    loop {
        let head = loop {
            if let Some(end) = memchr::memmem::find(&buffer, b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let length = content_length(&buffer[..head]).unwrap_or(0);
        // Only the beginning of a long body is kept: the model stands there.
        let mut left = (head + length).saturating_sub(buffer.len());
        let kept = buffer.len().max(head + length.min(4096));
        while left > 0 {
            let read = stream.read_buf(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            left = left.saturating_sub(read);
            buffer.truncate(kept);
        }
        let model = model(&buffer[head..]).unwrap_or("json.1024").to_owned();
        buffer.clear();
        answer(&mut stream, &model).await?;
        stream.flush().await?;
        if model.starts_with("close") {
            return stream.shutdown().await;
        }
    }
}

async fn answer(stream: &mut (impl AsyncWrite + Unpin), model: &str) -> io::Result<()> {
    let mut words = model.split('.');
    let (kind, first, second) = (words.next(), number(words.next()), number(words.next()));
    match kind {
        Some("paced") => {
            let pace = Duration::from_millis(first);
            stream.write_all(STREAM_HEAD).await?;
            // From its own beginning, so that streams of one test are not in step.
            let began = tokio::time::Instant::now();
            for index in 0..second {
                tokio::time::sleep_until(began + pace * u32::try_from(index).unwrap_or(u32::MAX)).await;
                stream.write_all(chunked(&event(false)).as_bytes()).await?;
                stream.flush().await?;
            }
            stream.write_all(last().as_bytes()).await
        }
        Some("burst") => {
            stream.write_all(STREAM_HEAD).await?;
            for _ in 0..first {
                stream.write_all(chunked(&event(false)).as_bytes()).await?;
            }
            stream.write_all(last().as_bytes()).await
        }
        Some("busy") => stream.write_all(BUSY).await,
        kind => {
            let connection = if kind == Some("close") { "connection: close\r\n" } else { "" };
            let answer = whole(usize::try_from(first).unwrap_or(1024), connection);
            stream.write_all(answer.as_bytes()).await
        }
    }
}

const STREAM_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: 28\r\n\r\n\
{\"error\":{\"message\":\"busy\"}}";

fn whole(length: usize, field: &str) -> String {
    let content = "x".repeat(length);
    let body = format!(
        r#"{{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"{content}"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}}}"#
    );
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{field}\r\n{body}"
    )
}

fn event(finished: bool) -> String {
    let made = epoch().elapsed().as_nanos();
    let text = format!(r#"{{"content":" at {made}"}}"#);
    let (delta, finish) = if finished { ("{}", "\"stop\"") } else { (&*text, "null") };
    format!(
        "data: {{\"id\":\"chatcmpl-0123456789\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

fn last() -> String {
    let mut text = chunked(&event(true));
    text += &chunked("data: [DONE]\n\n");
    text + "0\r\n\r\n"
}

fn chunked(data: &str) -> String {
    let mut text = String::with_capacity(data.len() + 8);
    let _ = write!(text, "{:x}\r\n{data}\r\n", data.len());
    text
}

fn number(word: Option<&str>) -> u64 {
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn content_length(head: &[u8]) -> Option<usize> {
    let head = str::from_utf8(head).ok()?;
    let lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, value) = lines.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    value.trim().parse().ok()
}

fn model(body: &[u8]) -> Option<&str> {
    let from = memchr::memmem::find(body, b"\"model\":\"")? + 9;
    let end = memchr::memchr(b'"', &body[from..])?;
    str::from_utf8(&body[from..from + end]).ok()
}
