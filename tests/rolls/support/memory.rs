//! A memory limit of the kernel's, as it comes where the memory controller has a hierarchy of its own.

use std::fs;
use std::path::PathBuf;

const CONTROLLER: &str = "/sys/fs/cgroup/memory";
const LIMIT: &str = "33554432";

/// A control group of 32 MiB; it goes with its last owner.
pub struct MemoryLimit(PathBuf);

impl MemoryLimit {
    /// Makes one; `None` where that cannot be done: systemd's own `MemoryMax=` is for there.
    pub fn new() -> Option<Self> {
        let group = PathBuf::from(CONTROLLER).join(format!("rollctl-{}", std::process::id()));
        fs::create_dir(&group).ok()?;
        let limit = Self(group);
        fs::write(limit.0.join("memory.limit_in_bytes"), LIMIT).ok()?;
        Some(limit)
    }

    /// The words of a shell that put it under the limit, for a unit file.
    pub fn enter(&self) -> String {
        format!("echo $$$$ > {}; ", self.0.join("cgroup.procs").display())
    }

    /// How often the kernel has killed under it.
    pub fn kills(&self) -> u64 {
        let told = fs::read_to_string(self.0.join("memory.oom_control")).unwrap();
        let count = told.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.unwrap().parse().unwrap()
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
