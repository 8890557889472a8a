//! How connections break, close, last and cannot be made.

use super::*;

#[tokio::test]
async fn ends_in_every_way() {
    let answer = || Act::answer("a b c").cut_after(2);
    for (finish, last, ends_well) in [
        (Finish::Close, "0\r\n\r\n", true),
        (Finish::Eof, "\n\n\r\n", true),
        (Finish::BrokenChunking, "no size\r\n", true),
        (Finish::Reset, "\n\n\r\n", false),
    ] {
        let provider = Provider::start(answer().then(finish)).unwrap();
        let mut stream = connect(&provider).await;
        stream.write_all(post(STREAM).as_bytes()).await.unwrap();

        let (all, end) = drain(&mut stream).await;

        assert!(text(all).ends_with(last), "{finish:?}");
        assert_eq!(end.is_ok(), ends_well, "{finish:?}");
        assert_eq!(timeout(SOON, provider.wait_ended(0)).await, Ok(Ended::Played));
    }
}

#[tokio::test]
async fn breaks_off_before_the_head() {
    for (act, ends_well) in [(Act::close(), true), (Act::reset(), false)] {
        let provider = Provider::start(act).unwrap();
        let mut stream = connect(&provider).await;
        stream.write_all(post(WHOLE).as_bytes()).await.unwrap();

        let (all, end) = drain(&mut stream).await;

        assert_eq!((all.len(), end.is_ok()), (0, ends_well));
    }
}

#[tokio::test]
async fn lies_about_lengths() {
    let (head, body) =
        ask(Act::status(500).body("text/plain", "abc").framing(Framing::LongLength(4)), WHOLE).await;
    assert!(head.contains("content-length: 7\r\n"), "{head}");
    assert_eq!(body, b"abc");

    let (head, body) = ask(Act::status(500).body("text/plain", "abcdef").cut_bytes(2), WHOLE).await;
    assert!(head.contains("content-length: 6\r\n"), "{head}");
    assert_eq!(body, b"ab");

    let (head, body) = ask(Act::answer("x").framing(Framing::UntilClose), STREAM).await;
    assert!(head.contains("connection: close\r\n") && !head.contains("chunked"), "{head}");
    assert!(text(body).ends_with("data: [DONE]\n\n"));

    let (head, body) = ask(Act::raw("HTTP/1.1 103 Early Hints\r\n\r\nrest"), WHOLE).await;
    assert_eq!((head.as_str(), &*body), ("HTTP/1.1 103 Early Hints\r\n\r\n", &b"rest"[..]));
}

#[tokio::test]
async fn sees_a_client_leave_in_every_state() {
    let slow = Duration::from_mins(1);
    for act in [
        Act::hang(),
        Act::answer("x").after(slow),
        Act::hang_after_head(),
        Act::answer("x").first_token_after(slow),
        Act::answer("a b").pace(slow),
        Act::answer("a b").then(Finish::Stall),
    ] {
        let provider = Provider::start(act.comments_every(Duration::from_millis(20))).unwrap();
        let mut stream = connect(&provider).await;
        stream.write_all(post(STREAM).as_bytes()).await.unwrap();
        timeout(SOON, provider.wait_for(1)).await.unwrap();
        assert_eq!(provider.open_connections(), 1);

        drop(stream);

        assert_eq!(timeout(SOON, provider.wait_ended(0)).await, Ok(Ended::ClientLeft));
        timeout(SOON, provider.wait_closed(0)).await.unwrap();
        timeout(SOON, provider.wait_connections(0)).await.unwrap();
    }
}

#[tokio::test]
async fn plays_a_script_over_one_connection() {
    let script = Script::exactly([Act::status(429), Act::echo(), Act::echo().then(Finish::DropNext)]);
    let provider = Provider::start(script).unwrap();
    let mut stream = connect(&provider).await;

    for (status, end) in [("429", "}}"), ("200", "}}"), ("200", "}}")] {
        stream.write_all(post(r#"{"model":"some/model"}"#).as_bytes()).await.unwrap();
        let answer = read_to(&mut stream, end).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    assert_eq!(provider.check(), Ok(()));
    stream.write_all(post(WHOLE).as_bytes()).await.unwrap();
    let (all, end) = drain(&mut stream).await;

    assert_eq!((all.len(), end.is_err()), (0, true));
    assert_eq!((provider.count(), provider.connections()), (3, 1));
    let request = provider.request(1).unwrap();
    assert_eq!((request.model(), request.header("host"), request.connection), ("some/model".into(), "x", 0));
}

#[tokio::test]
async fn stops_and_comes_back() {
    let provider = Provider::start(Act::hang()).unwrap();
    let address = provider.address();
    let mut stream = connect(&provider).await;
    stream.write_all(post(WHOLE).as_bytes()).await.unwrap();
    timeout(SOON, provider.wait_for(1)).await.unwrap();

    provider.stop().await;

    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(drain(&mut stream).await.0, b"");
    let provider = Provider::start_at(address, Act::echo()).unwrap();
    assert!(TcpStream::connect(provider.address()).await.is_ok());
}

#[tokio::test]
async fn refuses_and_leaves_unanswered() {
    let refusing = Refusing::start().unwrap();
    assert_eq!(
        TcpStream::connect(refusing.address).await.unwrap_err().kind(),
        io::ErrorKind::ConnectionRefused
    );

    let unanswering = Unanswering::start().await.unwrap();
    assert!(timeout(Duration::from_millis(100), TcpStream::connect(unanswering.address)).await.is_err());
}
