# anchor
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

octossh_home=${HOME:-}
[ -n "$octossh_home" ] || octossh_fail "there is no HOME on this host for user $(id -un)"
octossh_in=${XDG_STATE_HOME:-$octossh_home/.local/state}/octossh/anchors
octossh_at=$octossh_in/shop-dev-28ff8f378733
octossh_said=$(mkdir -p "$octossh_in" 2>&1) || octossh_fail "$octossh_said"
# Written beside it and moved: whoever reads meets all the old lines, or all the new.
octossh_written() {
    { [ ! -f "$octossh_at" ] || tail -n 199 "$octossh_at"; printf '%s\n' '5 0123456789abcdef d-1 2026-01-02T03:04:05+00:00'; } >"$octossh_at.$$" &&
        mv -f "$octossh_at.$$" "$octossh_at"
}
octossh_written || {
    rm -f "$octossh_at.$$"
    octossh_fail "$octossh_at cannot be written"
}
octossh_end succeeded anchored yes ""
}
# By exec, since of what is redirected for a function the shell keeps a copy, and so would what it leaves behind.
{ exec </dev/null; "${octossh_go:-octossh_main}"; }
