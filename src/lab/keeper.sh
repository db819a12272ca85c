# The keeper of a lab: starts the private manager, and takes everything away when its owner lets go.
#
# Its standard input is a pipe that the owner holds: the end of it, by Drop or by any death of the
# owner, is the order to clean up. Set by the owner: LAB_DIR, LAB_NAME, LAB_PLACE, LAB_SYSTEMD.
set -u
# HOME is where units start, as those of PID 1 do; newer systemd refuses to start them below /dev.
manager_env="XDG_RUNTIME_DIR=$LAB_DIR/run XDG_CONFIG_HOME=$LAB_DIR/config XDG_STATE_HOME=$LAB_DIR/state
  XDG_CACHE_HOME=$LAB_DIR/cache XDG_DATA_HOME=$LAB_DIR/data HOME=/ PATH=$PATH LANG=C.UTF-8
  DBUS_SESSION_BUS_ADDRESS=unix:path=$LAB_DIR/run/bus SYSTEMD_ENVIRONMENT_GENERATOR_PATH=
  SYSTEMD_LOG_TARGET=journal SYSTEMD_LOG_LEVEL=info"

fail() { echo "$1" >&2; rmdir "$lab" 2>/dev/null; uncover; rm -rf "$LAB_DIR"; exit 1; }
lab= boot= covered=

# The first hierarchy that systemd would take: unified, hybrid, or the named one of old.
find_cgroup() {
  for root in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    [ -e "$root/cgroup.procs" ] && break
  done
  case $root in
    */systemd) own=$(sed -n 's/^[0-9]*:name=systemd://p' /proc/self/cgroup) ;;
    *) own=$(sed -n 's/^0:://p' /proc/self/cgroup) ;;
  esac
  own=$root${own%/}
  [ -e "$own/cgroup.procs" ] || fail "no control group hierarchy is mounted at /sys/fs/cgroup"
}

make_cgroup() {
  lab=$own/$LAB_NAME
  mkdir "$lab" 2>/dev/null || fail "cannot make the control group $lab: is /sys/fs/cgroup mounted read-write?"
  [ "$LAB_PLACE" = scope ] || return 0
  # A control group passes controllers on only while it holds no process itself.
  mkdir "$own/keeper" && echo $$ >"$own/keeper/cgroup.procs"
  for controller in cpu memory pids; do
    echo "+$controller" >"$own/cgroup.subtree_control"
  done 2>/dev/null
}

enter_namespace() {
  mount -t tmpfs -o mode=755 tmpfs /run || fail "cannot mount a tmpfs on /run in a mount namespace"
  # What makes systemd believe that it was booted here (sd_booted(3)).
  mkdir -p /run/systemd/system /run/systemd/journal
  ln -s "$LAB_DIR/journal" /run/systemd/journal/socket
  # systemd names the directories of PrivateTmp= by the boot: with a boot of its own a lab knows them.
  cat /proc/sys/kernel/random/uuid >"$LAB_DIR/boot_id"
  mount --bind "$LAB_DIR/boot_id" /proc/sys/kernel/random/boot_id || fail "cannot mount in /proc/sys"
  boot=$(tr -d - <"$LAB_DIR/boot_id")
  # What PID 1 makes at boot, to mount over paths that a unit may not see.
  mkdir -m 700 /run/systemd/inaccessible && cd /run/systemd/inaccessible || return
  mkdir -m 0 dir; : >reg; mkfifo -m 0 fifo; mknod -m 0 chr c 0 0; mknod -m 0 blk b 0 0; chmod 0 reg
  cd /
  cover_shared_memory
  # Containers forbid to run programs from there; here only we see the change.
  mount -o remount,bind,exec /dev/shm 2>/dev/null
  return 0
}

# RemoveIPC=, which DynamicUser= implies, removes all that a user owns in /dev/shm when the last of
# its units stops, and labs give their users the same number: so each sees only itself in there,
# and through a link to itself by the same path as before. (PrivateDevices= hides mounts in there.)
cover_shared_memory() {
  case $LAB_DIR in /dev/shm/*) ;; *) return ;; esac
  ln -s . "$LAB_DIR/${LAB_DIR##*/}" && mount --bind "$LAB_DIR" /dev/shm ||
    fail "cannot mount on /dev/shm in a mount namespace"
  covered=yes
}

# What was covered must be seen again to be removed.
uncover() { [ -z "$covered" ] || umount -l /dev/shm; }

start_manager() {
  # Newer systemd would make some of its files immutable, even for this clean-up.
  if [ "$(id -u)" = 0 ]; then drop="--bounding-set -linux_immutable"; else drop=; fi
  sh -c 'echo $$ >"$0/cgroup.procs" && exec setpriv '"$drop"' --pdeathsig TERM env -i "$@"' "$lab" \
    $manager_env "$LAB_SYSTEMD" --user --unit=lab.target \
    </dev/null >/dev/null 2>&1 &
  manager=$!
  echo "$manager" >"$LAB_DIR/manager.pid"
}

# Kills what is in the control groups below "$1", itself included.
kill_group() {
  if [ -e "$1/cgroup.kill" ]; then echo 1 >"$1/cgroup.kill"; return; fi
  find "$1" -name cgroup.procs -exec cat {} + | xargs -r kill -9
}

# The directories of PrivateTmp= in use, but for one that we are in ourselves. A manager that ends
# may do so before it has removed the last of them.
private_directories() {
  ours=$(grep -o 'systemd-private-[^/ ]*' /proc/self/mountinfo)
  find "$lab" -name cgroup.procs -exec cat {} + | while read -r process; do
    grep -o 'systemd-private-[^/ ]*' "/proc/$process/mountinfo"
  done | sort -u | grep -vxF "$ours"
}

# Kills the units of the lab while "$1", a process, is there, but not for longer than three seconds.
kill_units_beside() {
  turns=150
  while kill -0 "$1" && [ $turns -gt 0 ]; do
    # Not session.slice: a manager whose bus dies under it can block, and reaps nobody.
    for slice in "$lab"/app*.slice "$lab"/background*.slice; do
      [ -d "$slice" ] && kill_group "$slice"
    done
    sleep 0.02; turns=$((turns - 1))
  done
}

# In order, so that the manager removes what it made for its units; but no unit of a lab is worth
# waiting for, so they are killed from under it.
stop_manager() {
  private=$(private_directories)
  XDG_RUNTIME_DIR=$LAB_DIR/run systemctl --user stop '*.service' &
  kill_units_beside $!
  kill -TERM "$manager"
  kill_units_beside "$manager"
  kill_group "$lab"
  wait "$manager"
}

remove_all() {
  turns=40
  while [ -d "$lab" ] && [ $turns -gt 0 ]; do
    remove_group "$lab" && break
    sleep 0.05; turns=$((turns - 1))
  done
  # On a hybrid machine systemd mirrors its groups in the hierarchy of old.
  case $root in */unified) remove_group "/sys/fs/cgroup/systemd${lab#"$root"}" ;; esac
  [ -z "$boot" ] || rm -rf "/tmp/systemd-private-$boot-"* "/var/tmp/systemd-private-$boot-"*
  for name in $private; do rm -rf "/tmp/$name" "/var/tmp/$name"; done
  uncover
  # Newer systemd makes a directory in there that its owner may not write to.
  chmod -R u+rwx "$LAB_DIR"
  rm -rf "$LAB_DIR"
}

remove_group() { find "$1" -depth -type d -exec rmdir {} +; }

find_cgroup
make_cgroup
[ "$LAB_PLACE" = scope ] || enter_namespace
# Caught, not ignored: an ignored signal would stay ignored in the manager and in all its units.
trap : INT TERM HUP
start_manager
while read -r _; do :; done
{ stop_manager; remove_all; } 2>/dev/null
