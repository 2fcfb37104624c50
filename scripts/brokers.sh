#!/bin/sh
# Installs the brokers that the tests of connectors start on loopback, from the
# distribution's packages: mosquitto, nats-server, rabbitmq-server and
# PostgreSQL. Without them those tests are skipped. Needs root on Debian and
# what descends from it; elsewhere it says what to install.
set -eu
packages="mosquitto nats-server rabbitmq-server postgresql"
if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
	echo "install these by hand, for the tests of connectors to run: $packages"
	exit 0
fi
if [ ! -e /usr/sbin/policy-rc.d ]; then # the tests start their own: none is to run as a service
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages
