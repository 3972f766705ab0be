# make demo    see a zap: test channels, the gateway and a player; installs what it lacks
# make test    all tests, with real FFmpeg, nginx, HAProxy, VLC and Chromium; installs what it lacks
# make check   formatting, lints, documentation; dependencies where cargo-deny is installed
# make bench   the gateway beside nginx and the bare server, as ratios; what a crowd costs, how fast streams are cut, and what memory that takes
# make bench-seen  what a person sees in Chromium: first frame and freezes, bare and through the gateway; half an hour, or ZAPS=3 WATCH=10 GOPS=2 WAYS=bare,cold,warm PAUSE=75 LATE=300 RTT=100
# make test-edge  what strangers can do: frames and heads that nobody should send, slowhttptest and testssl.sh beside nginx; some minutes
# make ui      the dashboard's page into ui/dist, which is committed; npm --prefix ui test tries it in Chromium
# make soak    a mixed load for an hour, or SOAK=600 seconds: memory, open files, threads and tuners
# make check-deploy  the alert rules for Prometheus, with their tests, and the queries of the Grafana board; takes promtool from the package prometheus if it is missing
# make deny    the rules for dependencies (deny.toml); installs cargo-deny if it is missing, which takes ten minutes
# make fuzz    anything at all for each reader of what strangers write, five minutes each, or FUZZ=60 seconds; installs cargo-fuzz if it is missing
#
# Needed beforehand: Debian (or anything with apt) and Rust. Nothing is asked; every target works twice in a row.

.PHONY: demo test test-edge check check-deploy ui bench bench-seen soak deny fuzz ffmpeg fonts nginx haproxy vlc chromium npm slowhttptest testssl jq promtool linker

# $(call need,what,test whether it is there,its Debian package)
# apt-get is only reached for when the test fails, as root or through sudo.
define need
@if { $(2); } >/dev/null 2>&1; then :; else \
  echo "==> $(1) is missing: installing it with apt-get (a minute or two)"; \
  if ! command -v apt-get >/dev/null; then echo "There is no apt-get here. Please install $(1) and try again." >&2; exit 1; fi; \
  if [ "$$(id -u)" = 0 ]; then as_root="env"; \
  elif command -v sudo >/dev/null; then as_root="sudo env"; \
  else echo "Neither root nor sudo. Please have an administrator run: apt-get install $(3)" >&2; exit 1; fi; \
  $$as_root DEBIAN_FRONTEND=noninteractive apt-get update -qq && \
  $$as_root DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(3) </dev/null >/dev/null \
  || { echo "apt-get could not install $(3). Please install it by hand and try again." >&2; exit 1; }; \
fi
endef

demo: ffmpeg fonts linker
	@echo "==> Building Warmgate (some minutes the first time, seconds after that)"
	cargo build --release --locked
	@echo "==> Starting the demonstration; Ctrl-C ends it"
	@exec target/release/warmgate demo

# Most tests wait for what takes its time in the world too: more of them at once than there are processors.
test: ffmpeg fonts nginx haproxy vlc chromium linker
	@echo "==> Building and running all tests (some minutes the first time)"
	RUST_TEST_THREADS=4 cargo test --workspace --locked

check: linker
	@echo "==> Formatting"
	cargo fmt --all --check
	@echo "==> Lints (some minutes the first time)"
	cargo clippy --workspace --all-targets --locked -- -D warnings
	@echo "==> Documentation"
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --locked --no-deps --document-private-items
	@if command -v cargo-deny >/dev/null; then $(MAKE) --no-print-directory deny; \
	else echo "==> Dependencies: skipped, cargo-deny is not installed (make deny installs it)"; fi

# promtool reads rules only, so it is given each query of the board as one. That the metrics exist is a test of `make test`.
check-deploy: promtool jq
	@echo "==> Rules for Prometheus, and the example of its configuration"
	$(PROMTOOL) check config --syntax-only deploy/prometheus/prometheus.yaml
	$(PROMTOOL) check rules deploy/prometheus/warmgate.rules.yaml
	$(PROMTOOL) test rules deploy/prometheus/warmgate.rules.test.yaml
	@echo "==> Queries of the Grafana board"
	@mkdir -p target
	jq -f deploy/grafana/queries-as-rules.jq deploy/grafana/warmgate.json >target/board.rules.json
	$(PROMTOOL) check rules target/board.rules.json

ui: npm
	@echo "==> Building the dashboard"
	npm --prefix ui ci --no-audit --no-fund
	npm --prefix ui run build

deny: linker
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	@echo "==> Dependencies"
	cargo deny --locked check bans licenses sources

ffmpeg:
	$(call need,FFmpeg,command -v ffmpeg,ffmpeg)

# The test pictures carry the channel's number and a clock.
fonts:
	$(call need,the font DejaVu Sans,test -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf,fonts-dejavu-core)

nginx:
	$(call need,nginx,test -x /usr/sbin/nginx || command -v nginx,nginx-light)

haproxy:
	$(call need,HAProxy,test -x /usr/sbin/haproxy || command -v haproxy,haproxy)

# It sends RTSP, without a screen: 7 MB.
vlc:
	$(call need,VLC,command -v vlc,vlc-bin vlc-plugin-base)

jq:
	$(call need,jq,command -v jq,jq)

PROMTOOL = $(or $(shell command -v promtool),target/promtool/usr/bin/promtool)

# To install its package would start a Prometheus on this machine, so the program alone is taken out of it. That needs no root.
promtool:
	@test -x $(PROMTOOL) || { \
	  echo "==> promtool is missing: taking it out of the package prometheus (half a minute)"; \
	  if ! command -v apt-get >/dev/null; then echo "There is no apt-get here. Please install promtool and try again." >&2; exit 1; fi; \
	  mkdir -p target/promtool/lists/partial && cd target/promtool && apt_get() { \
	    apt-get -qq -o APT::Sandbox::User=root -o Dir::State::Lists="$$PWD/lists" -o Dir::Cache="$$PWD" "$$@"; \
	  } && apt_get update && apt_get download prometheus && \
	  dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool && rm -r lists prometheus_*.deb \
	  || { echo "promtool could not be downloaded. Please install it by hand and try again." >&2; exit 1; }; \
	}

chromium:
	$(call need,Chromium,command -v chromium,chromium)

linker:
	$(call need,a C compiler,command -v cc,gcc libc6-dev)

bench: ffmpeg nginx linker
	@echo "==> Building and measuring: the gateway beside nginx and the bare server (a few minutes the first time)"
	cargo bench --locked --bench passthrough
	cargo bench --locked --bench crowd
	cargo bench --locked --bench cutter
	cargo bench --locked --bench memory
	cargo bench --locked --bench rewind
	cargo bench --locked --bench snapshot
	cargo bench --locked --bench start
	cargo bench --locked --bench zap

# The version that jellyfin-web 12 contains.
HLS_JS = 1.6.16
ZAPS = 20
WATCH = 20
GOPS = 1,2,5
PAUSE = 0
LATE = 0
RTT = 0
WAYS = bare,cold,cold-keyed,warm,warm-keyed

bench-seen: ffmpeg fonts chromium npm linker
	@test -e target/npm/node_modules/hls.js || npm install --silent --no-audit --prefix target/npm hls.js@$(HLS_JS)
	cargo bench --locked --bench seen -- --ways $(WAYS) --zaps $(ZAPS) --watch $(WATCH) --gops $(GOPS) --pause $(PAUSE) --late $(LATE) --rtt $(RTT)

# The same build as for the tests.
test-edge: ffmpeg nginx slowhttptest testssl linker
	@echo "==> Building (some minutes the first time), then frames and heads that nobody should send"
	cargo test --locked --test gateway passthrough::
	@echo "==> Attacks that hold connections, and TLS, beside nginx (four minutes)"
	cargo bench --locked --profile dev --bench edge

slowhttptest:
	$(call need,slowhttptest,command -v slowhttptest,slowhttptest)

testssl:
	$(call need,testssl.sh,command -v testssl,testssl.sh)

SOAK ?= 3600

soak: ffmpeg linker
	@echo "==> Building and loading the gateway for $(SOAK) s"
	cargo bench --locked --bench soak -- --seconds $(SOAK)

npm:
	$(call need,npm,command -v npm,npm)

FUZZ ?= 300
FUZZED = cutter tables playlist lineup config query wishes forwarded cmcd proxy_header

# The sanitizer needs a switch of the nightly compiler, which the stable one has too.
fuzz: linker
	@command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	RUSTC_BOOTSTRAP=1 cargo fuzz build
	@set -e; for target in $(FUZZED); do \
	  echo "==> $$target, for $(FUZZ) s"; \
	  RUSTC_BOOTSTRAP=1 cargo fuzz run $$target -- -max_total_time=$(FUZZ) -max_len=12000 -print_final_stats=1; \
	done
