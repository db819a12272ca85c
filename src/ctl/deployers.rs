//! What members of the system group `rollctl` may see: the rolls of the groups that
//! `/etc/rollctl/deployers.conf` names, which polkit lets them begin. They never give orders.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use super::scope::Scope;
use super::user::gid_of;

/// The system group.
pub(super) const MEMBERS: &str = "rollctl";
/// Names the groups, one a line.
pub(super) const CONF: &str = "/etc/rollctl/deployers.conf";

/// Whether members may roll the group.
pub(super) fn may_roll(group: &str) -> bool {
    fs::read_to_string(CONF).is_ok_and(|text| is_named(&text, group))
}

/// The system group that may read of the group's rolls, if one may.
pub(super) fn readers(scope: Scope, group: &str) -> Option<u32> {
    let is_ours = scope == Scope::System && rustix::process::geteuid().is_root();
    if is_ours && may_roll(group) { gid_of(MEMBERS) } else { None }
}

/// Gives a file its owner's mode, or shares it with its readers.
pub(super) fn share(path: &Path, readers: Option<u32>, own: u32, shared: u32) -> io::Result<()> {
    let mode = match readers {
        // In this order: until it is theirs it is nobody else's.
        Some(gid) if chown(path, None, Some(gid)).is_ok() => shared,
        // A sandbox that lets us change no owner: a roll goes on unseen.
        _ => own,
    };
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// As polkit's rule reads it: a whole line, and only a plain name.
fn is_named(text: &str, group: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
    let is_name = !group.starts_with(['.', ':', '-']) && group.chars().all(is_plain);
    !group.is_empty() && is_name && text.split('\n').any(|line| line == group)
}

#[cfg(test)]
mod tests {
    use super::is_named;

    #[test]
    fn only_whole_lines_with_plain_names_count() {
        let conf = "# worker\n#shop\nweb-app\nshop \n\nq\r\nw@1\n-q\nlast";
        for name in ["web-app", "last"] {
            assert!(is_named(conf, name), "{name}");
        }
        for name in ["worker", "# worker", "shop", "web", "", "q", "w@1", "-q", "web-app\nlast"] {
            assert!(!is_named(conf, name), "{name:?}");
        }
    }
}
