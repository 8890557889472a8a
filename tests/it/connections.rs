//! Over which connections attempts go.

use backstop::sim::{Act, Provider, Script};

use crate::support::{Call, Proxy, proxy, route};

const QUICK: &str =
    "[retry]\nattempts_per_burst = 3\nbursts_per_cycle = 1\ncycles = 1\nattempt_delay = \"1ms\"\n";

fn start(script: impl Into<Script>) -> Provider {
    Provider::start(script).unwrap()
}

/// The status of an answer that is read to its end.
async fn status(proxy: &Proxy) -> u16 {
    let mut answer = Call::whole("r").send(proxy.address).await;
    answer.text().await;
    answer.status
}

#[tokio::test]
async fn a_retry_opens_a_connection_where_a_policy_says_so() {
    for (rest, retry, connections) in [
        ("", "", 1),
        ("fresh_connections = true", "", 2),
        ("fresh_connections = true", "retry = { fresh_connections = false }", 1),
        ("", "retry = { fresh_connections = true }", 2),
        ("[policies.elsewhere]\nfresh_connections = true", "retry = \"elsewhere\"", 2),
        ("", "order = \"breadth\"\nretry = { fresh_connections = true }", 2),
    ] {
        let acts = [Act::echo(), Act::status(503), Act::echo(), Act::echo()];
        let provider = start(Script::exactly(acts));
        let proxy = proxy(&format!("{QUICK}{rest}\n{}", route([provider.base_url()], retry))).await;

        // The first leaves a connection behind, which the first attempt of the second takes.
        for _ in 0..3 {
            assert_eq!(status(&proxy).await, 200, "{rest} {retry}");
        }

        assert_eq!(provider.check(), Ok(()));
        assert_eq!(provider.connections(), connections, "{rest} {retry}");
    }
}
