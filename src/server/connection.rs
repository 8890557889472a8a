//! One connection, from its first byte to its end.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::error::ApiError;
use super::front::{Front, Service};
use super::request_id::{self, X_REQUEST_ID};
use super::watch::{Watch, Watched};
use crate::relay::Outcome;
use crate::retry::Words;
use crate::telemetry;

/// The most of a head, and of an answer that the client has yet to read.
const BUFFER: usize = 64 * 1024;

/// How long a client that we are done with may go on sending before its socket is closed.
///
/// Closing a socket with unread bytes resets it, and the reset can overtake the answer.
const LINGER: Duration = Duration::from_secs(2);

/// What the connections of a server share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    /// How long clients may take.
    pub limits: Limits,
    /// No request after this one.
    pub draining: CancellationToken,
    /// Idle connections end.
    pub closing: CancellationToken,
}

enum End {
    /// hyper is done with it: an answer that closes, a client that left, a bad head.
    Done,
    /// A limit passed.
    Expired,
    /// The server closes, and no request is under way.
    Closing,
}

/// Serves the requests of one client until either side has enough.
pub(super) async fn serve<S: Service>(
    stream: TcpStream,
    client: IpAddr,
    front: Arc<Front<S>>,
    watch: Arc<Watch>,
    shared: Shared,
) {
    // Buffers are made when there is something to put into them: a silent connection costs a socket.
    let mut first = [0];
    let spoke = tokio::select! {
        peeked = stream.peek(&mut first) => peeked.is_ok_and(|length| length > 0),
        () = sleep(shared.limits.idle) => false,
        () = shared.closing.cancelled() => false,
    };
    if spoke {
        Box::pin(converse(stream, client, front, watch, shared)).await;
    }
}

async fn converse<S: Service>(
    stream: TcpStream,
    client: IpAddr,
    front: Arc<Front<S>>,
    watch: Arc<Watch>,
    shared: Shared,
) {
    let client: Arc<str> = client.to_canonical().to_string().into();
    let service = service_fn({
        let (client, watch) = (Arc::clone(&client), Arc::clone(&watch));
        move |request: http::Request<Incoming>| {
            watch.request_began();
            let watch = Arc::clone(&watch);
            let request = request.map(axum::body::Body::new);
            Box::pin(Arc::clone(&front).answer(Arc::clone(&client), watch, request))
        }
    });
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Watched::new(stream, Arc::clone(&watch))), service);

    let end = {
        let mut patience = pin!(sleep(shared.limits.idle));
        let mut draining = pin!(shared.draining.cancelled());
        let mut closing = pin!(shared.closing.cancelled());
        let mut told = false;
        poll_fn(|cx| {
            if let Poll::Ready(done) = connection.poll_without_shutdown(cx) {
                if let Err(error) = done
                    && error.is_parse()
                {
                    // hyper has answered it by itself, and nothing after it can be made out.
                    tracing::info!(client = %client, "refused what is no HTTP request: {error}");
                }
                return Poll::Ready(End::Done);
            }
            // An idle connection stays: whoever checks our readiness over it shall hear of the drain.
            if !told && draining.as_mut().poll(cx).is_ready() && watch.is_busy() {
                Pin::new(&mut connection).graceful_shutdown();
                told = true;
            }
            if closing.as_mut().poll(cx).is_ready() && !watch.is_busy() {
                return Poll::Ready(End::Closing);
            }
            let Some(deadline) = watch.deadline(&shared.limits) else {
                return Poll::Pending;
            };
            if patience.deadline() != deadline {
                patience.as_mut().reset(deadline);
            }
            patience.as_mut().poll(cx).map(|()| End::Expired)
        })
        .await
    };

    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner().into_inner();
    match end {
        End::Closing => {}
        // What is left of the answer must neither wait in the kernel for a client that does not
        // read, nor look whole.
        End::Expired if watch.is_busy() => drop(stream.set_zero_linger()),
        End::Expired if !watch.is_in_head() && parts.read_buf.is_empty() => {}
        End::Expired => {
            refuse_slow_head(&mut stream, &client, &shared.limits).await;
            linger(stream, &shared.closing).await;
        }
        End::Done => linger(stream, &shared.closing).await,
    }
}

/// Answers a head that did not come to its end.
async fn refuse_slow_head(stream: &mut TcpStream, client: &str, limits: &Limits) {
    let message = format!("the head of the request was not complete within {}", Words(limits.head));
    let error = ApiError::new(Outcome::RequestTimeout, message);
    let id = request_id::make();
    telemetry::access(&telemetry::Access {
        request_id: &id,
        client,
        method: "-",
        path: "-",
        outcome: Outcome::RequestTimeout.as_str(),
        status: error.status().as_u16(),
        elapsed: limits.head,
        ..Default::default()
    });
    let json = error.to_json();
    let response = error.into_response();
    let mut text = format!(
        "HTTP/1.1 {}\r\n{X_REQUEST_ID}: {id}\r\ncontent-length: {}\r\n",
        response.status(),
        json.len()
    );
    for (name, value) in response.headers() {
        text.extend([name.as_str(), ": ", value.to_str().unwrap_or_default(), "\r\n"]);
    }
    text.extend(["\r\n", &json]);
    // A client that is gone needs no answer.
    let _ = timeout(LINGER, stream.write_all(text.as_bytes())).await;
}

/// Closes our half, then reads what the client still sends, to a limit, before closing the rest.
async fn linger(mut stream: TcpStream, closing: &CancellationToken) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let rest = async {
        let mut scrap = vec![0; 16 * 1024];
        while stream.read(&mut scrap).await.is_ok_and(|read| read > 0) {}
    };
    tokio::select! {
        _ = timeout(LINGER, rest) => {}
        () = closing.cancelled() => {}
    }
}
