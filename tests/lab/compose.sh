# shellcheck shell=bash
# Compose's second version, for hosts that shall have it: Debian 12 has the first one only, so it comes from Debian 13.

COMPOSE2=/usr/local/lib/octossh-lab/docker-compose

# One static program, taken out of its package: nothing of Debian 13 is installed. Without it some tests are skipped.
compose2_install() {
    [ ! -x "$COMPOSE2" ] || return 0
    local scratch apt said
    scratch=$(mktemp -d)
    mkdir -p "$scratch"/{parts,lists/partial,cache/archives/partial}
    # Where this machine gets Debian 12 from, Debian 13 is, too.
    awk 'BEGIN { RS = ""; ORS = "\n\n" } /bookworm-updates/' /etc/apt/sources.list.d/debian.sources 2>/dev/null |
        sed 's/bookworm-updates//; s/bookworm/trixie/g' >"$scratch/debian.sources"
    apt=(apt-get -qq -o "Dir::Etc::sourcelist=$scratch/debian.sources" -o "Dir::Etc::sourceparts=$scratch/parts"
        -o "Dir::State::lists=$scratch/lists" -o "Dir::Cache=$scratch/cache" -o APT::Sandbox::User=root)
    if said=$(cd "$scratch" && "${apt[@]}" update 2>&1 && "${apt[@]}" download docker-compose 2>&1 &&
        dpkg-deb --fsys-tarfile docker-compose_*.deb | tar -xO ./usr/libexec/docker/cli-plugins/docker-compose 2>&1 >program); then
        install -D -m 755 "$scratch/program" "$COMPOSE2"
    else
        say "compose 2 cannot be had: $said"
    fi
    rm -rf "$scratch"
}
