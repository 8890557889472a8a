//! How providers name their limits: the tables, spelled like those of `words`.

use crate::retry::Covers;

/// A limit, and how an error names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// Any of these words.
    pub(super) words: &'static [&'static str],
    /// Or any of these wordings.
    pub(super) wordings: &'static [&'static str],
    /// What is spent.
    pub(super) covers: Covers,
    /// For how long.
    pub(super) span: Span,
}

/// How long a limit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// Seconds, at most some minutes: as the provider says.
    Passing,
    /// A day or longer: as the provider says, and if it does not, for a while.
    Day,
    /// A day or longer, whatever shorter wait it asks for.
    DayWhateverDelay,
}

/// The limits that are told by words; the first row that matches counts. What passes stands before what
/// lasts: a provider that refuses for a minute likes to sell a larger day in the same breath.
pub(super) const LIMITS: &[Limit] = &[
    Limit {
        words: &["openrouterfreetierminute"],
        wordings: &["free-models-per-min"],
        covers: Covers::FreeModels,
        span: Span::Passing,
    },
    Limit {
        words: &["openrouterfreetierdaily"],
        wordings: &["free-models-per-day"],
        covers: Covers::FreeModels,
        span: Span::Day,
    },
    // Cohere: calls to every model count.
    Limit { words: &[], wordings: &["trial key*api calls / month"], covers: Covers::Key, span: Span::Day },
    // OpenRouter: the spending limit that its owner gave a key.
    Limit {
        words: &[],
        wordings: &["key limit exceeded (daily", "key limit exceeded (weekly", "key limit exceeded (monthly"],
        covers: Covers::Key,
        span: Span::Day,
    },
    Limit { words: &[], wordings: &["concurren"], covers: Covers::Candidate, span: Span::Passing },
    Limit {
        words: &["rpmratelimitexceeded", "tpmratelimitexceeded"],
        wordings: &[
            "per min",
            "per-min",
            "per_min",
            "/ min",
            "/min",
            "(rpm)",
            "(tpm)",
            "limit_rpm",
            "per sec",
            "per 60s",
            "byminute",
        ],
        covers: Covers::Candidate,
        span: Span::Passing,
    },
    Limit {
        words: &[],
        wordings: &[
            "per day",
            "per-day",
            "per_day",
            "/ day",
            "/day",
            "(rpd)",
            "(tpd)",
            "limit_rpd",
            "daily*limit",
            "daily*quota",
            "per 86400s",
            "byday",
        ],
        covers: Covers::Candidate,
        span: Span::Day,
    },
];

/// Parts of the ids of Google's quotas that count for one model.
pub(super) const PER_MODEL: &[&str] = &["permodel", "perbasemodel"];

/// Parts of the ids of Google's quotas that count for a whole project unless they count for a model.
pub(super) const PER_KEY: &[&str] = &["perproject", "peruser", "perday", "perminute"];

/// Words that refuse the key itself; they count beside a 403, or an unauthorised request under 400 or 200.
pub(super) const KEY_WORDS: &[&str] = &[
    "accountdeactivated",
    "apikeyandroidappblocked",
    "apikeyexpired",
    "apikeyhttpreferrerblocked",
    "apikeyinvalid",
    "apikeyiosappblocked",
    "apikeyipaddressblocked",
    "apikeyserviceblocked",
    "authenticationerror",
    "consumerinvalid",
    "consumersuspended",
    "invalidapikey",
    "invalidauthentication",
    "invalidauthenticationerror",
    "missingapikey",
    "unauthenticated",
    "wrongapikey",
];

/// Wordings that do.
pub(super) const KEY_WORDINGS: &[&str] = &[
    "account*deactivated",
    "api key expired",
    "api key has been",
    "api key is blocked",
    "api key is disabled",
    "api key is invalid",
    "api key not valid",
    "api key was reported as leaked",
    "consumer*has been suspended",
    "incorrect api key",
    "invalid api key",
    "key limit exceeded",
    "no auth credentials found",
];

/// Wordings of `OpenRouter` that ask for money for this one request: a smaller one is still paid for.
pub(super) const ONE_REQUEST: &[&str] = &["fewer max_tokens", "prompt tokens limit exceeded"];
