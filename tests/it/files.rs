//! The limit of open files: raised as far as it may be, and explained where that is not far.

use crate::support::Program;

const LOG: [(&str, &str); 1] = [("BACKSTOP_LOG", "backstop=debug")];

/// A provider that nobody asks.
const CONFIG: &str = "[providers.p]\nbase_url = \"http://127.0.0.1:1/v1\"\n";

#[tokio::test]
async fn the_soft_limit_is_raised_to_the_hard_one() {
    let program = Program::serve_after("ulimit -Sn 256; ulimit -Hn 4200", Some(CONFIG), &LOG).await;

    assert_eq!(program.open_files(), [4200, 4200]);
    let (_, log) = program.stop().await;
    assert!(log.iter().any(|line| line.contains("\"open files: 4200\"")), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("WARN")), "{log:#?}");
}

#[tokio::test]
async fn a_hard_limit_that_is_low_is_explained() {
    let program = Program::serve_after("ulimit -Sn 256; ulimit -Hn 300", Some(CONFIG), &[]).await;

    assert_eq!(program.open_files(), [300, 300]);
    let (_, log) = program.stop().await;
    let warnings: Vec<_> = log.iter().filter(|line| line.contains("WARN")).collect();
    let [warning] = warnings[..] else { panic!("one warning: {log:#?}") };
    assert!(warning.contains("open files: 300, enough for about 138 streams at a time"), "{warning}");
    assert!(warning.contains("LimitNOFILE="), "{warning}");
}
