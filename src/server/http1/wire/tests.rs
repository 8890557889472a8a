use std::future::poll_fn;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use http::request::Parts;

use super::*;

/// How far an announced length is believed in these tests.
const AHEAD: usize = 1024 * 1024;

/// Both ends of a connection.
async fn pair() -> (Wire, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let shared = SharedWire::new(listener.accept().await.unwrap().0);
    (Arc::into_inner(shared.0).unwrap().into_inner().unwrap(), client)
}

/// Reads the next head, whose body is under way then.
async fn head(wire: &mut Wire) -> Parts {
    let mut heads = HeadReader::default();
    let begun = poll_fn(|cx| wire.poll_head(&mut heads, cx)).await;
    let Begun::Whole(head) = begun else { panic!("no head: {begun:?}") };
    wire.begin(head.framing, head.expects_continue);
    head.parts
}

#[tokio::test]
async fn a_large_body_fills_one_buffer_of_its_size() {
    let (mut wire, mut client) = pair().await;
    let body: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_be_bytes()[2]).collect();
    let request =
        [b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n", &body[..], b"next"].concat();

    let read = async {
        head(&mut wire).await;
        let mut whole = BytesMut::new();
        poll_fn(|cx| wire.poll_body(&mut whole, AHEAD, cx)).await.unwrap();
        let (place, room) = (whole.as_ptr(), whole.capacity());
        while poll_fn(|cx| wire.poll_body(&mut whole, AHEAD, cx)).await.unwrap() > 0 {}
        assert_eq!((whole.as_ptr(), whole.capacity(), room), (place, 1_000_000, 1_000_000), "it never moved");
        whole
    };
    let (whole, sent) = tokio::join!(read, client.write_all(&request));

    sent.unwrap();
    assert!(whole == body);
    assert!(wire.is_at_end());
}

#[tokio::test]
async fn a_small_body_is_there_with_its_head_and_what_follows_stays() {
    let (mut wire, mut client) = pair().await;
    let request =
        "POST /1 HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbodyGET /2 HTTP/1.1\r\nhost: x\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();

    let mut heads = HeadReader::default();
    let begun = poll_fn(|cx| wire.poll_head(&mut heads, cx)).await;
    let Begun::Whole(Head { framing, .. }) = begun else { panic!("no head: {begun:?}") };
    let place = wire.behind.as_ptr();
    let whole = wire.begin(framing, false).unwrap();

    assert_eq!((&whole[..], whole.as_ptr()), (&b"body"[..], place), "it is not copied again");
    assert!(wire.is_at_end() && !wire.is_wanted());
    assert_eq!(wire.behind.len(), request.len() - request.find("GET").unwrap());
    assert_eq!(head(&mut wire).await.uri.path(), "/2");
}

#[tokio::test]
async fn an_announcement_is_believed_only_so_far() {
    let (mut wire, mut client) = pair().await;
    let mut whole = BytesMut::new();
    client.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10000000000\r\n\r\nabc").await.unwrap();
    head(&mut wire).await;

    while whole.len() < 3 {
        poll_fn(|cx| wire.poll_body(&mut whole, AHEAD, cx)).await.unwrap();
    }

    assert!(whole.capacity() <= 2 * AHEAD, "{}", whole.capacity());
    assert_eq!((wire.announced(), wire.take_whole()), (9_999_999_997, None));
}

#[tokio::test]
async fn what_is_sent_ahead_is_bounded_and_not_lost() {
    let (mut wire, mut client) = pair().await;
    client.write_all(b"GET /first HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    head(&mut wire).await;
    let request = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(50_000));

    let watch = async {
        while wire.behind.len() < BEHIND {
            let gone = poll_fn(|cx| {
                let gone = wire.poll_gone(cx);
                if gone.is_ready() || wire.behind.len() == BEHIND { Poll::Ready(gone) } else { Poll::Pending }
            });
            assert!(gone.await.is_pending());
        }
        assert_eq!(head(&mut wire).await.uri.path().len(), 50_001);
    };
    let ((), sent) = tokio::join!(watch, client.write_all(request.as_bytes()));

    sent.unwrap();
    drop(client);
    poll_fn(|cx| wire.poll_gone(cx)).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_never_ends() {
    let (mut wire, mut client) = pair().await;
    client
        .write_all(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc")
        .await
        .unwrap();
    head(&mut wire).await;
    drop(client);

    let mut whole = BytesMut::new();
    let read = poll_fn(|cx| {
        let read = wire.poll_body(&mut whole, AHEAD, cx);
        assert!(!matches!(read, Poll::Ready(Ok(0) | Err(_))), "{read:?}");
        if wire.gone || read.is_ready() { Poll::Ready(read) } else { Poll::Pending }
    });
    assert!(matches!(read.await, Poll::Ready(Ok(3))));
    poll_fn(|cx| {
        assert!(wire.poll_body(&mut whole, AHEAD, cx).is_pending());
        if wire.gone { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
