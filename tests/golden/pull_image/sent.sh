# pull_image 'warm up' of 'shop' in 'Dev'
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
command -v docker >/dev/null ||
    octossh_fail "there is no docker command on this host for user $(id -un); install docker, or put it on the PATH"

# The descriptors of the answer and of the lock stay with this shell: what docker starts must not inherit them.
# shellcheck disable=SC2317
docker() { command docker "$@" 3>&- 9>&- 4<&-; }

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

octossh_have_image() { docker image inspect --format ok registry.example.com/acme/web:sha256-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef >/dev/null 2>&1; }

# Ask for the image, of which the layers in $1 need not come: what is asked for arrives on descriptor 4, behind a line
# that says how much it is and which id it must have. Gives 1, and the reason in octossh_said, where it does not come.
octossh_receive() {
    octossh_frame want registry.example.com/acme/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef registry.example.com/acme/web:sha256-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef "$octossh_platform" "$1"
    read -r octossh_size octossh_id <&4 ||
        { octossh_said="nothing came; the connection to this host sends no images"; return 1; }
    [ "$octossh_size" != no ] || { octossh_said=$octossh_id; return 1; }
    octossh_said=$(head -c "$octossh_size" <&4 | docker load -q 2>&1) || return 1
    octossh_said=$(docker image inspect --format '{{.Id}}' registry.example.com/acme/web:sha256-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef 2>&1) || return 1
    [ "$octossh_said" = "$octossh_id" ] && return 0
    docker rmi registry.example.com/acme/web:sha256-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef >/dev/null 2>&1
    octossh_said="it arrived as $octossh_said and not as $octossh_id"
    return 1
}

octossh_pull() {
    octossh_say 'asking for registry.example.com/acme/web:sha256-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'
    octossh_platform=$(docker version --format '{{.Server.Os}}/{{.Server.Arch}}' 2>&1) || { octossh_said=$octossh_platform; return 1; }
    octossh_ids=$(docker image ls -q --no-trunc)
    # shellcheck disable=SC2086
    octossh_layers=$([ -z "$octossh_ids" ] || docker image inspect --format '{{range .RootFS.Layers}}{{.}},{{end}}' $octossh_ids 2>/dev/null)
    octossh_layers=$(octossh_line "$octossh_layers")
    # An engine that does not go on from the layers that it has gets them all.
    octossh_receive "${octossh_layers:--}" || { [ "$octossh_size" != no ] && [ -n "$octossh_layers" ] && octossh_receive -; }
}

octossh_did=unchanged octossh_changed=no
if ! octossh_have_image; then
    octossh_said=$(docker version --format '{{.Server.Version}}' 2>&1) || octossh_fail "docker does not answer: $octossh_said"
    octossh_pull || octossh_fail "docker pull: $octossh_said"
    octossh_did=pulled octossh_changed=yes
fi
docker image inspect --format "##octossh $octossh_nonce inspect "'{{json .}}' registry.example.com/acme/web:sha256-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef >&3 ||
    octossh_fail 'registry.example.com/acme/web:sha256-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef is there, and cannot be inspected'
octossh_end succeeded "$octossh_did" "$octossh_changed" ""
}
{ "${octossh_go:-octossh_main}" 4<&0 </dev/null; }
