//! The book of one provider under its lock, and those who wait before it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::book::Book;
use super::news::News;
use crate::config::{KeyOrder, Provider};
use crate::retry::Quota;
use crate::route::Candidate;

/// What logs call the key of a user.
pub(in crate::relay) const USERS_OWN: &str = "the user's own";

/// One provider, or a user's key for it. The lock is never held across an await.
#[derive(Debug)]
pub(super) struct Desk {
    /// The provider's name.
    pub(super) provider: Arc<str>,
    pub(super) order: KeyOrder,
    /// The names of the keys.
    pub(super) names: Vec<Arc<str>>,
    /// Whether nobody is to ask it without a key.
    pub(super) wants_key: bool,
    /// Whether its key is a user's own.
    pub(super) of_user: bool,
    /// Told when somebody who waits may have a turn.
    pub(super) changed: Notify,
    began: Instant,
    /// Whether there are quotas, of a key or of all.
    has_quotas: bool,
    book: Mutex<Book>,
}

impl Desk {
    pub(super) fn new(provider: &Provider, began: Instant) -> Self {
        Self {
            provider: Arc::clone(&provider.name),
            order: provider.key_order,
            names: provider.keys.iter().map(|key| Arc::clone(&key.name)).collect(),
            wants_key: provider.wants_key(),
            of_user: false,
            changed: Notify::new(),
            began,
            has_quotas: provider.quota != Quota::default()
                || provider.keys.iter().any(|key| key.quota != Quota::default()),
            book: Mutex::new(Book::new(provider)),
        }
    }

    /// A desk for a user's own key for the same provider. The quotas are those of other accounts.
    pub(super) fn of_one_user(&self) -> Self {
        Self {
            provider: Arc::clone(&self.provider),
            order: KeyOrder::InOrder,
            names: vec![Arc::from(USERS_OWN)],
            wants_key: self.wants_key,
            of_user: true,
            changed: Notify::new(),
            began: self.began,
            has_quotas: false,
            book: Mutex::new(Book::of_one_user()),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time of the book.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// The time of day. Only quotas ask for it, and without any it is always the same one.
    pub(super) fn wall(&self) -> SystemTime {
        if self.has_quotas { SystemTime::now() } else { SystemTime::UNIX_EPOCH }
    }

    /// The moment that the book calls `time`; one that is out of reach is a year away.
    pub(super) fn instant(&self, time: Duration) -> Instant {
        self.began.checked_add(time).unwrap_or_else(|| Instant::now() + Duration::from_hours(365 * 24))
    }

    pub(super) fn news_of(&self, candidate: &Candidate) -> News {
        self.lock().model(&candidate.model).news.news()
    }

    /// Forgets what is back to normal; says whether that was all.
    pub(super) fn tidy(&self) -> bool {
        let now = self.now();
        self.lock().tidy(now)
    }
}

/// Where a request stands in line; dropping it frees the place.
#[derive(Debug)]
pub(super) struct Place<'a> {
    desk: &'a Desk,
    model: &'a Arc<str>,
    pub(super) at: Option<Standing>,
}

/// Before one key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) key: usize,
    /// The ticket for the line of the key's quota.
    pub(super) line: Option<u64>,
    /// The ticket for the line of the provider's quota.
    pub(super) whole: Option<u64>,
    /// The ticket for the gate's.
    pub(super) gate: Option<u64>,
}

impl<'a> Place<'a> {
    pub(super) fn new(desk: &'a Desk, candidate: &'a Candidate) -> Self {
        Self { desk, model: &candidate.model, at: None }
    }

    /// The place before `key`; that before another key is given up.
    pub(super) fn before(&mut self, key: usize, book: &mut Book) -> &mut Standing {
        if self.at.is_some_and(|standing| standing.key != key) {
            self.leave(book);
        }
        self.at.get_or_insert(Standing { key, line: None, whole: None, gate: None })
    }

    /// Gives up the places in the lines of the quotas; says whether there were any.
    pub(super) fn leave_quota(&mut self, book: &mut Book) -> bool {
        let Some(standing) = &mut self.at else { return false };
        let line = standing.line.take().is_some_and(|ticket| book.keys[standing.key].line.leave(ticket));
        let whole = standing.whole.take().is_some_and(|ticket| book.line.leave(ticket));
        line || whole
    }

    /// Gives the place up.
    pub(super) fn leave(&mut self, book: &mut Book) {
        let Some(Standing { key, line, whole, gate }) = self.at.take() else { return };
        if let Some(ticket) = line {
            book.keys[key].line.leave(ticket);
        }
        if let Some(ticket) = whole {
            book.line.leave(ticket);
        }
        if let Some(ticket) = gate {
            book.seat(self.model, key).gate.leave(ticket);
        }
        if line.or(whole).or(gate).is_some() {
            self.desk.changed.notify_waiters();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.at.is_some() {
            let desk = self.desk;
            self.leave(&mut desk.lock());
        }
    }
}
