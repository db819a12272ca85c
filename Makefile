# make demo   builds, starts 4 workers on a private systemd, restarts them under load, shows the result
# make test   installs what the tests need (as root), and runs them all
# make test-machines   the packages on booted machines, Debian 11 to sid (as root)
# make bench   everybody's rolling restarts under load, and docs/benchmarks.md from it (17 minutes)
# make bench-quick   some of them, once (2 minutes)
# make simulate N=1000000   tells the heart of a roll so many random stories
# make deb rpm   builds the packages, for every distribution since Debian 11 and RHEL 9
# make install   builds and installs both programs and the units (DESTDIR=, PREFIX=)

CARGO ?= cargo
export CARGO_TERM_COLOR ?= auto

# Most of a test's time is waiting: for a timeout, for an instance.
export RUST_TEST_THREADS ?= $(shell expr 2 \* $$(nproc))

# What the lab runs on, and the packages that bring it.
PROGRAMS := script systemctl systemd-run systemd-analyze busctl dbus-daemon unshare setpriv find xargs
DEBIAN := systemd dbus bsdutils util-linux findutils
FEDORA := systemd dbus-daemon util-linux util-linux-script findutils

PREFIX ?= /usr
UNITDIR ?= /usr/lib/systemd/system

.PHONY: help demo test run-tests lint docs bench bench-quick bench-apps simulate install install-files deb rpm packages-check test-machines test-machine needs apps
help:
	@sed -n 's/^# make/make/p' Makefile

demo: needs
	$(CARGO) build --locked --release --all-features --bins --example demo
	$(CARGO) run --locked --release --all-features --example demo

# Downloads beside a compiler; and a machine, which mostly waits, beside tests, which do too.
test: needs
	$(MAKE) -j2 -O apps lint
	$(CARGO) test --locked --all-features --no-run
	$(MAKE) -j2 run-tests test-machine docs

# With +, for the doc tests' compiler asks make how much it may do at once.
run-tests:
	+$(CARGO) test --locked --all-features

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-features --all-targets -- -D warnings

docs:
	RUSTDOCFLAGS=-Dwarnings $(CARGO) doc --locked --all-features --no-deps

BENCH := $(CARGO) bench --locked --all-features --bench
bench: needs bench-apps
	$(BENCH) instructions
	$(BENCH) scale
	ROUNDS=5 $(BENCH) fronting
	$(BENCH) peers
	$(BENCH) peers -- page

bench-quick: needs bench-apps
	QUICK=1 $(BENCH) peers
	$(BENCH) peers -- page

N ?= 1000000
simulate:
	ROLL_SCHEDULES=$(N) $(CARGO) test --locked --all-features --test simulation -- --nocapture

install:
	$(CARGO) build --locked --release --bins
	$(CARGO) run --quiet --locked --release --all-features --example manual -- $(PAGES)
	cp packaging/man/* $(PAGES)
	packaging/notices >$(PAGES)/THIRD-PARTY
	$(MAKE) install-files
	[ -n "$(DESTDIR)" ] || { systemd-sysusers rollctl.conf; systemctl daemon-reload; journalctl --update-catalog; }

# The list of what is installed, for `make install` and for the packages.
BIN ?= target/release
PAGES ?= target/pages
SHARE := $(DESTDIR)$(PREFIX)/share
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
# What the administrator may have changed.
keep = [ -e $(2) ] || install -D -m 644 $(1) $(2)
install-files:
	install -D -t $(DESTDIR)$(PREFIX)/bin $(BIN)/rollctl
	install -D -t $(DESTDIR)$(PREFIX)/libexec/rollctl $(BIN)/worker packaging/on-upgrade
	install -D -m 644 -t $(DESTDIR)$(UNITDIR) units/*
	sed -i 's#/usr/\(bin\|libexec\)/rollctl#$(PREFIX)/\1/rollctl#' $(patsubst units/%,$(DESTDIR)$(UNITDIR)/%,$(wildcard units/*))
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/catalog packaging/rollctl.catalog
	$(call keep,packaging/rollctl.default,$(DESTDIR)/etc/default/rollctl)
	$(call keep,packaging/polkit/deployers.conf,$(DESTDIR)/etc/rollctl/deployers.conf)
	install -D -m 644 packaging/polkit/rollctl.rules $(SHARE)/polkit-1/rules.d/50-rollctl.rules
	install -D -m 644 packaging/rollctl.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/rollctl.conf
	install -D -m 644 packaging/on-upgrade.README $(SHARE)/rollctl/on-upgrade/README
	echo 'see README' >$(SHARE)/rollctl/on-upgrade/worker
	chmod 644 $(SHARE)/rollctl/on-upgrade/worker
	install -D -m 644 -t $(SHARE)/man/man1 $(PAGES)/*.1
	install -D -m 644 -t $(SHARE)/man/man5 $(PAGES)/*.5
	install -D -m 644 -t $(SHARE)/man/man8 $(PAGES)/*.8
	install -D -m 644 $(PAGES)/rollctl.bash $(SHARE)/bash-completion/completions/rollctl
	install -D -m 644 $(PAGES)/_rollctl $(DESTDIR)$(ZSHDIR)/_rollctl
	install -D -m 644 -t $(SHARE)/fish/vendor_completions.d $(PAGES)/rollctl.fish
	install -D -m 644 -t $(SHARE)/doc/rollctl README.md CHANGELOG.md docs/architecture.md $(PAGES)/THIRD-PARTY
	cp -r packaging/examples $(SHARE)/doc/rollctl
	chmod -R u=rwX,go=rX $(SHARE)/doc/rollctl

deb rpm:
	packaging/build $@

# Clean to lintian and rpmlint, for glibc 2.31, reproducible.
packages-check: deb rpm
	packaging/check

# The packages on real machines: install, roll, upgrade, a bad release, a reboot, remove. As root.
SUITES ?= bullseye bookworm trixie sid
test-machines: deb rpm
	$(CARGO) build --locked --release --features load --example load
	tests/machines/versions target/packages $(CURDIR)/target/$(shell uname -m)-unknown-linux-gnu/release deb rpm
	tests/machines/run $(SUITES)

# The same of what `cargo test` has built, on one of them.
test-machine:
	tests/machines/trial

# Real apps and balancers for the tests, into target/real; tests say what they miss, in CI they fail.
apps:
	@tests/apps/install

bench-apps:
	@tests/apps/install bench

needs:
	@missing=; for program in $(PROGRAMS); do \
	    command -v $$program >/dev/null || missing="$$missing $$program"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	if command -v apt-get >/dev/null; then \
	    install="apt-get install -y --no-install-recommends $(DEBIAN)"; \
	    [ "$$(id -u)" != 0 ] || apt-get update; \
	elif command -v dnf >/dev/null; then install="dnf install -y $(FEDORA)"; \
	else echo "missing:$$missing: install them with your package manager" >&2; exit 1; fi; \
	if [ "$$(id -u)" = 0 ]; then DEBIAN_FRONTEND=noninteractive $$install; \
	else echo "missing:$$missing: run as root: $$install" >&2; exit 1; fi
