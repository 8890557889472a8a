use std::collections::VecDeque;
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

use proptest::prelude::*;

use super::*;

/// How long a test waits for what must come; far more than it takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// What becomes of a write: how much is taken at most, or an error.
type Act = Result<usize, ErrorKind>;

/// Does what its script says, then takes everything; tells what it took, call by call. If the test
/// holds the other end of `leave`, each write waits for it.
struct Out {
    script: VecDeque<Act>,
    pieces: Sender<Vec<u8>>,
    leave: Option<Receiver<()>>,
}

impl Out {
    fn new(script: impl IntoIterator<Item = Act>) -> (Self, Receiver<Vec<u8>>) {
        let (pieces, read) = mpsc::channel();
        (Self { script: script.into_iter().collect(), pieces, leave: None }, read)
    }
}

impl Write for Out {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let act = self.script.pop_front().unwrap_or(Ok(usize::MAX));
        let taken = act.unwrap_or(0).min(piece.len());
        let _ = self.pieces.send(piece[..taken].to_vec());
        if let Some(leave) = &self.leave {
            let _ = leave.recv();
        }
        Ok(act.map(|_| taken)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A queue whose reader follows a script, and what it reads.
fn flowing(script: impl IntoIterator<Item = Act>) -> (Arc<Queue>, Receiver<Vec<u8>>) {
    let (out, read) = Out::new(script);
    (Queue::start(out, |lost| panic!("{lost} lines are lost")), read)
}

/// A queue where loss is told by a line.
fn telling(out: Out) -> Arc<Queue> {
    let own = Arc::new(OnceLock::<Arc<Queue>>::new());
    let told = Arc::clone(&own);
    let queue = Queue::start(out, move |lost| log(told.get().unwrap(), &format!("lost {lost}")));
    own.set(Arc::clone(&queue)).unwrap();
    queue
}

/// A queue whose reader does not read on before it is told so, or its leave is dropped; loss is told
/// by a line. It has taken a first line and reads at that.
fn stuck() -> (Arc<Queue>, Receiver<Vec<u8>>, Sender<()>) {
    let (out, read) = Out::new([]);
    let (go, leave) = mpsc::channel();
    let queue = telling(Out { leave: Some(leave), ..out });
    log(&queue, "first");
    assert_eq!(read.recv_timeout(PATIENCE).unwrap(), b"first\n");
    (queue, read, go)
}

fn log(mut queue: &Queue, line: &str) {
    let line = format!("{line}\n");
    assert_eq!(queue.write(line.as_bytes()).unwrap(), line.len());
}

/// Everything that was written, with how many writes it took.
fn all(read: &Receiver<Vec<u8>>) -> (String, usize) {
    let pieces: Vec<_> = read.try_iter().collect();
    (String::from_utf8(pieces.concat()).unwrap(), pieces.len())
}

#[test]
fn lines_of_many_threads_stay_whole_and_in_order() {
    const LINES: usize = 2000;
    let (queue, read) = flowing([]);
    thread::scope(|scope| {
        for name in ["a", "b", "c", "d", "e", "f"] {
            let queue = &queue;
            scope.spawn(move || {
                for number in 0..LINES {
                    log(queue, &format!("{name} {number} {}", name.repeat(number % 90)));
                }
            });
        }
    });
    queue.close(PATIENCE);

    let (text, _) = all(&read);
    assert_eq!(text.lines().count(), 6 * LINES);
    for name in ["a", "b", "c", "d", "e", "f"] {
        let lines = text.lines().filter(|line| line.starts_with(name));
        let expected = (0..LINES).map(|number| format!("{name} {number} {}", name.repeat(number % 90)));
        assert!(lines.eq(expected), "the lines of {name}");
    }
}

#[test]
fn what_comes_while_a_piece_is_written_is_the_next_piece() {
    let (queue, read, go) = stuck();
    for number in 0..10_000 {
        log(&queue, &number.to_string());
    }
    go.send(()).unwrap();

    let piece = String::from_utf8(read.recv_timeout(PATIENCE).unwrap()).unwrap();
    assert!(piece.lines().eq((0..10_000).map(|number| number.to_string())));
    drop(go);
    queue.close(PATIENCE);
    assert_eq!(all(&read).1, 0, "nothing was left");
}

#[test]
fn a_burst_is_not_written_line_by_line() {
    let (queue, read) = flowing([]);
    let start = Instant::now();
    for number in 0..10_000 {
        log(&queue, &number.to_string());
    }
    queue.flush(PATIENCE);

    let (text, writes) = all(&read);
    assert_eq!(text.lines().count(), 10_000);
    let most = start.elapsed().as_micros() / GATHER.as_micros() + 2;
    assert!(writes <= usize::try_from(most).unwrap(), "{writes} writes in {:?}", start.elapsed());
}

#[test]
fn one_line_does_not_wait_for_others() {
    let (queue, read) = flowing([]);
    for line in ["one\n", "two\n"] {
        log(&queue, line.trim());
        assert_eq!(read.recv_timeout(PATIENCE).unwrap(), line.as_bytes());
    }
}

#[test]
fn a_reader_that_stops_costs_lines_that_are_counted_and_holds_nobody() {
    let (queue, read, go) = stuck();
    let long = "x".repeat(MOST_WAITING / 4 - 1);
    for _ in 0..7 {
        log(&queue, &long);
    }
    log(&queue, "short");
    drop(go);
    queue.flush(PATIENCE);
    log(&queue, "later");
    queue.close(PATIENCE);

    let (text, _) = all(&read);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..4], [long.as_str(); 4]);
    assert_eq!(lines[4..], ["lost 4", "later"]);
    let room = queue.lock().waiting.capacity();
    assert!(room <= KEPT, "{room} bytes are kept");
}

#[test]
fn a_reader_that_stops_does_not_hold_the_end() {
    let (queue, read, _go) = stuck();
    log(&queue, "never read");
    let start = Instant::now();

    queue.close(Duration::from_millis(30));

    assert!(start.elapsed() < PATIENCE);
    assert_eq!(all(&read).1, 0);
    log(&queue, "too late");
    assert_eq!(queue.lock().waiting, b"never read\n");
}

#[test]
fn several_may_wait_for_the_same_lines() {
    let (queue, read, go) = stuck();
    log(&queue, "second");
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| queue.flush(PATIENCE))).collect();
        drop(go);
        let start = Instant::now();
        for thread in waiting {
            thread.join().unwrap();
        }
        assert!(start.elapsed() < PATIENCE, "somebody was not told");
    });

    assert_eq!(all(&read).0, "second\n");
}

#[test]
fn a_stderr_that_takes_nothing_is_asked_once_a_piece_and_told_later() {
    let (out, read) = Out::new([Err(ErrorKind::BrokenPipe), Err(ErrorKind::StorageFull), Ok(0)]);
    let queue = telling(out);
    for _ in 0..3 {
        log(&queue, "unheard");
        queue.flush(PATIENCE);
    }
    assert_eq!(all(&read), (String::new(), 3));

    log(&queue, "heard");
    queue.close(PATIENCE);
    assert_eq!(all(&read).0, "heard\nlost 3\n");
}

#[test]
fn a_write_that_would_block_is_made_again() {
    let (mut out, read) = Out::new([Ok(2), Err(ErrorKind::WouldBlock), Err(ErrorKind::Interrupted), Ok(1)]);

    assert!(write_out(&mut out, b"a line\n").is_empty());

    assert_eq!(all(&read), ("a line\n".to_owned(), 5));
}

#[derive(Debug, Clone)]
enum Step {
    Log(usize),
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![8 => (0..600_usize).prop_map(Step::Log), 1 => Just(Step::Flush)]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..Default::default() })]
    #[test]
    fn everything_is_written_in_order(
        steps in prop::collection::vec(step(), 0..60),
        script in prop::collection::vec(1..700_usize, 0..40),
    ) {
        let (queue, read) = flowing(script.into_iter().map(Ok));
        let mut expected = String::new();
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Log(length) => {
                    let line = format!("{number} {}", "y".repeat(*length));
                    log(&queue, &line);
                    expected += &line;
                    expected.push('\n');
                }
                Step::Flush => {
                    queue.flush(PATIENCE);
                    prop_assert!(queue.lock().waiting.is_empty());
                }
            }
        }
        queue.close(PATIENCE);
        prop_assert_eq!(all(&read).0, expected);
    }
}
