//! Where the sockets of a thread are read into, and small writes are joined.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

/// How much is read at once, in bytes: what a peer sends in one go, mostly, so that it goes on in one go too. An
/// answer of 16 KB takes 24.6 µs with reads of 16 KB, 21.6 with 64 and 21.7 with 256; a body of 1 MB is read
/// into its own place, whatever this is.
pub const READ: usize = 64 * 1024;

/// Up to so many bytes, slices are joined before they are sent. Several slices at once take the system 0.2 µs
/// longer than one (`writev` looks at the file, its rights and each slice; `send` knows that it is a socket), and
/// in that time so many bytes are copied.
pub const JOINED: usize = 4 * 1024;

/// How many slices go out in one write.
pub const SLICES: usize = 16;

thread_local! {
    static READ_INTO: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into_boxed_slice());
}

/// Lends the [`READ`] bytes that all sockets of this thread share, so that none holds a buffer while it waits.
/// What is worth keeping is copied out.
pub fn lend<T>(to: impl FnOnce(&mut [u8]) -> T) -> T {
    READ_INTO.with_borrow_mut(|room| to(room))
}

/// Sends a part of `slices`; how many bytes.
pub fn poll_send(
    stream: &mut TcpStream,
    slices: &[IoSlice<'_>],
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let stream = Pin::new(stream);
    if let [slice] = slices {
        return stream.poll_write(cx, slice);
    }
    lend(|room| {
        let (mut joined, mut end) = (0, 0);
        while let Some(slice) = slices.get(joined)
            && end + slice.len() <= JOINED
        {
            room[end..end + slice.len()].copy_from_slice(slice);
            end += slice.len();
            joined += 1;
        }
        let rest = &slices[joined..];
        if rest.is_empty() {
            return stream.poll_write(cx, &room[..end]);
        }
        if joined < 2 {
            return stream.poll_write_vectored(cx, slices);
        }
        let mut fewer = [IoSlice::new(&[]); SLICES];
        fewer[0] = IoSlice::new(&room[..end]);
        let used = rest.len().min(SLICES - 1);
        fewer[1..=used].copy_from_slice(&rest[..used]);
        stream.poll_write_vectored(cx, &fewer[..=used])
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    /// What arrives of `slices`, sent over and over until nothing is left of them.
    async fn arrives(slices: &[Vec<u8>]) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut receiver, _) = listener.accept().await.unwrap();
        let all = slices.concat();
        let sending = async {
            let mut sent = 0;
            while sent < all.len() {
                let mut skip = sent;
                let mut left = Vec::new();
                for slice in slices {
                    let from = skip.min(slice.len());
                    skip -= from;
                    if from < slice.len() {
                        left.push(IoSlice::new(&slice[from..]));
                    }
                }
                sent += poll_fn(|cx| poll_send(&mut sender, &left, cx)).await.unwrap();
            }
            drop(sender);
        };
        let mut received = Vec::new();
        let (read, ()) = tokio::join!(receiver.read_to_end(&mut received), sending);
        read.unwrap();
        assert_eq!(received.len(), all.len());
        received
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..Default::default() })]
        #[test]
        fn what_is_sent_arrives_in_order(sizes in proptest::collection::vec(prop_oneof![0_usize..40, 0_usize..9_000], 1..24)) {
            let slices: Vec<Vec<u8>> =
                sizes.iter().zip(0_u8..).map(|(size, byte)| vec![byte; *size]).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();

            prop_assert_eq!(runtime.block_on(arrives(&slices)), slices.concat());
        }
    }
}
