use tokio::net::TcpListener;

use super::*;

fn endpoint(url: &str) -> Option<Endpoint> {
    Endpoint::try_new(&url.parse().expect("a URL"), &Arc::default())
}

#[test]
fn endpoints_of_urls() {
    for (url, expected) in [
        ("http://localhost/v1", Some(("localhost", 80, false))),
        ("https://api.example/v1", Some(("api.example", 443, true))),
        ("https://api.example:8443", Some(("api.example", 8443, true))),
        ("http://[::1]:8080/v1", Some(("::1", 8080, false))),
        ("http://user:pass@10.0.0.1", Some(("10.0.0.1", 80, false))),
        ("ftp://x.example", None),
        ("/v1", None),
    ] {
        let endpoint = endpoint(url);
        let seen = endpoint.as_ref().map(|it| (it.at.host.as_str(), it.at.port, it.tls.is_some()));

        assert_eq!(seen, expected, "{url}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_names_itself_and_its_phase() {
    for (limit, text) in [
        (Duration::from_secs(10), "no connection within 10s (connect)"),
        (Duration::from_millis(1500), "no connection within 1.5s (connect)"),
    ] {
        let start = tokio::time::Instant::now();

        let fault = within::<()>(limit, std::future::pending()).await.expect_err("a fault");

        assert_eq!(start.elapsed(), limit);
        assert_eq!((fault.class, fault.phase), (Class::Timeout, Phase::Connect));
        assert_eq!(fault.reason, text);
    }
}

#[test]
fn what_stood_in_the_way_is_said() {
    let endpoint = endpoint("http://[::1]:8080").expect("an endpoint");
    for (kind, reason) in [
        (io::ErrorKind::ConnectionRefused, "connection refused by [::1]:8080"),
        (io::ErrorKind::NetworkUnreachable, "no way to [::1]:8080: network unreachable"),
        (io::ErrorKind::PermissionDenied, "could not connect to [::1]:8080: permission denied"),
    ] {
        let fault = endpoint.at.unreachable(&kind.into());

        assert_eq!((fault.class, fault.reason.as_str()), (Class::Connect, reason));
    }
    let lookup = io::Error::other("failed to lookup address information: Name or service not known");
    assert_eq!(endpoint.at.unresolved(&lookup).reason, "could not resolve `::1`: Name or service not known");
}

#[tokio::test]
async fn an_address_that_refuses_gives_way_to_the_next() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let open = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addresses = vec![closed.local_addr().expect("an address"), open.local_addr().expect("an address")];
    drop(closed);

    let socket = first_to_connect(addresses.clone()).await.expect("a connection");

    assert_eq!(socket.peer_addr().expect("an address"), addresses[1]);
    drop(open);
    let error = first_to_connect(addresses).await.expect_err("nobody listens");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert!(first_to_connect(Vec::new()).await.is_err());
}

/// Where the name of an endpoint is said to lead, and for how long, without anybody being asked.
fn know(endpoint: &Endpoint, addresses: &[SocketAddr]) {
    *endpoint.at.known() = Some(Known { addresses: addresses.to_vec(), at: Instant::now() });
}

#[tokio::test(start_paused = true)]
async fn addresses_are_asked_for_once_in_a_while() {
    let endpoint = endpoint("http://127.0.0.1:9").expect("an endpoint");
    let other = [SocketAddr::from(([127, 0, 0, 2], 9))];
    know(&endpoint, &other);

    tokio::time::advance(Duration::from_millis(1999)).await;
    assert_eq!(endpoint.at.addresses().await.expect("known ones"), other);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(endpoint.at.addresses().await.expect("new ones"), [SocketAddr::from(([127, 0, 0, 1], 9))]);
    assert!(endpoint.at.known().as_ref().is_some_and(|known| known.at == Instant::now()));
}

#[tokio::test]
async fn addresses_that_lead_nowhere_are_forgotten() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = endpoint(&format!("http://{}", listener.local_addr().expect("an address")));
    let endpoint = endpoint.expect("an endpoint");
    know(&endpoint, &[closed.local_addr().expect("an address")]);
    drop(closed);

    let fault = endpoint.at.dial().await.expect_err("nobody is there");
    assert!(fault.reason.starts_with("connection refused by "), "{}", fault.reason);
    assert!(endpoint.at.dial().await.is_ok());
}

#[tokio::test]
async fn sockets_send_small_frames_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));

    let socket = endpoint(&url).expect("an endpoint").at.dial().await.expect("a connection");

    assert!(socket.nodelay().expect("an option"));
}

#[test]
fn a_lack_of_files_is_not_the_providers() {
    let address = Address::new("provider.example", 443);
    for (code, own) in [(23, true), (24, true), (111, false)] {
        let fault = address.unreachable(&io::Error::from_raw_os_error(code));

        assert_eq!((fault.class, fault.phase, fault.clipped), (Class::Connect, Phase::Connect, own));
        assert_eq!(fault.advice, own.then_some(MORE_FILES));
        let reason = "no file is left for a connection to provider.example:443";
        assert_eq!(fault.reason == reason, own, "{}", fault.reason);
    }
}
