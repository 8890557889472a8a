use super::*;

static NOTHING: BTreeMap<String, bool> = BTreeMap::new();

fn model<'a>(id: &'a str, name: &'a str) -> Model<'a> {
    Model { id, name, description: None, tags: &[], capabilities: &NOTHING, created: None, context: None }
}

#[test]
fn renders_a_list() {
    let models = [
        model("fullfat", "fullfat"),
        Model { description: Some("For tasks"), ..model("small/fast", "Small & \"fast\"") },
    ];
    assert_eq!(
        list(&models),
        concat!(
            r#"{"object":"list","data":["#,
            r#"{"id":"fullfat","object":"model","created":0,"owned_by":"backstop","name":"fullfat"},"#,
            r#"{"id":"small/fast","object":"model","created":0,"owned_by":"backstop","name":"Small & \"fast\"","#,
            r#""info":{"meta":{"description":"For tasks"}}}]}"#,
        )
    );
    assert_eq!(list(&[]), r#"{"object":"list","data":[]}"#);
    assert_eq!(
        one(&models[0]),
        r#"{"id":"fullfat","object":"model","created":0,"owned_by":"backstop","name":"fullfat"}"#
    );
}

#[test]
fn says_what_a_picker_can_show() {
    let tags = ["quick".to_owned(), "free".to_owned()];
    let capabilities = [("vision".to_owned(), false), ("usage".to_owned(), true)].into();
    let full = Model {
        tags: &tags,
        capabilities: &capabilities,
        created: Some(1_700_000_000),
        context: Some(8192),
        ..model("p/m", "M")
    };
    assert_eq!(
        one(&full),
        concat!(
            r#"{"id":"p/m","object":"model","created":1700000000,"owned_by":"backstop","name":"M","#,
            r#""context_length":8192,"info":{"meta":{"tags":[{"name":"quick"},{"name":"free"}],"#,
            r#""capabilities":{"usage":true,"vision":false}}}}"#,
        )
    );
}
