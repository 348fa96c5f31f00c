# shellcheck shell=bash disable=SC2153,SC2154  # LAB, NS...: set in lab.sh
# The lab's registry: one store, open on port 5000, TLS and password on 5443, TLS and tokens on 5444, and the service
# that gives those tokens on 5445.

registry_answers() {   # with HTTP status $1, at URL $2
    [ "$(curl -s --noproxy '*' --cacert "$LAB/registry/tls/ca.crt" -o /dev/null -w '%{http_code}' "$2")" = "$1" ]
}

registry_start() {
    local kind
    nsenter --net="/run/netns/$NS.registry" setsid python3 "$HERE/tokens.py" "$TOKENS" "$LAB/registry/tokens" \
        </dev/null >>"$LAB/registry/tokens.log" 2>&1 9<&- &
    for kind in open auth token; do
        nsenter --net="/run/netns/$NS.registry" setsid docker-registry serve "$LAB/registry/$kind.yml" \
            </dev/null >>"$LAB/registry/$kind.log" 2>&1 9<&- &
    done
    for _ in $(seq 200); do
        registry_answers 200 "http://$REG/v2/" && registry_answers 401 "https://$REG_AUTH/v2/" &&
            registry_answers 401 "https://$REG_TOKEN/v2/" && registry_answers 200 "https://$TOKENS/token" && return 0
        sleep 0.05
    done
    die "the registry does not answer: $(tail -n 3 "$LAB"/registry/*.log)"
}

# The CA and the certificate have every extension that a strict client asks for (Python 3.13's default).
registry_tls() {
    local t=$1
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=octossh lab CA" \
        -addext "keyUsage=critical,keyCertSign,cRLSign" -keyout "$t/ca.key" -out "$t/ca.crt" 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=registry.lab" \
        -keyout "$t/key" -out "$t/csr" 2>/dev/null
    openssl x509 -req -in "$t/csr" -CA "$t/ca.crt" -CAkey "$t/ca.key" -CAcreateserial -days 3650 -out "$t/crt" \
        -extfile - 2>/dev/null <<EXT
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = IP:$NET.0.2, DNS:registry.lab
EXT
}

# Who may do what at the registry with tokens; the tokens of 'brief' live for two seconds.
registry_tokens() {
    local t=$1
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=octossh lab tokens" \
        -keyout "$t/key" -out "$t/crt" 2>/dev/null
    cat >"$t/accounts.json" <<JSON
{"$REG_USER": {"password": "$REG_PASSWORD", "access": {"*": ["pull", "push", "delete"]}},
 "worker": {"password": "worker-secret", "access": {"acme/worker": ["pull"]}},
 "brief": {"password": "brief-secret", "access": {"*": ["pull"]}, "life_s": 2},
 "": {"access": {}}}
JSON
}

registry_up() {
    [ -e "/run/netns/$NS.registry" ] && return 0
    local r=$LAB/registry
    mkdir -p "$r/data" "$r/tls" "$r/tokens"
    registry_tls "$r/tls"
    registry_tokens "$r/tokens"
    ln -s "$r/tls/crt" "$r/tokens/tls.crt"
    ln -s "$r/tls/key" "$r/tokens/tls.key"
    # shellcheck disable=SC2016  # perl's
    perl -e 'print "$ARGV[0]:", crypt($ARGV[1], "\$2y\$05\$" . "labLabLabLabLabLabLabu"), "\n"' \
        "$REG_USER" "$REG_PASSWORD" >"$r/htpasswd"
    cat >"$r/open.yml" <<YML
version: 0.1
storage: {filesystem: {rootdirectory: $r/data}, delete: {enabled: true}}
http: {addr: "$REG"}
YML
    cat >"$r/auth.yml" <<YML
version: 0.1
storage: {filesystem: {rootdirectory: $r/data}, delete: {enabled: true}}
http: {addr: "$REG_AUTH", tls: {certificate: $r/tls/crt, key: $r/tls/key}}
auth: {htpasswd: {realm: lab, path: $r/htpasswd}}
YML
    cat >"$r/token.yml" <<YML
version: 0.1
storage: {filesystem: {rootdirectory: $r/data}, delete: {enabled: true}}
http: {addr: "$REG_TOKEN", tls: {certificate: $r/tls/crt, key: $r/tls/key}}
auth: {token: {realm: "https://$TOKENS/token", service: registry.lab, issuer: octossh lab, rootcertbundle: $r/tokens/crt}}
YML
    plug registry "$NET.0.2"
    registry_start
    # from the registry itself: the delay line is not in the way there
    nsenter --net="/run/netns/$NS.registry" python3 "$HERE/images.py" all "http://$REG" >&2
}

lab_registry() {
    case ${1:-} in
        stop) ns_kill registry ;;
        start) ns_kill registry; registry_start ;;
        freeze) ns_pids registry | xargs -r kill -STOP ;;
        thaw) ns_pids registry | xargs -r kill -CONT ;;
        *) die "stop, start, freeze or thaw?" ;;
    esac
}
