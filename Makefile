# The memorable surface over Meson and Ninja. `make monitor-up` runs the system, `make test` tests it.
#
#   make               build (release) into build/
#   make test          everything: unit, ASan+UBSan, fuzz corpora, conformance, end-to-end, browser
#   make monitor-up    build and start in the background, wait until ready, print every URL
#   make monitor-down  stop, keep the data        make monitor-down-v  stop and delete the data (asks)
#   make monitor-logs  follow the log             make monitor-test    one trace, metric, line: in and out
#   make health-check  ask every port
#   make asan | tsan | clang | fuzz T=json SECONDS=60 | bench | format | install [DESTDIR= PREFIX=] | clean
#
# Ports: PROMETHEUS_PORT, JAEGER_UI_PORT, GRAFANA_PORT, OTEL_GRPC_PORT, OTEL_HTTP_PORT, MEERKAT_PORT_OFFSET.
# Password: GRAFANA_ADMIN_USER, GRAFANA_ADMIN_PASSWORD.

PREFIX ?= /usr/local
BIN := build/src/cmd/meerkat
SANITIZE := -Dbuildtype=debug -Db_sanitize=address,undefined -Djemalloc=false -Dui=false
T ?= json
SECONDS ?= 60

.DEFAULT_GOAL := all
.PHONY: all deps test-deps build test asan tsan clang fuzz bench format install clean \
	monitor-up monitor-down monitor-down-v monitor-logs monitor-test health-check

all: deps build

deps:
	@tools/deps build

test-deps:
	@tools/deps build test

build:
	@tools/build build -Dbuildtype=release -- src/cmd/meerkat

test: test-deps
	@tools/test

asan:
	@tools/build build-asan $(SANITIZE)
	@meson test -C build-asan --timeout-multiplier 5 --print-errorlogs

tsan:
	@tools/build build-tsan -Dbuildtype=debug -Db_sanitize=thread -Djemalloc=false -Dui=false
	@meson test -C build-tsan --suite unit --timeout-multiplier 10 --print-errorlogs

clang:
	@CC=clang CXX=clang++ tools/build build-clang -Dbuildtype=debug -Dwerror=true -Djemalloc=false -Dui=false

fuzz:
	@CC=clang CXX=clang++ tools/build build-fuzz -Dbuildtype=debugoptimized -Dfuzz=true -Db_sanitize=address,undefined \
		-Db_lundef=false -Djemalloc=false -Dui=false -- tests/fuzz/fuzz_$(T)
	@build-fuzz/tests/fuzz/fuzz_$(T) -max_total_time=$(SECONDS) tests/fuzz/corpus/$(T)

bench: deps build
	@bench/run

format:
	@git ls-files 'src/*.c' 'src/*.h' 'src/*.cc' 'tests/*.c' 'bench/*.c' | xargs clang-format -i

install: build
	install -Dm755 $(BIN) $(DESTDIR)$(PREFIX)/bin/meerkat
	$(BIN) man > build/meerkat.1
	install -Dm644 build/meerkat.1 $(DESTDIR)$(PREFIX)/share/man/man1/meerkat.1
	$(BIN) completion bash > build/completion.bash
	install -Dm644 build/completion.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/meerkat
	$(BIN) completion zsh > build/completion.zsh
	install -Dm644 build/completion.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_meerkat
	$(BIN) completion fish > build/completion.fish
	install -Dm644 build/completion.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/meerkat.fish

clean:
	rm -rf build build-asan build-tsan build-clang build-fuzz

monitor-up: deps build
	@tools/monitor up

monitor-down:
	@tools/monitor down

monitor-down-v:
	@tools/monitor down-v

monitor-logs:
	@tools/monitor logs

monitor-test:
	@tools/monitor test

health-check:
	@tools/monitor health
