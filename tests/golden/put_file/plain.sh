# put_file 'conf' of 'shop' in 'Dev'
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

for octossh_tool in mktemp sha256sum stat; do
    command -v "$octossh_tool" >/dev/null || octossh_fail "there is no $octossh_tool command on this host; install coreutils"
done
octossh_at=/etc/shop.conf
octossh_in=/etc
octossh_old=/etc/.shop.conf.octossh-old
octossh_none=/etc/.shop.conf.octossh-none

# The SHA-256 of what comes in.
octossh_sum() { sha256sum | { read -r octossh_sum _ && printf '%s' "$octossh_sum"; }; }

octossh_content() { printf '%s' 'level = info
'; }

octossh_done() {
    octossh_ids=$(stat -c '"Uid": %u, "Gid": %g' "$octossh_at") || octossh_fail "$octossh_at was written, and cannot be looked at"
    octossh_frame inspect '{"Name": "/etc/shop.conf", "Version": "sha256:a9a8e3ae0cc4f5628f458b3e80ba81d28bc04a83a918adb2db032db90cd87e25", "Mode": "0644"'", $octossh_ids}"
    octossh_frame "output changed $3"
    octossh_end succeeded "$1" "$2" ""
}


# What a run that was killed while it wrote has left.
for octossh_made in /etc/.shop.conf.octossh-new.????????; do
    [ ! -f "$octossh_made" ] || rm -f "$octossh_made"
done

octossh_looks=''
octossh_did=created
if [ -h "$octossh_at" ]; then
    octossh_fail "$octossh_at is a symbolic link; "'move it away, or give another path'
elif [ -d "$octossh_at" ]; then
    octossh_fail "$octossh_at is a folder; "'move it away, or give another path'
elif [ -e "$octossh_at" ]; then
    [ -f "$octossh_at" ] || octossh_fail "$octossh_at is no plain file; "'move it away, or give another path'
    [ -r "$octossh_at" ] || octossh_fail "$octossh_at cannot be read by the user who logs in; "'let that user read it'
    octossh_did=replaced
    octossh_looks=$(stat -c %a "$octossh_at") || octossh_fail "$octossh_at cannot be looked at"
    octossh_looks="$octossh_looks $(octossh_sum <"$octossh_at")"
fi
# An earlier run that was cut short has kept what was there before its file was known to be good.
octossh_unproven=no
[ ! -e "$octossh_old" ] && [ ! -e "$octossh_none" ] || octossh_unproven=yes

octossh_wanted=a9a8e3ae0cc4f5628f458b3e80ba81d28bc04a83a918adb2db032db90cd87e25
if [ "$octossh_looks" = 644" $octossh_wanted" ]; then
    [ "$octossh_unproven" = yes ] || octossh_done unchanged no ''
    octossh_say "an earlier run was cut short; going on with its file"
    octossh_changed=yes
else
    octossh_say 'writing /etc/shop.conf'
    (umask 022 && mkdir -p "$octossh_in") || octossh_fail "the folder $octossh_in cannot be made, see the log"
    octossh_made=$(mktemp /etc/.shop.conf.octossh-new.XXXXXXXX 2>&1) || octossh_fail "no file can be made in $octossh_in: $octossh_made"
    octossh_drop() { rm -f "$octossh_made"; octossh_fail "$1"; }
    if ! octossh_content >"$octossh_made" || [ "$(octossh_sum <"$octossh_made")" != "$octossh_wanted" ]; then
        octossh_drop "the file could not be written; see whether the disk is full"
    fi
    [ "$octossh_did" = created ] || octossh_said=$(chown "$(stat -c %u:%g "$octossh_at")" "$octossh_made" 2>&1) ||
        octossh_drop "the new file cannot be given to the owner of the old one: $octossh_said"
    octossh_said=$(chmod 0644 "$octossh_made" 2>&1) || octossh_drop "chmod: $octossh_said"
    # Before it takes its place all of it is on the disk, and its new name afterwards.
    sync "$octossh_made"
    mv -f "$octossh_made" "$octossh_at" || octossh_drop "the new file could not take its place, see the log"
    octossh_changed=yes
    sync "$octossh_in"
fi
rm -f "$octossh_old" "$octossh_none"
octossh_done "$octossh_did" yes eWVz
}
# By exec, since of what is redirected for a function the shell keeps a copy, and so would what it leaves behind.
{ exec </dev/null; "${octossh_go:-octossh_main}"; }
