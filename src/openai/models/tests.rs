use super::*;

#[test]
fn renders_a_list() {
    let models = [
        Model { id: "fullfat", name: "fullfat", description: None },
        Model { id: "small/fast", name: "Small & \"fast\"", description: Some("For tasks") },
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
