//! Rests: how they begin, grow and end.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_rest_holds_back_others_grows_and_ends() {
    let (health, model) = (plain(), candidate("m"));
    let rest = wear_out(&health, &model).await;
    assert!((secs(2)..=secs(3)).contains(&rest), "{rest:?}");
    let refused = admit(&health, &model).await.unwrap_err();
    assert_eq!(
        refused,
        Rest {
            until: Instant::now() + rest,
            why: "rests after 5 failures".into(),
            class: Class::Overloaded,
            queue: false
        }
    );
    admit(&health, &candidate("other")).await.expect("another model does not rest");

    tokio::time::sleep(rest).await;
    let probe = admit(&health, &model).await.expect("one probe");
    let refused = admit(&health, &model).await.unwrap_err();
    assert_eq!(refused.why, "is being tried by another request after a rest");
    let longer = fail(&health, &model, probe, &fault(Class::Reset)).expect("a longer rest");
    assert!(longer >= secs(4));

    tokio::time::sleep(longer).await;
    let mut probe = admit(&health, &model).await.expect("one probe");
    probe.opened();
    let other = admit(&health, &model).await.expect("it is back");
    probe.finished();
    other.finished();
    assert!(wear_out(&health, &model).await < secs(3), "it began anew");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_dropped_gives_its_place_back() {
    let (health, model) = (plain(), candidate("m"));
    tokio::time::sleep(wear_out(&health, &model).await).await;
    for _ in 0..3 {
        let probe = admit(&health, &model).await.expect("one probe");
        assert!(admit(&health, &model).await.is_err());
        drop(probe);
    }
    let wrong = fails(&health, &model, &fault(Class::BadRequest)).await;
    assert_eq!(wrong, None, "the request was wrong");
    let probe = admit(&health, &model).await.expect("its place is free");
    fail(&health, &model, probe, &fault(Class::Overloaded)).expect("a rest");
}

#[tokio::test(start_paused = true)]
async fn whoever_met_the_fault_keeps_to_their_own_schedule() {
    let (health, model) = (plain(), candidate("m"));
    wear_out(&health, &model).await;
    let own = Ask { own: true, ..ask(&health, &model) };
    let pass = health.admit(own).await.expect("not held back");
    assert_eq!(fail(&health, &model, pass, &fault(Class::Overloaded)), None, "the rest is not made longer");
    let mut pass = health.admit(own).await.expect("not held back");
    pass.opened();
    admit(&health, &model).await.expect("its answer ended the rest");
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_request_is_held_against_nobody() {
    let (health, model) = (plain(), candidate("m"));
    let clipped = crate::retry::patience::out_of_time(Phase::FirstByte, secs(1), false);
    for class in [Class::BadRequest, Class::ContextLength, Class::ContentPolicy, Class::Unsupported] {
        for _ in 0..10 {
            assert_eq!(fails(&health, &model, &fault(class)).await, None);
            assert_eq!(fails(&health, &model, &clipped).await, None);
        }
    }
    wear_out(&health, &model).await;
}

#[tokio::test(start_paused = true)]
async fn a_cooldown_that_is_off_neither_begins_nor_counts() {
    let (health, model) = (plain(), candidate("m"));
    let off = Ask { cooldown: Cooldown { enabled: false, ..Cooldown::default() }, ..ask(&health, &model) };
    for _ in 0..10 {
        let pass = health.admit(off).await.unwrap();
        assert_eq!(fail(&health, &model, pass, &fault(Class::Overloaded)), None);
    }
    wear_out(&health, &model).await;
    health.admit(off).await.expect("rests do not count");
}

#[tokio::test(start_paused = true)]
async fn a_wish_of_the_provider_rests_at_once() {
    let (health, model) = (plain(), candidate("m"));
    let busy = Fault { retry_after: Some(secs(30)), ..fault(Class::Overloaded) };
    assert_eq!(fails(&health, &model, &busy).await, Some(secs(30)));
    let refused = admit(&health, &model).await.unwrap_err();
    assert_eq!(
        refused,
        Rest {
            until: Instant::now() + secs(30),
            why: "rests as the provider asked".into(),
            class: Class::Overloaded,
            queue: false
        }
    );
}

#[tokio::test(start_paused = true)]
async fn insists_once_a_second_over_all_requests() {
    let (health, model) = (plain(), candidate("m"));
    wear_out(&health, &model).await;
    let insist = || health.insist(&model, &[], Cooldown::default(), health.request(), &[]);
    let pass = insist().expect("the first one");
    assert!(insist().is_none());
    assert_eq!(fail(&health, &model, pass, &fault(Class::Overloaded)), None);
    tokio::time::advance(secs(1)).await;
    let mut pass = insist().expect("a second later");
    pass.opened();
    admit(&health, &model).await.expect("it is back");
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_hear_of_a_recovery() {
    let (health, model) = (plain(), candidate("m"));
    let began = Instant::now();
    let rest = wear_out(&health, &model).await;
    let own = Ask { own: true, ..ask(&health, &model) };
    let answer = async {
        let mut pass = health.admit(own).await.unwrap();
        tokio::time::sleep(secs(1)).await;
        pass.opened();
        pass.finished();
    };
    tokio::join!(biased; health.news(&model).recovered(), answer);
    assert_eq!(began.elapsed(), secs(1));

    wear_out(&health, &model).await;
    tokio::time::sleep(rest * 3).await;
    let probe = admit(&health, &model).await.unwrap();
    let leaves = async {
        tokio::time::sleep(secs(1)).await;
        drop(probe);
    };
    let began = Instant::now();
    tokio::join!(biased; health.news(&model).recovered(), leaves);
    assert_eq!(began.elapsed(), secs(1));
}

#[tokio::test(start_paused = true)]
async fn who_is_not_forgotten_is_not_mistaken_for_another() {
    let health = plain();
    for number in 0..8 {
        let model = candidate(&format!("m-{number}"));
        if number % 3 == 1 {
            wear_out(&health, &model).await;
        } else {
            admit(&health, &model).await.unwrap().finished();
        }
    }

    health.tidy();

    for number in 0..8 {
        let rests = admit(&health, &candidate(&format!("m-{number}"))).await.is_err();
        assert_eq!(rests, number % 3 == 1, "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn forgets_what_is_back_to_normal() {
    let health = plain();
    let known = || health.desks[0].lock().models().count();
    let held = admit(&health, &candidate("held")).await.unwrap();
    for number in 0..100 {
        admit(&health, &candidate(&format!("made-up-{number}")))
            .await
            .unwrap()
            .failed(&fault(Class::NotFound));
        admit(&health, &candidate(&format!("good-{number}"))).await.unwrap().finished();
    }
    health.tidy();
    assert_eq!(known(), 101);
    tokio::time::advance(secs(60)).await;
    health.tidy();
    assert_eq!(known(), 1);
    drop(held);
    health.tidy();
    assert_eq!(known(), 0);
}
