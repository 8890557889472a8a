//! What Google says.

use super::*;

/// A refusal of Google that names `quotas`, with a delay of 34.4 s.
fn google_says(quotas: &[&str]) -> String {
    let violations: Vec<_> = quotas
        .iter()
        .map(|quota| format!(r#"{{"quotaMetric":"m","quotaId":"{quota}","quotaValue":"20"}}"#))
        .collect();
    format!(
        r#"[{{"error":{{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.\nPlease retry in 34.4s.","status":"RESOURCE_EXHAUSTED","details":[{{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{}]}},{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.4s"}}]}}}}]"#,
        violations.join(",")
    )
}

#[test]
fn google_names_its_quotas() {
    let minute = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier";
    let tokens = "GenerateContentInputTokensPerModelPerMinute-FreeTier";
    let day = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
    let project = "GenerateRequestsPerMinutePerProject";
    let all = "GenerateRequestsPerDayPerProject-FreeTier";
    let (soon, long) = (Some(34_400), Some(3_600_000));
    let table: &[(&[&str], Covers, Option<u64>)] = &[
        (&[minute], Candidate, soon),
        (&[tokens, minute], Candidate, soon),
        (&[tokens, minute, day], Candidate, long),
        (&[day], Candidate, long),
        (&[project], Key, soon),
        (&[all], Key, long),
        (&[day, project], Key, long),
        (&["generate_content_requests_per_minute_per_project_per_base_model"], Candidate, soon),
        (&["something else"], Candidate, soon),
        (&[], Candidate, soon),
    ];
    for (quotas, covers, wait) in table {
        hold(&[(429, &[], &google_says(quotas), *covers, *wait)]);
    }
    let patient = google_says(&[day]).replace("34.4s", "43200s");
    hold(&[
        (429, &[], &patient, Candidate, Some(43_200_000)),
        (
            429,
            &[],
            r#"{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}}"#,
            Candidate,
            None,
        ),
        (
            429,
            &[],
            r#"{"error":{"code":429,"message":"Quota exceeded for quota metric 'Generate requests' and limit 'requests per day'. Please retry in 5s."}}"#,
            Candidate,
            Some(5_000),
        ),
        (
            400,
            &[],
            r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]"#,
            Key,
            None,
        ),
        (
            403,
            &[],
            r#"{"error":{"code":403,"message":"Permission denied: Consumer 'api_key:x' has been suspended.","status":"PERMISSION_DENIED","details":[{"reason":"CONSUMER_SUSPENDED"}]}}"#,
            Key,
            None,
        ),
        (
            403,
            &[],
            r#"{"error":{"code":403,"message":"Your API key was reported as leaked. Please use another API key.","status":"PERMISSION_DENIED"}}"#,
            Key,
            None,
        ),
        (
            403,
            &[],
            r#"{"error":{"code":403,"message":"You do not have permission to access tuned model x.","status":"PERMISSION_DENIED"}}"#,
            Candidate,
            None,
        ),
    ]);
}
