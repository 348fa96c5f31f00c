# wait_for 'odd' of 'shop' in 'Dev'
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
if command -v timeout >/dev/null; then
    octossh_within() { timeout "$@" 3>&-; }
else
    octossh_within() { shift; "$@" 3>&-; }
fi
octossh_probe() {
    octossh_said=$(octossh_within 3 test -e 'it'"'"'s "$HOME" `id` $(id) \ 
 two  lines	* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}' 2>&1) && return 0
    octossh_said='test: exit code '"$?${octossh_said:+: $octossh_said}"
    return 1
}

octossh_said=''
# One try: 0 where the answer is as it shall be, else octossh_said says what it is.
octossh_try() {
    # shellcheck disable=SC2034
    octossh_ip=127.0.0.1
    octossh_probe
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
