# swarm_stack 'api' of 'shop' in 'Dev'
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
octossh_wait_for_lock

octossh_swarm=$(docker info --format '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}} {{.Swarm.Error}}' 2>/dev/null) || octossh_fail "docker does not answer: $(docker info 2>&1)"
case $octossh_swarm in
    'active true '*) ;;
    'active false '*) octossh_end succeeded elsewhere no "a worker of a swarm, not a manager" ;;
    'inactive '*) octossh_end succeeded elsewhere no "in no swarm" ;;
    *) octossh_fail "the swarm cannot be used: $(octossh_line "$octossh_swarm")" ;;
esac

# What there is: a line for each service, in octossh_seen; and how many of its tasks run, in octossh_running.
octossh_list() {
    octossh_running=$(docker service ls --format '{{.Name}} {{.Replicas}}' 2>/dev/null) ||
        octossh_fail "docker does not answer: $(docker service ls 2>&1)${octossh_changed:+; the swarm may go on by itself: deploy again to see}"
    set -- shop-dev-api_web shop-dev-api_db
    # shellcheck disable=SC2046
    set -- "$@" $(docker service ls --filter label=com.docker.stack.namespace=shop-dev-api --format '{{.Name}}' 2>/dev/null)
    octossh_seen=$(docker service inspect --format '{{.Spec.Name}} {{if and (eq (index .Spec.Labels "octossh.project") "shop") (eq (index .Spec.Labels "octossh.environment") "Dev") (eq (index .Spec.Labels "octossh.step") "api")}}ours{{else}}other{{end}} {{with (index .Spec.Labels "octossh.spec")}}{{.}}{{else}}-{{end}} {{if .UpdateStatus}}{{with .UpdateStatus.State}}{{.}}{{else}}none{{end}} {{.UpdateStatus.Message}}{{else}}none{{end}}' "$@" 2>/dev/null) || :
}

# Looks at service $1 with the hash $2. Adds to octossh_differing, octossh_waiting and octossh_ill.
octossh_service() {
    octossh_found='' octossh_spec=''
    while read -r octossh_of octossh_owner octossh_spec octossh_state octossh_message; do
        [ "$octossh_of" != "$1" ] || { octossh_found=$octossh_owner; break; }
    done <<OCTOSSH_SEEN
$octossh_seen
OCTOSSH_SEEN
    case $octossh_found in
        '') octossh_differing="$octossh_differing $1" octossh_missing="$octossh_missing $1"; return ;;
        ours) ;;
        *) octossh_fail "the service $1"' was not made by this step; remove it, or give this step another name or stack' ;;
    esac
    octossh_there="$octossh_there $1"
    case $octossh_state/$octossh_spec in
        rollback_completed/"$2") ;; # it is the wanted one that was taken back to
        rollback_*) octossh_ill="swarm took back the change of $1 ($octossh_state: $octossh_message)" ;;
        paused/*) octossh_ill="swarm stopped changing $1 ($octossh_message)" ;;
    esac
    [ "$octossh_spec" = "$2" ] || octossh_differing="$octossh_differing $1"
    octossh_tasks=''
    while read -r octossh_of octossh_tasks; do
        [ "$octossh_of" != "$1" ] || break
        octossh_tasks=''
    done <<OCTOSSH_RUNNING
$octossh_running
OCTOSSH_RUNNING
    octossh_tasks=${octossh_tasks%% *}
    octossh_progress="$octossh_progress, $1 ${octossh_tasks:-0/?}"
    if [ "$octossh_state" = updating ] || [ "$octossh_state" = rollback_started ]; then
        octossh_waiting="$octossh_waiting $1 ($octossh_state)"
    elif [ "${octossh_tasks%%/*}" != "${octossh_tasks#*/}" ] || [ -z "$octossh_tasks" ]; then
        octossh_waiting="$octossh_waiting $1 (${octossh_tasks:-no} tasks run)"
    fi
}

octossh_look() {
    octossh_list
    octossh_differing='' octossh_missing='' octossh_waiting='' octossh_ill='' octossh_there='' octossh_progress=''
    octossh_service shop-dev-api_web sha256:5fd7ac3c386f356f529db1a941168bc1cf4a7e1abf625010ad8b53a6385eefec
    octossh_service shop-dev-api_db sha256:5832f35d96bd544379d3f7015162a819e02ea7dd1ec3e439a9491262cbd94e11
    octossh_extra=''
    while read -r octossh_of octossh_owner _; do
        case $octossh_of in '' | shop-dev-api_web | shop-dev-api_db) continue ;; esac
        [ "$octossh_owner" = ours ] || octossh_fail "the service $octossh_of"' was not made by this step; remove it, or give this step another name or stack'
        octossh_extra="$octossh_extra $octossh_of"
    done <<OCTOSSH_SEEN
$octossh_seen
OCTOSSH_SEEN
}

octossh_now() {
    read -r octossh_uptime _ </proc/uptime
    octossh_now=${octossh_uptime%.*}${octossh_uptime#*.}
}

# Wait until all tasks run and have gone on running; otherwise octossh_why says why not.
octossh_converge() {
    octossh_now
    octossh_deadline=$((octossh_now + 30000))
    octossh_since='' octossh_why='' octossh_told=''
    while :; do
        octossh_look
        octossh_why=$octossh_ill
        case $octossh_waiting in *' (rollback_started)'*) octossh_why='' ;; esac
        [ -z "$octossh_why" ] || return 1
        [ -z "$octossh_differing" ] || [ -n "$octossh_waiting" ] || { octossh_why="it is not what was deployed:$octossh_differing"; return 1; }
        [ "$octossh_progress" = "$octossh_told" ] || octossh_say "running: ${octossh_progress#, }"
        octossh_told=$octossh_progress
        octossh_now
        if [ -z "$octossh_waiting" ]; then
            octossh_since=${octossh_since:-$octossh_now}
            [ $((octossh_now - octossh_since)) -lt 500 ] || return 0
        else
            octossh_since=''
            octossh_why="not all tasks run within 300 s:$octossh_waiting"
            [ "$octossh_now" -lt "$octossh_deadline" ] || return 1
        fi
        sleep 0.5 2>/dev/null || sleep 1
    done
}

# What became of the tasks, for the log of this step, and the first error for the reason.
octossh_evidence() {
    for octossh_of in $octossh_there; do
        octossh_said=$(docker service ps --no-trunc --format '{{.Name}} on {{.Node}}: {{.CurrentState}} {{.Error}}' "$octossh_of" 2>&1) || :
        octossh_say "the tasks of $octossh_of:"
        printf '%s\n' "$octossh_said"
        octossh_error=$(printf '%s\n' "$octossh_said" | sed -n 's/^.* ago \([^ ].*\)$/\1/p' | sed -n 1p)
        [ -z "$octossh_error" ] || octossh_why="$octossh_why; a task of $octossh_of: $octossh_error"
        if command -v timeout >/dev/null; then
            octossh_say "the last lines of its log:"
            timeout 10 docker service logs --tail 30 "$octossh_of" 2>&1 3>&- 9>&- || :
        fi
    done
}

octossh_done() {
    # shellcheck disable=SC2086
    octossh_json=$(docker service inspect $octossh_there 2>/dev/null | tr -d '\n') || octossh_json=''
    [ -z "$octossh_json" ] || octossh_frame "inspect {\"Name\": \"shop-dev-api\", \"Members\": $octossh_json}"
    octossh_end succeeded "$1" "$2" "$3"
}

# Removes the secrets and configs of this step that are of another version; swarm keeps what a task still uses.
octossh_tidy() {
    for octossh_kind in secret config; do
        for octossh_of in $(docker "$octossh_kind" ls --filter label=octossh.project=shop --filter label=octossh.environment=Dev --filter label=octossh.step=api --format '{{.Name}}' 2>/dev/null); do
            case $octossh_of in '') continue ;; esac
            docker "$octossh_kind" rm "$octossh_of" >/dev/null 2>&1 || :
        done
    done
}

# Nothing of the stack, and no secret in it, is written to a disk here: docker reads it from its standard input.
octossh_deploy() (
    unset COMPOSE_FILE
    cd / || exit
    printf '%s' '{
 "services": {
  "web": {
   "image": "registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
   "deploy": {
    "labels": {
     "octossh.project": "shop",
     "octossh.environment": "Dev",
     "octossh.step": "api",
     "octossh.release": "0.0.7",
     "octossh.deployment": "d-20260102-030405-1",
     "octossh.spec": "sha256:5fd7ac3c386f356f529db1a941168bc1cf4a7e1abf625010ad8b53a6385eefec",
     "octossh.fields": "{\"image\":\"registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"tag\":\"1.4.2\",\"v\":1}"
    }
   }
  },
  "db": {
   "image": "x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
   "deploy": {
    "labels": {
     "octossh.project": "shop",
     "octossh.environment": "Dev",
     "octossh.step": "api",
     "octossh.release": "0.0.7",
     "octossh.deployment": "d-20260102-030405-1",
     "octossh.spec": "sha256:5832f35d96bd544379d3f7015162a819e02ea7dd1ec3e439a9491262cbd94e11",
     "octossh.fields": "{\"image\":\"x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"v\":1}"
    }
   }
  }
 },
 "version": "3.8",
 "networks": {
  "default": {
   "labels": {
    "octossh.project": "shop",
    "octossh.environment": "Dev",
    "octossh.step": "api"
   }
  }
 }
}' | docker stack deploy -c - --resolve-image never --prune shop-dev-api 2>&1
)

octossh_look
if [ -z "$octossh_differing$octossh_extra$octossh_ill" ]; then
    [ -n "$octossh_waiting" ] || octossh_done unchanged no ""
    octossh_converge || { octossh_evidence; octossh_fail "$octossh_why"; }
    octossh_done unchanged no ""
fi
octossh_action=replaced
[ -n "$octossh_there" ] || octossh_action=created

octossh_changed=yes
octossh_say 'docker stack deploy shop-dev-api'":$octossh_differing$octossh_extra"
octossh_said=$(octossh_deploy)
set "$?"
printf '%s\n' "$octossh_said"
[ "$1" -eq 0 ] || octossh_fail "docker stack deploy: $octossh_said"
octossh_converge || { octossh_evidence; octossh_fail "$octossh_why"; }
octossh_tidy
octossh_done "$octossh_action" yes ""
}
# By exec, since of what is redirected for a function the shell keeps a copy, and so would what it leaves behind.
{ exec </dev/null; "${octossh_go:-octossh_main}"; }
