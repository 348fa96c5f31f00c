#!/bin/sh
# shellcheck disable=SC2154  # set in front of it: way, port, image
# One host brought to a state by a script written by hand: three starts of docker where nothing is to be done.
set -eu
docker network inspect "net-$way" >/dev/null 2>&1 || docker network create "net-$way" >/dev/null
docker volume inspect "vol-$way" >/dev/null 2>&1 || docker volume create "vol-$way" >/dev/null
have=$(docker container inspect --format '{{.Config.Image}} {{.State.Running}}' "web-$way" 2>/dev/null) || :
[ "$have" = "$image true" ] && exit 0
docker image inspect "$image" >/dev/null 2>&1 || docker pull -q "$image" >/dev/null
if [ -n "$have" ]; then
    docker stop "web-$way" >/dev/null
    docker rm "web-$way" >/dev/null
fi
docker run -d --name "web-$way" --network "net-$way" -v "vol-$way:/data" -p "$port:8080" --restart unless-stopped \
    -e LEVEL=info -e REGION=eu -e WORKERS=4 "$image" >/dev/null
while :; do
    case $(docker container inspect --format \
        '{{.State.Running}} {{if .State.Health}}{{.State.Health.Status}}{{end}}' "web-$way") in
        "true " | "true healthy") break ;;
        false*) exit 1 ;;
    esac
    sleep 0.2
done
