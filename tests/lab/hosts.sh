# shellcheck shell=bash disable=SC2153,SC2154  # LAB, NS...: set in lab.sh
# The hosts: their files, how they boot, their services.

declare -A BOOT=()   # host -> the process that boots it, when this run began it

address() {   # of host $1
    [[ $1 =~ ^(dk|[ht][0-9]+)$ ]] || die "no such host: $1"
    case $1 in
        dk) echo "$NET.0.3" ;;
        h*) echo "$NET.0.$((10 + 10#${1#h}))" ;;
        t*) echo "$NET.1.$((10#${1#t}))" ;;
    esac
}

# Written once: what is the same on every host, copied into each one's overlay.
template() {
    local t=$LAB/template
    [ -d "$t" ] && return 0
    mkdir -p "$t.new"/etc/{ssh,docker,sudoers.d} "$t.new"/etc/docker/certs.d/{"$REG_AUTH","$REG_TOKEN",registry.lab:544{3,4}}
    t=$t.new
    [ -s "$LAB/id_ed25519" ] || ssh-keygen -q -t ed25519 -N '' -C "octossh-lab" -f "$LAB/id_ed25519"
    cp /etc/passwd /etc/shadow /etc/group "$t/etc/"
    # '*', not '!': sshd takes an account with '!' as locked, whatever its key.
    local u n=1500
    for u in deploy guest; do
        sed -i "/^$u:/d" "$t/etc/passwd" "$t/etc/shadow" "$t/etc/group"
        echo "$u:x:$n:$n::/home/$u:/bin/bash" >>"$t/etc/passwd"
        echo "$u:*:19700:0:99999:7:::" >>"$t/etc/shadow"
        echo "$u:x:$n:" >>"$t/etc/group"
        n=$((n + 1))
    done
    grep -q '^docker:' "$t/etc/group" || echo "docker:x:1499:" >>"$t/etc/group"
    sed -i -E 's/^(docker:[^:]*:[^:]*:).*/\1deploy/' "$t/etc/group"
    echo "deploy ALL=(ALL) NOPASSWD: ALL" >"$t/etc/sudoers.d/deploy"
    chmod 440 "$t/etc/sudoers.d/deploy"
    cat >"$t/etc/ssh/sshd_config" <<CONF
# As Debian 12 ships it, but for the first four lines.
PasswordAuthentication no
PermitRootLogin prohibit-password
LogLevel VERBOSE
PidFile /run/sshd.pid
KbdInteractiveAuthentication no
UsePAM yes
X11Forwarding yes
PrintMotd no
AcceptEnv LANG LC_*
Subsystem sftp /usr/lib/openssh/sftp-server
CONF
    # cgroupfs: there is no systemd on a host. Tests put registries of their own onto this machine.
    cat >"$t/etc/docker/daemon.json" <<JSON
{"insecure-registries": ["$REG", "registry.lab:5000", "$NET.0.1/32"], "cgroup-parent": "/$CGROUP", "exec-opts": ["native.cgroupdriver=cgroupfs"]}
JSON
    for u in "$REG_AUTH" "$REG_TOKEN" registry.lab:544{3,4}; do
        cp "$LAB/registry/tls/ca.crt" "$t/etc/docker/certs.d/$u/ca.crt"
    done
    : >"$t/etc/resolv.conf"
    : >"$t/etc/motd"
    mv "$t" "${t%.new}"
}

host_files() {  # $1 name
    local d=$LAB/hosts/$1 k u bits
    mkdir -p "$d"/{upper,work,root,docker,log,home,tmp,roothome}
    cp -a "$LAB/template/." "$d/upper/"
    echo "$1" >"$d/upper/etc/hostname"
    printf '127.0.0.1 localhost %s\n%s.0.2 registry.lab\n' "$1" "$NET" >"$d/upper/etc/hosts"
    sed -i "s#\"/$CGROUP\"#\"/$CGROUP/$1\"#" "$d/upper/etc/docker/daemon.json"
    local keys="ed25519 ecdsa rsa"
    case $1 in t*) keys=ed25519 ;; esac
    for k in $keys; do
        [ "$k" = rsa ] && bits="-b 2048" || bits=          # Debian's 3072 take three times as long to make
        # shellcheck disable=SC2086
        ssh-keygen -q -t "$k" $bits -N '' -C "root@$1" -f "$d/upper/etc/ssh/ssh_host_${k}_key"
    done
    chmod 1777 "$d/tmp"
    chmod 700 "$d/roothome"
    cp -a /etc/skel/. "$d/roothome/"
    for u in deploy guest; do cp -a /etc/skel "$d/home/$u"; done
    for u in "$d/roothome" "$d/home/deploy" "$d/home/guest"; do
        mkdir -m 700 "$u/.ssh"
        install -m 600 "$LAB/id_ed25519.pub" "$u/.ssh/authorized_keys"
    done
    chown -R 1500:1500 "$d/home/deploy"
    chown -R 1501:1501 "$d/home/guest"
}

# PID 1 of a host, in its new namespaces: make the root file system, start the
# services, then reap what is orphaned. When it ends, the kernel ends the host.
host_main() {
    local name=$1 pid _
    read -r pid _ </proc/self/stat             # as the outer /proc counts
    local d=$LAB/hosts/$name
    local r=$d/root
    echo "$pid" >"$d/pid"
    hostname "$name"
    mount --make-rprivate /
    mount -t overlay overlay -o "lowerdir=/,upperdir=$d/upper,workdir=$d/work" "$r"
    mount -t proc proc "$r/proc"
    mount -t sysfs sysfs "$r/sys"
    mount --rbind /sys/fs/cgroup "$r/sys/fs/cgroup"
    mount --rbind /dev "$r/dev"
    mount -t tmpfs -o mode=1777,size=512m tmpfs "$r/dev/shm"
    mount -t tmpfs -o mode=755,size=512m tmpfs "$r/run"
    mkdir -m 755 "$r/run/sshd"
    mkdir -m 1777 "$r/run/lock"
    mkdir -p "$r/var/lib/docker"
    mount --bind "$d/docker" "$r/var/lib/docker"
    mount --bind "$d/log" "$r/var/log"
    mount --bind "$d/home" "$r/home"
    mount --bind "$d/roothome" "$r/root"
    if [ "$name" = dk ] || [ "${name#t}" != "$name" ]; then
        mkdir -p "$LAB/shared" "$r/run/shared"
        mount --bind "$LAB/shared" "$r/run/shared"
        [ "$name" = dk ] || ln -s /run/shared/docker.sock "$r/run/docker.sock"
    fi
    # As Debian does when it boots: what was there while the power failed could be anybody's secret.
    find "$d/tmp" -mindepth 1 -delete
    mount --bind "$d/tmp" "$r/tmp"
    # A host is a machine of its own: it sees neither the labs nor these sources.
    mount -t tmpfs tmpfs "$r$BASE"
    if [ -d "$r$CHECKOUT" ]; then mount -t tmpfs tmpfs "$r$CHECKOUT"; fi
    cd "$r" || exit
    pivot_root . mnt
    cd /
    umount -l /mnt
    sshd_start
    case $name in t*) ;; *) dockerd_start ;; esac
    exec tini -- sleep infinity
}

sshd_start() { /usr/sbin/sshd -E /var/log/sshd.log; }

dockerd_start() {
    local more=()
    [ -d /run/shared ] && more=(-H unix:///run/shared/docker.sock)
    setsid dockerd -H unix:///var/run/docker.sock "${more[@]}" </dev/null >>/var/log/dockerd.log 2>&1 &
}

host_pid() {   # of host $1's PID 1, as seen from here
    local p
    p=$(cat "$LAB/hosts/$1/pid" 2>/dev/null) || return 1
    [ "$(readlink "/proc/$p/ns/net" 2>/dev/null)" = "net:[$(stat -Lc %i "/run/netns/$NS.$1" 2>/dev/null)]" ] && echo "$p"
}

# Run a command in host $1, as root, with none of the caller's environment.
inside() {
    local p
    p=$(host_pid "$1") || die "$1 is not up"
    shift
    nsenter -t "$p" -m -u -i -n -p -- env -i HOME=/root TERM="${TERM:-dumb}" PATH="$HOST_PATH" "$@"
}

host_start() {
    host_pid "$1" >/dev/null && return 0
    host_stop "$1"
    host_files "$1"
    host_boot "$1"
}

host_boot() {
    local name=$1
    rm -f "$LAB/hosts/$name/pid"
    plug "$name" "$(address "$name")"
    nsenter --net="/run/netns/$NS.$name" \
        setsid unshare --mount --uts --ipc --pid --fork --kill-child=SIGKILL \
        env -i OCTOSSH_LAB_MARK="$LAB" HOME=/root PATH="$HOST_PATH" bash "$SELF" --name "$NAME" __host "$name" \
        </dev/null >>"$LAB/hosts/$name/init.log" 2>&1 9<&- &
    BOOT[$name]=$!
}

host_ready() {
    local name=$1 p until=$((SECONDS + 60))
    while [ $SECONDS -lt $until ]; do
        if p=$(host_pid "$name") && [ -s "/proc/$p/root/run/sshd.pid" ]; then
            case $name in
                t*) return 0 ;;
                *) curl -fs -m 5 -o /dev/null --unix-socket "/proc/$p/root/run/docker.sock" http://d/_ping && return 0 ;;
            esac
        fi
        [ -z "${BOOT[$name]:-}" ] || started "${BOOT[$name]}" >/dev/null || break
        sleep 0.05
    done
    tail -n 5 "$LAB/hosts/$name/init.log" "$LAB/hosts/$name/log/dockerd.log" >&2 2>/dev/null || true
    die "$name did not come up; see $LAB/hosts/$name/init.log and log/"
}

host_stop() {
    unplug "$1"
    rm -rf "${LAB:?}/hosts/$1"
    rmdir_cgroups "$CGROUP/$1"
}

host_reboot() {
    local pid
    host_pid "$1" >/dev/null || die "$1 is not up"
    # A machine that is switched off tells nobody how what ran on it ended: whoever could goes first.
    for pid in $(ns_pids "$1"); do
        case $(cat "/proc/$pid/comm" 2>/dev/null) in sshd*) kill -9 "$pid" 2>/dev/null || true ;; esac
    done
    unplug "$1"
    rmdir_cgroups "$CGROUP/$1"
    host_boot "$1"
    host_ready "$1"
}

# A cgroup is busy until the last of its processes is wholly gone.
rmdir_cgroups() {
    local d left
    for _ in $(seq 100); do
        left=
        for d in /sys/fs/cgroup/*/"$1" /sys/fs/cgroup/"$1"; do
            [ -d "$d" ] || continue
            find "$d" -depth -type d -exec rmdir {} + 2>/dev/null || true
            [ ! -d "$d" ] || left=$d
        done
        [ -n "$left" ] || return 0
        sleep 0.05
    done
    say "a cgroup stays: $left"
}

client_files() {
    local h k sep=
    {
        printf 'Host *\n  User root\n  IdentityFile %s\n  IdentitiesOnly yes\n' "$LAB/id_ed25519"
        printf '  UserKnownHostsFile %s\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n' "$LAB/known_hosts"
        for h in $(hosts_now); do printf 'Host %s\n  HostName %s\n' "$h" "$(address "$h")"; done
    } >"$LAB/ssh_config"
    mkdir -p "$LAB/bin"                         # first in PATH for DOCKER_HOST=ssh://h01, git, rsync...
    printf '#!/bin/sh\nexec /usr/bin/ssh -F %s "$@"\n' "$LAB/ssh_config" >"$LAB/bin/ssh"
    chmod 755 "$LAB/bin/ssh"
    for h in $(hosts_now); do
        for k in "$LAB/hosts/$h"/upper/etc/ssh/ssh_host_*_key.pub; do
            echo "$h,$(address "$h") $(cut -d' ' -f1,2 "$k")"
        done
    done >"$LAB/known_hosts"
    {
        printf '{"name": "%s", "state": "%s", "net": "%s.0.0/16", "rtt_ms": %s, "loss_pct": %s,\n' \
            "$NAME" "$LAB" "$NET" "$(cat "$LAB/rtt")" "$(cat "$LAB/loss")"
        printf ' "registry": "%s", "registry_auth": {"server": "%s", "user": "%s", "password": "%s", "ca": "%s"},\n' \
            "$REG" "$REG_AUTH" "$REG_USER" "$REG_PASSWORD" "$LAB/registry/tls/ca.crt"
        printf ' "registry_token": "%s", "token_log": "%s",\n' "$REG_TOKEN" "$LAB/registry/tokens.log"
        printf ' "key": "%s", "known_hosts": "%s", "ssh_config": "%s",\n "hosts": {' \
            "$LAB/id_ed25519" "$LAB/known_hosts" "$LAB/ssh_config"
        for h in $(hosts_now); do printf '%s"%s": "%s"' "$sep" "$h" "$(address "$h")"; sep=", "; done
        echo "}}"
    } >"$LAB/hosts.json.new"
    mv "$LAB/hosts.json.new" "$LAB/hosts.json"
}

service() {  # HOST sshd|dockerd stop|start|freeze|thaw
    local name=$1 what=$2 f=/run/sshd.pid
    [ "$what" = dockerd ] && f=/run/docker.pid
    case ${3:-} in
        start)
            inside "$name" sh -c "kill -0 \$(cat $f)" 2>/dev/null ||
                inside "$name" bash -c "rm -f $f; $(declare -f "${what}_start"); ${what}_start"
            if [ "$what" = sshd ]; then
                # it listens before it writes its pid
                inside "$name" sh -c "i=0; until [ -s $f ] || [ \$i = 200 ]; do sleep 0.05; i=\$((i + 1)); done; [ -s $f ]"
            else
                host_ready "$name"
            fi ;;
        stop)
            inside "$name" sh -c "p=\$(cat $f 2>/dev/null) || exit 0; kill \$p; kill -CONT \$p
                i=0; while kill -0 \$p && [ \$i -lt 400 ]; do sleep 0.05; i=\$((i + 1)); done" 2>/dev/null ;;
        freeze) inside "$name" sh -c "kill -STOP \$(cat $f)" ;;
        thaw) inside "$name" sh -c "kill -CONT \$(cat $f)" ;;
        *) die "stop, start, freeze or thaw?" ;;
    esac
}
