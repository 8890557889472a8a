//! Keys of users: what is known of one says nothing of another, nor of the shared ones.

use super::*;

fn key(secret: &str) -> UserKey {
    UserKey::new(secret.to_owned())
}

fn ask_with<'a>(health: &Health, candidate: &'a Candidate, key: &'a UserKey) -> Ask<'a> {
    Ask { key: Some(key), ..ask(health, candidate) }
}

async fn admit_with(health: &Health, candidate: &Candidate, key: &UserKey) -> Result<Box<Pass>, Rest> {
    sent(health, ask_with(health, candidate, key)).await
}

/// Has `candidate` fail under `key` until it rests.
async fn wear_out_with(health: &Health, candidate: &Candidate, key: &UserKey) -> Rest {
    for _ in 0..5 {
        admit_with(health, candidate, key).await.unwrap().failed(&fault(Class::Overloaded));
    }
    admit_with(health, candidate, key).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_users_key_rests_alone() {
    let (health, model) = (with(provider(&["A"], KeyOrder::default(), Quota::default())), candidate("m"));
    let (anna, bert) = (key("sk-anna"), key("sk-bert"));

    let rest = wear_out_with(&health, &model, &anna).await;

    assert_eq!(rest.why, "rests after 5 failures");
    admit(&health, &model).await.expect("the shared key does not rest");
    admit_with(&health, &model, &bert).await.expect("nor does that of another user");
    admit_with(&health, &candidate("other"), &anna).await.expect("nor another model under the same");
    wear_out(&health, &model).await;
    admit_with(&health, &model, &bert).await.expect("the rest of the shared key is not theirs");
}

#[tokio::test(start_paused = true)]
async fn a_429_of_one_user_makes_nobody_else_wait() {
    let (health, model, anna) = (plain(), candidate("m"), key("sk-anna"));
    let limited = || admit_with(&health, &model, &anna);
    let (one, other) = (limited().await.unwrap(), limited().await.unwrap());
    let _waiting = [one, other].map(|pass| pass.failed(&fault(Class::RateLimited)));

    let at_once = Instant::now();
    let hurried = |key| Ask { key, patience: at_once, ..ask(&health, &model) };
    let rest = health.admit(hurried(Some(&anna))).await.unwrap_err();
    assert!(rest.why.contains("waiting after a 429"), "{rest:?}");
    health.admit(hurried(None)).await.expect("the shared key has its own gate");
    health.admit(hurried(Some(&key("sk-bert")))).await.expect("and so has each user");

    let pass = limited().await.expect("its turn");
    assert_eq!(at_once.elapsed(), secs(2));
    drop(pass);
}

#[tokio::test(start_paused = true)]
async fn a_users_key_spends_no_shared_quota() {
    let (model, anna) = (candidate("m"), key("sk-anna"));
    let mut limited = provider(&["A"], KeyOrder::default(), quota(1, 0));
    limited.keys[0].quota = quota(1, 0);
    let health = with(limited);

    for _ in 0..3 {
        let pass = admit_with(&health, &model, &anna).await.expect("no limit");
        assert_eq!(pass.quota_left(), None);
        pass.finished();
    }
    let pass = admit(&health, &model).await.expect("nothing was spent");
    assert_eq!(pass.quota_left().and_then(crate::retry::quota::Left::lowest), Some(0));
}

#[tokio::test(start_paused = true)]
async fn it_is_called_the_users_own_and_has_no_others() {
    let (health, model, anna) =
        (with(provider(&["A", "B"], KeyOrder::default(), Quota::default())), candidate("m"), key("sk-anna"));
    let pass = admit_with(&health, &model, &anna).await.unwrap();
    assert_eq!((pass.key_name(), pass.other_keys()), (Some("the user's own"), false));
    assert!(matches!(pass.credential(), Credential::Own(own) if own.expose() == "sk-anna"));
    let pass = admit(&health, &model).await.unwrap();
    assert!(matches!(pass.credential(), Credential::Shared(0)));
}

#[tokio::test(start_paused = true)]
async fn what_is_back_to_normal_is_forgotten_and_what_is_under_way_is_not() {
    let (health, model, anna, bert) = (plain(), candidate("m"), key("sk-anna"), key("sk-bert"));
    let known = || {
        health.tidy();
        health.own.len()
    };
    let pass = admit_with(&health, &model, &anna).await.unwrap();
    let rest = wear_out_with(&health, &model, &bert).await;
    assert_eq!(known(), 2);

    tokio::time::sleep_until(rest.until).await;
    assert_eq!(known(), 2, "it may be at fault again");
    tokio::time::sleep(secs(300)).await;
    assert_eq!(known(), 1, "an attempt is under way");
    for _ in 0..4 {
        admit_with(&health, &model, &anna).await.unwrap().failed(&fault(Class::Overloaded));
    }
    pass.failed(&fault(Class::Overloaded));
    admit_with(&health, &model, &anna).await.expect_err("its failure counted where those of others did");

    tokio::time::sleep(secs(300)).await;
    let news = health.news(Whom { candidate: &model, key: Some(&anna) });
    assert_eq!(known(), 1, "somebody listens");
    drop(news);
    assert_eq!(known(), 0);
}

#[tokio::test(start_paused = true)]
async fn debug_tells_no_key() {
    let (health, model, anna) = (plain(), candidate("m"), key("sk-anna"));
    let pass = admit_with(&health, &model, &anna).await.unwrap();
    let told = format!("{health:?} {pass:?} {:?} {:#?}", ask_with(&health, &model, &anna), pass.credential());
    assert!(told.contains("OwnDesks(1)") && !told.contains("sk-"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_sent_anyway_is_counted_where_its_key_is() {
    let (health, model, anna) = (plain(), candidate("m"), key("sk-anna"));
    wear_out_with(&health, &model, &anna).await;
    wear_out(&health, &model).await;
    let whom = |key| Whom { candidate: &model, key };
    let insist = |key| health.insist(whom(key), &[whom(key)], Cooldown::default(), health.request(), &[]);

    let pass = insist(Some(&anna)).expect("one a second");
    assert!(matches!(pass.credential(), Credential::Own(_)));
    assert!(insist(Some(&anna)).is_none());
    insist(None).expect("one a second with the shared key");
}
