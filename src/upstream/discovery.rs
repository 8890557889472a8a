//! Asks providers for their models, and finds the model servers that run on this machine.

use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use http::header::{ACCEPT, USER_AGENT};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use tokio::task::spawn_blocking;

use super::connect::Endpoint;
use super::decode::{Decoder, Undecodable};
use super::http1::request::{Opening, Outgoing};
use super::tls::Tls;
use super::{client, headers};
use crate::config::{Key, Provider};
use crate::openai::catalogue::{self, Listed, MOST, Page};
use crate::retry::{Fault, Words, classify};

/// How long a server on this machine may take; one that runs has its model list at hand.
const LIMIT: Duration = Duration::from_millis(300);

/// The longest page of a list that is read, unpacked, in bytes; `OpenRouter`'s has about a million.
const LONGEST: usize = 8 << 20;

/// The most pages of one list; `OpenRouter`'s have 500 models each.
const MOST_PAGES: usize = 20;

/// A server that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalServer {
    /// The name it was asked for under.
    pub name: String,
    /// Its base URL, as given.
    pub base_url: String,
    /// The models it lists, in its order.
    pub models: Vec<String>,
}

/// Why there is no list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct NoAnswer {
    /// What happened; may hold what the provider says, secrets among it.
    pub reason: String,
    /// What to do about it.
    pub advice: &'static str,
    /// How long the provider wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl NoAnswer {
    /// For this `reason`, with this to be done about it.
    pub fn new(reason: impl Into<String>, advice: &'static str) -> Self {
        Self { reason: reason.into(), advice, retry_after: None }
    }
}

const RUNNING: &str = "is it running, and is its `base_url` right?";
const BASE_URL: &str = "is its `base_url` right? the list is at `/models` behind it";
const KEY: &str = "check the `api_key` of the provider";
const LATER: &str = "nothing, if it passes: it is asked again";

/// Asks for the lists of providers.
#[derive(Debug, Default)]
pub struct Lists {
    tls: Arc<Tls>,
}

impl Lists {
    /// The models that `provider` lists, in its order, asked for with the first of its keys that it takes.
    /// Ends after `limit`; dropping the future ends it at once.
    pub async fn fetch(&self, provider: &Provider, limit: Duration) -> Result<Vec<Listed>, NoAnswer> {
        let fetched = tokio::time::timeout(limit, self.with_any_key(provider, limit)).await;
        fetched
            .unwrap_or_else(|_| Err(NoAnswer::new(format!("no whole list within {}", Words(limit)), LATER)))
    }

    async fn with_any_key(&self, provider: &Provider, limit: Duration) -> Result<Vec<Listed>, NoAnswer> {
        let mut refusal = None;
        let keyless = provider.keys.is_empty().then_some(None);
        for key in provider.keys.iter().map(Some).chain(keyless) {
            match self.with_key(provider, key, limit).await {
                Err(no) if no.advice == KEY => refusal = refusal.or(Some(no)),
                result => return result,
            }
        }
        Err(refusal.unwrap_or_else(|| NoAnswer::new("no key can be sent", KEY)))
    }

    /// Reads page after page.
    async fn with_key(
        &self,
        provider: &Provider,
        key: Option<&Key>,
        limit: Duration,
    ) -> Result<Vec<Listed>, NoAnswer> {
        let base = &provider.base_url;
        let impossible = || NoAnswer::new("no request can be sent there", BASE_URL);
        let mut headers =
            headers::listing(provider, key).map_err(|bad| NoAnswer::new(bad.to_string(), KEY))?;
        let endpoint = Endpoint::of(provider, &self.tls).ok_or_else(impossible)?;
        if let Some(via) = endpoint.forwarder() {
            via.introduce(&mut headers);
        }
        let mut path = client::path(base, "/models").ok_or_else(impossible)?;
        let mut models: Vec<Listed> = Vec::new();
        for _ in 0..MOST_PAGES {
            let host = client::host(base).ok_or_else(impossible)?;
            let target = endpoint.target(&host, path).ok_or_else(impossible)?;
            let request = request(base, &target, &headers).ok_or_else(impossible)?;
            let Page { models: more, next } = page(&endpoint, &request, limit).await?;
            let is_last = more.is_empty();
            models.extend(more);
            if is_last || models.len() >= MOST {
                break;
            }
            match next.and_then(|next| same_place(base, &next)) {
                Some(next) => path = next,
                None => break,
            }
        }
        let mut seen = HashSet::new();
        models.retain(|model| seen.insert(Arc::clone(&model.id)));
        models.truncate(MOST);
        Ok(models)
    }
}

/// The path of `next`, if it leads to where `base` is: nobody else is to see the key.
fn same_place(base: &Uri, next: &str) -> Option<Uri> {
    let url: Uri = next.parse().ok()?;
    let here =
        url.authority().is_none() || (url.scheme() == base.scheme() && url.authority() == base.authority());
    let path = url.path_and_query().filter(|path| here && path.as_str().starts_with('/'))?;
    path.as_str().parse().ok()
}

fn request(base: &Uri, path: &Uri, headers: &HeaderMap) -> Option<Outgoing> {
    Some(Outgoing::new(&Opening::new(&Method::GET, path, &client::host(base)?, headers), Vec::new()))
}

async fn page(endpoint: &Endpoint, request: &Outgoing, limit: Duration) -> Result<Page, NoAnswer> {
    let (head, body) = read(endpoint, request, limit).await?;
    if head.status == StatusCode::OK {
        // A long list takes milliseconds, which the streams of this thread should not wait.
        let parsed = spawn_blocking(move || catalogue::parse(&body)).await;
        return parsed
            .map_err(|error| NoAnswer::new(error.to_string(), LATER))?
            .map_err(|no_list| NoAnswer::new(format!("200 - {no_list}"), BASE_URL));
    }
    let Fault { reason, retry_after, .. } =
        classify::response(head.status, &head.headers, &body, SystemTime::now());
    let status = head.status.as_u16();
    let advice = match status {
        401..=403 => KEY,
        408 | 425 | 429 | 500.. => LATER,
        _ => BASE_URL,
    };
    Err(NoAnswer { retry_after, ..NoAnswer::new(format!("{status} - {reason}"), advice) })
}

/// The head and the body of an answer, unpacked.
async fn read(
    endpoint: &Endpoint,
    request: &Outgoing,
    limit: Duration,
) -> Result<(Parts, Vec<u8>), NoAnswer> {
    let no = |fault: Fault, advice| NoAnswer::new(fault.reason, fault.advice.unwrap_or(advice));
    let broken = |problem: Undecodable| NoAnswer::new(problem.to_string(), LATER);
    let connection = endpoint.connect(limit).await.map_err(|fault| no(fault, RUNNING))?;
    let (head, mut reading) = connection.send(request).await.map_err(|lost| no(lost.fault, LATER))?;
    if let Some(refusal) = endpoint.forwarder().and_then(|via| via.refusal(head.status)) {
        return Err(no(refusal, RUNNING));
    }
    let mut decoder = Decoder::new(&head.headers);
    let mut body = Vec::new();
    loop {
        let data = poll_fn(|cx| reading.poll_data(cx)).await;
        let is_end = data.is_none();
        match data {
            Some(data) => decoder.feed(data.map_err(|fault| no(fault, LATER))?),
            None => decoder.finish().map_err(broken)?,
        }
        while let Some(piece) = decoder.next_piece().map_err(broken)? {
            body.extend_from_slice(&piece);
            if body.len() > LONGEST {
                let reason = format!("the answer is longer than {} MB", LONGEST >> 20);
                return Err(NoAnswer::new(reason, BASE_URL));
            }
        }
        if is_end {
            return Ok((head, body));
        }
    }
}

/// Asks each `(name, base URL)` for its models, all at once, and returns those that answer with
/// a model list within 300 ms, in the order given. Dropping the future ends the asking.
pub async fn local_servers(presets: &[(&str, &str)]) -> Vec<LocalServer> {
    let tls = Arc::new(Tls::default());
    let asking = presets.iter().map(|(name, base_url)| {
        let tls = Arc::clone(&tls);
        async move {
            let models = tokio::time::timeout(LIMIT, models(base_url, &tls)).await.ok()??;
            Some(LocalServer { name: (*name).to_owned(), base_url: (*base_url).to_owned(), models })
        }
    });
    all(asking).await.into_iter().flatten().collect()
}

async fn models(base_url: &str, tls: &Arc<Tls>) -> Option<Vec<String>> {
    let base: Uri = base_url.parse().ok()?;
    let headers = HeaderMap::from_iter([
        (ACCEPT, HeaderValue::from_static("application/json")),
        (USER_AGENT, headers::AGENT),
    ]);
    let request = request(&base, &client::path(&base, "/models")?, &headers)?;
    let page = page(&Endpoint::try_new(&base, tls)?, &request, LIMIT).await.ok()?;
    Some(page.models.into_iter().map(|model| model.id.to_string()).collect())
}

/// Waits for all `futures` at once, in this task.
async fn all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    enum Slot<F, T> {
        Running(F),
        Done(T),
    }
    let mut slots: Vec<Slot<Pin<Box<_>>, T>> =
        futures.map(|future| Slot::Running(Box::pin(future))).collect();
    poll_fn(|cx| {
        let mut pending = false;
        for slot in &mut slots {
            if let Slot::Running(future) = slot {
                match future.as_mut().poll(cx) {
                    Poll::Ready(value) => *slot = Slot::Done(value),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    slots
        .into_iter()
        .filter_map(|slot| match slot {
            Slot::Done(value) => Some(value),
            Slot::Running(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
