//! A provider that is mostly well for some calls and mostly ill for the next, with every fault there is.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop::sim::{Act, Encoding, Finish, Framing, Provider, Request, Script, error, error_beside_choices};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use crate::faults::Row;

/// For how many calls a provider is mostly well, or mostly ill.
const PHASE: usize = 20;

/// The model that says the same for a request wherever it is asked.
pub const SAME: &str = "same";

/// Every fault that an act can do, class by class.
pub type Faults = Arc<Vec<(&'static str, Vec<Row>)>>;

/// What one provider remembers.
struct State {
    name: &'static str,
    generator: SmallRng,
    calls: usize,
    /// How likely the next call is to be answered.
    well: f64,
    connections: HashSet<u64>,
    faults: Faults,
}

/// Starts the provider `name`, whose acts are drawn from `seed`.
pub fn start(name: &'static str, seed: u64, faults: &Faults) -> Provider {
    let generator = SmallRng::seed_from_u64(seed ^ u64::from(name.as_bytes()[0]));
    let faults = Arc::clone(faults);
    let state = State { name, generator, calls: 0, well: 1.0, connections: HashSet::new(), faults };
    let state = Mutex::new(state);
    Provider::start(Script::by(move |request| state.lock().unwrap().act(request))).unwrap()
}

/// The id of the request that an attempt is made for.
pub fn id(request: &Request) -> String {
    request.messages()[0]["content"].as_str().expect("an id").to_owned()
}

/// What call number `call` of provider `name` is answered with: so many words that are nobody else's.
fn text(name: &str, call: usize, words: usize) -> String {
    let words = (0..words).map(|word| format!(" {name}{call}.{word}"));
    format!("{name}{call}/{}{}", words.len(), words.collect::<String>())
}

/// What everybody's model [`SAME`] answers the request `id` with.
pub fn same(id: &str) -> String {
    let words = 4 + id.bytes().map(usize::from).sum::<usize>() % 9;
    (0..words).map(|word| format!("{id}.{word}")).collect::<Vec<_>>().join(" ")
}

/// The whole answer whose beginning `begun` is, if it is one.
pub fn whole(begun: &str) -> Option<String> {
    let (name, rest) = begun.split_at_checked(1)?;
    let (call, words) = rest.split(' ').next()?.split_once('/')?;
    let whole = text(name, call.parse().ok()?, words.parse().ok()?);
    whole.starts_with(begun).then_some(whole)
}

impl State {
    fn act(&mut self, request: &Request) -> Act {
        let call = self.calls;
        self.calls += 1;
        let fresh = self.connections.insert(request.connection);
        // Late enough for somebody else to start beside it, now and then.
        let most = if self.generator.random_bool(0.15) { 90 } else { 5 };
        let delay = Duration::from_millis(self.generator.random_range(0..most));
        if id(request).starts_with("leaver") {
            return self.endless(call);
        }
        if call.is_multiple_of(PHASE) {
            self.well = if self.generator.random_bool(0.5) { 0.8 } else { 0.1 };
        }
        let text = match request.model().as_str() {
            SAME => same(&id(request)),
            _ => text(self.name, call, self.generator.random_range(1..12)),
        };
        let words = text.split(' ').count();
        let answer = Act::completes(text);
        let act = if self.generator.random_bool(self.well) {
            self.good(answer)
        } else if self.generator.random_bool(if request.model() == SAME { 0.7 } else { 0.3 }) {
            self.breaks(&answer, words)
        } else {
            self.fault(request, fresh)
        };
        act.after(delay)
    }

    /// An answer in one of the forms that are as good as any.
    fn good(&mut self, answer: Act) -> Act {
        match self.generator.random_range(0..10) {
            0 => answer.encode(Encoding::Gzip),
            1 => answer.framing(Framing::UntilClose),
            2 => answer.split([7, 30]),
            3 => answer.without_done(),
            4 => answer.then(Finish::DropNext),
            5 => answer.then(Finish::Close),
            6 => answer.whole(),
            _ => answer.pace(Duration::from_millis(1)),
        }
    }

    /// An answer that breaks off after a few words; one that is not streamed, in its middle.
    fn breaks(&mut self, answer: &Act, words: usize) -> Act {
        let after = self.generator.random_range(2..words + 3);
        let cut = || answer.clone().cut_after(after);
        match self.generator.random_range(0..7) {
            0 => cut(),
            1 => cut().then(Finish::Eof),
            2 => cut().then(Finish::Reset),
            3 => cut().then(Finish::BrokenChunking),
            4 => cut().then(Finish::Stall),
            5 => answer.clone().insert(after, error("broken", 502)),
            _ => answer.clone().insert(after, error_beside_choices("broken", "server_error")),
        }
    }

    /// One of the faults that come before an answer.
    fn fault(&mut self, request: &Request, fresh: bool) -> Act {
        let stream = request.json()["stream"] == true;
        // What is lost on a kept connection is sent again, unseen: its attempts could not be counted.
        let may = |class: &str| fresh || class != "reset";
        let classes: Vec<_> = self.faults.iter().filter(|(class, _)| may(class)).collect();
        let (_, rows) = classes.choose(&mut self.generator).expect("a class");
        let acts: Vec<_> = rows
            .iter()
            .filter(|row| row.forms.contains(&stream))
            .filter_map(|row| row.met.as_ref().ok())
            .collect();
        acts.choose(&mut self.generator).map_or_else(Act::hang, |act| (*act).clone())
    }

    /// What no client waits for.
    fn endless(&mut self, call: usize) -> Act {
        match self.generator.random_range(0..3) {
            0 => Act::hang(),
            1 => Act::hang_after_head(),
            _ => Act::answer(text(self.name, call, 1000)).pace(Duration::from_millis(10)).streamed(),
        }
    }
}
