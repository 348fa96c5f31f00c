# run_script "o'dd $x" of 'shop' in 'Dev'
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

# Every way out: STATE ACTION CHANGED WHY. Before it, what octossh_last names.
octossh_end() {
    "${octossh_last:-:}"
    octossh_frame "end $1 $2 $3 $(octossh_line "$4")"
    [ "$1" = succeeded ]
    exit "$?"
}

octossh_fail() { octossh_end failed none "${octossh_changed:-no}" "$1"; }

# shellcheck disable=SC2317
octossh_say() { printf 'octossh: %s\n' "$1"; }

octossh_frame begin

# A kernel lock: it goes when its holder does, however that ends.
octossh_lock=/dev/shm/octossh-shop-dev.lock
[ -d /dev/shm ] || octossh_lock=/tmp/octossh-shop-dev.lock
command -v flock >/dev/null || octossh_fail "there is no flock command on this host; install util-linux"
[ -e "$octossh_lock" ] || (umask 0; set -C; : >"$octossh_lock") 2>/dev/null || :
if [ ! -f "$octossh_lock" ] || [ ! -r "$octossh_lock" ] || [ -h "$octossh_lock" ]; then
    octossh_fail "the lock $octossh_lock is no file that can be read; look at who made it"
fi
exec 9<"$octossh_lock"
octossh_waited=0
until flock -n 9; do
    if [ "$octossh_waited" -eq 0 ]; then
        octossh_say "waiting for $(cat "$octossh_lock")"
    fi
    [ "$octossh_waited" -lt 30 ] ||
        octossh_end locked none no "another run holds the lock of this project and environment on this host; it was last taken by $(cat "$octossh_lock")"
    octossh_waited=$((octossh_waited + 1))
    sleep 1
done
(printf '%s\n' 'deployment d-20260102-030405-1 by ada@desk since 2026-01-02 03:04:05 UTC' >"$octossh_lock") 2>/dev/null || :
# What a run that was killed while it pulled has left: a folder without a login.
for octossh_config in "$octossh_lock".login.*; do
    [ ! -d "$octossh_config" ] || rm -rf "$octossh_config"
done
command -v sh >/dev/null || octossh_fail 'there is no sh here to run the script; install it, or choose another shell'
octossh_script() (
    ODD='it'"'"'s "$HOME" `id` $(id) \ 
 two  lines	* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}'
    export ODD
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

printf '%s\n' "$octossh_nonce" 'cat <<'"'"'END'"'"'
it'"'"'s "$HOME" `id` $(id) \ 
 two  lines	* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}
END
printf '"'"'%s'"'"' '"'"'it'"'"'\'"'"''"'"'s'"'"' "$ODD"' | octossh_script
octossh_code=$?
[ "$octossh_code" -eq 0 ] || octossh_end failed ran yes "the script ended with exit code $octossh_code"
octossh_end succeeded ran yes ""
}
{ "${octossh_go:-octossh_main}" </dev/null; }
