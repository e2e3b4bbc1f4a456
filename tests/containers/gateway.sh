# Part of tests/containers/run: deploy/k8s/gateway. Two gateways in front of two daemons, asked from this machine, by
# the pods' addresses: the Service is a file of them. The caller has sourced lib.sh.
# shellcheck shell=bash disable=SC2154

gateway_image=localhost/digit-gateway:$tag
gateways=(digit-gateway-pod-0-digit-gateway digit-gateway-pod-1-digit-gateway)

# gateway_of 0|1: HOST:PORT of that pod.
gateway_of() {
  echo "$(address_of "$(podman pod inspect --format '{{.InfraContainerID}}' "digit-gateway-pod-$1")"):8080"
}

# write_gateways POD...: the Service leads to these pods, for load_gateways.
write_gateways() {
  local pod
  for pod in "$@"; do gateway_of "$pod"; done >"$work/gateways.new"
  mv "$work/gateways.new" "$work/gateways"
}

# await_gateway POD: until its readiness probe would say yes.
await_gateway() {
  curl --silent --fail --max-time 5 --retry 600 --retry-delay 1 --retry-all-errors --retry-max-time 60 \
    --header 'Host: digit-gateway' "http://$(gateway_of "$1")/readyz" >/dev/null ||
    die "Gateway $1 is not ready after 60 s: $(podman logs --tail 5 "${gateways[$1]}" 2>&1)"
}

# ask GATEWAY ANSWERS: twenty requests on one connection; a line for each, "7 200", and the exit code when it is not 0.
ask() {
  local code=0
  curl --silent --max-time 20 --header 'Accept: text/plain' --write-out ' %{http_code}\n' \
    --data-binary @tests/data/images/seven.png "http://$1/v1/models/-:recognize#[1-20]" |
    sed -z 's/7\n 200/7 200/g' >>"$2" || code=$?
  ((code == 0)) || echo "exit code $code" >>"$2"
}

# load_gateways NAME: asks the Service's gateways in turns until stop_load; the answers go to client/NAME.plain.
load_gateways() {
  {
    local gateway
    until [[ -e $work/client/stop ]]; do
      for gateway in $(<"$work/gateways"); do ask "$gateway" "$work/client/$1.plain"; done
    done
  } &
  loads+=($!)
}

# await_plain NAME: until that load has had another hundred answers.
await_plain() { await_lines "$1.plain" 100; }

# check_plain WHAT NAME...: each answer was the right digit.
check_plain() {
  local what=$1 name answers=0 bad
  shift
  for name in "$@"; do
    bad=$(grep --line-number --invert-match --line-regexp '7 200' "$work/client/$name.plain" | head -n 5 || true)
    [[ -z $bad ]] || die "$what: of load $name" "$bad"
    answers=$((answers + $(wc -l <"$work/client/$name.plain")))
  done
  say "$what: $answers requests, 0 failed or wrong"
}

check_gateway_confinement() {
  podman exec "$1" bash -euc '
    [[ $(id -u):$(id -g) == 10001:10001 ]]
    for file in /x /tmp/x /usr/local/x; do if touch "$file" 2>/dev/null; then exit 1; fi; done
    grep -q "^CapEff:.0000000000000000$" /proc/1/status
    grep -q "^NoNewPrivs:.1$" /proc/1/status
    grep -q "^Seccomp:.2$" /proc/1/status' || die "$1 is not confined as its manifest says."
}

# reload_status GATEWAY OPTION...: the HTTP status of an admin call.
reload_status() {
  local gateway=$1
  shift
  curl --silent --output "$work/reload.json" --write-out '%{http_code}' --json '{"force":true}' "$@" \
    "http://$gateway/v1/models/mnist:reload"
}

check_admin_routes() {
  local status
  status=$(reload_status "$1")
  [[ $status == 401 ]] || die "A reload without the token was answered $status: $(cat "$work/reload.json")"
  status=$(reload_status "$1" --header "Authorization: Bearer no-$token")
  [[ $status == 401 ]] || die "A reload with another token was answered $status: $(cat "$work/reload.json")"
  status=$(reload_status "$1" --header "Authorization: Bearer $token")
  [[ $status == 200 ]] || die "A reload with the token was answered $status: $(cat "$work/reload.json")"
}

open_the_page() {
  (cd tests/web && npm install --ignore-scripts --no-package-lock --no-audit --no-fund --prefer-offline) >>"$log" 2>&1
  DIGIT_URL="http://$1" node --test tests/containers/page_check.js >>"$log" 2>&1 ||
    die "Chromium does not get a digit recognised at http://$1."
}

# As a rollout of the daemons goes: out of the Service, preStop, SIGTERM, and anew, one after the other.
replace_daemons() {
  local pod
  for pod in 1 0; do
    write_hosts $((1 - pod))
    podman exec "${containers[pod]}" sleep 5
    podman stop --time 30 "${containers[pod]}" >>"$log" 2>&1
    await_plain through
    podman pod start "digitd-pod-$pod" >>"$log" 2>&1
    await_version "$pod" "$(version_of model/pretrained/mnist.pt)"
    write_hosts 0 1
    await_plain through
  done
}

# As the kubelet ends a pod of the Service, while a client that knows only this one goes on asking it: that client is
# refused in the end, but what the gateway has accepted it answers.
drain_gateway_under_load() {
  local container=${gateways[0]} gateway stubborn
  gateway=$(gateway_of 0)
  while ! grep -q '^exit code' "$work/client/stubborn.plain" 2>/dev/null; do
    ask "$gateway" "$work/client/stubborn.plain"
  done &
  stubborn=$!
  await_plain stubborn
  write_gateways 1
  podman exec "$container" sleep 5
  podman stop --time 30 "$container" >>"$log" 2>&1
  wait "$stubborn"
  [[ $(podman inspect --format '{{.State.ExitCode}}' "$container") == 0 ]] ||
    die "$container: no exit code 0 on SIGTERM."
  podman logs "$container" >"$work/drained.log" 2>&1
  grep -q ' stopped$' "$work/drained.log" || die "$container did not say that it stopped."
  if grep ' answered .*:recognize' "$work/drained.log" | grep -v ' status=200 '; then
    die "$container failed a request that it had accepted."
  fi
  # After the digits only what curl says when nobody is there any more: no status, and why.
  if grep -vxE '7 200| 000|exit code (7|52|55|56)' "$work/client/stubborn.plain"; then
    die "$container gave a client another end than a closed connection."
  fi
  podman pod start digit-gateway-pod-0 >>"$log" 2>&1
  await_gateway 0
  write_gateways 0 1
  await_plain through
  say "a gateway drained under load with exit code 0; all $(grep -c ' answered .*:recognize' "$work/drained.log")" \
    "requests it took are answered"
}

try_gateway() {
  local pod
  play base
  play gateway --hosts "$work/client/hosts" --env GRPC_DNS_RESOLVER=native --env DIGIT_GATEWAY_ACCESS_LOG=true
  for pod in 0 1; do
    await_gateway "$pod"
    check_gateway_confinement "${gateways[pod]}"
    check_admin_routes "$(gateway_of "$pod")"
  done
  open_the_page "$(gateway_of 0)"
  say "two gateways, confined; a digit drawn in Chromium is recognised; admin routes need the token"
  write_gateways 0 1
  rm -f "$work/client/"*.plain
  load_gateways through
  load_gateways beside
  await_plain through
  replace_daemons
  drain_gateway_under_load
  stop_load
  check_plain "meanwhile, through the Service of the gateways" through beside
  podman kube down "$work/gateway.yaml" >>"$log" 2>&1
  podman kube down "$work/base.yaml" >>"$log" 2>&1
}
