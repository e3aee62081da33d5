#!/bin/sh
# Run a command far from one's own shell: tools/elsewhere.sh make test
# No terminal, SIGHUP ignored as under nohup, another HOME with things in it, a long TMPDIR as on macOS, and variables
# that other programs leave.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
home=$place/home
tmp=$place/folders_zyxvpxvq6csfxvn_n00000/T # 49 bytes, as there
mkdir -p "$home/.cache/authnb" "$home/.local/share/authnb" "$home/.ipython" "$tmp"
chmod 700 "$home" "$tmp"
echo "machine 127.0.0.1 login nobody password netrc machine localhost login nobody password netrc" >"$home/.netrc"
chmod 600 "$home/.netrc"
echo "not what this version writes" | tee "$home/.cache/authnb/old" >"$home/.local/share/authnb/old"
trap '' HUP
# Without a route through HTTP_PROXY; packages come by https
env HOME="$home" TMPDIR="$tmp" LANG=C LC_ALL=C BROWSER=/bin/false EDITOR=/bin/false \
  HTTP_PROXY=http://127.0.0.1:9 http_proxy=http://127.0.0.1:9 NO_PROXY=example.org no_proxy=example.org \
  AUTHNB_MODE=paste AUTHNB_INTERACTIVE=0 AUTHNB_REMOTE=1 AUTHNB_HOME=/nowhere AUTHNB_TOKEN_FILE=/nowhere/token \
  JUPYTERHUB_SERVICE_PREFIX=/user/nobody/ KUBERNETES_SERVICE_HOST=10.0.0.1 SSH_CONNECTION="10.0.0.1 1 10.0.0.2 22" \
  setsid --wait "$@" </dev/null
