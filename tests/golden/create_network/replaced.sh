# create_network 'backend' of 'shop' in 'Dev'
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
docker() { command docker "$@" 3>&- 9>&-; }
octossh_nl='
'

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

octossh_look() { docker network inspect --format '{{.Name}} {{if and (eq (index .Labels "octossh.project") "shop") (eq (index .Labels "octossh.environment") "Dev") (eq (index .Labels "octossh.step") "backend")}}ours{{else}}other{{end}} {{with (index .Labels "octossh.spec")}}{{.}}{{else}}-{{end}}
{{json .}}' db 2>/dev/null; }

octossh_did=created
octossh_seen=$(octossh_look) || octossh_seen=''
octossh_head=${octossh_seen%%"$octossh_nl"*}
octossh_json=${octossh_seen#*"$octossh_nl"}
case $octossh_head in
    "db ours sha256:1b91ea3e6b17951b6694882de7d19ab787d6175a6010c2d7a348a3908e3a91c9")
        octossh_frame "inspect $octossh_json"
        octossh_end succeeded unchanged no ""
        ;;
    "db ours "*)
        octossh_members=$(docker ps -a --no-trunc --filter network=db --format '{{if and (eq (.Label "octossh.project") "shop") (eq (.Label "octossh.environment") "Dev")}}ours{{else}}!{{end}} {{.Names}}' 2>/dev/null) ||
            octossh_fail "docker does not answer: $(docker ps 2>&1)"
        case $octossh_members in
            *!*)
                octossh_members=${octossh_members#*! }
                octossh_fail 'the network db differs, and a container hangs on it that is not of this project and environment: '"${octossh_members%%"$octossh_nl"*}"
                ;;
        esac
        octossh_say 'removing network db, which differs'
        octossh_changed=yes octossh_did=replaced
        # The steps of these containers join them to the new one.
        while read -r _ octossh_member; do
            [ -z "$octossh_member" ] || octossh_said=$(docker network disconnect -f db "$octossh_member" 2>&1) ||
                octossh_fail "docker network disconnect: $octossh_said"
        done <<OCTOSSH_MEMBERS
$octossh_members
OCTOSSH_MEMBERS
        octossh_said=$(docker network rm db 2>&1) || octossh_fail "docker network rm: $octossh_said"
        ;;
    "db "*) octossh_fail 'the network db was not made by this step; remove it, or give this step another name' ;;
    # Another one: docker also takes the name for the beginning of an id.
esac
octossh_said=$(docker version --format '{{.Server.Version}}' 2>&1) || octossh_fail "docker does not answer: $octossh_said"
octossh_say 'creating network db'
octossh_said=$(docker network create --driver macvlan --subnet 172.28.6.0/24 --gateway 172.28.6.1 --ip-range 172.28.6.128/25 --subnet fd00:6::/64 --ipv6 --internal --opt parent=eth0 --opt macvlan_mode=bridge --label octossh.project=shop --label octossh.environment=Dev --label octossh.step=backend --label octossh.release=0.0.7 --label octossh.deployment=d-20260102-030405-1 --label octossh.spec=sha256:1b91ea3e6b17951b6694882de7d19ab787d6175a6010c2d7a348a3908e3a91c9 --label 'octossh.fields={"driver":"macvlan","gateway":"172.28.6.1","internal":true,"ip_range":"172.28.6.128/25","ipv6":true,"labels":{"com.example.team":"blue","odd":"it'"'"'s \"$HOME\" `id` $(id) \\ \n two  lines\t* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}"},"options":{"macvlan_mode":"bridge"},"parent":"eth0","subnet":"172.28.6.0/24","subnets":["fd00:6::/64"],"v":1}' --label com.example.team=blue --label 'odd=it'"'"'s "$HOME" `id` $(id) \ 
 two  lines	* ? [a] ~ ! # & ; | < > € 𝄞 -- {x}' db 2>&1) ||
    octossh_fail "docker network create: $octossh_said"
octossh_changed=yes
octossh_seen=$(octossh_look) || octossh_fail 'network db was created, and cannot be inspected'
octossh_frame "inspect ${octossh_seen#*"$octossh_nl"}"
octossh_end succeeded "$octossh_did" yes ""
}
{ "${octossh_go:-octossh_main}" </dev/null; }
