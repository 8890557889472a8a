//! Connections on several threads.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use tokio_util::sync::CancellationToken;

use super::ends::Stream;
use super::*;
use crate::support::soon;

/// A server on this thread and on another one.
fn on_two(drain: Drain, answer: impl Fn(Request) -> Response + Clone + Send + Sync + 'static) -> Running {
    let workers = Workers::start(NonZeroU32::new(2)).unwrap();
    Running::answering_on(workers, Limits::default(), drain, answer)
}

/// The name of the thread that answers.
fn name() -> Response {
    Response::new(Body::from(thread::current().name().unwrap_or("?").to_owned()))
}

/// A connection to each of two threads, the first to that of the test itself.
async fn one_each(server: &Running) -> [Client; 2] {
    let [mut first, mut second] = [server.client().await, server.client().await];
    let (here, there) = (first.get("/").await.body, second.get("/").await.body);
    match (here.as_str(), there.as_str()) {
        (_, "backstop-1") => [first, second],
        ("backstop-1", _) => [second, first],
        neither => panic!("{neither:?}"),
    }
}

#[tokio::test]
async fn connections_are_spread_evenly_and_stay_where_they_are() {
    let server = on_two(Drain::default(), |_| name());
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = server.client().await;
        let thread = client.get("/").await.body;
        clients.push((client, thread));
    }

    let mut threads: BTreeMap<String, usize> = BTreeMap::new();
    for (_, thread) in &clients {
        *threads.entry(thread.clone()).or_default() += 1;
    }
    assert_eq!(threads.values().collect::<Vec<_>>(), [&4, &4], "{threads:?}");
    assert_eq!(threads.get("backstop-1"), Some(&4));
    for _ in 0..3 {
        for (client, thread) in &mut clients {
            assert_eq!(client.get("/").await.body, *thread);
        }
    }
    assert_eq!(server.stop().await, Summary { under_way: 0, cut: 0 });
}

/// A server on two threads, with a client of each; the second one is busy until it is told that it is done.
async fn one_busy() -> (Running, [Client; 2], mpsc::Sender<()>) {
    let (busy, began) = oneshot::channel();
    let (done, wait) = mpsc::channel::<()>();
    let work = Arc::new(Mutex::new(Some((busy, wait))));
    let server = on_two(Drain::default(), move |request| {
        if request.uri().path() == "/work" {
            let (busy, wait) = work.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap();
            busy.send(()).unwrap();
            wait.recv().unwrap();
        }
        name()
    });
    let [idle, mut working] = one_each(&server).await;
    working.send("GET /work HTTP/1.1\r\nhost: x\r\n\r\n").await;
    soon("beginning of the work", began).await.unwrap();
    (server, [idle, working], done)
}

#[tokio::test]
async fn a_thread_that_is_stuck_holds_up_no_end() {
    let (server, _clients, done) = one_busy().await;

    // Ten seconds at most.
    assert_eq!(server.stop().await, Summary { under_way: 1, cut: 1 });

    done.send(()).unwrap();
}

#[tokio::test]
async fn a_thread_that_is_busy_delays_no_other() {
    let (_server, [mut idle, mut working], done) = one_busy().await;

    for _ in 0..3 {
        assert_ne!(idle.get("/").await.body, "backstop-1");
    }

    done.send(()).unwrap();
    assert_eq!(working.answer().await.body, "backstop-1");
}

#[tokio::test]
async fn a_panic_on_a_thread_harms_no_other_connection_of_it() {
    let server = on_two(Drain::default(), |request| {
        assert!(request.uri().path() != "/mine", "a mine");
        name()
    });
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(server.client().await);
    }

    for client in &mut clients {
        assert_eq!(client.get("/mine").await.status(), 500);
    }
    let mut threads = Vec::new();
    for client in &mut clients {
        threads.push(client.get("/").await.body);
    }
    assert_eq!(threads.iter().filter(|thread| *thread == "backstop-1").count(), 2, "{threads:?}");
}

#[tokio::test]
async fn a_drain_waits_for_every_thread() {
    let drain = Drain::default();
    let end = Signal::default();
    let until = end.clone();
    let server = on_two(drain.clone(), move |request| match request.uri().path() {
        "/stream" => Response::new(Body::new(Stream::until(&until))),
        _ => name(),
    });
    let mut clients = one_each(&server).await;
    let mut idle = one_each(&server).await;
    for client in &mut clients {
        client.send("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
        client.until("begun\r\n").await;
    }

    let ends = async {
        drain.pauses.given().await;
        for client in &mut idle {
            assert!(client.get("/").await.head.contains("connection: close"));
        }
        end.give();
        for client in &mut clients {
            assert!(client.rest().await.ends_with("done\r\n0\r\n\r\n"));
        }
    };
    let (summary, ()) = tokio::join!(server.stop(), ends);

    assert_eq!(summary, Summary { under_way: 2, cut: 0 });
}

#[tokio::test]
async fn dropping_the_server_drops_what_every_thread_serves() {
    let dropped: [_; 2] = std::array::from_fn(|_| CancellationToken::new());
    let guards = Arc::new(Mutex::new(Vec::from(dropped.clone().map(CancellationToken::drop_guard))));
    let server = on_two(Drain::default(), move |request| match request.uri().path() {
        "/stream" => {
            let guard = guards.lock().unwrap_or_else(PoisonError::into_inner).pop();
            Response::new(Body::new(Stream::for_ever(guard.unwrap())))
        }
        _ => name(),
    });
    let mut clients = one_each(&server).await;
    for client in &mut clients {
        client.send("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
        client.until("begun\r\n").await;
    }

    drop(server);

    for dropped in dropped {
        soon("end of every stream", dropped.cancelled()).await;
    }
    for client in &mut clients {
        assert!(!client.rest().await.ends_with("0\r\n\r\n"), "a cut answer must not look whole");
    }
}
