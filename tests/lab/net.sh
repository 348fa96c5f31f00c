# shellcheck shell=bash disable=SC2153  # LAB, NS...: set in lab.sh
# The lab's network: a switch, the cables, and who is plugged in.

# The lab's network namespaces: sw, registry, h01...
nodes() {
    local f
    for f in "/run/netns/$NS".*; do [ ! -e "$f" ] || echo "${f#"/run/netns/$NS."}"; done
}

hosts_now() { nodes | grep -E '^(dk|[ht][0-9]+)$' || true; }

# The processes in these namespaces (in all of the lab's, when none is named).
ns_pids() {
    local n inode want=" "
    # shellcheck disable=SC2046
    [ $# -gt 0 ] || set -- $(nodes)
    for n in "$@"; do
        inode=$(stat -Lc %i "/run/netns/$NS.$n" 2>/dev/null) && want+="net:[$inode] "
    done
    [ "$want" != " " ] || return 0
    { find /proc/[0-9]*/ns/net -printf '%p %l\n' 2>/dev/null || true; } |
        awk -v want="$want" 'index(want, " " $2 " ") { split($1, p, "/"); print p[3] }'
}

# End every process in these namespaces: what runs there, the lab began.
ns_kill() {
    local pids
    [ $# -gt 0 ] || return 0
    for _ in $(seq 200); do
        pids=$(ns_pids "$@")
        [ -n "$pids" ] || return 0
        # shellcheck disable=SC2086
        kill -9 $pids 2>/dev/null || true
        sleep 0.05
    done
    die "processes stay in $*: $pids"
}

switch_up() {
    [ -e "/run/netns/$NS.sw" ] && return 0
    ip netns add "$NS.sw"
    ip -n "$NS.sw" link add br0 type bridge
    ip -n "$NS.sw" link set br0 up
}

# (Re)plug the cable between this machine and the switch, with RTT $1 ms, loss $2 %.
# Its address and MAC stay the same, so hosts notice nothing but the delay.
uplink() {
    local rtt=$1 loss=${2:-0}
    rm -f "$LAB/rtt" "$LAB/loss"
    ns_kill sw                                  # the delay process lives there
    ip link del "$LINK" 2>/dev/null || true
    for _ in $(seq 50); do [ -e "/sys/class/net/$LINK" ] || break; sleep 0.05; done
    if awk "BEGIN { exit !($rtt == 0 && $loss == 0) }"; then
        ip link add "$LINK" type veth peer name uplink netns "$NS.sw"
    else
        [ -x "$LAB/delay" ] || { cc -O2 -Wall -o "$LAB/delay.new" "$HERE/delay.c" && mv "$LAB/delay.new" "$LAB/delay"; }
        setsid "$LAB/delay" "$LINK" uplink "/run/netns/$NS.sw" \
            "$(awk "BEGIN { print int($rtt * 500) }")" "$(awk "BEGIN { print int($loss * 100) }")" \
            </dev/null >>"$LAB/delay.log" 2>&1 9<&- &
        for _ in $(seq 200); do
            ip -n "$NS.sw" link show uplink >/dev/null 2>&1 && break
            started $! >/dev/null || die "no delay line: $(tail -n 3 "$LAB/delay.log")"
            sleep 0.02
        done
    fi
    ip link set "$LINK" address "$(printf '02:%02x:00:00:00:01' "${NET#10.}")"
    ip addr add "$NET.0.1/16" dev "$LINK"
    ip link set "$LINK" up
    ip -n "$NS.sw" link set uplink master br0 up
    echo "$loss" >"$LAB/loss"
    echo "$rtt" >"$LAB/rtt"
}

# A network namespace for $1 at address $2, plugged into the switch. Its MAC
# follows from the address: a host that comes again is not lost to ARP caches.
plug() {
    local a=${2#"$NET."}
    ip netns add "$NS.$1"
    ip -n "$NS.sw" link add "$1" type veth peer name eth0 netns "$NS.$1"
    ip -n "$NS.sw" link set "$1" master br0 up
    ip -n "$NS.$1" -batch - <<BATCH
link set eth0 address $(printf '02:%02x:00:01:%02x:%02x' "${NET#10.}" "${a%.*}" "${a#*.}")
addr add $2/16 dev eth0
link set lo up
link set eth0 up
BATCH
}

unplug() {
    ns_kill "$1"
    ip netns del "$NS.$1" 2>/dev/null || true
    ip -n "$NS.sw" link del "$1" 2>/dev/null || true
}
