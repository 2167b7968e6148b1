#!/bin/sh
# Makes an authority, a server certificate and a client certificate to try mTLS with. For trying only: in earnest, take
# the authority you have (SPIRE, Vault, step-ca, cert-manager).
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p tls && cd tls
new() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "$@"; }
new -x509 -days 30 -subj "/CN=example authority" -keyout ca.key -out ca.pem
sign() { # name, subject alternative name, usage
  new -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
  printf 'subjectAltName=%s\nextendedKeyUsage=%s\nbasicConstraints=critical,CA:FALSE\n' "$2" "$3" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile "$1.ext" -out "$1.pem"
  rm "$1.csr" "$1.ext"
}
sign server "DNS:localhost,IP:127.0.0.1" serverAuth
sign billing "URI:spiffe://example.org/billing" clientAuth
