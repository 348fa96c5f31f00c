# shellcheck shell=bash disable=SC2153  # LAB, NS...: set in lab.sh
# How a lab begins and ends: locks, the owner and its watcher, taking down.
#
# Locks are flocks on folders, so they leave no file: on $BASE (fd 8) while a
# lab is made known or marked as going, on the state folder (fd 9) while one
# changes. What goes on running must not inherit them.

# The start time of process $1, which with its pid names it for good; nothing when it is dead.
started() {
    local line fields
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    read -ra fields <<<"${line##*) }"
    case ${fields[0]} in Z | X) return 1 ;; esac
    echo "${fields[19]}"
}

# Does the process that file $1 names (pid, start time) live?
lives() {
    local pid start
    { read -r pid start _ <"$1"; } 2>/dev/null && [ -n "${start:-}" ] && [ "$(started "$pid")" = "$start" ]
}

owner_lives() { lives "$LAB/owner"; }

lock_folder() {  # FD FOLDER: fails when the folder is gone
    { eval "exec $1<\"\$2\""; } 2>/dev/null || return 1
    flock "$1"
    [ "$(stat -Lc %d:%i "/proc/self/fd/$1")" = "$(stat -c %d:%i "$2" 2>/dev/null)" ]
}

base_lock() { until mkdir -p "$BASE" 2>/dev/null && lock_folder 8 "$BASE"; do :; done; }
base_unlock() { exec 8<&-; }
state_lock() { lock_folder 9 "$LAB" && [ ! -e "$LAB/going" ]; }

# Make the lab known: its net, and its owner (process $1; 0 is nobody, nothing leaves it as it is).
claim() {
    local owner=${1:-} start='' new=$BASE/.new.$NAME
    if [ "${owner:-0}" != 0 ]; then
        start=$(started "$owner") || die "no such process: $owner"
    fi
    while base_lock; [ -e "$LAB/going" ] || { [ ! -s "$LAB/net" ] && remnants; }; do
        base_unlock
        bash "$SELF" --name "$NAME" down        # waits for one that is under way
    done
    if [ ! -s "$LAB/net" ]; then
        mkdir -m 755 "$new"
        python3 "$HERE/labtool.py" subnet "$BASE" "$NAME" >"$new/net" || die "no net is free"
        [ -z "$start" ] || echo "$owner $start" >"$new/owner"
        mv -T "$new" "$LAB"
    elif [ "$owner" = 0 ]; then
        rm -f "$LAB/owner"
    elif [ -n "$start" ]; then
        echo "$owner $start" >"$LAB/owner.new"
        mv "$LAB/owner.new" "$LAB/owner"
    fi
    base_unlock
    load_net
}

# One watcher for the present owner, if there is one.
watcher_up() {
    local pid _ of owner
    owner=$(cat "$LAB/owner" 2>/dev/null) || owner=
    if lives "$LAB/watcher"; then
        read -r pid _ of <"$LAB/watcher"
        [ "$of" = "$owner" ] && return 0
        kill -9 "$pid" 2>/dev/null || true
    fi
    rm -f "$LAB/watcher"
    [ -n "$owner" ] || return 0
    # shellcheck disable=SC2086
    setsid python3 "$HERE/labtool.py" watch $owner bash "$SELF" --name "$NAME" __expire \
        </dev/null >/dev/null 2>&1 9<&- &
    echo "$! $(started $!) $owner" >"$LAB/watcher"
}

# The processes that carry the lab's mark, but for this one and $1...
marked() {
    local f pid
    grep -lzxF "OCTOSSH_LAB_MARK=$LAB" /proc/[0-9]*/environ 2>/dev/null | while IFS=/ read -r _ _ pid _; do
        for f in $$ "$@"; do [ "$pid" != "$f" ] || continue 2; done
        echo "$pid"
    done
    return 0
}

end_marked() {
    local pids
    for _ in $(seq 100); do
        pids=$(marked "$@")
        [ -n "$pids" ] || return 0
        # shellcheck disable=SC2086
        kill -9 $pids 2>/dev/null || true
        sleep 0.05
    done
    say "processes stay: $pids"
}

# End and remove all of the lab but its net and owner. Processes $1... are spared.
lab_clear() {
    local n f inner
    end_marked "$@"
    # What runs in a container has a network namespace of its own; but it ends with its host.
    inner=" $(for n in $(ns_pids); do readlink "/proc/$n/ns/pid"; done 2>/dev/null | sort -u |
        grep -vF "$(readlink /proc/self/ns/pid)" | tr '\n' ' ')"
    # shellcheck disable=SC2046
    ns_kill $(nodes)
    for _ in $(seq 60); do
        n=$(find /proc/[0-9]*/ns/pid -printf '%l\n' 2>/dev/null | awk -v inner="$inner" 'index(inner, " " $1 " ")')
        [ -n "$n" ] || break
        sleep 0.05
    done
    for n in $(nodes); do
        ip netns del "$NS.$n" 2>/dev/null || rm -f "/run/netns/$NS.$n"
    done
    ip link del "$LINK" 2>/dev/null
    for _ in $(seq 100); do [ -e "/sys/class/net/$LINK" ] || break; sleep 0.05; done
    rmdir_cgroups "$CGROUP"
    for f in "$LAB"/* "$LAB"/.[!.]*; do
        case ${f##*/} in net | owner | going) ;; *) rm -rf "$f" ;; esac
    done
    return 0
}

remnants() {
    [ -d "$LAB" ] || [ -n "$(nodes)" ] || [ -e "/sys/class/net/$LINK" ] || [ -n "$(marked)" ] ||
        compgen -G "$BASE/.[gn]*.$NAME" >/dev/null || compgen -G "/sys/fs/cgroup/*/$CGROUP" >/dev/null
}

# With 'expire': only if the owner is (still) dead.
lab_down() {
    base_lock
    if { [ "${1:-}" = expire ] && { [ ! -s "$LAB/owner" ] || owner_lives; }; } || ! remnants; then
        rmdir "$BASE" 2>/dev/null
        base_unlock
        [ "${1:-}" = expire ] || say "$NAME is not up"
        return 0
    fi
    mkdir -p "$LAB"
    : >"$LAB/going"
    base_unlock
    end_marked
    lock_folder 9 "$LAB" || return 0            # another down was quicker
    lab_clear $$
    base_lock
    rm -rf "$BASE/.new.$NAME" "$BASE/.gone.$NAME"
    mv -T "$LAB" "$BASE/.gone.$NAME"            # there at once or not at all, even if this is cut short
    rm -rf "$BASE/.gone.$NAME"
    rmdir "$BASE" 2>/dev/null
    base_unlock
    exec 9<&-
    say "$NAME is down"
}

# Only those named $1..., when any is.
lab_sweep() {
    local d name only=" $* "
    for d in "$BASE"/*/ "$BASE"/.gone.*/ "$BASE"/.new.*/; do
        [ -d "$d" ] || continue
        name=$(basename "$d")
        name=${name##*.}
        [[ $only = "  " || $only = *" $name "* ]] || continue
        use "$name"
        if [ ! -d "$LAB" ] || [ -e "$LAB/going" ]; then lab_down; else lab_down expire; fi
    done
}
