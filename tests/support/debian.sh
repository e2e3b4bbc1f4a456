# Shared by tests/chroot/run and tests/containers/run (source it after deploy/lib.sh): a fresh Debian 12 in a folder.
# shellcheck shell=bash

# The first mirror of Debian 12 itself in this machine's apt sources, of either format.
own_mirror() {
  { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null || true; } | awk '
    $1 == "deb" { for (i = 2; i < NF; ++i) if ($i ~ /^https?:/ && $(i + 1) == "bookworm") { print $i; exit } }
    $1 == "URIs:" { uri = $2 }
    $1 == "Suites:" && / bookworm( |$)/ { print uri; exit }'
}

# debian_mirror: DIGIT_MIRROR, or else this machine's own.
debian_mirror() {
  local mirror=${DIGIT_MIRROR:-$(own_mirror)}
  [[ -n $mirror ]] || die "No Debian 12 mirror in this machine's apt sources: set DIGIT_MIRROR=URL."
  echo "$mirror"
}

# copy_package_sources SYSTEM: this machine's apt sources that have Debian 12, and their keys.
copy_package_sources() {
  local system=$1 source
  : >"$system/etc/apt/sources.list"
  for source in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [[ -s $source ]] && grep -q bookworm "$source" && cp "$source" "$system/${source#/}"
  done
  cp -r /etc/apt/keyrings /etc/apt/trusted.gpg.d "$system/etc/apt/" 2>/dev/null || true
}

# copy_network_setup SYSTEM: how this machine reaches mirrors and registries: names, proxies, own CAs. The CAs need
# ca-certificates there.
copy_network_setup() {
  local system=$1
  cp -L /etc/resolv.conf /etc/hosts "$system/etc/"
  apt-config dump | grep -E '^Acquire::(https?::|ftp::|Check-|ForceIPv)' >"$system/etc/apt/apt.conf.d/00machine" || true
  if [[ -x $system/usr/sbin/update-ca-certificates ]] && compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null
  then
    cp /usr/local/share/ca-certificates/*.crt "$system/usr/local/share/ca-certificates/"
    chroot "$system" update-ca-certificates >/dev/null
  fi
}
