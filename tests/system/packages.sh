#!/bin/sh
# Installs the Debian or Ubuntu packages that are named and missing; without root it names the
# line that installs them, and fails.
missing=""
for package in "$@"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
  echo "missing:$missing; install what your system calls them" >&2
  exit 1
fi
if [ "$(id -u)" != 0 ]; then
  echo "missing packages; run: sudo apt-get install -y$missing" >&2
  exit 1
fi
echo "installing$missing …"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 -- one word a package
apt-get install -y -qq --no-install-recommends $missing >/dev/null
