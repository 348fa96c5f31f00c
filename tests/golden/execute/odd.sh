# execute
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

docker exec --user www-data 4f0c sh -c 'echo "it'"'"'s $HOME" `id`; exit 3' '' 'two
lines' '{{ x }}' >&3
octossh_frame "code $?"
octossh_end succeeded executed yes ""
}
# By exec, since of what is redirected for a function the shell keeps a copy, and so would what it leaves behind.
{ exec </dev/null; "${octossh_go:-octossh_main}"; }
