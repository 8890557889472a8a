//! How many files may be open at once: every stream needs two sockets, and 1024 files are a common
//! soft limit, made for programs that use `select`.

use rlimit::Resource;

/// Below this limit the log says what it means.
const FEW: u64 = 4096;

/// The files of a stream: the client's socket and the provider's.
const PER_STREAM: u64 = 2;

/// The files that are open before anybody asks: the listener, stderr, what waits for events and signals.
const OWN: u64 = 24;

const HINT: &str = "raise the hard limit: `ulimit -Hn 65536` as root, `LimitNOFILE=65536` in a systemd unit, \
                    `docker run --ulimit nofile=65536`";

/// Raises the soft limit of open files to the hard one, and logs what it is then.
///
/// Where the system denies that, it is logged, and all goes on under the limit that there is.
pub fn allow_many() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) if limit < FEW => tracing::warn!(hint = HINT, "{}", few(limit)),
        Ok(limit) => tracing::debug!("open files: {limit}"),
        Err(error) => {
            let limit = Resource::NOFILE.get_soft().ok();
            tracing::warn!(limit, %error, "cannot raise the limit of open files");
        }
    }
}

fn few(limit: u64) -> String {
    let streams = limit.saturating_sub(OWN) / PER_STREAM;
    format!("open files: {limit}, enough for about {streams} streams at a time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_is_told_in_streams() {
        assert_eq!(few(1024), "open files: 1024, enough for about 500 streams at a time");
        assert_eq!(few(3), "open files: 3, enough for about 0 streams at a time");
    }
}
