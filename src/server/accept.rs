//! Takes connections from the listener.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep};

/// Out of file descriptors, an accept fails at once and would spin.
const REST: Duration = Duration::from_millis(100);

/// A full table of file descriptors is worth one line a second, not ten.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// What the kernel keeps of an answer for a client that reads slowly, in bytes.
///
/// Left alone it grows to megabytes, and the system only tells that there is room again when a
/// third of it is free: a client that reads slowly would look like one that does not read at all.
const SEND_BUFFER: u32 = 128 * 1024;

/// Connections that wait to be accepted, as many as the standard library has of them.
const BACKLOG: u32 = 1024;

/// Listens on `address`.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Elsewhere it would let two programs listen on one address.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    // Accepted sockets inherit it.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The next connection, with `TCP_NODELAY`: a chunk of a stream must not wait for the one after it.
pub async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer))
}

/// Accepts for ever: failures are logged, now and then, and waited out.
#[derive(Debug, Default)]
pub(super) struct Acceptor {
    logged: Option<Instant>,
    unsaid: u32,
}

impl Acceptor {
    /// The next connection. Dropping the future loses no connection.
    pub async fn next(&mut self, listener: &TcpListener) -> (TcpStream, SocketAddr) {
        loop {
            match accept(listener).await {
                Ok(accepted) => return accepted,
                // The client left between its knock and our answer; nobody needs to know.
                Err(error) if is_of_one_client(&error) => {}
                Err(error) => {
                    self.log(&error);
                    sleep(REST).await;
                }
            }
        }
    }

    /// The connections that waited to be accepted when nobody else is to be: closing the listener would reset
    /// them, though they may have asked already.
    pub fn last(listener: TcpListener) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
        // Asked of the kernel itself, for the runtime knows only what it has heard.
        let listener = listener.into_std().ok();
        let accepted = move || loop {
            match listener.as_ref()?.accept() {
                Err(error) if is_of_one_client(&error) => {}
                accepted => return accepted.ok(),
            }
        };
        let arrived = |(stream, peer): (std::net::TcpStream, SocketAddr)| {
            stream.set_nonblocking(true).ok()?;
            stream.set_nodelay(true).ok()?;
            Some((TcpStream::from_std(stream).ok()?, peer))
        };
        std::iter::from_fn(accepted).take(BACKLOG as usize).filter_map(arrived)
    }

    fn log(&mut self, error: &io::Error) {
        if self.logged.is_some_and(|at| at.elapsed() < BETWEEN_LINES) {
            self.unsaid += 1;
            return;
        }
        tracing::error!(%error, unsaid = self.unsaid, "cannot accept connections: is the limit of open files too low?");
        self.logged = Some(Instant::now());
        self.unsaid = 0;
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::NotConnected
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn accepted_sockets_send_small_writes_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();

        let (accepted, peer) = accept(&listener).await.unwrap();

        assert!(accepted.nodelay().unwrap());
        assert_eq!(peer, client.local_addr().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_that_lasts_is_logged_once_a_second() {
        let mut acceptor = Acceptor::default();
        let error = io::Error::other("too many open files");
        let mut lines = 0;

        for _ in 0..30 {
            let unsaid = acceptor.unsaid;
            acceptor.log(&error);
            lines += u32::from(acceptor.unsaid <= unsaid);
            tokio::time::advance(REST).await;
        }

        assert_eq!(lines, 3);
    }
}
