# attach
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
# shellcheck disable=SC2317
{
octossh_run_mark() { printf '##octossh %s %s\n' "$octossh_nonce" "$*"; }

# Show what comes, at each ring of the bell, which is standard input, until all of it is over.
octossh_run_follow() {
    exec 5<"$octossh_run_dir/answer" 6<"$octossh_run_dir/log.0"
    octossh_run_at=0 octossh_run_ended=no octossh_run_naps=0
    echo 0 >"$octossh_run_dir/at"
    octossh_run_mark log >&2
    while read -r octossh_run_bell; do
        case $octossh_run_bell in
            main) octossh_run_ended=yes; continue ;;
            tick) octossh_run_naps=$((octossh_run_naps + 1)) ;;
        esac
        octossh_run_show || { octossh_run_lost; return 1; }
        [ "$octossh_run_bell" != over ] || break
        if [ "$octossh_run_ended" = no ]; then
            octossh_run_naps=$((octossh_run_naps % 4))
            [ "$octossh_run_naps" -ne 3 ] || octossh_run_beat || { octossh_run_lost; return 1; }
        elif [ "$octossh_run_naps" -ge 8 ]; then
            echo "[octossh: something that the script left behind still holds its output; nobody waits for that]" >&2
            break
        fi
    done
    # All of it has been said, if not yet heard: whoever has lost the link has some time to come back for it.
    : >"$octossh_run_dir/told"
    (exec </dev/null >/dev/null 2>&1 3>&- 5<&- 6<&- && octossh_run_clear) &
}

# Each reader goes on where it was, since descriptors 5 and 6 stay open.
octossh_run_show() {
    cat <&5 || return 1
    # Where all is well, a script says nothing.
    [ "$octossh_run_at" -ne 0 ] || [ -s "$octossh_run_dir/log.0" ] || [ ! -e "$octossh_run_dir/log.0" ] || return 0
    while cat <&6 >&2 || return 1; do
        octossh_run_next=$((octossh_run_at + 1)) octossh_run_gap=''
        [ -e "$octossh_run_dir/log.$octossh_run_next" ] || octossh_run_gone || return 0
        # The next file has been begun, so nothing comes any more behind what is now in this one.
        cat <&6 >&2 || return 1
        command exec 6<"$octossh_run_dir/log.$octossh_run_next" || continue
        if [ -n "$octossh_run_gap" ]; then
            # Half a line could be half a secret.
            read -r _ <&6
            octossh_run_mark gap "$octossh_run_gap" >&2
        fi
        octossh_run_at=$octossh_run_next
        echo "$octossh_run_at" >"$octossh_run_dir/at"
    done
}

# Whether the next file is gone already: sets the one that is next now, and the lines and bytes that are missing.
octossh_run_gone() {
    [ -s "$octossh_run_dir/drops" ] || return 1
    octossh_run_before=0 octossh_run_size=0 octossh_run_there=0
    while read -r octossh_run_first octossh_run_lines octossh_run_bytes; do
        if [ "$octossh_run_first" -eq "$octossh_run_next" ]; then
            octossh_run_before=$octossh_run_lines octossh_run_size=$octossh_run_bytes
        fi
        octossh_run_there=$octossh_run_first
        octossh_run_gap="$((octossh_run_lines - octossh_run_before)) $((octossh_run_bytes - octossh_run_size))"
    done <"$octossh_run_dir/drops"
    [ "$octossh_run_there" -gt "$octossh_run_next" ] || return 1
    octossh_run_next=$octossh_run_there
}

# On steps that shall not outlive the link, that is asked for now and then: a frame that nobody can take ends them.
octossh_run_beat() { [ "${octossh_run_ends:-no}" = no ] || octossh_run_mark tick | cat; }

octossh_run_lost() {
    [ "${octossh_run_ends:-no}" = no ] || octossh_run_stop "the link was lost, and this step does not go on without it"
}

# End the run for the reason $1, first by TERM and after two seconds by KILL. What it says behind that does not count.
octossh_run_stop() {
    [ ! -s "$octossh_run_dir/code" ] || return 0
    octossh_run_begun || return 0
    octossh_run_mark end failed ran yes "$1" >>"$octossh_run_dir/answer"
    # A run that goes on in another process writes that anew.
    until read -r octossh_run_pid octossh_run_stat <"$octossh_run_dir/stat"; do octossh_run_begun || return 0; done
    octossh_run_tree "$octossh_run_pid"
    # shellcheck disable=SC2086
    kill -TERM $octossh_run_all 2>/dev/null
    octossh_run_naps=0
    while [ "$octossh_run_naps" -lt 10 ]; do
        octossh_run_naps=$((octossh_run_naps + 1))
        # shellcheck disable=SC2086
        kill -0 $octossh_run_all 2>/dev/null || return 0
        sleep 0.2 2>/dev/null || sleep 1
    done
    # shellcheck disable=SC2086
    kill -KILL $octossh_run_all 2>/dev/null
}

# Process $1 and all that it has started, as far as that has not gone its own ways.
octossh_run_tree() {
    octossh_run_all=$1
    octossh_run_more=yes
    while [ "$octossh_run_more" = yes ]; do
        octossh_run_more=no
        for octossh_run_stat in /proc/[0-9]*/stat; do
            read -r octossh_run_stat 2>/dev/null <"$octossh_run_stat" || continue
            octossh_run_pid=${octossh_run_stat%%' '*}
            # shellcheck disable=SC2086
            set -- ${octossh_run_stat##*') '}
            case " $octossh_run_all " in
                *" $octossh_run_pid "*) ;;
                *" ${2:-none} "*) octossh_run_all="$octossh_run_all $octossh_run_pid" octossh_run_more=yes ;;
            esac
        done
    done
}

# Whether the run is known by its process, for which it gets some time. One that is not is kept from beginning later.
octossh_run_begun() {
    octossh_run_naps=0
    until [ -s "$octossh_run_dir/stat" ]; do
        octossh_run_naps=$((octossh_run_naps + 1))
        [ "$octossh_run_naps" -lt 20 ] || { rm -rf "$octossh_run_dir"; return 1; }
        sleep 0.3 2>/dev/null || sleep 1
    done
}

# Whether the run in folder $1 still lives, or what waits for its end and keeps that.
octossh_run_lives() { octossh_run_is "$1/stat" || octossh_run_is "$1/keeper"; }

# Whether the process in file $1 is still there: one of that number that began at that moment, and has not ended.
octossh_run_is() {
    read -r octossh_run_pid octossh_run_stat <"$1" && read -r octossh_run_now <"/proc/$octossh_run_pid/stat" || return 1
    # That one has ended, and nobody has taken note.
    case ${octossh_run_now##*') '} in [ZX]*) return 1 ;; esac
    [ "$(octossh_run_began "$octossh_run_stat")" = "$(octossh_run_began "$octossh_run_now")" ]
} 2>/dev/null

octossh_run_began() {
    # shellcheck disable=SC2086
    set -- ${1##*') '}
    shift 19
    printf '%s' "$1"
}

# Away with this run when its time is over, and with those that nobody has asked for in a day.
octossh_run_clear() {
    sleep 180
    rm -rf "$octossh_run_dir"
    [ "${octossh_run_sweeps:-yes}" = yes ] || return 0
    for octossh_run_try in ${octossh_run_before:-}; do
        rm -rf "${octossh_run_dir%/*}/octossh-run-$octossh_run_try"
    done
    find "${octossh_run_dir%/*}" -maxdepth 1 -name 'octossh-run-*' -user "$(id -u)" -mmin +1440 |
        while read -r octossh_run_dir; do
            octossh_run_lives "$octossh_run_dir" || rm -rf "$octossh_run_dir"
        done
    # Nor does anybody come back any more for claims that were taken over.
    find /dev/shm -maxdepth 1 -name 'octossh-*.claim.*' -user "$(id -u)" -size 0 -mmin +1440 -exec rm -f {} +
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
}

command -v find >/dev/null || octossh_fail "there is no find command on this host; install findutils"
octossh_run_dir=''
# The last one of that name, since a step may have been tried several times; and none that somebody else has put there.
for octossh_run_place in /dev/shm "${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"; do
    for octossh_run_try in "$octossh_run_place/octossh-run-"d-20260102-030405-1-0123456789ab.[0-9][0-9]; do
        [ -z "$(find "$octossh_run_try" -prune -type d -user "$(id -u)" 2>/dev/null)" ] || octossh_run_dir=$octossh_run_try
    done
done
octossh_asked=$octossh_nonce
if [ -z "$octossh_run_dir" ] || ! octossh_run_begun || ! read -r octossh_nonce <"$octossh_run_dir/nonce"; then
    octossh_nonce=$octossh_asked
    octossh_end failed gone no "this host knows nothing of that run: it never began, has long ended, or the host was started anew"
fi
# What the deployment has claimed is bound to this connection from now on. While its run lives, that has the lock, under
# which claims are read and written; behind it, it is taken for this, or somebody else has it, whose turn it is then.
octossh_mine=/dev/shm/${octossh_claim:-}
octossh_bind() {
    read -r _ _ _ octossh_since <"$octossh_mine" || return 0
    octossh_find_session
    (printf '%s\n' "$octossh_session ${octossh_silence:-0} $octossh_since" >"$octossh_mine") 2>/dev/null
}
if [ -f "$octossh_mine" ]; then
    if octossh_run_lives "$octossh_run_dir"; then
        octossh_bind
    else
        (flock -n 9 && octossh_bind) 2>/dev/null 9<"${octossh_mine%.claim.*}.lock"
    fi
fi
# What shall not go on without its link ends with this one, too.
[ ! -e "$octossh_run_dir/ends" ] || octossh_run_ends=yes
# From here on both streams are those of the run, with its own marker.
printf '##octossh %s marker %s\n' "$octossh_asked" "$octossh_nonce" >&3
printf '##octossh %s marker %s\n' "$octossh_asked" "$octossh_nonce" >&2
{
    octossh_run_seen=no
    while [ ! -e "$octossh_run_dir/over" ] && octossh_run_lives "$octossh_run_dir"; do
        # Its end has been seen, and soon that of its log.
        [ "$octossh_run_seen" = yes ] || [ ! -s "$octossh_run_dir/code" ] || { octossh_run_seen=yes; echo main; }
        echo tick || { octossh_run_lost; break; }
        sleep 0.3 2>/dev/null || sleep 1
    done
    echo over
} | { exec >&3 && octossh_run_follow; }
octossh_run_code=255
read -r octossh_run_code 2>/dev/null <"$octossh_run_dir/code"
exit "$octossh_run_code"
}
# By exec, since of what is redirected for a function the shell keeps a copy, and so would what it leaves behind.
{ exec </dev/null; "${octossh_go:-octossh_main}"; }
