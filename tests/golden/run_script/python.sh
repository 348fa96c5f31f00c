# run_script 'json' of 'shop' in 'Dev'
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
command -v python3 >/dev/null || octossh_fail 'there is no python3 here to run the script; install it, or choose another shell'
octossh_script() (
    COUNT=3
    export COUNT
    trap - HUP PIPE
    exec python3 -u -c 'import base64, os, re, sys
def begin():
    nonce, _, text = sys.stdin.buffer.read().partition(b"\n")
    answer, log = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(2), "wb")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    def octossh_output(name, value, secret=False):
        if not re.fullmatch("[A-Za-z0-9_]+", name):
            raise ValueError("octossh_output: %r is no name; use letters, digits and _" % (name,))
        data = value if isinstance(value, bytes) else str(value).encode()
        kind = b"secret" if secret else b"output"
        for to in (log, answer) if secret else (answer,):
            to.write(b" ".join([b"##octossh", nonce, kind, name.encode(), base64.b64encode(data[:1048577])]) + b"\n")
            to.flush()
    return text, {"__name__": "__main__", "octossh_output": octossh_output}
text, names = begin()
exec(compile(text, "script", "exec"), names)
' >&3 3>&- 9>&-
)

printf '%s\n' "$octossh_nonce" 'import json, os
octo = json.dumps({'"'"'it\'"'"'s'"'"': "$x"})
octossh_output('"'"'DATA'"'"', octo)
' | octossh_script
octossh_code=$?
[ "$octossh_code" -eq 0 ] || octossh_end failed ran yes "the script ended with exit code $octossh_code"
octossh_end succeeded ran yes ""
}
{ "${octossh_go:-octossh_main}" </dev/null; }
