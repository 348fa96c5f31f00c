# compose_up 'stack' of "it's $HOME" in 'Prod {{x}}'
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
octossh_lock=/dev/shm/octossh-it-s-home-prod-x.lock
[ -d /dev/shm ] || octossh_lock=/tmp/octossh-it-s-home-prod-x.lock
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

# What compose has here, in octossh_seen: a line of words for each container; in octossh_json all that docker says of them.
octossh_list() {
    octossh_seen='' octossh_json=''
    set -- docker ps -aq --no-trunc --filter label=com.docker.compose.project=my-shop --filter label=com.docker.compose.oneoff=False
    octossh_ids=$("$@" 2>/dev/null) || octossh_fail "docker does not answer: $("$@" 2>&1)"
    octossh_ids=$(octossh_line "$octossh_ids")
    [ -n "$octossh_ids" ] || return 0
    # shellcheck disable=SC2086
    octossh_said=$(octossh_docker container inspect --format "$octossh_nonce words "'{{.ID}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.State.ExitCode}} {{.RestartCount}} {{with .HostConfig.RestartPolicy.Name}}{{.}}{{else}}no{{end}} {{if and (eq (index .Config.Labels "octossh.project") "it'"'"'s $HOME") (eq (index .Config.Labels "octossh.environment") "Prod {{x}}") (eq (index .Config.Labels "octossh.step") "stack")}}ours{{else}}other{{end}} {{with (index .Config.Labels "octossh.spec")}}{{.}}{{else}}-{{end}} {{with (index .Config.Labels "octossh.release")}}{{.}}{{else}}-{{end}} {{with (index .Config.Labels "octossh.deployment")}}{{.}}{{else}}-{{end}} {{index .Config.Labels "com.docker.compose.service"}}'"$octossh_nl$octossh_nonce all "'{{json .}}' $octossh_ids 2>/dev/null) || :
    set -f
    IFS=$octossh_nl
    for octossh_one in $octossh_said; do
        case $octossh_one in
            # Nobody who labels containers knows how a line of ours begins.
            "$octossh_nonce all "*) octossh_json="${octossh_json:+$octossh_json, }${octossh_one#"$octossh_nonce all "}" ;;
            "$octossh_nonce words "*) octossh_seen=$octossh_seen${octossh_one#"$octossh_nonce words "}$octossh_nl ;;
        esac
    done
    unset IFS
    set +f
}

# Looks at service $1, of which there shall be $2 containers (0: as many as compose makes) with the hash $3; a $4 job
# runs and ends; $5 is its number here.
octossh_service() {
    octossh_count=0
    # shellcheck disable=SC2034
    while read -r octossh_id octossh_status octossh_health octossh_code octossh_restarts octossh_policy octossh_owner \
        octossh_spec octossh_release octossh_deployment octossh_of; do
        [ "$octossh_of" = "$1" ] || continue
        octossh_count=$((octossh_count + 1))
        octossh_total=$((octossh_total + octossh_restarts))
        if [ "$octossh_spec" = "$3" ]; then
            # It keeps saying which release made it: another label would be another container.
            eval "octossh_release_$5=\$octossh_release octossh_deployment_$5=\$octossh_deployment"
        else
            octossh_differing="$octossh_differing $1"
        fi
        case $4/$octossh_status/$octossh_health in
            job/exited/*) [ "$octossh_code" = 0 ] && continue ;;
            */running/healthy | */running/none) continue ;;
        esac
        octossh_sick="$octossh_sick $octossh_id"
        case $octossh_status/$octossh_policy/$octossh_health in
            running/*/unhealthy)
                octossh_unhealthy="$octossh_unhealthy $1"
                octossh_ill="the health check of $1 says unhealthy"
                ;;
            running/*/starting) octossh_starting="$1 is not healthy yet" ;;
            exited/no/* | dead/*) octossh_ill="$1 does not stay up (it is $octossh_status, exit code $octossh_code)" ;;
            *) octossh_missing="$1 is $octossh_status, exit code $octossh_code" ;;
        esac
    done <<OCTOSSH_SEEN
$octossh_seen
OCTOSSH_SEEN
    [ "$2" = 0 ] || [ "$octossh_count" = "$2" ] || octossh_missing="$1 has $octossh_count containers, not $2"
    [ "$octossh_count" -gt 0 ] || octossh_differing="$octossh_differing $1"
}

# Looks at all of it: octossh_differing names what is not the wanted one, octossh_missing what is to be started,
# octossh_starting what is not healthy yet, octossh_ill what will not be; octossh_sick are their ids.
octossh_look() {
    octossh_list
    octossh_differing='' octossh_missing='' octossh_starting='' octossh_ill='' octossh_sick='' octossh_total=0
    octossh_unhealthy=''
    octossh_service web 2 sha256:69ed422d2286197b45f3e18d9db458ae3ca39001e719ca0d2f0a6aca5cd57532 lasting 0
    octossh_service migrate 1 sha256:ba9d89e00442eade4ba5a9b167c7f18efb275189168a2a34196877d7f27d22ba job 1
    octossh_service db 0 sha256:e8487106fa546ff7e97cfd31bac4506762fa06342fc6ade9e332b94fcceb1f19 lasting 2
    octossh_extra=''
    while read -r octossh_id _ _ _ _ _ octossh_owner _ _ _ octossh_of; do
        [ -n "$octossh_id" ] || continue
        case $octossh_of in
web | migrate | db) ;;
            *) octossh_extra="$octossh_extra $octossh_of" ;;
        esac
        [ "$octossh_owner" = ours ] || octossh_fail 'the compose project my-shop was not made by this step; remove it, or give this step another compose_name'
    done <<OCTOSSH_SEEN
$octossh_seen
OCTOSSH_SEEN
    octossh_extra=''
}

octossh_now() {
    read -r octossh_uptime _ </proc/uptime
    octossh_now=${octossh_uptime%.*}${octossh_uptime#*.}
}

# Wait until all services are healthy and have stayed so; otherwise octossh_why says why not.
octossh_gate() {
    octossh_now
    octossh_deadline=$((octossh_now + 3050))
    octossh_first='' octossh_why=''
    while :; do
        octossh_look
        octossh_first=${octossh_first:-$octossh_total}
        octossh_why=${octossh_ill:-$octossh_missing}
        [ -z "$octossh_differing" ] || octossh_why="compose left as it was:$octossh_differing"
        [ -z "$octossh_ill$octossh_differing" ] || return 1
        if [ "$octossh_total" -ge $((octossh_first + 3)) ]; then
            octossh_why="a container does not stay up: docker has restarted it $((octossh_total - octossh_first)) times${octossh_why:+; $octossh_why}"
            return 1
        fi
        octossh_now
        octossh_why=${octossh_why:-$octossh_starting}
        if [ -z "$octossh_why" ]; then
            return 0
        elif [ "$octossh_now" -ge "$octossh_deadline" ]; then
            octossh_why="not healthy within 30.5 s: $octossh_why"
            return 1
        fi
        sleep 0.3 2>/dev/null || sleep 1
    done
}

# What the sick containers said, for the log of this step, and the end of it for the reason.
octossh_evidence() {
    for octossh_id in $octossh_sick; do
        octossh_said=$(docker container inspect --format '{{.Name}}' "$octossh_id" 2>&1)
        octossh_say "the last lines of the log of $octossh_said:"
        docker logs --tail 50 "$octossh_id" 2>&1 || :
        octossh_said=$(octossh_line "$(docker logs --tail 3 "$octossh_id" 2>&1)")
    done
    [ -z "${octossh_sick:+$octossh_said}" ] || octossh_why="$octossh_why; its log ends with: $(printf '%.300s' "$octossh_said")"
}

# What the last look has seen is told.
octossh_done() {
    [ -z "$octossh_json" ] || octossh_frame "inspect {\"Name\": \"my-shop\", \"Containers\": [$octossh_json]}"
    octossh_end succeeded "$1" "$2" "$3"
}

# Nothing of the file, and no secret in it, is written to a disk: compose reads it from its standard input.
octossh_compose() (
    DB_PASSWORD="${octossh_secret_0?}"
    export DB_PASSWORD
    WORKERS=4
    export WORKERS
    octossh_release_0=${octossh_release_0:-0.0.7}
    octossh_deployment_0=${octossh_deployment_0:-d-20260102-030405-1}
    export octossh_release_0 octossh_deployment_0
    octossh_release_1=${octossh_release_1:-0.0.7}
    octossh_deployment_1=${octossh_deployment_1:-d-20260102-030405-1}
    export octossh_release_1 octossh_deployment_1
    octossh_release_2=${octossh_release_2:-0.0.7}
    octossh_deployment_2=${octossh_deployment_2:-d-20260102-030405-1}
    export octossh_release_2 octossh_deployment_2
    unset COMPOSE_FILE COMPOSE_PROFILES COMPOSE_PROJECT_NAME COMPOSE_ENV_FILES COMPOSE_PATH_SEPARATOR DB_COUNT LEVEL
    cd / || exit
    printf '%s' '{
 "networks": {
  "front": {
   "external": true
  },
  "unused": {
   "labels": {
    "octossh.project": "it'"'"'s $$HOME",
    "octossh.environment": "Prod {{x}}",
    "octossh.step": "stack"
   }
  },
  "default": {
   "labels": {
    "octossh.project": "it'"'"'s $$HOME",
    "octossh.environment": "Prod {{x}}",
    "octossh.step": "stack"
   }
  }
 },
 "volumes": {
  "data": {
   "labels": {
    "keep": "yes",
    "octossh.project": "it'"'"'s $$HOME",
    "octossh.environment": "Prod {{x}}",
    "octossh.step": "stack"
   }
  }
 },
 "services": {
  "web": {
   "image": "registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
   "environment": {
    "DATABASE_URL": "postgres://shop:${DB_PASSWORD}@db/shop",
    "LEVEL": "${LEVEL:-info}",
    "WORKERS": "${WORKERS}"
   },
   "labels": {
    "team": "shop",
    "cost": "5$$",
    "octossh.project": "it'"'"'s $$HOME",
    "octossh.environment": "Prod {{x}}",
    "octossh.step": "stack",
    "octossh.release": "${octossh_release_0}",
    "octossh.deployment": "${octossh_deployment_0}",
    "octossh.spec": "sha256:69ed422d2286197b45f3e18d9db458ae3ca39001e719ca0d2f0a6aca5cd57532",
    "octossh.fields": "{\"depends_on\":{\"migrate\":{\"condition\":\"service_completed_successfully\"}},\"deploy\":{\"replicas\":2},\"env\":{\"DATABASE_URL\":{\"in\":\"postgres://shop:$${DB_PASSWORD}@db/shop\",\"secret\":\"db-password\",\"version\":\"f1f77b479b48676b\"}},\"environment\":{\"LEVEL\":\"$${LEVEL:-info}\",\"WORKERS\":\"$${WORKERS}\"},\"image\":\"registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"labels\":{\"cost\":\"5$$$$\",\"team\":\"shop\"},\"networks\":[\"front\",\"default\"],\"shared\":{\"networks\":{\"front\":{\"external\":true}}},\"tag\":\"1.4.2\",\"v\":1,\"variables\":{\"DB_PASSWORD\":{\"secret\":\"db-password\",\"version\":\"f1f77b479b48676b\"},\"WORKERS\":\"4\"}}"
   },
   "depends_on": {
    "migrate": {
     "condition": "service_completed_successfully"
    }
   },
   "deploy": {
    "replicas": 2
   },
   "networks": [
    "front",
    "default"
   ]
  },
  "migrate": {
   "image": "registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
   "command": [
    "migrate",
    "it'"'"'s"
   ],
   "volumes": [
    "data:/data"
   ],
   "labels": {
    "octossh.project": "it'"'"'s $$HOME",
    "octossh.environment": "Prod {{x}}",
    "octossh.step": "stack",
    "octossh.release": "${octossh_release_1}",
    "octossh.deployment": "${octossh_deployment_1}",
    "octossh.spec": "sha256:ba9d89e00442eade4ba5a9b167c7f18efb275189168a2a34196877d7f27d22ba",
    "octossh.fields": "{\"command\":[\"migrate\",\"it'"'"'s\"],\"image\":\"registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"job\":true,\"shared\":{\"volumes\":{\"data\":{\"labels\":[\"keep=yes\"]}}},\"tag\":\"1.4.2\",\"v\":1,\"volumes\":[\"data:/data\"]}"
   }
  },
  "db": {
   "image": "docker.io/library/postgres@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
   "scale": "${DB_COUNT:-1}",
   "labels": {
    "octossh.project": "it'"'"'s $$HOME",
    "octossh.environment": "Prod {{x}}",
    "octossh.step": "stack",
    "octossh.release": "${octossh_release_2}",
    "octossh.deployment": "${octossh_deployment_2}",
    "octossh.spec": "sha256:e8487106fa546ff7e97cfd31bac4506762fa06342fc6ade9e332b94fcceb1f19",
    "octossh.fields": "{\"image\":\"docker.io/library/postgres@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\",\"scale\":\"$${DB_COUNT:-1}\",\"v\":1}"
   }
  }
 }
}' | if [ "$octossh_plugin" = yes ]; then
        docker compose --ansi never --env-file /dev/null -p my-shop -f - "$@"
    else
        command docker-compose --ansi never -p my-shop -f - "$@" 3>&- 9>&-
    fi
)

octossh_look
if [ -z "$octossh_differing$octossh_missing$octossh_ill$octossh_extra" ]; then
    [ -n "$octossh_starting" ] || octossh_done unchanged no ""
    octossh_gate || { octossh_evidence; octossh_fail "$octossh_why"; }
    octossh_done unchanged no ""
fi
if [ -z "$octossh_ids" ]; then
    octossh_action=created
elif [ -n "$octossh_differing$octossh_extra$octossh_unhealthy" ]; then
    octossh_action=replaced
else
    octossh_action=started
fi

octossh_plugin=no
if docker compose version >/dev/null 2>&1; then
    octossh_plugin=yes
elif ! command -v docker-compose >/dev/null; then
    octossh_said=$(docker version --format '{{.Server.Version}}' 2>&1) || octossh_fail "docker does not answer: $octossh_said"
    octossh_fail "there is neither 'docker compose' nor 'docker-compose' on this host for user $(id -un); install the compose plugin"
fi
octossh_said=$(octossh_compose config -q 2>&1) || octossh_fail "compose does not take the file: $octossh_said"

octossh_have_image() { docker image inspect --format ok registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef >/dev/null 2>&1; }

# Gives 1, and the reason in octossh_said, where it cannot be pulled.
octossh_pull() {
    octossh_say 'pulling registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'
    # Docker reads its config once, when it starts: here out of a pipe. So the login is in no file, and gone with the
    # processes at both ends of the pipe, whatever ends them. The folder holds a link to the pipe and nothing else.
    if ! octossh_config=$(mktemp -d "$octossh_lock.login.XXXXXXXX") || ! ln -s /proc/self/fd/0 "$octossh_config/config.json"; then
        octossh_fail "no folder for docker's config can be made beside $octossh_lock; see whether that place is full"
    fi
    octossh_said=$(
        printf '%s' "${octossh_secret_1?}" 2>/dev/null | {
            docker --config "$octossh_config" pull -q registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef 2>&1
        }
    )
    set "$?"
    rm -rf "$octossh_config"
    return "$1"
}
octossh_have_image || octossh_pull || octossh_fail "docker pull: $octossh_said"

octossh_up() { octossh_compose up -d --no-build --quiet-pull --timeout 30 "$@"; }

octossh_say "docker compose up:$octossh_differing$octossh_extra"
octossh_changed=yes
# Compose leaves an unhealthy container as it is.
# shellcheck disable=SC2086
[ -z "$octossh_unhealthy" ] || octossh_up --force-recreate --no-deps $octossh_unhealthy
if ! octossh_up; then
    octossh_look
    octossh_why="compose failed, as the log says${octossh_ill:+; $octossh_ill}"
    octossh_evidence
    octossh_fail "$octossh_why"
fi
octossh_gate || { octossh_evidence; octossh_fail "$octossh_why"; }
octossh_done "$octossh_action" yes ""
}
# By exec, since of what is redirected for a function the shell keeps a copy, and so would what it leaves behind.
{ exec </dev/null; "${octossh_go:-octossh_main}"; }
