# wait_for 'ready' of 'shop' in 'Dev'
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

octossh_probe() {
    docker logs --since "$octossh_started" "$1" 2>&1 | grep -qF -e 'it'"'"'s "$HOME" `id` $(id) \   two  lines	* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}' && return 0
    octossh_said='no line of its log holds it'"'"'s "$HOME" `id` $(id) \   two  lines	* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}'
    return 1
}

octossh_said=''
# One try: 0 where the answer is as it shall be, else octossh_said says what it is.
octossh_try() {
    octossh_said=$(docker container inspect --format '{{.State.Status}} {{if eq .State.FinishedAt "0001-01-01T00:00:00Z"}}{{.Created}}{{else}}{{.State.FinishedAt}}{{end}}{{range .NetworkSettings.Networks}} {{.IPAddress}}{{end}}' 0123456789ab 2>&1) || return 1
    # shellcheck disable=SC2086
    set -- $octossh_said
    octossh_said='the container 0123456789ab is '${1:-}
    [ "${1:-}" = running ] || return 1
    # shellcheck disable=SC2034
    octossh_started=$2
    # In the host's network a container has no address of its own; newer clients then say "invalid IP".
    # shellcheck disable=SC2034
    case ${3:-invalid} in invalid) octossh_ip=127.0.0.1 ;; *) octossh_ip=$3 ;; esac
    octossh_probe 0123456789ab
}

octossh_begun=$(date +%s)
until octossh_try; do
    [ $(($(date +%s) - octossh_begun)) -lt 60 ] ||
        octossh_fail "it did not come within 60 s: $octossh_said"
    sleep 1 2>/dev/null || sleep 1
done
octossh_end succeeded waited no ""
}
# By exec, since of what is redirected for a function the shell keeps a copy, and so would what it leaves behind.
{ exec </dev/null; "${octossh_go:-octossh_main}"; }
