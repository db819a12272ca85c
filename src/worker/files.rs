//! Room for descriptors: the usual soft limit of 1024 is for programs that use select(2).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors beside those of connections: sockets, epoll, the log, a few of the app's.
const OTHERS: u64 = 64;

/// Of a connection and of what it may have beside it: one to the app, and a tunnel's way to be cut.
const EACH: u64 = 3;

/// Raises the soft limit, as far as the hard one goes, to what so many connections may need.
pub(crate) fn make_room(connections: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let connections = connections as u64;
    let (least, wanted) = (room_for(connections), room_for(connections.saturating_mul(EACH)));
    let possible = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if current.is_none_or(|current| current >= possible) {
        return warn_if_short(current, least);
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum }) {
        Ok(()) => warn_if_short(Some(possible), least),
        Err(error) => tracing::warn!("the limit of open files stays as it is: {error}"),
    }
}

fn room_for(descriptors: u64) -> u64 {
    OTHERS.saturating_add(descriptors)
}

fn warn_if_short(limit: Option<u64>, least: u64) {
    if let Some(limit) = limit.filter(|limit| *limit < least) {
        let room = limit.saturating_sub(OTHERS);
        tracing::warn!(
            "room for about {room} connections only: set LimitNOFILE={least} in the unit"
        );
    }
}
