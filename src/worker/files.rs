//! Room for descriptors: the usual soft limit of 1024 is for programs that use select(2).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors beside those of connections: sockets, epoll, the log, a few of the app's.
const OTHERS: u64 = 64;

/// Raises the soft limit, as far as the hard one goes, to what so many connections need.
pub(crate) fn make_room(connections: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = OTHERS.saturating_add(connections as u64);
    let possible = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if current.is_none_or(|current| current >= possible) {
        return warn_if_short(current, wanted);
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum }) {
        Ok(()) => warn_if_short(Some(possible), wanted),
        Err(error) => tracing::warn!("the limit of open files stays as it is: {error}"),
    }
}

fn warn_if_short(limit: Option<u64>, wanted: u64) {
    if let Some(limit) = limit.filter(|limit| *limit < wanted) {
        let room = limit.saturating_sub(OTHERS);
        tracing::warn!(
            "room for about {room} connections only: set LimitNOFILE={wanted} in the unit"
        );
    }
}
