//! Who a user is, for people; and the number of a group.

use std::fs;

/// The name of a user; `uid 1000` where none is known.
pub(super) fn name_of(uid: u32) -> String {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_in(&passwd, uid).unwrap_or_else(|| format!("uid {uid}"))
}

/// The number of a system group, if there is one of this name.
pub(super) fn gid_of(group: &str) -> Option<u32> {
    gid_in(&fs::read_to_string("/etc/group").ok()?, group)
}

fn gid_in(groups: &str, name: &str) -> Option<u32> {
    let mut groups = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let group = groups.find(|fields| fields.first() == Some(&name))?;
    group.get(2)?.parse().ok()
}

fn name_in(passwd: &str, uid: u32) -> Option<String> {
    let mut users = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let user = users.find(|fields| fields.get(2).is_some_and(|id| id.parse() == Ok(uid)))?;
    user.first().map(|name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn users_have_names() {
        let passwd = "root:x:0:0::/root:/bin/sh\nbroken\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(super::name_in(passwd, 1000).as_deref(), Some("ada"));
        assert_eq!(super::name_in(passwd, 7), None);
    }

    #[test]
    fn groups_have_numbers() {
        let groups = "root:x:0:\nrollctl\nrollctl:x:998:ada,bob\n";
        assert_eq!(super::gid_in("rollctl:x:998:ada\n", "rollctl"), Some(998));
        assert_eq!(super::gid_in(groups, "roll"), None);
    }
}
