use std::cell::Cell;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::time::Duration;

use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};
use tokio::task::coop::consume_budget;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout, timeout_at};

use super::stock::left;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// One whose clock goes on when all wait.
fn paused() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// What was due when it passed.
async fn late(due: impl FnMut() -> Instant) -> Instant {
    let late = timeout(24 * 3600 * SECOND, within(pin!(pending::<()>()), due)).await;
    late.expect("a timer that goes off").unwrap_err()
}

/// Needs a timer, but does not wait for it.
async fn in_time(due: Instant) {
    within(pin!(yield_now()), || due).await.unwrap();
}

/// A waker that counts.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_due_however_that_moves() {
    let began = Instant::now();
    let mut patience = Patience::default();

    for seconds in [9, 10, 12, 40] {
        let due = began + seconds * SECOND;
        // It was once to end sooner, and much later, and nobody asked again.
        assert!(poll_fn(|cx| Poll::Ready(patience.poll(due + 100 * SECOND, cx))).await.is_pending());
        poll_fn(|cx| patience.poll(due, cx)).await;
        assert_eq!(began.elapsed(), seconds * SECOND);
    }
}

#[test]
fn a_request_in_the_steady_state_sets_no_timer() {
    block_on(&paused(), async {
        let began = Instant::now();
        let limit = 60 * SECOND;
        in_time(began + limit).await;
        for seconds in 1..=59 {
            sleep(SECOND).await;
            let mut patience = Patience::default();
            let due = began + seconds * SECOND + limit;
            assert!(poll_fn(|cx| Poll::Ready(patience.poll(due, cx))).await.is_pending());
            assert_eq!(patience.0.as_ref().unwrap().sleep.deadline(), began + limit, "left as it was");
            assert_eq!(left(), 0, "and it is the only one");
        }
        // It goes off in stock, and is as good as any after that.
        sleep(2 * SECOND).await;
        let due = Instant::now() + SECOND;
        assert_eq!(late(|| due).await, due);
        assert_eq!(Instant::now(), due);
        assert_eq!(left(), 0, "it has gone off for somebody, and is of no more use");
    });
    assert_eq!(left(), 0);
}

#[test]
fn one_that_goes_off_too_early_wakes_once_and_ends_when_it_is_due() {
    block_on(&paused(), async {
        let began = Instant::now();
        in_time(began + SECOND).await;

        let due = began + 5 * SECOND;
        let polls = Cell::new(0);
        let waiting = pin!(poll_fn(|_| {
            polls.set(polls.get() + 1);
            Poll::<()>::Pending
        }));

        assert_eq!(within(waiting, || due).await, Err(due));
        assert_eq!((began.elapsed(), polls.get()), (5 * SECOND, 3), "first, too early, in the end");
    });
}

#[test]
fn one_that_would_go_off_too_late_is_set_anew() {
    block_on(&paused(), async {
        let began = Instant::now();
        in_time(began + 600 * SECOND).await;

        assert_eq!(late(|| began + SECOND).await, began + SECOND);

        assert_eq!((began.elapsed(), left()), (SECOND, 0));
    });
}

#[test]
fn a_task_gets_its_own_again_and_does_not_set_it() {
    block_on(&paused(), async {
        let due = Instant::now() + SECOND;
        let (one, other) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let wakers = [Arc::clone(&one).into(), Arc::clone(&other).into()];
        let places = wakers.each_ref().map(|waker: &Waker| {
            let mut patience = Patience::default();
            assert!(patience.poll(due, &mut Context::from_waker(waker)).is_pending());
            let place = &raw const *patience.0.as_ref().unwrap().sleep;
            (place, patience)
        });
        let places = places.map(|(place, _)| place);
        assert_eq!(left(), 2);

        for (waker, place) in wakers.iter().zip(places) {
            let timer = stock::take(due, waker);
            assert_eq!(&raw const *timer.sleep, place);
            stock::give_back(timer);
        }
        // Whoever takes that of another is woken in its place.
        let taken = wakers.each_ref().map(|_| stock::take(due, &wakers[0]));
        let mut patiences = taken.map(|timer| Patience(Some(timer)));
        for patience in &mut patiences {
            assert!(patience.poll(due, &mut Context::from_waker(&wakers[0])).is_pending());
        }
        sleep(2 * SECOND).await;
        assert_eq!([one, other].map(|woken| woken.0.load(Ordering::Relaxed)), [2, 0]);
    });
}

#[test]
fn a_runtime_gets_none_of_another() {
    let (first, second) = (paused(), Builder::new_current_thread().enable_all().build().unwrap());
    let due = || Instant::now() + Duration::from_millis(1);
    let mut held = Patience::default();
    block_on(&first, async {
        assert!(poll_fn(|cx| Poll::Ready(held.poll(due(), cx))).await.is_pending());
        in_time(due()).await;
        assert_eq!(left(), 1);
    });
    assert_eq!(left(), 0, "they are gone before their runtime");
    drop(first);

    block_on(&second, async {
        drop(held);
        assert_eq!(left(), 0, "it is of another");
        for _ in 0..2 {
            let due = due();
            late(|| due).await;
            in_time(Instant::now() + SECOND).await;
            assert_eq!(left(), 1);
        }
    });
}

#[test]
fn only_a_runtime_of_one_thread_has_a_stock() {
    let wait = async || {
        in_time(Instant::now() + SECOND).await;
        left()
    };
    let runtime = paused();
    assert_eq!(runtime.block_on(wait()), 0);
    assert_eq!(block_on(&runtime, wait()), 1);
    assert_eq!(runtime.block_on(wait()), 0);
    let on_another =
        block_on(&runtime, async { std::thread::spawn(move || paused().block_on(wait())).join().unwrap() });
    assert_eq!(on_another, 0);
}

#[test]
fn a_stock_is_bounded() {
    block_on(&paused(), async {
        let due = Instant::now() + SECOND;
        let mut many: Vec<_> = (0..1000).map(|_| Patience::default()).collect();
        poll_fn(|cx| {
            assert!(many.iter_mut().all(|patience| patience.poll(due, cx).is_pending()));
            Poll::Ready(())
        })
        .await;
        drop(many);
        assert_eq!(left(), 64);
    });
}

#[test]
fn nobody_is_remembered_once_all_timers_have_gone_off() {
    block_on(&paused(), async {
        let due = Instant::now() + SECOND;
        let woken = Arc::new(Woken::default());
        let waker = Arc::clone(&woken).into();
        let mut cx = Context::from_waker(&waker);
        let [mut awaited, mut left_alone] = [Patience::default(), Patience::default()];
        assert!(awaited.poll(due, &mut cx).is_pending());
        assert!(left_alone.poll(due, &mut cx).is_pending());
        drop(left_alone);
        sleep(SECOND).await;
        assert!(awaited.poll(due, &mut cx).is_ready());
        drop((awaited, waker));

        assert_eq!((Arc::strong_count(&woken), left()), (1, 1));
    });
}

/// Those that are dropped with their runtime find no stock.
#[test]
fn tasks_may_outlast_the_stock() {
    let (runtime, mut tasks) = (paused(), JoinSet::new());
    block_on(&runtime, async {
        let due = Instant::now() + SECOND;
        tasks.spawn(late(move || due));
        yield_now().await;
    });
    drop(runtime);
    assert_eq!(left(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_there_counts_though_it_is_late() {
    let due = Instant::now();
    assert_eq!(within(pin!(async { 7 }), || due).await, Ok(7));
    let mut sleeping = pin!(sleep(SECOND));
    assert_eq!(within(sleeping.as_mut(), || due + SECOND).await, Ok(()));
}

/// As when a burst is read until the task has had its share of the thread.
#[tokio::test(start_paused = true)]
async fn it_is_heard_though_it_was_first_polled_at_the_end_of_a_long_turn() {
    let due = Instant::now() + SECOND;
    let mut patience = Patience::default();
    let mut is_long = true;
    let heard = poll_fn(|cx| {
        while is_long && has_budget_remaining() {
            let _ = pin!(consume_budget()).poll(cx);
        }
        is_long = false;
        patience.poll(due, cx)
    });
    assert_eq!(timeout_at(due + 10 * SECOND, heard).await, Ok(()));
    assert_eq!(Instant::now(), due);
}

#[tokio::test]
async fn it_has_its_turn_though_the_future_uses_up_every_one() {
    let due = Instant::now() + Duration::from_millis(20);
    let greedy = pin!(async {
        loop {
            consume_budget().await;
        }
    });
    let result: Result<(), Instant> = within(greedy, || due).await;
    assert_eq!(result, Err(due));
}

/// The same as [`within`], with a timer each time that what is due moves.
async fn as_ever<F: Future>(
    mut future: Pin<&mut F>,
    mut due: impl FnMut() -> Instant,
) -> Result<F::Output, Instant> {
    let mut end = due();
    loop {
        match timeout_at(end, future.as_mut()).await {
            Ok(output) => return Ok(output),
            Err(_) if due() <= end => return Err(due()),
            Err(_) => end = due(),
        }
    }
}

/// A wait: when it is due after it begins, by how much that moves each time that something happens, and after
/// what time that happens each time; all in milliseconds. The last thing to happen is that it has what it wants.
type Wait = (u64, Vec<(u64, u64)>);

fn waits() -> impl Strategy<Value = Vec<Vec<Wait>>> {
    let steps = prop::collection::vec((0_u64..50, 1_u64..40), 1..6);
    let task = prop::collection::vec((0_u64..120, steps), 1..8);
    prop::collection::vec(task, 1..5)
}

/// What came of each wait of a task, and when.
async fn run(task: Vec<Wait>, ours: bool) -> Vec<(Duration, bool)> {
    let began = Instant::now();
    let mut ends = Vec::new();
    for (limit, steps) in task {
        let due = Cell::new(Instant::now() + Duration::from_millis(limit));
        let working = pin!(async {
            for (moves, after) in steps {
                sleep(Duration::from_millis(after)).await;
                due.set(due.get() + Duration::from_millis(moves));
            }
        });
        let is_in_time = if ours {
            within(working, || due.get()).await.is_ok()
        } else {
            as_ever(working, || due.get()).await.is_ok()
        };
        ends.push((began.elapsed(), is_in_time));
    }
    ends
}

async fn run_all(tasks: Vec<Vec<Wait>>, ours: bool) -> Vec<Vec<(Duration, bool)>> {
    let local = tokio::task::LocalSet::new();
    let running: Vec<_> = tasks.into_iter().map(|task| local.spawn_local(run(task, ours))).collect();
    local
        .run_until(async {
            let mut ends = Vec::new();
            for task in running {
                ends.push(task.await.unwrap());
            }
            ends
        })
        .await
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
    #[test]
    fn all_waits_end_as_with_timers_of_their_own(tasks in waits()) {
        let ours = block_on(&paused(), run_all(tasks.clone(), true));
        let without_stock = paused().block_on(run_all(tasks.clone(), true));
        let theirs = paused().block_on(run_all(tasks, false));
        prop_assert_eq!(&ours, &theirs);
        prop_assert_eq!(&without_stock, &theirs);
    }
}
