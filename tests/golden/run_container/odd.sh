# run_container 'W b\'s "first" $step' of 'O\'Brien & "S hne"' in 'Dev \\ 1'
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
    octossh_since='it'"'"'s "$HOME" `id` $(id) \ 
 two  lines	* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}'
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
octossh_lock=/dev/shm/octossh-o-brien-s-hne-dev-1.lock
[ -d /dev/shm ] || octossh_lock=/tmp/octossh-o-brien-s-hne-dev-1.lock
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
    { printf '%s\n' 'it'"'"'s "$HOME" `id` $(id) \ 
 two  lines	* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}' >/proc/self/fd/9 || printf '%s\n' 'it'"'"'s "$HOME" `id` $(id) \ 
 two  lines	* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}' >"$octossh_lock"; } 2>/dev/null ||
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
        [ "${octossh_before% since *}" != 'it'"'"'s "$HOME" `id` $(id) \ 
 two  lines	* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}' ] || [ -e "$octossh_seen_in/acted" ] || [ ! -f "$octossh_seen_in/seen.o-brien-s-hne-dev-1-w-b-s-first-step" ] ||
            read -r octossh_glimpse <"$octossh_seen_in/seen.o-brien-s-hne-dev-1-w-b-s-first-step"
    fi
}

octossh_look_for_all() {
    octossh_all=${octossh_beside:-}
    for octossh_other in ${octossh_beside_marked:-}; do
        ! octossh_marked "$octossh_other" || octossh_all="$octossh_all $octossh_other"
    done
    [ -n "$octossh_all" ] && octossh_marked o-brien-s-hne-dev-1-w-b-s-first-step || return 0
    # shellcheck disable=SC2086
    octossh_seen=$octossh_nl$(octossh_docker inspect --format '{{if eq .Name "/o-brien-s-hne-dev-1-w-b-s-first-step"}}{{if and (eq .Name "/o-brien-s-hne-dev-1-w-b-s-first-step") (eq .State.Status "running") (eq (index .Config.Labels "octossh.project") "O'"'"'Brien & \"Söhne\"") (eq (index .Config.Labels "octossh.environment") "Dev \\ 1") (eq (index .Config.Labels "octossh.step") "Wéb'"'"'s \"first\" $step") (eq (index .Config.Labels "octossh.spec") "sha256:3ab580e9062bd5c5ab4e83a72aae4994ba04e0d72ec794555046b29f5b2ecafb")}}{{if .State.Health}}{{if eq .State.Health.Status "healthy"}}o-brien-s-hne-dev-1-w-b-s-first-step {{json .}}{{end}}{{else}}o-brien-s-hne-dev-1-w-b-s-first-step {{json .}}{{end}}{{end}}{{end}}'"$octossh_beside_format" o-brien-s-hne-dev-1-w-b-s-first-step $octossh_all 2>&1)$octossh_nl
    for octossh_other in $octossh_all; do
        octossh_find "$octossh_other"
        { printf '%s\n' "$octossh_glimpse" >"$octossh_seen_in/seen.$octossh_other"; } 2>/dev/null || rm -f "$octossh_seen_in/seen.$octossh_other"
    done
    octossh_find o-brien-s-hne-dev-1-w-b-s-first-step
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
# The mark of this container, for `octossh_marked`: empty while something is done, and where something was left.
octossh_left_over=no
octossh_mark() {
    octossh_file="${octossh_lock%.lock}.mark."o-brien-s-hne-dev-1-w-b-s-first-step
    if octossh_ours "$octossh_file"; then
        printf '%s\n' "$1" >"$octossh_file"
    elif [ -n "$1" ] && [ "${octossh_lock%/*}" = /dev/shm ] && [ ! -e "$octossh_file" ] && [ ! -h "$octossh_file" ]; then
        (set -C && printf '%s\n' "$1" >"$octossh_file")
    fi 2>/dev/null || :
}

# docker, with all that it says kept: a docker that writes to the closed pipe of a lost link dies of it.
octossh_try() {
    octossh_said=$(octossh_docker "$@" 2>&1) && return 0
    octossh_say "docker $1: $octossh_said"
    return 1
}

# What bears the three names: sets octossh_{main,old,next}_{id,status,owner} and more; octossh_told to how many of the
# names docker gave an answer for; octossh_json to all that it says of the wanted container, where that runs and is well.
# "beside" is what start-first made.
octossh_look() {
    octossh_main_id='' octossh_old_id='' octossh_next_id='' octossh_main_status='' octossh_main_spec=''
    octossh_told=0 octossh_json=''
    octossh_seen=$(octossh_docker container inspect --format '{{.Name}} {{.ID}} {{.State.Status}} {{with .State.Health}}{{with .Status}}{{.}}{{else}}none{{end}}{{else}}none{{end}} {{if eq (index .Config.Labels "octossh.strategy") "start-first"}}beside{{else}}-{{end}} {{with .HostConfig.RestartPolicy.Name}}{{.}}{{else}}no{{end}} - {{if and (eq (index .Config.Labels "octossh.project") "O'"'"'Brien & \"Söhne\"") (eq (index .Config.Labels "octossh.environment") "Dev \\ 1") (eq (index .Config.Labels "octossh.step") "Wéb'"'"'s \"first\" $step")}}ours{{else}}other{{end}} {{with (index .Config.Labels "octossh.spec")}}{{.}}{{else}}-{{end}} {{with (index .Config.Labels "octossh.restart")}}{{.}}{{else}}no{{end}}
{{if and (eq .Name "/o-brien-s-hne-dev-1-w-b-s-first-step") (eq .State.Status "running") (eq (index .Config.Labels "octossh.project") "O'"'"'Brien & \"Söhne\"") (eq (index .Config.Labels "octossh.environment") "Dev \\ 1") (eq (index .Config.Labels "octossh.step") "Wéb'"'"'s \"first\" $step") (eq (index .Config.Labels "octossh.spec") "sha256:3ab580e9062bd5c5ab4e83a72aae4994ba04e0d72ec794555046b29f5b2ecafb")}}{{if .State.Health}}{{if eq .State.Health.Status "healthy"}}{{json .}}{{end}}{{else}}{{json .}}{{end}}{{end}}' o-brien-s-hne-dev-1-w-b-s-first-step--old o-brien-s-hne-dev-1-w-b-s-first-step--next o-brien-s-hne-dev-1-w-b-s-first-step 2>&1) || :
    case $octossh_seen in
        *"$octossh_nl"'{"Id":'*)
            octossh_head=${octossh_seen%%"$octossh_nl"'{"Id":'*}
            octossh_json=${octossh_seen#"$octossh_head$octossh_nl"}
            octossh_json=${octossh_json%%"$octossh_nl"*}
            octossh_seen=$octossh_head
            ;;
    esac
    while [ -n "$octossh_seen" ]; do
        octossh_head=${octossh_seen%%"$octossh_nl"*}
        case $octossh_seen in
            *"$octossh_nl"*) octossh_seen=${octossh_seen#*"$octossh_nl"} ;;
            *) octossh_seen='' ;;
        esac
        case $octossh_head in
            "/o-brien-s-hne-dev-1-w-b-s-first-step "* | "/o-brien-s-hne-dev-1-w-b-s-first-step--old "* | "/o-brien-s-hne-dev-1-w-b-s-first-step--next "*) ;;
            *[Nn]"o such container"*) octossh_told=$((octossh_told + 1)) && continue ;;
            *) continue ;;
        esac
        octossh_told=$((octossh_told + 1))
        # shellcheck disable=SC2086
        set -- $octossh_head
        case $1 in
            /o-brien-s-hne-dev-1-w-b-s-first-step)
                octossh_main_id=$2 octossh_main_status=$3 octossh_main_health=$4 octossh_main_beside=$5
                octossh_main_owner=$8
                shift 8
                octossh_main_spec=$1 octossh_main_restart=$2
                ;;
            /o-brien-s-hne-dev-1-w-b-s-first-step--old)
                octossh_old_id=$2 octossh_old_status=$3 octossh_old_owner=$8
                shift 8
                octossh_old_restart=$2
                ;;
            /o-brien-s-hne-dev-1-w-b-s-first-step--next) octossh_next_id=$2 octossh_next_status=$3 octossh_next_beside=$5 octossh_next_owner=$8 ;;
        esac
    done
}

# What docker says of it goes into the answer unread: a shell is slow with long text.
octossh_inspect() {
    docker container inspect --format "##octossh $octossh_nonce inspect "'{{json .}}' o-brien-s-hne-dev-1-w-b-s-first-step >&3 2>/dev/null || :
}

# What docker said in the last look at it, where nothing was done since, or what it says now.
octossh_done() {
    # Nothing is vouched for that docker has not told of.
    [ "$octossh_left_over,$octossh_told" != no,3 ] || octossh_mark 'it'"'"'s "$HOME" `id` $(id) \ 
 two  lines	* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}'" in $octossh_engine"
    if [ -n "$octossh_json" ]; then octossh_frame "inspect $octossh_json"; else octossh_inspect; fi
    octossh_end succeeded "$1" "$2" "$3"
}

# The secret files of containers that are gone.
# shellcheck disable=SC2317
octossh_forget_files() {
    for octossh_dir in /dev/shm/octossh-o-brien-s-hne-dev-1.files/*/*; do
        [ -d "$octossh_dir" ] || continue
        octossh_said=$(docker ps -aq --filter label=octossh.spec=sha256:"${octossh_dir##*/}" 2>/dev/null) || continue
        [ -n "$octossh_said" ] || rm -rf "$octossh_dir"
    done
}
octossh_last=octossh_forget_files

# Create container $1 by the words of docker after it, of an image that is there.
octossh_create() (
    octossh_name=$1
    shift
    DASH=-n
    export DASH
    EMPTY=''
    export EMPTY
    ODD='it'"'"'s "$HOME" `id` $(id) \ 
 two  lines	* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}'
    export ODD
    docker "$@" --pull never --name "$octossh_name" --restart no --label 'octossh.project=O'"'"'Brien & "Söhne"' --label 'octossh.environment=Dev \ 1' --label 'octossh.step=Wéb'"'"'s "first" $step' --label 'octossh.release=1`2$3' --label octossh.deployment=d-20260102-030405-1 --label octossh.spec=sha256:3ab580e9062bd5c5ab4e83a72aae4994ba04e0d72ec794555046b29f5b2ecafb --label 'octossh.fields={"command":["sh","-c","it'"'"'s \"$HOME\" `id` $(id) \\ \n two  lines\t* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}","-x",""],"env":{"DASH":"5249f4fcc629efa0","EMPTY":"e3b0c44298fc1c14","ODD":"0eedaae5e85be385"},"extra_args":["--annotation","a=it'"'"'s \"$HOME\" `id` $(id) \\ \n two  lines\t* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}"],"image":"registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","labels":{"odd label":"it'"'"'s \"$HOME\" `id` $(id) \\ \n two  lines\t* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}"},"tag":"1.4.2","v":1}' --label 'odd label=it'"'"'s "$HOME" `id` $(id) \ 
 two  lines	* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}' --env DASH --env EMPTY --env ODD --annotation 'a=it'"'"'s "$HOME" `id` $(id) \ 
 two  lines	* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}' registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef sh -c 'it'"'"'s "$HOME" `id` $(id) \ 
 two  lines	* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}' -x ''
)

# The same, and the image comes first where it is not there.
octossh_made() {
    octossh_said=$(octossh_create "$@" 2>&1) && return 0
    ! octossh_have_image || return 1
    # Not there, or docker away?
    docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || return 1
    octossh_pull || octossh_fail "docker pull: $octossh_said"
    octossh_said=$(octossh_create "$@" 2>&1)
}

# Join container $1, which does not run yet, to the networks beside its first one.
octossh_connect_more() {
    return 0
}

octossh_restart_policy() {
    [ "$1" = no ] || octossh_try update --restart "$1" "$2"
}

# Start the container that was kept aside, and put it back in place: in this order, since as long as it bears the
# other name, a run after a cut knows that it was kept aside. Its own policy might not bring back one that stands still.
octossh_put_back() {
    octossh_try start o-brien-s-hne-dev-1-w-b-s-first-step--old
    octossh_restart_policy "$octossh_old_restart" o-brien-s-hne-dev-1-w-b-s-first-step--old
    octossh_try rename o-brien-s-hne-dev-1-w-b-s-first-step--old o-brien-s-hne-dev-1-w-b-s-first-step || { octossh_left_over=yes && return 1; }
    octossh_state=$(octossh_docker container inspect --format '{{.State.Status}} {{with .State.Health}}{{with .Status}}{{.}}{{else}}none{{end}}{{else}}none{{end}} {{.State.ExitCode}} {{.RestartCount}} {{.State.OOMKilled}} {{if eq .State.FinishedAt "0001-01-01T00:00:00Z"}}{{.Created}}{{else}}{{.State.FinishedAt}}{{end}}{{range .NetworkSettings.Networks}} {{.IPAddress}}{{end}}
{{json .}}' o-brien-s-hne-dev-1-w-b-s-first-step 2>/dev/null) &&
        [ "${octossh_state%% *}" = running ]
}

# The new container $1 failed, as octossh_why says: away with it, and back to the old one where there is one.
octossh_undo() {
    octossh_answering || octossh_end failed none yes "$octossh_why; docker does not answer any more; the next deployment sets right what is left"
    octossh_evidence "$1"
    octossh_failed=$octossh_why
    octossh_try rm -f -v "$1"
    [ -n "$octossh_old_id" ] || octossh_end failed removed no "$octossh_failed; there was no container before it to put back"
    if octossh_put_back; then
        octossh_inspect
        octossh_end failed put-back yes "$octossh_failed; the old container was put back and runs"
    fi
    octossh_end failed none yes "$octossh_failed; the old container could not be put back, see the log; nothing runs now"
}

octossh_remove_old() {
    octossh_try rm -f o-brien-s-hne-dev-1-w-b-s-first-step--old || {
        octossh_left_over=yes
        octossh_say 'the old container o-brien-s-hne-dev-1-w-b-s-first-step--old could not be removed; the next deployment will'
    }
}

# The new container of stop-first has proved itself: from here on it is what a host that starts again brings back.
octossh_take_over() {
    octossh_remove_old
}

# Sets octossh_now: hundredths of a second since this host was started, so that nobody can set that clock.
octossh_now() {
    read -r octossh_uptime _ </proc/uptime
    octossh_now=${octossh_uptime%.*}${octossh_uptime#*.}
}

# Whether docker answers; a docker that starts again is waited for.
octossh_answering() {
    octossh_now
    octossh_patience=$((octossh_now + 3000))
    until octossh_answer=$(octossh_docker version --format '{{.Server.Version}}' 2>&1); do
        octossh_now
        [ "$octossh_now" -lt "$octossh_patience" ] || return 1
        sleep 0.2 2>/dev/null || sleep 1
    done
}

# Container $1 could not be looked at. Where docker was away for a moment, go on as it was before.
octossh_again() {
    octossh_answering || { octossh_why="docker does not answer: $octossh_answer"; return 1; }
    docker container inspect --format ok "$1" >/dev/null 2>&1 || { octossh_why="the container is gone"; return 1; }
    octossh_say "docker was away for a moment; going on"
    # A docker that started again may have started the old one, in the place of the new one.
    [ -z "$octossh_old_id" ] || octossh_try stop -t 10 o-brien-s-hne-dev-1-w-b-s-first-step--old
    octossh_try start "$1"
    octossh_since=''
}

# Wait until container $1 is healthy and has stayed so; otherwise octossh_why says why not.
octossh_gate() {
    octossh_now
    octossh_deadline=$((octossh_now + 6000))
    octossh_since=''
    octossh_why=''
    while :; do
        if ! octossh_state=$(octossh_docker container inspect --format '{{.State.Status}} {{with .State.Health}}{{with .Status}}{{.}}{{else}}none{{end}}{{else}}none{{end}} {{.State.ExitCode}} {{.RestartCount}} {{.State.OOMKilled}} {{if eq .State.FinishedAt "0001-01-01T00:00:00Z"}}{{.Created}}{{else}}{{.State.FinishedAt}}{{end}}{{range .NetworkSettings.Networks}} {{.IPAddress}}{{end}}
{{json .}}' "$1" 2>/dev/null); then
            octossh_again "$1" || return 1
            continue
        fi
        octossh_json=${octossh_state#*"$octossh_nl"}
        # shellcheck disable=SC2086
        set -- "$1" ${octossh_state%%"$octossh_nl"*}
        if [ "$2" != running ] || [ "$5" -gt "${octossh_restarts:=$5}" ]; then
            [ "$6" = true ] && octossh_why=", killed for want of memory"
            # Of one that runs again, docker tells no longer how it ended.
            case $2 in running) octossh_how='running again' ;; *) octossh_how="$2, exit code $4" ;; esac
            octossh_why="the container does not stay up (it is $octossh_how$octossh_why, restarted $5 times)"
            return 1
        fi
        octossh_ready=no
        octossh_said=''
        case $3 in
            unhealthy) octossh_why="its health check says unhealthy"; return 1 ;;
            starting) ;;
            *) octossh_ready=yes ;;
        esac
        octossh_now
        if [ "$octossh_ready" = yes ]; then
            octossh_since=${octossh_since:-$octossh_now}
            [ $((octossh_now - octossh_since)) -lt 500 ] || return 0
        elif [ -n "$octossh_since" ]; then
            octossh_why="it was healthy and is not any more${octossh_said:+: $octossh_said}"
            return 1
        elif [ "$octossh_now" -ge "$octossh_deadline" ]; then
            octossh_why="it did not become healthy within 60 s${octossh_said:+: $octossh_said}"
            return 1
        fi
        sleep 0.2 2>/dev/null || sleep 1
    done
}

# What container $1 said, for the log of this step, and the end of it for the reason.
octossh_evidence() {
    octossh_say "the last lines of the container's log:"
    docker logs --tail 50 "$1" 2>&1 || :
    octossh_said=$(octossh_docker container inspect --format '{{if .State.Health}}{{range .State.Health.Log}}health check: exit code {{.ExitCode}}: {{.Output}}{{end}}{{end}}' "$1" 2>/dev/null) || :
    [ -z "$octossh_said" ] || printf '%s\n' "$octossh_said"
    octossh_said=$(octossh_line "$(octossh_docker logs --tail 3 "$1" 2>&1)")
    [ -z "$octossh_said" ] || octossh_why="$octossh_why; its log ends with: $(printf '%.300s' "$octossh_said")"
}

octossh_have_image() { docker image inspect --format ok registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef >/dev/null 2>&1; }

# Gives 1, and the reason in octossh_said, where it cannot be pulled.
octossh_pull() {
    octossh_say 'pulling registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'
    octossh_said=$(octossh_docker pull -q registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef 2>&1)
}

octossh_old_restart=no
octossh_compare() {
    octossh_look_ahead
    case $octossh_glimpse in "{"*) octossh_json=$octossh_glimpse octossh_told=3 && octossh_done unchanged no "" ;; esac
    octossh_look
    # The usual case: the wanted container is well, and no cut run has left anything.
    [ -z "$octossh_main_id" ] || [ -z "$octossh_json" ] || [ -n "$octossh_old_id$octossh_next_id" ] || octossh_done unchanged no ""
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
    octossh_mark ''
if [ "$octossh_told" -lt 3 ]; then
    # Not there, or nobody to ask?
    octossh_said=$(octossh_docker version --format '{{.Server.Version}}' 2>&1) || octossh_fail "docker does not answer: $octossh_said"
    octossh_look
fi
[ -z "$octossh_main_id" ] || [ "$octossh_main_owner" = ours ] || octossh_fail 'the container o-brien-s-hne-dev-1-w-b-s-first-step was not made by this step; remove it, or give this step another name'
[ -z "$octossh_next_id" ] || [ "$octossh_next_owner" = ours ] || octossh_fail 'o-brien-s-hne-dev-1-w-b-s-first-step--next on this host is not ours; remove it'
[ -z "$octossh_old_id" ] || [ "$octossh_old_owner" = ours ] || octossh_fail 'o-brien-s-hne-dev-1-w-b-s-first-step--old on this host is not ours; remove it'

# What runs before this one left behind that were cut short. The names say how far they came.
if [ -n "$octossh_next_id" ]; then
    if [ -z "$octossh_main_id" ] && [ "$octossh_next_beside$octossh_next_status" = besiderunning ]; then
        octossh_say "an earlier run was cut short; its new container takes over"
        octossh_changed=yes
        octossh_try rename o-brien-s-hne-dev-1-w-b-s-first-step--next o-brien-s-hne-dev-1-w-b-s-first-step || octossh_fail "docker rename: $octossh_said"
        octossh_look
    else
        [ "$octossh_next_status" != running ] || octossh_try stop -t 10 o-brien-s-hne-dev-1-w-b-s-first-step--next
        octossh_try rm -f -v o-brien-s-hne-dev-1-w-b-s-first-step--next || octossh_fail 'what an earlier run left, o-brien-s-hne-dev-1-w-b-s-first-step--next, cannot be removed'
    fi
fi
if [ -n "$octossh_old_id" ]; then
    octossh_changed=yes
    case $octossh_main_spec/${octossh_main_beside:-}/$octossh_main_status${octossh_main_health:-}/$octossh_old_status in
        */beside/running[!u]*/*)
            # Start-first gives the name only to what has proved itself.
            octossh_say "an earlier run was cut short; removing its old container"
            octossh_try stop -t 10 o-brien-s-hne-dev-1-w-b-s-first-step--old
            octossh_remove_old
            octossh_found=replaced
            octossh_look
            ;;
        sha256:3ab580e9062bd5c5ab4e83a72aae4994ba04e0d72ec794555046b29f5b2ecafb/-/*/* | sha256:3ab580e9062bd5c5ab4e83a72aae4994ba04e0d72ec794555046b29f5b2ecafb/beside/*/[!r]*)
            octossh_say "an earlier run was cut short; going on with its new container"
            [ "$octossh_old_status" != running ] || octossh_try stop -t 10 o-brien-s-hne-dev-1-w-b-s-first-step--old
            [ "$octossh_main_status" = running ] || octossh_try start o-brien-s-hne-dev-1-w-b-s-first-step
            octossh_gate o-brien-s-hne-dev-1-w-b-s-first-step || octossh_undo o-brien-s-hne-dev-1-w-b-s-first-step
            octossh_take_over
            octossh_done replaced yes "an earlier run had been cut short"
            ;;
        *)
            octossh_say "an earlier run was cut short; putting its old container back first"
            [ -z "$octossh_main_id" ] || octossh_try rm -f -v o-brien-s-hne-dev-1-w-b-s-first-step
            octossh_put_back || octossh_say "the old container does not start again"
            octossh_found=started
            octossh_look
            ;;
    esac
fi
if [ "$octossh_main_status" = created ]; then
    octossh_try rm -f -v o-brien-s-hne-dev-1-w-b-s-first-step || octossh_fail 'what an earlier run left, o-brien-s-hne-dev-1-w-b-s-first-step, cannot be removed'
    octossh_main_id=''
fi

# The wanted container runs: what else belongs to it, and a run that was cut short did not come to?
octossh_complete() {
    octossh_done "${octossh_found:-unchanged}" "${octossh_changed:-no}" "$1"
}

if [ -n "$octossh_main_id" ] && [ "$octossh_main_spec" = sha256:3ab580e9062bd5c5ab4e83a72aae4994ba04e0d72ec794555046b29f5b2ecafb ]; then
    case $octossh_main_status/$octossh_main_health in
        running/unhealthy) ;;
        running/starting)
            octossh_gate o-brien-s-hne-dev-1-w-b-s-first-step || { octossh_evidence o-brien-s-hne-dev-1-w-b-s-first-step; octossh_fail "$octossh_why"; }
            octossh_complete ""
            ;;
        running/*) octossh_complete "" ;;
        *)
            octossh_say "starting the container again; it was $octossh_main_status"
            octossh_changed=yes octossh_found=started
            octossh_said=$(docker start o-brien-s-hne-dev-1-w-b-s-first-step 2>&1) || octossh_fail "docker start: $octossh_said"
            octossh_gate o-brien-s-hne-dev-1-w-b-s-first-step || { octossh_evidence o-brien-s-hne-dev-1-w-b-s-first-step; octossh_fail "$octossh_why"; }
            octossh_complete "it was $octossh_main_status"
            ;;
    esac
fi


if [ -z "$octossh_main_id" ]; then
    octossh_say 'creating o-brien-s-hne-dev-1-w-b-s-first-step'
    octossh_restarts=0
    octossh_made o-brien-s-hne-dev-1-w-b-s-first-step run -d || {
        octossh_why=$octossh_said
        octossh_answering ||
            octossh_end failed none yes "docker run: $octossh_why; docker does not answer any more; the next deployment sets right what is left"
        octossh_look
        # It is not even created, or somebody else was faster.
        [ "${octossh_main_owner:-} $octossh_main_spec" = 'ours sha256:3ab580e9062bd5c5ab4e83a72aae4994ba04e0d72ec794555046b29f5b2ecafb' ] || octossh_fail "docker create: $octossh_why"
        # Docker was away for a moment, and had started it.
        [ "$octossh_main_status" = running ] || { octossh_why="docker start: $octossh_why"; octossh_undo o-brien-s-hne-dev-1-w-b-s-first-step; }
    }
    octossh_changed=yes
    octossh_gate o-brien-s-hne-dev-1-w-b-s-first-step || octossh_undo o-brien-s-hne-dev-1-w-b-s-first-step
    octossh_done created yes ""
fi

# The new one is created beside the old one, which runs on, so that what is wrong with it shows before anything stops.
octossh_say 'replacing o-brien-s-hne-dev-1-w-b-s-first-step'
octossh_old_restart=$octossh_main_restart
octossh_made o-brien-s-hne-dev-1-w-b-s-first-step--next create || octossh_fail "docker create: $octossh_said"
if [ "$octossh_old_restart" != no ] && ! octossh_try update --restart always o-brien-s-hne-dev-1-w-b-s-first-step; then
    :
fi
octossh_connect_more o-brien-s-hne-dev-1-w-b-s-first-step--next || {
    octossh_why="docker network connect: $octossh_said"
    docker rm -f -v o-brien-s-hne-dev-1-w-b-s-first-step--next >/dev/null 2>&1
    octossh_restart_policy "$octossh_old_restart" o-brien-s-hne-dev-1-w-b-s-first-step
    octossh_fail "$octossh_why"
}
octossh_restarts=0
if ! octossh_said=$(docker rename o-brien-s-hne-dev-1-w-b-s-first-step o-brien-s-hne-dev-1-w-b-s-first-step--old 2>&1 && docker rename o-brien-s-hne-dev-1-w-b-s-first-step--next o-brien-s-hne-dev-1-w-b-s-first-step 2>&1); then
    octossh_why=$octossh_said
    octossh_answering && docker rename o-brien-s-hne-dev-1-w-b-s-first-step--old o-brien-s-hne-dev-1-w-b-s-first-step 2>/dev/null
    octossh_restart_policy "$octossh_old_restart" o-brien-s-hne-dev-1-w-b-s-first-step
    octossh_try rm -f -v o-brien-s-hne-dev-1-w-b-s-first-step--next
    octossh_fail "docker rename: $octossh_why; the old container runs on"
fi
octossh_old_id=$octossh_main_id
octossh_changed=yes
# Between these two, and only there, none runs.
octossh_said=$(octossh_docker stop -t 10 o-brien-s-hne-dev-1-w-b-s-first-step--old 2>&1) || { octossh_why="docker stop: $octossh_said"; octossh_undo o-brien-s-hne-dev-1-w-b-s-first-step; }
octossh_said=$(octossh_docker start o-brien-s-hne-dev-1-w-b-s-first-step 2>&1) || { octossh_why="docker start: $octossh_said"; octossh_undo o-brien-s-hne-dev-1-w-b-s-first-step; }
octossh_gate o-brien-s-hne-dev-1-w-b-s-first-step || octossh_undo o-brien-s-hne-dev-1-w-b-s-first-step
octossh_take_over
octossh_done replaced yes ""
}
octossh_glance
}
octossh_glances=yes
# By exec, since of what is redirected for a function the shell keeps a copy, and so would what it leaves behind.
{ exec </dev/null; octossh_main; }
