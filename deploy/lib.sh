# Shared by deploy/quickstart, deploy/docker, tests/run and the trials beside it (source it): short progress on the
# terminal, details in a log, packages from deploy/packages. The caller sets `root` (the repository) and `log` (a file;
# made when missing).
# shellcheck shell=bash disable=SC2154

die() {
  printf '%s\n' "$@" >&2
  exit 1
}

# seconds START -> "12 s" or "3 min 04 s" since START (a value of SECONDS).
seconds() {
  local spent=$((SECONDS - $1))
  if ((spent < 60)); then printf '%d s' "$spent"; else printf '%d min %02d s' $((spent / 60)) $((spent % 60)); fi
}

# The last progress mark of ninja or ctest in the log, "[12/340]" or " 3/57", for the terminal's line.
progress_mark() {
  tail -c 4000 "$log" 2>/dev/null | grep -oE '^\[[0-9]+/[0-9]+\]|^ *[0-9]+/[0-9]+ Test' | tail -1 | tr -d ' Tes' || true
}

# step WHAT COMMAND...: runs COMMAND with all its output in the log; one line here. When it fails: the log's end and its
# path here, and the command's exit code.
step() {
  local what=$1 start=$SECONDS code=0 redraws=no
  if [[ -t 1 && ${TERM:-dumb} != dumb ]]; then redraws=yes; fi
  shift
  mkdir -p "$(dirname "$log")"
  printf '== %s\n' "$*" >>"$log"
  local begin
  begin=$(wc -l <"$log")
  "$@" >>"$log" 2>&1 </dev/null &
  local child=$!
  if [[ $redraws == yes ]]; then
    while kill -0 "$child" 2>/dev/null; do
      printf '\r  %s ... %s %s\033[K' "$what" "$(progress_mark)" "$(seconds "$start")"
      sleep 0.5
    done
    printf '\r'
  fi
  wait "$child" || code=$?
  if ((code == 0)); then
    printf '  %s: done in %s%s\n' "$what" "$(seconds "$start")" "$([[ $redraws == yes ]] && printf '\033[K')"
    return 0
  fi
  printf '  %s: FAILED after %s. The end of %s:\n' "$what" "$(seconds "$start")" "$log" >&2
  tail -n +"$((begin + 1))" "$log" | tail -n 40 | sed 's/^/    /' >&2
  return "$code"
}

# missing_packages LIST...: the packages of deploy/packages/LIST.txt that are not installed, one a line.
missing_packages() {
  local list name unless program _
  local -a wanted=()
  for list in "$@"; do
    while read -r name unless program _; do
      [[ -z $name || $name == \#* ]] && continue
      [[ $unless == unless ]] && command -v "$program" >/dev/null && continue
      wanted+=("$name")
    done <"$root/deploy/packages/$list.txt"
  done
  # dpkg-query fails when it does not know one of them; what it prints about the others still holds.
  { dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${wanted[@]}" 2>/dev/null || true; } |
    awk -v wanted="${wanted[*]}" '
      $1 == "ii" { have[$2] = 1 }
      END { n = split(wanted, names, " "); for (i = 1; i <= n; ++i) if (!have[names[i]]) print names[i] }'
}

# install_packages LIST...: installs what deploy/packages/LIST.txt names and is not there; without a word when all is.
install_packages() {
  local -a missing sudo=()
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) && return 0
  local by_hand="apt-get install --no-install-recommends ${missing[*]}"
  command -v apt-get >/dev/null || die "This needs Debian 12 (no apt-get here). Missing: ${missing[*]}"
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "Packages are missing, and this is not root and has no sudo. As root, run:" \
      "  $by_hand"
    sudo -v || die "Packages are missing, and sudo refused. As root, run:" "  $by_hand"
    sudo=(sudo)
  fi
  local apt=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300 -o APT::Color=0)
  # An update may fail for a source that is not needed here; whether it mattered shows at the install.
  step "Reading the package lists" "${apt[@]}" update || true
  step "Installing ${#missing[@]} packages and what they need" "${apt[@]}" install --no-install-recommends \
    "${missing[@]}" && return 0
  die "apt-get could not install the packages. Is there a network, and is this Debian 12? By hand, as root:" \
    "  apt-get update && $by_hand"
}
