# create_volume 'cache' of 'shop' in 'Dev'
octossh_main() {
set -u
LC_ALL=C
PATH=${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin
export LC_ALL PATH
umask 077
# The run goes on when the link drops: no signal, and no write to a closed pipe, ends it half way.
trap '' HUP PIPE
# File descriptor 3 carries the answer; everything else is log.
exec 3>&1 1>&2

octossh_frame() { printf '##octossh %s %s\n' "${octossh_nonce:?}" "$*" >&3; }

# One line of the text $1: all white space becomes single blanks.
octossh_line() {
    set -f
    # shellcheck disable=SC2086
    set -- $1
    set +f
    printf '%s' "$*"
}

# Every way out: STATE ACTION CHANGED WHY. Before it, what octossh_last and octossh_lets_go name.
octossh_end() {
    "${octossh_last:-:}"
    "${octossh_lets_go:-:}" "$1"
    octossh_frame "end $1 $2 $3 ${4:+$(octossh_line "$4")}"
    [ "$1" = succeeded ]
    exit "$?"
}

octossh_fail() { octossh_end failed none "${octossh_changed:-no}" "$1"; }

# shellcheck disable=SC2317
octossh_say() { printf 'octossh: %s\n' "$1"; }

octossh_frame begin
command -v docker >/dev/null ||
    octossh_fail "there is no docker command on this host for user $(id -un); install docker, or put it on the PATH"

# The descriptors of the answer and of the lock stay with this shell: what docker starts must not inherit them.
# shellcheck disable=SC2317
docker() { command docker "$@" 3>&- 9>&-; }
# The same in place of the shell of a $( ), which would wait for it.
# shellcheck disable=SC2317
octossh_docker() { exec docker "$@" 3>&- 9>&-; }
octossh_nl='
'

# A step that finds all there needs no process of its own, and nobody beside it: it looks first, under the lock, and
# what it says meanwhile is kept for the end of that.
octossh_kept='' octossh_kept_log=''
[ -z "${octossh_go:-}" ] || octossh_run_enter 1>&3 || octossh_go=''
[ -z "${octossh_go:-}" ] || octossh_run_tell stat || exit 255
octossh_frame() {
    if [ "$octossh_glances" = no ]; then
        printf '##octossh %s %s\n' "${octossh_nonce:?}" "$*" >&3
        return
    fi
    octossh_kept="$octossh_kept##octossh ${octossh_nonce:?} $*$octossh_nl"
    case $* in
        'end succeeded '*) octossh_glanced 0 ;;
        'end '*) octossh_glanced 1 ;;
    esac
}
octossh_say() {
    if [ "$octossh_glances" = no ]; then
        printf 'octossh: %s\n' "$1"
    else
        octossh_kept_log="${octossh_kept_log}octossh: $1$octossh_nl"
    fi
}

# All is said, with exit code $1. Whoever does not take it shall not hold the lock.
octossh_glanced() {
    exec 9<&-
    if [ -n "${octossh_go:-}" ]; then
        octossh_run_all "$octossh_kept" "$octossh_kept_log" "$1"
    else
        printf '%s' "$octossh_kept_log"
        printf '%s' "$octossh_kept" >&3
    fi
}


# Sets octossh_began, when process $1 began, octossh_comm, its name, and octossh_parent; 1 where it cannot be seen, and 2
# where it has ended.
octossh_process() {
    octossh_began='' octossh_comm=''
    read -r octossh_stat <"/proc/$1/stat" || return 1
    octossh_comm=${octossh_stat#*\(}
    octossh_comm=${octossh_comm%)*}
    # shellcheck disable=SC2086
    set -- ${octossh_stat##*') '}
    case $1 in Z | X) return 2 ;; esac
    octossh_parent=$2
    shift 19
    octossh_began=$1
} 2>/dev/null

# Sets octossh_session: the process on this host that lives as long as the connection, and when it began.
octossh_find_session() {
    octossh_session=${octossh_session_pid:-$PPID}
    while octossh_process "$octossh_session" && [ "$octossh_comm" = sudo ]; do
        octossh_session=$octossh_parent
    done
    octossh_session="$octossh_session ${octossh_began:-0}"
}

# Whether session $1, which began at $2, is there still. Of a stranger's, or where /proc hides sshd, the kernel may tell
# no more than that.
octossh_connected() {
    case $1 in '' | 0 | *[!0-9]*) return 1 ;; esac
    octossh_process "$1"
    case $? in 0) [ "$octossh_began" = "$2" ]; return ;; 2) return 1 ;; esac
    case $(kill -0 "$1" 2>&1) in '' | *ermitted*) return 0 ;; esac
    return 1
}

# Whether nothing has come over session $1 of an sshd in $2 seconds, for which we have watched it, once in each: whoever
# deploys asks over it more often than that whether we are there, which wakes it up. Where a cable was cut, it sleeps on.
# Each session has a count of its own; $1 is a number by now.
octossh_silent() {
    octossh_quiet=''
    case $2 in '' | 0 | *[!0-9]*) return 1 ;; esac
    case $octossh_comm in sshd | sshd-*) ;; *) return 1 ;; esac
    octossh_woken='' octossh_watched=''
    while read -r octossh_stat octossh_times; do
        case $octossh_stat in voluntary_ctxt_switches:) octossh_woken=$octossh_times ;; esac
    done 2>/dev/null <"/proc/$1/status"
    [ -n "$octossh_woken" ] || return 1
    octossh_woken="$octossh_began $octossh_woken"
    eval "octossh_watched=\${octossh_watched_$1:-} octossh_quiet=\$((\${octossh_quiet_$1:--1} + 1))"
    [ "$octossh_woken" = "$octossh_watched" ] || octossh_quiet=0
    eval "octossh_watched_$1=\$octossh_woken octossh_quiet_$1=\$octossh_quiet"
    [ "$octossh_quiet" -ge "$2" ] && octossh_mute="$octossh_mute $1 "
}

# Claims are files beside the lock, written under it: what lives as long as the connection, after how many seconds of
# silence it is dead all the same, and whose they are. One that is empty was taken over. This says whether nobody else's
# holds; otherwise octossh_holder is told who it is, and octossh_until how that ends where nobody is there any more.
octossh_unclaimed() {
    octossh_claim=${octossh_claim:-} octossh_mute='' octossh_until=''
    octossh_find_session
    for octossh_file in "${octossh_lock%.lock}".claim.*; do
        { [ -f "$octossh_file" ] && [ ! -h "$octossh_file" ]; } || continue
        # Of one store, one deployment follows the other: what an earlier one has claimed there is over, or our own.
        case ${octossh_file##*/} in "${octossh_claim%.*}".*) continue ;; esac
        read -r octossh_pid octossh_at octossh_limit octossh_who 2>/dev/null <"$octossh_file" || continue
        # Of one connection the newer deployment counts.
        [ "$octossh_pid $octossh_at" != "$octossh_session" ] || continue
        ! octossh_connected "$octossh_pid" "$octossh_at" || octossh_silent "$octossh_pid" "$octossh_limit" || {
            # The others are watched as well, since their silence counts from now on.
            octossh_holder=$octossh_who
            octossh_until="${octossh_quiet:+ whoever waits here for $octossh_limit s takes over;} 'octossh resume' from its store ends it, or end process $octossh_pid there"
        }
    done
    [ -z "$octossh_until" ]
}

octossh_taken() {
    octossh_last=$(cat "$octossh_lock")
    octossh_fail "this deployment lost its link to the host, which another deployment has taken over since: ${octossh_last:-the lock $octossh_lock does not tell which}; deploy again when that one has ended"
}

octossh_take_claim() {
    octossh_mine=${octossh_lock%/*}/$octossh_claim
    octossh_since='deployment d-20260102-030405-1 by ada@desk since 2026-01-02 03:04:05 UTC'
    if [ -f "$octossh_mine" ]; then
        read -r _ _ _ octossh_since <"$octossh_mine" || octossh_taken
    elif [ "${octossh_held:-no}" = yes ] && [ "$octossh_new" = no ]; then
        # It has gone: the host was started anew, or it was taken over long ago. Who had the lock last tells which.
        case $(cat "$octossh_lock") in
            "${octossh_since%%' since '*}"*) ;;
            '') octossh_fail "this deployment lost its link to the host, its claim there has gone, and the lock $octossh_lock does not tell whether another deployment has been there since; wait until nobody else deploys there, and deploy again" ;;
            *) octossh_taken ;;
        esac
    fi
    for octossh_file in "${octossh_lock%.lock}".claim.*; do
        { [ "$octossh_file" != "$octossh_mine" ] && [ -s "$octossh_file" ] && [ ! -h "$octossh_file" ]; } || continue
        read -r octossh_pid _ octossh_limit octossh_holder 2>/dev/null <"$octossh_file" || continue
        octossh_how='has gone without an end'
        case $octossh_mute in *" $octossh_pid "*) octossh_how="has not been heard of for $octossh_limit s" ;; esac
        octossh_say "taking over from $octossh_holder, which $octossh_how"
        # It may come back, and shall see this then. What is a stranger's cannot be opened by the shell.
        (: >"$octossh_file") 2>/dev/null || truncate -c -s 0 "$octossh_file" 2>/dev/null ||
            octossh_fail "the claim $octossh_file of a deployment that has gone cannot be taken over; remove it"
    done
    [ -e "$octossh_mine" ] || (umask 0; set -C; : >"$octossh_mine") 2>/dev/null || :
    { printf '%s\n' "$octossh_session ${octossh_silence:-0} $octossh_since" >"$octossh_mine"; } 2>/dev/null || {
        rm -f "$octossh_mine"
        octossh_fail "the claim $octossh_mine cannot be written: is the place full, or the file a stranger's? make room, or remove it, and deploy again"
    }
    octossh_frame claimed
}

# A kernel lock: it goes when its holder does, however that ends.
octossh_lock=/dev/shm/octossh-shop-dev.lock
[ -d /dev/shm ] || octossh_lock=/tmp/octossh-shop-dev.lock
command -v flock >/dev/null || octossh_fail "there is no flock command on this host; install util-linux"
octossh_new=no
if [ ! -e "$octossh_lock" ] && (umask 0; set -C; : >"$octossh_lock") 2>/dev/null; then
    octossh_new=yes
fi
if [ ! -f "$octossh_lock" ] || [ ! -r "$octossh_lock" ] || [ -h "$octossh_lock" ]; then
    octossh_fail "the lock $octossh_lock is no file that can be read; look at who made it"
fi
exec 9<"$octossh_lock"
# Whether it is ours now; otherwise octossh_why says who has it.
octossh_locks() {
    if ! flock -n 9; then
        octossh_holder=$(cat "$octossh_lock")
        octossh_holder=${octossh_holder:-another user}
        octossh_why="another run holds the lock of this project and environment on this host; it was last taken by $octossh_holder"
    elif ! octossh_unclaimed; then
        flock -u 9
        octossh_why="another deployment is not through with this project and environment on this host: $octossh_holder; wait for its end, or cancel it. Where the machine that deploys is gone for good,$octossh_until"
    else
        return 0
    fi
    return 1
}
# It is ours: say so there.
octossh_holds() {
    # Who had it before.
    read -r octossh_before 2>/dev/null <"$octossh_lock" || octossh_before=''
    [ -z "${octossh_claim:-}" ] || octossh_take_claim
    # What a stranger has made cannot be opened by its name (fs.protected_regular), but by what is open already. Where
    # neither can be written, it shall tell nothing rather than what is not so.
    { printf '%s\n' 'deployment d-20260102-030405-1 by ada@desk since 2026-01-02 03:04:05 UTC' >/proc/self/fd/9 || printf '%s\n' 'deployment d-20260102-030405-1 by ada@desk since 2026-01-02 03:04:05 UTC' >"$octossh_lock"; } 2>/dev/null ||
        truncate -c -s 0 "$octossh_lock" 2>/dev/null || :
    # What a run that was killed while it pulled has left: a folder without a login.
    for octossh_config in "$octossh_lock".login.*; do
        [ ! -d "$octossh_config" ] || rm -rf "$octossh_config"
    done
}
# Wait until it is.
octossh_wait_for_lock() {
    octossh_waited=0
    until octossh_locks; do
        if [ "$octossh_waited" -eq 0 ]; then
            octossh_say "waiting for $octossh_holder"
        fi
        [ "$octossh_waited" -lt 30 ] || octossh_end locked none no "$octossh_why"
        octossh_waited=$((octossh_waited + 1))
        sleep 1
    done
    octossh_holds
}

# Look, and where that was not the end of it, go on with octossh_act: it outlives its link.
octossh_glance() {
    octossh_looked=no
    [ -z "${octossh_go:-}" ] || trap 'octossh_run_stopped "$octossh_kept_log"' TERM
    if octossh_locks; then
        octossh_looked=yes
        octossh_holds
        octossh_compare
    fi
    octossh_glances=no
    trap - TERM
    exec 1>&3 3>&-
    if [ -n "${octossh_go:-}" ]; then octossh_run_on octossh_act; else octossh_act; fi
}

octossh_look() { octossh_docker volume inspect --format '{{.Name}} {{if and (eq (index .Labels "octossh.project") "shop") (eq (index .Labels "octossh.environment") "Dev") (eq (index .Labels "octossh.step") "cache")}}ours{{else}}other{{end}} {{with (index .Labels "octossh.spec")}}{{.}}{{else}}-{{end}}
{{json .}}' shop-dev-cache 2>/dev/null; }
# Where steps beside this one look for what they keep, too, the first of them looks for all with one start of docker, and
# leaves for each of the others what is as it shall be, or not there. All else is looked at by itself; so is all where
# somebody else had the lock since, and a container behind a step that has done something.
octossh_look_ahead() {
    octossh_glimpse='' octossh_seen_in=${octossh_run_dir:-}
    if [ -n "${octossh_beside_format:-}" ] && [ -n "${octossh_go:-}" ]; then
        octossh_look_for_all
    elif [ -n "${octossh_ahead:-}" ]; then
        octossh_seen_in=${octossh_seen_in%/*}/octossh-run-$octossh_ahead
        octossh_before=${octossh_before:-}
        [ "${octossh_before% since *}" != 'deployment d-20260102-030405-1 by ada@desk' ] || [ ! -f "$octossh_seen_in/seen.shop-dev-cache" ] ||
            read -r octossh_glimpse <"$octossh_seen_in/seen.shop-dev-cache"
    fi
}

octossh_look_for_all() {
    octossh_all=${octossh_beside:-}
    for octossh_other in ${octossh_beside_marked:-}; do
        ! octossh_marked "$octossh_other" || octossh_all="$octossh_all $octossh_other"
    done
    [ -n "$octossh_all" ] || return 0
    # shellcheck disable=SC2086
    octossh_seen=$octossh_nl$(octossh_docker inspect --format '{{if eq .Name "shop-dev-cache"}}{{if and (eq (index .Labels "octossh.project") "shop") (eq (index .Labels "octossh.environment") "Dev") (eq (index .Labels "octossh.step") "cache") (eq (index .Labels "octossh.spec") "sha256:afbf9d0f3560b0fd7795e81c42a0a79ee6b6fc67e064f77826aee642cad28d91")}}{{with .Mountpoint}}shop-dev-cache {{end}}{{json .}}{{end}}{{end}}'"$octossh_beside_format" shop-dev-cache $octossh_all 2>&1)$octossh_nl
    for octossh_other in $octossh_all; do
        octossh_find "$octossh_other"
        { printf '%s\n' "$octossh_glimpse" >"$octossh_seen_in/seen.$octossh_other"; } 2>/dev/null || rm -f "$octossh_seen_in/seen.$octossh_other"
    done
    octossh_find shop-dev-cache
}

# What octossh_seen tells of $1.
octossh_find() {
    octossh_glimpse=''
    case $octossh_seen in
        *"$octossh_nl$1 {"*)
            octossh_glimpse=${octossh_seen#*"$octossh_nl$1 "}
            octossh_glimpse=${octossh_glimpse%%"$octossh_nl"*}
            ;;
        *"o such object: $1$octossh_nl"*) octossh_glimpse=absent ;;
    esac
}

# Whether the mark of container $1 says that whoever had the lock last has left nothing of it under another name, which
# would have to be looked for as well; in this docker, as it is called here.
octossh_marked() {
    octossh_vouches=''
    ! octossh_ours "${octossh_lock%.lock}.mark.$1" || read -r octossh_vouches <"${octossh_lock%.lock}.mark.$1"
    [ -n "$octossh_vouches" ] && [ "$octossh_vouches" = "${octossh_before% since *} in $octossh_engine" ]
}
octossh_engine=docker" ${DOCKER_HOST:-} ${DOCKER_CONTEXT:-}."

# Whether $1 is a file of this user's own, in a place that goes with this host as the lock does.
# shellcheck disable=SC3067  # all shells have -O
octossh_ours() { case $1 in /dev/shm/*) [ -f "$1" ] && [ ! -h "$1" ] && [ -O "$1" ] ;; *) return 1 ;; esac; }

# What docker says of it into octossh_seen: whose it is, and in the next line all of it; nothing where it is not there.
octossh_see() {
    octossh_look_ahead
    case $octossh_glimpse in
        "{"*) octossh_seen="shop-dev-cache ours sha256:afbf9d0f3560b0fd7795e81c42a0a79ee6b6fc67e064f77826aee642cad28d91$octossh_nl$octossh_glimpse" ;;
        absent) octossh_seen='' ;;
        *) octossh_seen=$(octossh_look) || octossh_seen='' ;;
    esac
}

# What was to be made is not there, as octossh_said says.
octossh_unmade() {
    octossh_answer=$(octossh_docker version --format '{{.Server.Version}}' 2>&1) || octossh_fail "docker does not answer: $octossh_answer"
    octossh_fail "$1: $octossh_said"
}

# Ends where there is nothing to do, or nothing can be done.
octossh_compare() {
    octossh_did=created
    octossh_see
    case ${octossh_seen%%"$octossh_nl"*} in
        "shop-dev-cache ours sha256:afbf9d0f3560b0fd7795e81c42a0a79ee6b6fc67e064f77826aee642cad28d91")
            octossh_frame "inspect ${octossh_seen#*"$octossh_nl"}"
            octossh_end succeeded unchanged no ""
            ;;
        "shop-dev-cache ours "*) octossh_did=replaced ;;
        "shop-dev-cache "*) octossh_fail 'the volume shop-dev-cache was not made by this step; remove it, or give this step another name' ;;
    esac
}

octossh_act() {
    exec 3>&1 1>&2
    printf '%s' "$octossh_kept" >&3
    printf '%s' "$octossh_kept_log"
    if [ "$octossh_looked" = no ]; then
        octossh_wait_for_lock
        octossh_compare
    fi
    # What was looked for on behalf of containers behind this was so before.
    [ -z "${octossh_beside_format:-}${octossh_ahead:-}" ] || { printf '' >"$octossh_seen_in/acted"; } 2>/dev/null || rm -f "$octossh_seen_in"/seen.*
    if [ "$octossh_did" = replaced ]; then
        octossh_say 'removing volume shop-dev-cache, which differs'
        octossh_said=$(octossh_docker volume rm shop-dev-cache 2>&1) || octossh_fail "docker volume rm: $octossh_said"
        octossh_changed=yes
    fi
    octossh_say 'creating volume shop-dev-cache'
    octossh_said=$(octossh_docker volume create --driver local --label octossh.project=shop --label octossh.environment=Dev --label octossh.step=cache --label octossh.release=0.0.7 --label octossh.deployment=d-20260102-030405-1 --label octossh.spec=sha256:afbf9d0f3560b0fd7795e81c42a0a79ee6b6fc67e064f77826aee642cad28d91 --label 'octossh.fields={"v":1}' shop-dev-cache 2>&1) ||
        octossh_unmade "docker volume create"
    octossh_changed=yes
    octossh_seen=$(octossh_look) || octossh_fail 'volume shop-dev-cache was created, and cannot be inspected'
    # Docker makes none beside one that is there, and says nothing of that.
    case $octossh_seen in "shop-dev-cache ours sha256:afbf9d0f3560b0fd7795e81c42a0a79ee6b6fc67e064f77826aee642cad28d91$octossh_nl"*) ;; *) octossh_fail 'the volume shop-dev-cache was not made by this step; remove it, or give this step another name' ;; esac
    octossh_frame "inspect ${octossh_seen#*"$octossh_nl"}"
    octossh_end succeeded "$octossh_did" yes ""
}
octossh_glance
}
octossh_glances=yes
# By exec, since of what is redirected for a function the shell keeps a copy, and so would what it leaves behind.
{ exec </dev/null; octossh_main; }
