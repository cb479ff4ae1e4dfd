# `make serve` and `make test` need Python 3.11 or newer, make and a package registry; nothing else.
#
#   make serve ARGS="--port 9000"      options of glyphscope-serve
#   make test  ARGS="-k store -x"      options of pytest
#   make test  JOBS=1                  one process; the default is one more than cores
#   make serve PYTHON=python3.13       another Python, for a new .venv

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
EXTRAS ?= train,dev
ARGS   ?=

# One process more than cores: some tests wait for others' processes. A file stays in one process.
JOBS   ?= $(shell expr $$(nproc 2>/dev/null || sysctl -n hw.ncpu) + 1)
PYTEST  = $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

# -P below: benchmarks/training.py must not hide the package of that name.

# One stamp for each set of extras. A stamp is touched last, so that an installation that broke off
# is taken up again by the next `make`.
comma   := ,
runtime := $(VENV)/.runtime
develop := $(VENV)/.develop-$(subst $(comma),-,$(EXTRAS))

.DEFAULT_GOAL := help
.PHONY: help serve test check bench course format clean container-test

help:
	@echo "make serve            the service on http://127.0.0.1:8000"
	@echo "make test             the tests"
	@echo "make check            format, lint, types, imports, then the tests"
	@echo "make bench            the figures of the README"
	@echo "make course           the course's experiments in their short form; ARGS=--full for all of it"
	@echo "make format           format the code and mend what can be mended"
	@echo "make container-test   build the image with docker or podman, run it, try it"
	@echo "make clean            remove caches and build outputs ($(VENV) stays)"

serve: $(runtime)
	@$(BIN)/glyphscope-serve $(ARGS)

test: $(develop)
	@$(PYTEST) $(ARGS)

check: $(develop)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(PYTEST) $(ARGS)

bench: $(develop)
	@set -e; found=; \
	for script in benchmarks/[!_]*.py; do \
	  [ -e "$$script" ] || continue; \
	  found=yes; echo "== $$script"; $(BIN)/python -P "$$script" $(ARGS); \
	done; \
	[ "$$found" ] || echo "there are no benchmarks in benchmarks/"

course: $(develop)
	@$(BIN)/glyphscope-train course $(ARGS)

format: $(develop)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

container-test: $(develop)
	@GLYPHSCOPE_REQUIRE=container $(BIN)/python -m pytest tests/container $(ARGS)

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(runtime): pyproject.toml
	@$(call install,.)

$(develop): pyproject.toml
	@$(call install,.[$(EXTRAS)])

# $(call install,REQUIREMENT). It names each package as it comes, since PyTorch can be gigabytes;
# plain sh has no pipefail, so a failure of pip leaves a file behind.
define install
	set -e; \
	$(BIN)/python -m pip --version >/dev/null 2>&1 || { $(make_venv); }; \
	echo "Installing Glyphscope into $(VENV); the first time takes some minutes."; \
	rm -f $(VENV)/.failed; \
	{ PYTHONUNBUFFERED=1 $(BIN)/python -m pip install --disable-pip-version-check -e '$(1)' 2>&1 \
	  || touch $(VENV)/.failed; } | tee $(VENV)/install.log | awk '$(name_package)'; \
	if [ -e $(VENV)/.failed ]; then \
	  tail -n 20 $(VENV)/install.log >&2; \
	  echo "The installation failed; the whole log is $(VENV)/install.log." >&2; \
	  echo "Run make again to go on from here." >&2; exit 1; \
	fi; \
	touch $(runtime) $@
endef

define make_venv
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Glyphscope needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)." >&2; \
	  echo "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }; \
	$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: its module venv or ensurepip is missing." >&2; \
	  echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }; \
	echo "Making $(VENV) with $$($(PYTHON) -V)."; \
	$(PYTHON) -m venv --clear $(VENV)
endef

define name_package
/^ *(Downloading|Using cached|Processing) .*(whl|gz)( |$$)/ { \
  n = split($$0, part, /[ \/]+/); \
  for (i = 1; i <= n; i++) if (part[i] ~ /[.](whl|gz)$$/) split(part[i], name, "-"); \
  size = match($$0, /[(][0-9.]+ .B[)]/) ? substr($$0, RSTART, RLENGTH) : ""; \
  sub(/[.]tar[.]gz$$/, "", name[2]); \
  print "  " name[1] " " name[2] (size ? " " size : ""); fflush() } \
/^Installing collected packages/ { print "  unpacking"; fflush() }
endef
