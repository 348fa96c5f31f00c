#!/usr/bin/env bash
# lab.sh - a lab of real SSH + Docker hosts on one Linux machine (root needed).
#
#   lab.sh install                                   the Debian packages that it needs
#   lab.sh up N [--rtt MS] [--loss PCT] [--thin M] [--owner PID]
#                                                    N full hosts h01..; M thin ones t001..
#   lab.sh down                                      end and remove everything
#   lab.sh status [--json]                           what runs, with memory and CPU per host
#   lab.sh list                                      all labs: name, net, owner
#   lab.sh sweep [NAME...]                           take down the labs (or these) whose owner is dead
#   lab.sh rtt MS [--loss PCT]                       change the delay between here and the hosts
#   lab.sh ssh HOST [CMD...]                         OpenSSH, as root (deploy@HOST for deploy)
#   lab.sh sh HOST [CMD...]                          a shell in the host, past SSH
#   lab.sh clean [HOST...]                           remove all containers, networks, volumes, anchors
#   lab.sh pull IMAGE:TAG... [-- HOST...]            pull images on all (or these) hosts
#   lab.sh push REPO:TAG [--mode MODE]               push one more image (see images.py)
#   lab.sh tags REPO COUNT                           push one image, and give it so many tags
#   lab.sh reboot HOST...                            off and on again: memory lost, disk kept
#   lab.sh docker HOST stop|start|freeze|thaw        its dockerd
#   lab.sh sshd HOST stop|start|freeze|thaw          its sshd
#   lab.sh registry stop|start|freeze|thaw           the registry
#   lab.sh cut HOST | mend HOST                      unplug its network cable, and plug it in
#
# Several labs can be up side by side. Each has a name (at most 12 of a-z 0-9 -),
# given as `lab.sh --name NAME COMMAND...` or in $OCTOSSH_LAB; it is 'lab' when
# not given. All of a lab is named after it: the state folder
# /var/lib/octossh-lab/NAME, the namespaces octo-NAME.*, the interface ol-NAME,
# the cgroups octossh-lab.NAME. Its net is 10.77.0.0/16, or the next one free.
#
# A full host is a network, mount, PID, UTS and IPC namespace with a root file
# system of its own (an overlay over this machine's, written to in the state
# folder only), its own sshd (Debian's configuration, own host keys, keys
# only) and its own dockerd on /var/run/docker.sock with data in
# /var/lib/docker, so that what comes over SSH sees what it would on a machine
# of its own. A thin host is the same without a dockerd: its docker.sock is
# that of the one host 'dk' that all thin hosts share.
#
#   this machine NET.0.1 --(RTT)-- switch -- registry NET.0.2
#                                         -- h01.. NET.0.11..   dk NET.0.3
#                                         -- t001.. NET.1.1..
#
# Users on a host: root, deploy (in group docker), guest (not in it); all three
# take the same key. No host has a route out of the lab.
# Files for clients, in the state folder: hosts.json, ssh_config, known_hosts,
# id_ed25519, and bin/ssh, which is ssh -F ssh_config.
#
# With --owner, the lab goes down by itself when that process ends, however it
# ends. An `up` that was cut short is begun anew by the next `up`, and wholly
# undone by `down`. Only processes that the lab began are ever ended: those in
# its network namespaces, and those that carry its mark in their environment.

# shellcheck source-path=SCRIPTDIR
set -euo pipefail

# Daemons inherit what is open here. A caller's lock or pipe among it would stay taken for as long as the lab is up.
for fd in /proc/"$BASHPID"/fd/*; do
    fd=${fd##*/}
    # bash reads this file by number 255.
    if [ "$fd" -gt 2 ] && [ "$fd" != 255 ]; then eval "exec $fd>&-"; fi
done

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CHECKOUT=$(cd "$HERE/../.." && pwd)
SELF=$HERE/lab.sh
BASE=/var/lib/octossh-lab
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin LC_ALL=C
REG_USER=lab REG_PASSWORD=lab-secret
HOST_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

die() { echo "lab: $*" >&2; exit 1; }
say() { echo "lab: $*" >&2; }

# shellcheck source=life.sh
source "$HERE/life.sh"
# shellcheck source=net.sh
source "$HERE/net.sh"
# shellcheck source=registry.sh
source "$HERE/registry.sh"
# shellcheck source=hosts.sh
source "$HERE/hosts.sh"

# shellcheck source=compose.sh
source "$HERE/compose.sh"

PACKAGES="docker.io docker-compose docker-registry openssh-server openssh-client openssl iproute2 iptables busybox-static
    tini sudo curl gcc libc6-dev python3 perl-base util-linux"

# All that follows from the name of a lab.
use() {
    [[ $1 =~ ^[a-z][a-z0-9-]{0,11}$ ]] || die "not a name for a lab: '$1' (a-z 0-9 -, at most 12)"
    NAME=$1
    LAB=$BASE/$NAME                # state folder
    NS=octo-$NAME                  # network namespaces: $NS.sw, $NS.registry, $NS.h01...
    LINK=ol-$NAME                  # this machine's interface in the lab; at most 15 characters
    CGROUP=octossh-lab.$NAME
    load_net
}

load_net() {
    NET=$(cat "$LAB/net" 2>/dev/null) || NET=
    REG=$NET.0.2:5000              # HTTP, anybody
    REG_AUTH=$NET.0.2:5443         # TLS of the lab's own CA, user and password above
    REG_TOKEN=$NET.0.2:5444        # TLS, and a token of...
    TOKENS=$NET.0.2:5445           # ...this service, for users with a password
}

number() { [[ $2 =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "$1: not a number: '$2'"; }

options() {  # sets RTT LOSS THIN OWNER, and ARGS to what is left
    RTT=$(cat "$LAB/rtt" 2>/dev/null || echo 0) LOSS=$(cat "$LAB/loss" 2>/dev/null || echo 0)
    THIN=0 OWNER=
    ARGS=()
    while [ $# -gt 0 ]; do
        case $1 in
            --rtt | --loss | --thin | --owner) [ $# -gt 1 ] || die "$1 what?"; number "$1" "$2" ;;
        esac
        case $1 in
            --rtt) RTT=$2; shift 2 ;;
            --loss) LOSS=$2; shift 2 ;;
            --thin) THIN=$2; shift 2 ;;
            --owner) OWNER=$2; shift 2 ;;
            -*) die "no such option: $1" ;;
            *) ARGS+=("$1"); shift ;;
        esac
    done
}

# ------------------------------------------------------------------- commands

lab_up() {
    options "$@"
    local n=${ARGS[0]:-1} want=() h i began=$SECONDS
    mkdir -p "$LAB/hosts" "$LAB/shared"
    for i in $(seq "$n"); do want+=("$(printf 'h%02d' "$i")"); done
    [ "$THIN" -gt 0 ] && want+=(dk)
    for i in $(seq "$THIN"); do want+=("$(printf 't%03d' "$i")"); done
    switch_up
    if [ ! -d "/sys/class/net/$LINK" ] || [ "$RTT" != "$(cat "$LAB/rtt" 2>/dev/null)" ] ||
        [ "$LOSS" != "$(cat "$LAB/loss" 2>/dev/null)" ]; then
        uplink "$RTT" "$LOSS"
    fi
    registry_up
    template
    for h in $(hosts_now); do
        printf '%s\n' "${want[@]}" | grep -qx "$h" || { say "$h goes"; host_stop "$h"; }
    done
    for h in "${want[@]}"; do host_start "$h"; done
    for h in "${want[@]}"; do host_ready "$h"; done
    client_files
    say "$NAME is up: $n full, $THIN thin hosts in $NET.0.0/16, RTT $RTT ms, loss $LOSS %" \
        "($((SECONDS - began)) s); ssh -F $LAB/ssh_config h01"
}

lab_status() {
    local h args=() state=down owner=()
    if [ -d "$LAB" ] && [ -n "$NET" ]; then
        [ -s "$LAB/hosts.json" ] && state=up
        [ -e "$LAB/busy" ] && state=partial
        for h in $(hosts_now); do args+=("$h" "$(address "$h")" "$(host_pid "$h" || echo 0)"); done
        read -ra owner <"$LAB/owner" || true
    fi 2>/dev/null
    python3 "$HERE/labtool.py" status "$@" -- "$NAME" "$state" "$LAB" "$NET" \
        "$(ns_pids registry | wc -l)" "${owner[0]:-0}" "$(owner_lives && echo 1 || echo 0)" "${args[@]}"
}

lab_list() {
    local d owner
    for d in "$BASE"/*/; do
        [ -d "$d" ] || continue
        use "$(basename "$d")"
        owner=none
        [ -s "$LAB/owner" ] && owner="$(cut -d' ' -f1 "$LAB/owner") ($(owner_lives && echo alive || echo dead))"
        printf '%s\t%s.0.0/16\towner %s\n' "$NAME" "$NET" "$owner"
    done
}

lab_clean() {
    local h
    [ $# -gt 0 ] || mapfile -t < <(hosts_now | grep -v '^t') && set -- "$@" "${MAPFILE[@]:-}"
    for h in "$@"; do
        # shellcheck disable=SC2016  # expanded in the host
        [ -z "$h" ] || inside "$h" sh -c 'ids=$(docker ps -aq); [ -z "$ids" ] || docker rm -fv $ids
            docker network prune -f; vols=$(docker volume ls -q); [ -z "$vols" ] || docker volume rm -f $vols
            rm -rf /home/*/.local/state/octossh/anchors' >/dev/null 2>&1 &
    done
    wait
}

lab_pull() {
    local images=() h i
    while [ $# -gt 0 ] && [ "$1" != -- ]; do images+=("$1"); shift; done
    [ $# -gt 0 ] && shift
    [ $# -gt 0 ] || mapfile -t < <(hosts_now | grep -v '^t') && set -- "$@" "${MAPFILE[@]:-}"
    for h in "$@"; do
        [ -z "$h" ] || for i in "${images[@]}"; do
            inside "$h" docker pull -q "$i" >/dev/null || say "$h: no $i"
        done &
    done
    wait
}

# No apt call when all is there. Services that come with the packages are not
# started: the lab wants the programs, and begins its own.
lab_install() {
    local p missing=() policy=/usr/sbin/policy-rc.d code=0 said
    grep -q '^VERSION_ID="12"' /etc/os-release || PACKAGES+=" docker-cli"   # later Debians split it off
    for p in $PACKAGES; do
        # shellcheck disable=SC2016
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq --simulate install --no-install-recommends "${missing[@]}" >/dev/null 2>&1 || apt-get -qq update
    if [ -e $policy ]; then policy=; else printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; fi
    said=$(apt-get -qq -y -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}" 2>&1) || code=$?
    [ -z "$policy" ] || rm -f "$policy"
    [ $code = 0 ] || die "apt-get: $said"
}

need_up() { [ -s "$LAB/hosts.json" ] || die "$NAME is not up"; }

main() {
    local command name=${OCTOSSH_LAB:-lab} h args=()
    while [ $# -gt 0 ]; do
        case $1 in
            --name) [ $# -gt 1 ] || die "--name what?"; name=$2; shift 2 ;;
            --name=*) name=${1#*=}; shift ;;
            *) break ;;
        esac
    done
    command=${1:-help}
    [ $# -gt 0 ] && shift
    case $command in
        help | -h | --help) sed -n '2,/^$/{/^#/s/^# \{0,1\}//p}' "$SELF"; return 0 ;;
        ssh | sh | __*) ;;
        *)  while [ $# -gt 0 ]; do         # --name may also follow the command
                if [ "$1" = --name ] && [ $# -gt 1 ]; then name=$2; shift; else args+=("$1"); fi
                shift
            done
            set -- "${args[@]}" ;;
    esac
    [ "$(id -u)" = 0 ] || die "root is needed"
    [[ $name = */* ]] && die "not a name for a lab: '$name'"
    use "$name"
    case $command in
        down | sweep | list | status | __expire | __clear)
            [ -z "${OCTOSSH_LAB_MARK:-}" ] || exec env -u OCTOSSH_LAB_MARK bash "$SELF" --name "$NAME" "$command" "$@" ;;
        rtt | reboot | docker | sshd | registry | __up)     # what these start carries the lab's mark
            [ "$command" = __up ] || need_up
            [ "${OCTOSSH_LAB_MARK:-}" = "$LAB" ] ||
                exec env OCTOSSH_LAB_MARK="$LAB" bash "$SELF" --name "$NAME" "$command" "$@" ;;
        install | up | __host) ;;
        *) need_up ;;
    esac
    case $command in
        up)
            options "$@"
            [[ ${ARGS[0]:-1} =~ ^[0-9]+$ && $THIN =~ ^[0-9]+$ ]] || die "up how many?"
            [[ ${ARGS[0]:-1} -le 90 && $THIN -le 250 ]] || die "at most 90 full and 250 thin hosts"
            claim "$OWNER"
            exec bash "$SELF" --name "$NAME" __up "$@" ;;
        __up)
            state_lock || die "$NAME was taken down meanwhile"
            if [ -e "$LAB/busy" ]; then
                say "the last up was cut short: beginning anew"
                env -u OCTOSSH_LAB_MARK bash "$SELF" --name "$NAME" __clear $$
            fi
            : >"$LAB/busy"
            watcher_up
            lab_up "$@"
            rm -f "$LAB/busy" ;;
        down) set +e; lab_down ;;
        sweep) set +e; lab_sweep "$@" ;;
        __expire) set +e; lab_down expire ;;
        __clear) set +e; lab_clear "$@" ;;
        status) lab_status "$@" ;;
        list) lab_list ;;
        install) lab_install; compose2_install ;;
        reboot) for h in "$@"; do host_reboot "$h"; done ;;
        rtt)
            options --loss 0 --rtt "$@"
            state_lock || die "$NAME is not up"
            uplink "$RTT" "$LOSS"
            client_files ;;
        ssh) exec ssh -F "$LAB/ssh_config" "$@" ;;
        sh) h=${1:?which host?}; shift; [ $# -gt 0 ] || set -- bash -l; inside "$h" "$@" ;;
        clean) lab_clean "$@" ;;
        pull) lab_pull "$@" ;;
        push) python3 "$HERE/images.py" push "http://$REG" "$@" >&2 ;;
        tags) python3 "$HERE/images.py" tags "http://$REG" "$1" "$2" --data "$LAB/registry/data" >&2 ;;
        docker) service "$1" dockerd "$2" ;;
        sshd) service "$1" sshd "$2" ;;
        registry) lab_registry "$1" ;;
        cut) address "$1" >/dev/null; ip -n "$NS.sw" link set "$1" down ;;
        mend) address "$1" >/dev/null; ip -n "$NS.sw" link set "$1" up ;;
        __host) host_main "$1" ;;
        *) die "no such command: $command (lab.sh help)" ;;
    esac
}

main "$@"
exit
