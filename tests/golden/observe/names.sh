# observe 'O\'Brien & "S hne"' in '$(id)'
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

octossh_ask() {
    # Without what docker says besides, which is no id; asked again for the reason when it fails.
    octossh_said=$("$@" 2>/dev/null) || octossh_fail "docker does not answer: $("$@" 2>&1)"
    octossh_ids="$octossh_ids $octossh_said"
}

# Docker did not tell all that it was asked for: is it as $1 says, or does docker not answer?
octossh_gone() {
    octossh_said=$(docker version --format '{{.Server.Version}} {{.Server.Os}} {{.Server.Arch}}' 2>&1) || octossh_fail "docker does not answer: $octossh_said"
    octossh_say "$1"
}

octossh_ids=''
octossh_ask docker version --format '{{.Server.Version}} {{.Server.Os}} {{.Server.Arch}}'
octossh_frame "docker $octossh_said"

octossh_ids=''
octossh_ask docker ps -aq --no-trunc --filter 'label=octossh.project=O'"'"'Brien & "Söhne"' --filter 'label=octossh.environment=$(id)'
# Of several names docker tells all; of several labels, what has all of them.
octossh_ask docker ps -aq --no-trunc --filter 'name=^/?b_2$' --filter 'name=^/?shop\-web\.1$'
octossh_ids=$(octossh_line "$octossh_ids")
if [ -n "$octossh_ids" ]; then
    # shellcheck disable=SC2086
    docker container inspect --format "##octossh $octossh_nonce "'container {{json .}}' $octossh_ids >&3 ||
        octossh_gone "a container went while it was looked at"
fi

octossh_ids=''
octossh_ask docker network ls -q --no-trunc --filter 'label=octossh.project=O'"'"'Brien & "Söhne"' --filter 'label=octossh.environment=$(id)'
octossh_ask docker network ls -q --no-trunc --filter 'name=^db$'
octossh_ids=$(octossh_line "$octossh_ids")
if [ -n "$octossh_ids" ]; then
    # shellcheck disable=SC2086
    docker network inspect --format "##octossh $octossh_nonce "'network {{json .}}' $octossh_ids >&3 ||
        octossh_gone "a network went while it was looked at"
fi

octossh_ids=''
octossh_ask docker volume ls -q --filter 'label=octossh.project=O'"'"'Brien & "Söhne"' --filter 'label=octossh.environment=$(id)'
octossh_ask docker volume ls -q --filter 'name=^data\.1$'
octossh_ids=$(octossh_line "$octossh_ids")
if [ -n "$octossh_ids" ]; then
    # shellcheck disable=SC2086
    docker volume inspect --format "##octossh $octossh_nonce "'volume {{json .}}' $octossh_ids >&3 ||
        octossh_gone "a volume went while it was looked at"
fi
    docker image inspect --format "##octossh $octossh_nonce image "'registry.example.com/acme/it'"'"'s@x'' {{json .}}' 'registry.example.com/acme/it'"'"'s@x' >&3 2>/dev/null ||
    octossh_gone 'there is no image registry.example.com/acme/it'"'"'s@x'
    docker image inspect --format "##octossh $octossh_nonce image "registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef' {{json .}}' registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef >&3 2>/dev/null ||
    octossh_gone 'there is no image registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'
octossh_end succeeded observed no ""
}
# By exec, since of what is redirected for a function the shell keeps a copy, and so would what it leaves behind.
{ exec </dev/null; "${octossh_go:-octossh_main}"; }
