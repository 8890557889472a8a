//! Streams that break where the route says `on_break = "resume"`: another candidate goes on, and the
//! client gets one answer or a clean error.

use backstop::sim::{Act, Finish, Provider, Script};

use crate::support::settings::ONCE;
use crate::support::{Call, Got, Log, Proxy, providers, proxy, soon};

mod cuts;
mod ends;
mod told;

/// The whole answer.
const WHOLE: &str = "Hello \"there\", 🦀 you\nand you";

/// How the second candidate is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Prefill,
    Afresh,
}

use Way::{Afresh, Prefill};

/// Backstop before a provider that breaks and one that goes on.
struct Stage {
    proxy: Proxy,
    bad: Provider,
    good: Provider,
    log: Log,
}

impl Stage {
    /// `keys` goes on where the table of the route stands: keys of the route, then other tables.
    async fn new(bad: impl Into<Script>, good: impl Into<Script>, way: Way, keys: &str) -> Self {
        let log = Log::begin();
        let (bad, good) = (Provider::start(bad).unwrap(), Provider::start(good).unwrap());
        let prefill = way == Prefill;
        let config = format!(
            "{ONCE}{}[routes.r]\non_break = \"resume\"\n\
             chain = [\"bad/m\", {{ use = \"good/n\", prefill = {prefill} }}]\n{keys}",
            providers(&[("bad", &bad), ("good", &good)])
        );
        Self { proxy: proxy(&config).await, bad, good, log }
    }

    async fn ask(&self) -> Got {
        Got::read(Call::stream("r").send(self.proxy.address).await).await
    }

    /// Backstop stops, and has let go of every connection.
    async fn close(self) {
        self.proxy.stop().await;
        for provider in [&self.bad, &self.good] {
            soon("close of every connection", provider.wait_connections(0)).await;
        }
    }
}

/// The answer, cut after so many of its words.
fn cut(words: usize) -> Act {
    Act::answer(WHOLE).cut_after(words + 1).then(Finish::Eof)
}
