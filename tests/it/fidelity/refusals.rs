//! A client's mistake is told with its place, and costs no attempt.

use super::*;

#[tokio::test]
async fn a_broken_body_is_told_where_it_breaks() {
    let (provider, proxy) = answering(hello()).await;
    let table: [(&[u8], &str, Option<&str>); 16] = [
        (
            b"{\"model\":\"r\",\n \"model\":\"r\"}",
            "there is a second `model` at line 2 column 2",
            Some("model"),
        ),
        (
            b"{\"model\":\"r\",\"\\u006dodel\":1}",
            "there is a second `model` at line 1 column 14",
            Some("model"),
        ),
        (
            b"{\"messages\":[],\n\n  \"model\": 7}",
            "`model` must be a string at line 3 column 12",
            Some("model"),
        ),
        (b"{\"model\":null}", "`model` must be a string at line 1 column 10", Some("model")),
        (b"{\"model\":[\"r\"]}", "`model` must be a string at line 1 column 10", Some("model")),
        (b"{\"model\":\"r\",\n\"x\":\"ab\xff\"}", "not valid UTF-8 at line 2 column 8", None),
        (b"{\"model\":\"r\",\"x\":\"\xed\xa0\x80\"}", "not valid UTF-8 at line 1 column 19", None),
        ("{\"ä\":\"ö\",}".as_bytes(), "not valid JSON: key must be a string at line 1 column 10", None),
        (b"{\"model\":\"r\"", "not valid JSON: EOF while parsing an object at line 1 column 12", None),
        (b"{\"model\":\"r\",\"x\":01}", "not valid JSON: invalid number at line 1 column 19", None),
        (b"{\"model\":\"r\",\"x\":\"a\nb\"}", "not valid JSON: control character", None),
        (b"{\"model\":\"r\"} {}", "not valid JSON: trailing characters at line 1 column 15", None),
        (b"[\"model\"]", "must be a JSON object at line 1 column 1", None),
        (
            b"{\"model\":\"r\",\"stream\":\"yes\"}",
            "`stream` must be `true` or `false` at line 1 column 23",
            Some("stream"),
        ),
        (b"{\"messages\":[]}", "the body has no `model`\nhint: ", Some("model")),
        (b"", "the body is empty", None),
    ];
    for (body, expected, param) in table {
        let mut answer = ask(&proxy, body).await;
        let error = answer.json().await["error"].take();

        assert_eq!((answer.status, error["code"].as_str()), (400, Some("invalid_request")), "{error}");
        assert!(error["message"].as_str().unwrap().contains(expected), "{error} does not say `{expected}`");
        assert_eq!(error["param"].as_str(), param, "{error}");
        assert_eq!(answer.header("x-should-retry"), "false");
    }
    assert_eq!((provider.count(), provider.connections()), (0, 0), "nobody was asked");
}

#[tokio::test]
async fn what_is_larger_than_max_body_goes_nowhere() {
    let provider = Provider::start(hello()).unwrap();
    let proxy = proxy(&format!("[server]\nmax_body = \"1kB\"\n{}", route_to(&provider))).await;
    let body = |size: usize| {
        let mut body = br#"{"model":"r"}"#.to_vec();
        body.resize(size, b' ');
        body
    };

    for (size, status) in [(1001, 413), (200_000, 413), (1000, 200)] {
        let mut by_length = ask(&proxy, body(size)).await;
        let mut in_chunks = ask_in_chunks(&proxy, &body(size), &[100]).await;

        assert_eq!((by_length.status, in_chunks.status), (status, status), "{size} bytes");
        for answer in [&mut by_length, &mut in_chunks] {
            let answer = answer.json().await;
            let code = if status == 413 { Some("too_large") } else { None };
            assert_eq!(answer["error"]["code"].as_str(), code, "{size} bytes");
        }
    }

    assert_eq!(provider.count(), 2, "only those that fit");
    assert_eq!(received(&provider).len(), 1000);
}
