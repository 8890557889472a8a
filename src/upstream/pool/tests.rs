use std::thread;

use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::upstream::wire::Stream;

/// `count` connections that are open and quiet, and their other ends.
async fn connections(count: usize) -> (Vec<Connection>, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let socket = TcpStream::connect(address).await.expect("a connection");
        theirs.push(listener.accept().await.expect("a connection").0);
        ours.push(Connection::open(Stream::Plain(socket)));
    }
    (ours, theirs)
}

/// The same on another thread, whose number is not that of this one.
fn elsewhere<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let handle = tokio::runtime::Handle::current();
    thread::scope(|scope| {
        let running = scope.spawn(move || {
            let _runtime = handle.enter();
            work()
        });
        running.join().expect("no panic")
    })
}

fn lengths(pool: &Pool) -> Vec<usize> {
    pool.shards.iter().map(|shard| shard.lock().len()).filter(|length| *length > 0).collect()
}

#[tokio::test]
async fn the_one_used_last_comes_first() {
    let pool = Pool::with_shards(2);
    let (ours, _theirs) = connections(2).await;
    let births: Vec<_> = ours.iter().map(|connection| connection.birth().at).collect();
    for connection in ours {
        pool.put(connection);
    }

    let taken = [pool.take(Instant::now()), pool.take(Instant::now())]
        .map(|taken| taken.expect("a connection").birth().at);

    assert_eq!(taken, [births[1], births[0]]);
    assert!(pool.take(Instant::now()).is_none());
}

#[test]
fn each_worker_has_a_place() {
    for workers in [1, 2, 256] {
        assert_eq!(Pool::new(NonZeroU32::new(workers)).shards.len(), workers as usize);
    }
    assert!(!Pool::new(None).shards.is_empty());
}

#[tokio::test]
async fn a_connection_moves_to_whoever_takes_it() {
    // More places than a test process has threads, so that no two share one.
    let pool = Pool::with_shards(4096);
    let (mut ours, _theirs) = connections(2).await;
    pool.put(ours.pop().expect("a connection"));
    let second = ours.pop().expect("a connection");
    let home = second.birth().thread;
    elsewhere(|| pool.put(second));
    assert_eq!(lengths(&pool), [2]);

    let taken = elsewhere(|| pool.take(Instant::now())).expect("another thread's connection");

    assert_ne!(taken.birth().thread, home);
    elsewhere(|| pool.put(taken));
    assert_eq!(lengths(&pool), [1, 1]);
}

#[tokio::test]
async fn a_thread_takes_its_own_first() {
    let pool = Pool::with_shards(4096);
    let (mut ours, _theirs) = connections(1).await;
    let mine = ours.pop().expect("a connection");
    let (mut others, _ends) = connections(1).await;
    let mut other = others.pop().expect("a connection");
    other = elsewhere(move || other.reborn());
    let (mine_at, others_at) = (mine.birth().at, other.birth().at);
    pool.put(mine);
    pool.put(other);
    assert_eq!(lengths(&pool), [1, 1]);

    let taken = [pool.take(Instant::now()).expect("mine"), pool.take(Instant::now()).expect("the other's")];

    assert_eq!(taken.map(|connection| connection.birth().at), [mine_at, others_at]);
}

#[tokio::test]
async fn a_thread_keeps_the_newest() {
    let pool = Pool::with_shards(3);
    let (ours, _theirs) = connections(MOST + 2).await;
    let births: Vec<_> = ours.iter().map(|connection| connection.birth().at).collect();

    for connection in ours {
        pool.put(connection);
    }

    assert_eq!(pool.count(), MOST);
    let kept: Vec<_> =
        std::iter::from_fn(|| pool.take(Instant::now())).map(|taken| taken.birth().at).collect();
    assert!(kept.iter().eq(births[2..].iter().rev()));
}

#[tokio::test(start_paused = true)]
async fn age_and_rest_are_limited() {
    let pool = Pool::new(None);
    let (mut ours, _theirs) = connections(2).await;
    pool.put(ours.pop().expect("a connection"));
    tokio::time::advance(LONGEST).await;
    assert!(pool.take(Instant::now()).is_none(), "it has waited for too long");

    let connection = ours.pop().expect("a connection");
    let rests = 2 * LONGEST;
    tokio::time::advance(OLDEST.saturating_sub(rests)).await;
    pool.put(connection);
    let connection = pool.take(Instant::now()).expect("young enough");
    tokio::time::advance(LONGEST).await;
    pool.put(connection);

    assert_eq!(pool.count(), 0, "it is too old");
}
