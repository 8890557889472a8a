use tokio::time::{interval_at, sleep};

use super::*;

/// Longer than the clock's smallest step.
const NEARLY: Duration = Duration::from_millis(5);

/// For how long a client is waited for that sends so many pieces, with so long before each.
async fn outlasted(pieces: usize, pause: Duration) -> Duration {
    let began = Instant::now();
    let mut patience = Patience::until(began + Duration::from_secs(75));
    let mut ticks = interval_at(began + pause, pause);
    let mut left = pieces;
    outlast(&mut patience, |cx| {
        if left == 0 {
            return Poll::Pending;
        }
        ready!(ticks.poll_tick(cx));
        left -= 1;
        Poll::Ready(true)
    })
    .await;
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn who_goes_on_sending_is_waited_for_longer_than_who_is_silent() {
    let pause = LINGER * 3 / 4;
    for (pieces, pause, time) in [
        (0, pause, LINGER),
        (1, pause, pause + LINGER),
        (5, pause, 5 * pause + LINGER),
        (5, LINGER * 2, LINGER),
        (usize::MAX, pause, LINGER_IN_ALL),
    ] {
        let outlasted = outlasted(pieces, pause).await;
        assert!(outlasted.abs_diff(time) < NEARLY, "{pieces} pieces after {pause:?}: {outlasted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_closes_is_not_waited_for() {
    let began = Instant::now();
    let mut patience = Patience::until(began + Duration::from_secs(75));
    let mut more = [true, true, false].into_iter();

    outlast(&mut patience, |_| more.next().map_or(Poll::Pending, Poll::Ready)).await;

    assert_eq!((began.elapsed(), more.next()), (Duration::ZERO, None));
}

#[tokio::test(start_paused = true)]
async fn who_never_pauses_is_not_waited_for_without_end() {
    let mut patience = Patience::until(Instant::now() + Duration::from_secs(75));
    let mut pieces = 0;
    let flood = outlast(&mut patience, |_| {
        pieces += 1;
        // Now and then somebody else has a turn, as a socket sees to.
        if pieces % 10 == 0 { Poll::Pending } else { Poll::Ready(true) }
    });
    let mut flood = pin!(flood);

    for _ in 0..=LINGER_IN_ALL.as_secs() {
        let polled = poll_fn(|cx| Poll::Ready(flood.as_mut().poll(cx))).await;
        if polled.is_ready() {
            return;
        }
        sleep(Duration::from_secs(1)).await;
    }
    panic!("a flood has no end");
}
