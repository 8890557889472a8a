use super::*;

fn failure(class: Class, retry_after: Option<Duration>, provider_status: Option<u16>) -> Response {
    let failure = Failure {
        outcome: Outcome::Failed(class),
        message: "no candidate answered".into(),
        short: None,
        retry_after,
        provider_status,
        attempts: 3,
        trail: Vec::new(),
    };
    ApiError::from_failure(&failure, "fullfat".into()).into_response()
}

#[test]
fn every_failure_of_an_attempt_has_its_status() {
    let table = [
        (Class::RateLimited, 429),
        (Class::Overloaded, 503),
        (Class::Connect, 502),
        (Class::Reset, 502),
        (Class::Timeout, 504),
        (Class::Broken, 502),
        (Class::Unexpected, 502),
        (Class::Empty, 502),
        (Class::Unauthorized, 502),
        (Class::Payment, 502),
        (Class::NotFound, 502),
        (Class::ContextLength, 400),
        (Class::ContentPolicy, 400),
        (Class::Unsupported, 400),
        (Class::BadRequest, 400),
    ];
    assert_eq!(table.map(|(class, _)| class), Class::ALL);
    for (class, expected) in table {
        assert_eq!(failure(class, None, None).status(), expected, "{class}");
    }
}

#[test]
fn every_other_outcome_has_its_status() {
    let table = [
        (Outcome::ClientGone, 499),
        (Outcome::ShuttingDown, 503),
        (Outcome::NoModels, 503),
        (Outcome::InvalidRequest, 400),
        (Outcome::ModelNotFound, 404),
        (Outcome::PathNotFound, 404),
        (Outcome::MethodNotAllowed, 405),
        (Outcome::OriginForbidden, 403),
        (Outcome::TooLarge, 413),
        (Outcome::RequestTimeout, 408),
        (Outcome::UserKeyMissing, 401),
        (Outcome::Internal, 500),
    ];
    for (outcome, expected) in table {
        assert_eq!(status(outcome, None), expected, "{outcome}");
    }
}

#[test]
fn a_bad_request_keeps_the_providers_status_unless_it_would_mislead() {
    for kept in [400, 405, 409, 415, 422, 451] {
        assert_eq!(failure(Class::BadRequest, None, Some(kept)).status(), kept);
    }
    for replaced in [200, 301, 401, 403, 407, 408, 429, 500, 999] {
        assert_eq!(failure(Class::BadRequest, None, Some(replaced)).status(), 400, "{replaced}");
    }
}

#[test]
fn retry_after_is_rounded_up_and_at_least_one() {
    let seconds = |class, wait| {
        let response = failure(class, wait, None);
        response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned())
    };
    let millis = |wait| Some(Duration::from_millis(wait));

    assert_eq!(seconds(Class::RateLimited, None).as_deref(), Some("1"));
    assert_eq!(seconds(Class::RateLimited, millis(0)).as_deref(), Some("1"));
    assert_eq!(seconds(Class::Overloaded, millis(30_001)).as_deref(), Some("31"));
    assert_eq!(seconds(Class::Overloaded, millis(30_000)).as_deref(), Some("30"));
    assert_eq!(seconds(Class::Timeout, None), None);
    assert_eq!(seconds(Class::Timeout, millis(2_000)).as_deref(), Some("2"));
}

#[test]
fn a_final_error_says_who_was_asked_and_not_to_retry() {
    let response = failure(Class::Broken, None, None);

    let headers = response.headers();
    assert_eq!(headers[X_SHOULD_RETRY], "false");
    assert_eq!(headers[CONTENT_TYPE], "application/json");
    assert_eq!(headers[X_BACKSTOP_ROUTE], "fullfat");
    assert_eq!(headers[X_BACKSTOP_ATTEMPTS], "3");
    assert_eq!(response.extensions().get::<Outcome>(), Some(&Outcome::Failed(Class::Broken)));
}

#[test]
fn a_drain_asks_to_be_asked_again() {
    let failure = Failure {
        outcome: Outcome::ShuttingDown,
        message: "no answer yet".into(),
        short: None,
        retry_after: None,
        provider_status: None,
        attempts: 2,
        trail: Vec::new(),
    };
    for error in [ApiError::shutting_down(), ApiError::from_failure(&failure, "fullfat".into())] {
        let response = error.into_response();

        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        assert_eq!(response.headers().get(X_SHOULD_RETRY), None);
    }
}

#[test]
fn the_kind_fits_the_status() {
    let table = [
        (Outcome::InvalidRequest, "invalid_request_error"),
        (Outcome::OriginForbidden, "permission_error"),
        (Outcome::UserKeyMissing, "authentication_error"),
        (Outcome::Failed(Class::RateLimited), "rate_limit_error"),
        (Outcome::Failed(Class::ContextLength), "invalid_request_error"),
        (Outcome::Failed(Class::Timeout), "server_error"),
        (Outcome::Internal, "server_error"),
    ];
    for (outcome, kind) in table {
        assert_eq!(outcome.kind(), kind, "{outcome}");
    }
}
