#!/usr/bin/env bash
# parallel.sh SCRIPT HOST... -- COMMAND...: COMMAND HOST sh -s <SCRIPT on all hosts at once.
# With DOCKER=1 the script runs here instead, and docker goes there by ssh://.
script=$1; shift
hosts=() children=()
while [ "$1" != -- ]; do hosts+=("$1"); shift; done
shift
for host in "${hosts[@]}"; do
    if [ -n "${DOCKER:-}" ]; then DOCKER_HOST=ssh://deploy@$host sh "$script" &
    else "$@" "$host" sh -s <"$script" & fi
    children+=($!)
done
code=0
for child in "${children[@]}"; do wait "$child" || code=1; done
exit $code
