//! Finds the model servers that run on this machine.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use serde::Deserialize;

use super::connect::Endpoint;
use super::slices::Slices;
use super::tls::Tls;
use super::{client, headers};

/// How long a server may take; a local one that runs has its model list at hand.
const LIMIT: Duration = Duration::from_millis(300);

/// The longest model list that is read, in bytes.
const LONGEST: usize = 4 << 20;

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
    let request = Request::get(client::path(&base, "/models")?)
        .header(HOST, client::host(&base)?)
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .header(USER_AGENT, headers::AGENT)
        .body(Slices::default())
        .ok()?;
    let connection = Endpoint::try_new(&base, tls)?.connect(LIMIT).await.ok()?;
    let (head, mut reading) = connection.send(request).await.ok()?;
    if head.status != StatusCode::OK {
        return None;
    }
    let mut text = Vec::new();
    while let Some(data) = poll_fn(|cx| reading.poll_data(cx)).await {
        text.extend_from_slice(&data.ok()?);
        if text.len() > LONGEST {
            return None;
        }
    }
    listed(&text)
}

/// The ids of a model list, or nothing if `text` is none.
fn listed(text: &[u8]) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct List {
        data: Vec<Model>,
    }
    #[derive(Deserialize)]
    struct Model {
        id: String,
    }
    let list: List = serde_json::from_slice(text).ok()?;
    Some(list.data.into_iter().map(|model| model.id).collect())
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
