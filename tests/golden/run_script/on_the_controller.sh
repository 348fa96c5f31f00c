# run_script 'tell' of 'shop' in 'Dev'
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
command -v sh >/dev/null || octossh_fail 'there is no sh here to run the script; install it, or choose another shell'
octossh_script() (
    trap - HUP PIPE
    exec sh -c 'IFS= read -r octossh_nonce
octossh_text=$(cat)
exec 3>&1 4>&2 1>&2 </dev/null
octossh_output() {
    octossh_kind=output
    [ "${1-}" != --secret ] || { octossh_kind=secret; shift; }
    case ${1-} in
        "" | *[!A-Za-z0-9_]*)
            echo "octossh: octossh_output: ${1-} is no name; use letters, digits and _" >&2
            return 1
            ;;
    esac
    octossh_value=$(if [ "$#" -gt 1 ]; then printf %s "$2"; else cat; fi | head -c 1048577 | base64 | tr -d "\n")
    octossh_value="##octossh $octossh_nonce $octossh_kind $1 $octossh_value"
    [ "$octossh_kind" = output ] || printf "%s\n" "$octossh_value" >&4
    printf "%s\n" "$octossh_value" >&3
}
eval "$octossh_text"
' >&3 3>&- 9>&-
)

printf '%s\n' "$octossh_nonce" 'echo done
' | octossh_script
octossh_code=$?
[ "$octossh_code" -eq 0 ] || octossh_end failed ran yes "the script ended with exit code $octossh_code"
octossh_end succeeded ran yes ""
}
# By exec, since of what is redirected for a function the shell keeps a copy, and so would what it leaves behind.
{ exec </dev/null; "${octossh_go:-octossh_main}"; }
