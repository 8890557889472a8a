//! Requests arrive at the provider as they were sent, but for the value of `model`.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// Bodies with `§` where the value of `model` stands.
const ODD: [&str; 14] = [
    r#"{"model":§}"#,
    r#"{"messages":[],"model":§,"seed":123456789012345678901234567890,"n":1}"#,
    r#"{"temperature":1E+2,"top_p":0.10,"x":-0.0,"y":1e400,"z":0.1000000000000000055511151231257827,"model":§}"#,
    r#"{"model":§,"user":"Z\u00fcrich Zürich \ud83d\ude00 😀 \/ \u0000 \ud800"}"#,
    "{  \"model\"  :  §  ,\n\t\"messages\" : [ { \"role\":\"user\" ,\r\n \"content\":\"a  b\" } ]  }",
    "\n \t\r\n{\"model\":§} \n\n",
    r#"{"metadata":{"model":"r","a":[{"model":"r"}]},"model":§,"tools":[{"model":null}]}"#,
    r#"{"user":"\"model\":\"r\",","x":"{\"model\":\"r\"}","model":§,"y":"\\"}"#,
    r#"{"\u006dodel":§,"mode":"r","Model":"r","modell":"r"}"#,
    r#"{"stream":false,"zz":1,"model":§,"aa":2,"messages":[],"aa":3}"#,
    r#"{"":0,"":1,"\"":2,"model":§,"unknown_field":[[],{},[{}],null,true]}"#,
    r#"{"model":§,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]}]}"#,
    r#"{"stop":["\n\n","§"],"model":§}"#,
    r#"{"model":§,"logit_bias":{"50256":-100,"0":1e-7}}"#,
];

/// The body of a client, and the one that a provider must get for it.
fn pair(template: &str, asked: &str, sent: &str) -> (String, String) {
    // The last one is the value: `§` may also be text before it.
    let (before, after) = template.rsplit_once('§').expect("a place for the model");
    (format!("{before}{asked}{after}"), format!("{before}{sent}{after}"))
}

#[tokio::test]
async fn odd_bodies_arrive_as_they_are() {
    let (provider, proxy) = answering(hello()).await;
    for template in ODD {
        for asked in [r#""r""#, r#""\u0072""#] {
            let (body, expected) = pair(template, asked, r#""m""#);

            let answer = ask(&proxy, body.clone()).await;

            assert_eq!(answer.status, 200, "{body}");
            assert_same(&received(&provider), expected.as_bytes());
        }
    }
    assert_eq!(provider.count(), ODD.len() * 2, "one attempt each");
}

#[tokio::test]
async fn names_with_odd_characters_are_written_as_json() {
    let provider = Provider::start(hello()).unwrap();
    let names = r#"chain = ['p/org/"mödel" \ x:free']"#;
    let text =
        route_to(&provider).replace("chain = [\"p/m\"]", names).replace("routes.r", "routes.'ä \"b\"'");
    let proxy = proxy(&text).await;
    let (body, expected) = pair(r#"{"a":1,"model":§ }"#, r#""\u00e4 \"b\"""#, r#""org/\"mödel\" \\ x:free""#);

    assert_eq!(ask(&proxy, body).await.status, 200);

    assert_same(&received(&provider), expected.as_bytes());
}

#[tokio::test]
async fn chunks_of_any_size_are_one_body() {
    let (provider, proxy) = answering(hello()).await;
    let (body, expected) = pair(ODD[4], r#""r""#, r#""m""#);
    for sizes in [&[1][..], &[2, 3], &[7, 1, 64], &[4096]] {
        let mut answer = ask_in_chunks(&proxy, body.as_bytes(), sizes).await;

        assert_eq!((answer.status, answer.json().await["choices"].is_array()), (200, true), "{sizes:?}");
        assert_same(&received(&provider), expected.as_bytes());
        let request = provider.request(provider.count() - 1).unwrap();
        assert_eq!(request.header("content-length"), expected.len().to_string(), "its length is known now");
        assert_eq!(request.header("transfer-encoding"), "");
    }
}

#[tokio::test]
async fn fifty_megabytes_arrive_whole() {
    let (provider, proxy) = answering(hello()).await;
    let image = "iVBORw0KGgoAAAANSUhEUg+/".repeat(50_000_000 / 24);
    let template = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{image}"}}}}]}}],"model":§}}"#
    );
    let (body, expected) = pair(&template, r#""r""#, r#""m""#);

    let by_length = ask(&proxy, body.clone()).await;
    assert_eq!(by_length.status, 200);
    assert_same(&received(&provider), expected.as_bytes());

    let in_chunks = ask_in_chunks(&proxy, body.as_bytes(), &[65_537, 1_000_003]).await;
    assert_eq!(in_chunks.status, 200);
    assert_same(&received(&provider), expected.as_bytes());
    assert_eq!(provider.count(), 2);
}

#[tokio::test]
async fn thirty_six_tools_arrive_and_a_call_comes_back() {
    let provider = Provider::start(Act::tool_call("tool_7", r#"{"city": "Paris"}"#)).unwrap();
    let proxy = proxy(&route_to(&provider)).await;
    let tools: Vec<String> = (0..36).map(tool).collect();
    let template = format!(
        r#"{{"model":§,"stream":true,"tool_choice":"auto","messages":[{{"role":"user","content":"?"}}],"tools":[{}]}}"#,
        tools.join(",")
    );
    assert!((24_000..30_000).contains(&template.len()), "{} bytes", template.len());
    let (body, expected) = pair(&template, r#""r""#, r#""m""#);

    let mut answer = ask(&proxy, body).await;

    assert_eq!(answer.status, 200);
    let text = answer.text().await;
    assert!(
        text.contains(r#""name":"tool_7""#) && text.contains(r#""finish_reason":"tool_calls""#),
        "{text}"
    );
    assert_same(&received(&provider), expected.as_bytes());
}

/// A function as an agent describes it, about 700 bytes.
fn tool(number: usize) -> String {
    let mut parameters = String::new();
    for name in ["path", "pattern", "limit"] {
        let _ = write!(
            parameters,
            r#""{name}_{number}":{{"type":["string","null"],"description":"{}","default":1.0e0}},"#,
            "What the tool should look at — an absolute path, \\\"quoted\\\" if it has spaces; ".repeat(2)
        );
    }
    format!(
        r#"{{"type":"function","function":{{"name":"tool_{number}","strict":true,"parameters":{{"type":"object","properties":{{{parameters}"model":{{"enum":["r"]}}}}}}}}}}"#
    )
}

#[tokio::test]
async fn deep_nesting_costs_no_stack() {
    let (provider, proxy) = answering(hello()).await;
    let template = format!(r#"{{"x":{}{},"model":§}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let (body, expected) = pair(&template, r#""r""#, r#""m""#);

    assert_eq!(ask(&proxy, body).await.status, 200);

    assert_same(&received(&provider), expected.as_bytes());
}

/// Any JSON value, however it may be spelled.
fn value() -> impl Strategy<Value = String> {
    let number = r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?";
    let leaf = prop_oneof![Just("null".into()), Just("true".into()), Just("false".into()), number, string()];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec((space(), inner.clone(), space()), 0..4).prop_map(|items| {
                let items: Vec<String> = items.into_iter().map(|(a, item, b)| a + &item + &b).collect();
                format!("[{}]", items.join(","))
            }),
            prop::collection::vec(member(nested_key(), inner), 0..4)
                .prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => r#"[^"\\\x00-\x1f]{0,8}"#,
        1 => r#"\\["\\/bfnrt]"#,
        1 => r"\\u[0-9a-fA-F]{4}",
        1 => Just(r#"\"model\":\"r\""#.to_owned()),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn space() -> impl Strategy<Value = String> {
    "[ \t\r\n]{0,3}"
}

fn nested_key() -> impl Strategy<Value = String> {
    prop_oneof![string(), Just(r#""model""#.to_owned()), Just(r#""stream""#.to_owned())]
}

/// Keys that mean nothing to us at the top.
fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,3}_[a-z\u{e0}-\u{ff}😀]{0,5}", "(Model|MODEL|mode|models| model|model )"]
        .prop_map(|key| format!("\"{key}\""))
}

fn member(
    key: impl Strategy<Value = String>,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    (space(), key, space(), space(), value, space())
        .prop_map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"))
}

/// A body with `model` anywhere among its members: what stands before its value, and after.
fn document() -> impl Strategy<Value = (String, String)> {
    let members = || prop::collection::vec(member(key(), value()), 0..5);
    let model_key = prop_oneof![Just("\"model\""), Just(r#""\u006dod\u0065l""#)];
    (space(), members(), space(), model_key, space(), space(), members(), space()).prop_map(
        |(a, before, b, key, c, d, after, e)| {
            let before: String = before.into_iter().map(|member| member + ",").collect();
            let after: String = after.into_iter().map(|member| ",".to_owned() + &member).collect();
            (format!("{a}{{{before}{b}{key}{c}:{d}"), format!("{after}}}{e}"))
        },
    )
}

#[test]
fn any_document_arrives_as_it_is() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (provider, proxy) = runtime.block_on(answering(hello()));
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };

    let checked = TestRunner::new(config).run(&document(), |(before, after)| {
        let asked = provider.count();
        let answer = runtime.block_on(ask(&proxy, format!("{before}\"r\"{after}")));
        prop_assert_eq!((answer.status, provider.count()), (200, asked + 1));
        prop_assert_eq!(received(&provider), format!("{before}\"m\"{after}"));
        Ok(())
    });

    checked.unwrap_or_else(|failure| panic!("{failure}"));
}
