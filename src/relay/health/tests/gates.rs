//! The gate behind which requests wait after a 429.

use std::sync::Mutex;

use super::*;

/// Has the provider say 429 to one of two attempts under way.
async fn limit(health: &Health, model: &Candidate) -> [Option<Waiting>; 2] {
    let (one, other) = (admit(health, model).await.unwrap(), admit(health, model).await.unwrap());
    [one.failed(&fault(Class::RateLimited)), other.failed(&fault(Class::RateLimited))]
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_pass_in_the_order_of_arrival() {
    let (health, model) = (plain(), candidate("m"));
    let _waiting = limit(&health, &model).await;
    let began = Instant::now();
    let passed = Mutex::new(Vec::new());
    let caller = async |number: u32, health: &Health| {
        let mut pass = admit(health, &model).await.expect("its turn");
        passed.lock().unwrap().push((number, began.elapsed()));
        tokio::time::sleep(secs(1)).await;
        pass.opened();
        tokio::time::sleep(secs(10)).await;
        pass.finished();
    };
    tokio::join!(biased; caller(0, &health), caller(1, &health), caller(2, &health), caller(3, &health));
    let passed = passed.into_inner().unwrap();
    assert_eq!(passed, [(0, secs(2)), (1, secs(3)), (2, secs(4)), (3, secs(4))]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_makes_room_once_though_it_opens_and_ends() {
    let (health, model) = (plain(), candidate("m"));
    let _waiting = limit(&health, &model).await;
    let began = Instant::now();
    let passed = Mutex::new(Vec::new());
    let caller = async |health: &Health, lasts: Duration| {
        let mut pass = admit(health, &model).await.expect("its turn");
        passed.lock().unwrap().push(began.elapsed());
        if lasts.is_zero() {
            pass.opened();
        }
        tokio::time::sleep(lasts).await;
        pass.finished();
    };
    let slow = secs(10);
    tokio::join!(biased;
        caller(&health, secs(0)), caller(&health, slow), caller(&health, slow), caller(&health, slow),
        caller(&health, slow), caller(&health, slow));
    let passed = passed.into_inner().unwrap();
    assert_eq!(passed[..3], [secs(2); 3]);
    assert_eq!(passed[3], secs(12), "two at a time, until the next one answers");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_answer_that_has_opened_is_no_news() {
    let (health, model) = (plain(), candidate("m"));
    let _waiting = limit(&health, &model).await;
    let mut pass = admit(&health, &model).await.unwrap();
    let mut in_line = Box::pin(admit(&health, &model));
    tokio::time::timeout(Duration::ZERO, &mut in_line).await.expect_err("it waits, so the gate stays");
    pass.opened();
    let news = health.news(&model);
    pass.finished();
    tokio::time::timeout(secs(1), news.recovered()).await.expect_err("it was told when it opened");
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_frees_the_place() {
    let (health, model) = (plain(), candidate("m"));
    let _waiting = limit(&health, &model).await;
    let began = Instant::now();
    let leaves = tokio::time::timeout(secs(1), admit(&health, &model));
    let stays = async {
        let pass = admit(&health, &model).await.expect("its turn");
        (pass, began.elapsed())
    };
    let (left, (pass, waited)) = tokio::join!(biased; leaves, stays);
    assert!(left.is_err());
    assert_eq!(waited, secs(2));
    drop(pass);
    // Nobody waits and nothing is under way; but others are about, so the next round it is.
    admit(&health, &model).await.expect("its turn");
    assert_eq!(began.elapsed(), secs(4));
}

#[tokio::test(start_paused = true)]
async fn patience_ends_the_wait() {
    let (health, model) = (plain(), candidate("m"));
    let _waiting = limit(&health, &model).await;
    let began = Instant::now();
    let hasty = Ask { patience: began + secs(1), ..ask(&health, &model) };
    let refused = health.admit(hasty).await.unwrap_err();
    assert_eq!(began.elapsed(), secs(1));
    assert_eq!(
        refused,
        Rest {
            until: began + secs(2),
            why: "has 1 request waiting after a 429".into(),
            class: Class::RateLimited,
            queue: false
        }
    );
    assert!(health.desks[0].lock().seat(&model.model, 0).gate.waiting() == 0);
}

#[tokio::test(start_paused = true)]
async fn a_lone_request_is_not_held_back() {
    let (health, model) = (plain(), candidate("m"));
    let began = Instant::now();
    let request = ask(&health, &model);
    for _ in 0..4 {
        health.admit(request).await.unwrap().failed(&fault(Class::RateLimited));
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_already_is_not_told_so_again() {
    let (health, model) = (plain(), candidate("m"));
    let request = ask(&health, &model);
    let limited = async || health.admit(request).await.unwrap().failed(&fault(Class::RateLimited));
    let waits = limited().await.expect("it waits from now on");
    assert!(limited().await.is_none());
    let forgettable = || health.desks[0].lock().seat(&model.model, 0).gate.forgettable();
    assert!(!forgettable(), "it waits still");
    drop(waits);
    assert!(forgettable());
    assert!(limited().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_gate_is_open_is_preferred() {
    let health = with(provider(&["A", "B"], KeyOrder::InOrder, Quota::default()));
    let model = candidate("m");
    let _waiting = limit(&health, &model).await;
    let pass = admit(&health, &model).await.unwrap();
    assert_eq!(pass.key(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_gate_that_opens_is_news() {
    let (health, model) = (plain(), candidate("m"));
    let _waiting = limit(&health, &model).await;
    let began = Instant::now();
    let answer = async {
        let mut pass = admit(&health, &model).await.unwrap();
        pass.opened();
    };
    tokio::join!(biased; health.news(&model).recovered(), answer);
    assert_eq!(began.elapsed(), secs(2));
}

/// Asks until there is an answer, on a schedule of its own that ends early when there is news.
async fn persist(health: Arc<Health>, attempts: Arc<Mutex<Vec<Duration>>>, began: Instant) -> Duration {
    let (model, recovery) = (candidate("m"), began + secs(3));
    let mut ask = ask(&health, &model);
    let mut waiting = Vec::new();
    loop {
        let mut pass = health.admit(ask).await.expect("its turn");
        attempts.lock().unwrap().push(began.elapsed());
        let recovered = Instant::now() >= recovery;
        tokio::time::sleep(Duration::from_millis(rand::random_range(5..200))).await;
        if recovered {
            pass.opened();
            let answered = began.elapsed();
            tokio::time::sleep(secs(5)).await;
            pass.finished();
            return answered;
        }
        waiting.extend(pass.failed(&fault(Class::RateLimited)));
        ask.own = true;
        let delay = Duration::from_millis(rand::random_range(500..4_000));
        let _news = tokio::time::timeout(delay, health.news(&model).recovered()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_do_not_storm_and_are_answered_soon() {
    let (health, attempts, began) = (plain(), Arc::<Mutex<Vec<_>>>::default(), Instant::now());
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        callers.spawn(persist(Arc::clone(&health), Arc::clone(&attempts), began));
    }
    let answered = callers.join_all().await;
    let storm = attempts.lock().unwrap().iter().filter(|at| **at < secs(3)).count();
    assert!(storm <= 60, "{storm} attempts while the provider said 429");
    assert!(answered.iter().all(|at| *at <= secs(6)), "{answered:?}");
}
